"""The CDK app: one Stage per environment, and the checks that every template must pass."""

from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from stacks.checks.assembly import production_by_name
from stacks.checks.plugin import ProxyChecks
from stacks.config import Environment
from stacks.deployment import DeploymentStage
from stacks.environments import ENVIRONMENTS, REPOSITORY
from stacks.stage import EnvironmentStage


def build(
    environments: Iterable[Environment[Any]] = ENVIRONMENTS,
    *,
    repository: str | None = REPOSITORY,
    context: Mapping[str, Any] | None = None,
    outdir: str | None = None,
) -> App:
    """The app with these environments. It reads no environment variable, calls nothing, and reports nothing to AWS."""
    app = App(analytics_reporting=False, context=context, outdir=outdir)
    each_once = tuple(environments)
    for environment in each_once:
        EnvironmentStage(app, environment=environment)
    if repository is not None:
        DeploymentStage(app, repository=repository, environments=each_once)
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app), ServerlessChecks(app), ProxyChecks(app, production=production)
    )
    return app


def production(path: str) -> bool:
    """Whether a stack is production's. One whose name says nothing is not: `prod` is the name that means something."""
    return production_by_name(path) is True


if __name__ == "__main__":
    build().synth()
