"""Who may deploy from the Git host: its workflows, by OpenID Connect, without stored keys. See docs/deployment.md."""

from collections.abc import Iterable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.config import Environment
from stacks.refusal import like, refuse

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"  # what aws-actions/configure-aws-credentials asks for
DEFAULT_BRANCH = "main"  # the nightly workflow runs on it
DEPLOYS = ("deploy-role", "file-publishing-role", "lookup-role")
READS = ("lookup-role",)
SLASH = cdk.ArnFormat.SLASH_RESOURCE_NAME


class DeploymentStage(cdk.Stage):
    """The provider, once an account, and the roles of each environment, in stacks of their own: `deployment/*`.

    `repository` is what the Git host says of itself in a token's `sub`, between "repo:" and the next colon.
    """

    def __init__(self, scope: Construct, *, repository: str, environments: Iterable[Environment[Any]]) -> None:
        super().__init__(scope, "deployment")
        allowed = "owner/name, or owner@number/name@number: see docs/deployment.md for which"
        refuse("REPOSITORY", [like("it", repository, r"[\w.-]+(@\d+)?/[\w.-]+(@\d+)?", allowed)])
        deployed = [each for each in environments if each.name != "local"]
        self.provider = ProviderStack(self, "provider", service=deployed[0].service, region=deployed[0].region)
        self.roles = {
            each.name: RolesStack(self, each.name, repository=repository, environment=each) for each in deployed
        }


class ProviderStack(cdk.Stack):
    """Trust in the Git host's tokens. An account has one of it, whoever made it, and it outlives its stack."""

    def __init__(self, scope: Construct, id: str, *, service: str, region: str) -> None:
        super().__init__(
            scope,
            id,
            stack_name=f"{service}-deployment-provider",
            env=cdk.Environment(region=region),
            description=f"{service}: trust in {ISSUER}",
        )
        provider = iam.OidcProviderNative(self, "GitHub", url=f"https://{ISSUER}", client_ids=[AUDIENCE])
        provider.apply_removal_policy(cdk.RemovalPolicy.RETAIN)


class RolesStack(cdk.Stack):
    """Two roles of one environment, which may do nothing but assume roles that `cdk bootstrap` made.

    `deploy` is for jobs in the Git host's environment of the same name, whose protection decides who starts them;
    `read` for pull requests and the default branch.
    """

    def __init__(self, scope: Construct, id: str, *, repository: str, environment: Environment[Any]) -> None:
        super().__init__(
            scope,
            id,
            stack_name=f"{environment.service}-deployment-{environment.name}",
            env=cdk.Environment(region=environment.region),
            description=f"{environment.service}: who deploys {environment.name}",
        )
        self._repository = repository
        deploy, read = role_names(environment)
        self._role("Deploy", deploy, [f"environment:{environment.name}"], DEPLOYS)
        self._role("Read", read, ["pull_request", f"ref:refs/heads/{DEFAULT_BRANCH}"], READS)

    def _role(self, id: str, name: str, subjects: Iterable[str], assumes: Iterable[str]) -> None:
        # By its name, not by a reference: the account may have had a provider before, and each account has its own.
        provider = self.format_arn(
            service="iam", region="", resource="oidc-provider", resource_name=ISSUER, arn_format=SLASH
        )
        role = iam.Role(
            self,
            id,
            role_name=name,
            description="docs/deployment.md",
            max_session_duration=cdk.Duration.hours(1),
            assumed_by=iam.WebIdentityPrincipal(
                provider,
                {
                    "StringEquals": {
                        f"{ISSUER}:aud": AUDIENCE,
                        f"{ISSUER}:sub": [f"repo:{self._repository}:{subject}" for subject in subjects],
                    }
                },
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["sts:AssumeRole"], resources=[self._bootstrap_role(each) for each in assumes])
        )

    def _bootstrap_role(self, kind: str) -> str:
        """The ARN of a role of `cdk bootstrap` in this environment's account and region."""
        qualifier = self.node.try_get_context("@aws-cdk/core:bootstrapQualifier")
        name = f"cdk-{qualifier or cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER}-{kind}-{self.account}-{self.region}"
        return self.format_arn(service="iam", region="", resource="role", resource_name=name, arn_format=SLASH)


def role_names(environment: Environment[Any]) -> tuple[str, str]:
    """The names of an environment's roles: the one that deploys, and the one that reads."""
    return f"{environment.prefix}-deploy", f"{environment.prefix}-read"
