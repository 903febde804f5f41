"""E: what functions need to log in to a proxy by IAM, and what rotation needs to reach the database past it."""

from collections.abc import Iterator
from typing import Any

from .authentication import CONNECT, username
from .policies import Statement
from .rule import Finding, Severity, rule
from .servers import Proxy
from .stage import Stage
from .template import Resource
from .values import Attribute, Text, Unknown, mentioned, mentions, shown

IAM_ACCESS = 'Amazon RDS User Guide, "Creating and using an IAM policy for IAM database access"'


@rule(
    "E19",
    Severity.ERROR,
    "a secret that is rotated has the database as its host, not the proxy",
    fix="attach the secret to the instance or cluster: secret.attach(database)",
    source="rotation functions cannot change a password through RDS Proxy (aws-secrets-manager-rotation-lambdas#103)",
)
def _rotation_goes_past_the_proxy(stage: Stage) -> Iterator[Finding]:
    schedules = stage.of_type("AWS::SecretsManager::RotationSchedule")
    rotated = [stage.secret_of(each.get("SecretId")) for each in schedules]
    for attachment in stage.of_type("AWS::SecretsManager::SecretTargetAttachment"):
        secret = stage.secret_of(attachment.get("SecretId"))
        if attachment.get("TargetType") == "AWS::RDS::DBProxy" and secret is not None and secret in rotated:
            yield Finding(attachment, "TargetType", f"AWS::RDS::DBProxy, for {secret.id}")


@rule(
    "E20",
    Severity.ERROR,
    "a function of a proxy that requires IAM may connect to that proxy, as a user whom the proxy has a secret of",
    fix='grant it: proxy.grant_connect(function, "application"), with the name of a user of the proxy; '
    "a grant on the database, or on the proxy's ARN, is none on the proxy",
    source=IAM_ACCESS,
)
def _functions_may_connect(stage: Stage) -> Iterator[Finding]:
    for proxy in filter(stage.requires_iam, stage.proxies):
        for function in stage.users_of(proxy.resource, deployment=True):
            role = function.get("Role")
            if proxy.resource not in stage.hosts(function) or not stage.policies.is_complete(role):
                continue
            granted = [each for each in stage.policies.of(role) if each.allows(CONNECT)]
            resources = [each for statement in granted for each in _about(statement, proxy.resource)]
            strangers = _strangers(stage, proxy, resources)
            if not resources:
                value = f"no {CONNECT} on {proxy.resource.id}" + (", but on something else" if granted else "")
                yield Finding(function, "Role", value)
            elif strangers:
                value = f"{CONNECT} as {strangers}, and {proxy.resource.id} has no secret of that user"
                yield Finding(function, "Role", value)


def _about(statement: Statement, proxy: Resource) -> list[Any]:
    """The resources of a statement that are, or may be, users of a proxy."""
    return [each for each in statement.resources if _may_be_about(each, proxy)]


def _may_be_about(resource: Any, proxy: Resource) -> bool:
    if isinstance(resource, Attribute):
        return resource.resource.type not in ("AWS::RDS::DBProxy", "AWS::RDS::DBInstance", "AWS::RDS::DBCluster")
    return isinstance(resource, Unknown) or mentions(resource, proxy) or not list(mentioned(resource))


def _strangers(stage: Stage, proxy: Proxy, resources: list[Any]) -> str | None:
    """The users that a function may log in as, where it is known that the proxy has secrets of others only."""
    if proxy.resource.get("DefaultAuthScheme") == "IAM_AUTH":
        return None
    secrets = [stage.secret_of(auth.get("SecretArn")) for auth in stage.auth(proxy)]
    known = {None if secret is None else username(secret) for secret in secrets}
    users = {_user(each) for each in resources}
    is_known = None not in known and None not in users
    return ", ".join(sorted(map(str, users))) if is_known and not known & users else None


def _user(resource: Any) -> str | None:
    text = shown(resource) if isinstance(resource, str | Text) else ""
    found = text.rpartition("/")[2]
    return found if found and not set(found) & set("*?${}") else None


@rule(
    "G06",
    Severity.WARNING,
    "a proxy's target group waits for the instances of its cluster",
    fix="make the target group depend on the writer: target_group.add_resource_dependency(writer)",
    source="aws-cdk#31304: a target group that is created before its cluster has an instance fails",
)
def _target_groups_wait(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        for group in proxy.groups:
            for target in proxy.targets:
                instances = [each for each in stage.members_of(target) if each.template is group.template]
                if instances and not set(instances) & _before(group):
                    yield Finding(group, "", f"does not depend on {', '.join(each.id for each in instances)}")


def _before(resource: Resource) -> set[Resource]:
    """Everything of its stack that CloudFormation creates before a resource."""
    found: set[Resource] = set()
    waiting = [resource]
    while waiting:
        for id in waiting.pop().needs:
            each = resource.template.resources.get(id)
            if each is not None and each not in found:
                found.add(each)
                waiting.append(each)
    return found
