"""One environment: a Stage, so that `cdk deploy 'dev/*'` deploys all of it in the right order."""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any, NamedTuple

import aws_cdk as cdk
from constructs import Construct

from stacks.budget.findings import WARNING
from stacks.config import Environment
from stacks.documents import report


class Stacks(NamedTuple):
    """What an environment of one store is made of, and what it acknowledges of cdk-nag's findings."""

    data: Callable[..., Any]
    service: Callable[..., Any]
    acknowledge: Callable[..., None]


class EnvironmentStage(cdk.Stage):
    """The two stacks of an environment, named <service>-<environment>-data and -service, in its region."""

    def __init__(self, scope: Construct, *, environment: Environment[Any]) -> None:
        super().__init__(scope, environment.name, env=cdk.Environment(region=environment.region))
        data, service = _options(environment, "data"), _options(environment, "service")
        stacks: Stacks = resolve_name(environment.store.stacks)
        self.data = stacks.data(self, "Data", environment=environment, options=data)
        self.service = stacks.service(self, "Service", data=self.data, environment=environment, options=service)
        stacks.acknowledge(self.data, self.service, environment)
        for finding in report(environment).findings():
            if finding.severity == WARNING:
                cdk.Annotations.of(self.service).add_warning_v2(f"headroom:{finding.id}", str(finding))


def _options(environment: Environment[Any], stack: str) -> dict[str, Any]:
    return {
        "stack_name": f"{environment.prefix}-{stack}",
        "description": f"{environment.service}: the {stack} stack of {environment.name}",
        "termination_protection": environment.retain,
        # Tags of the stack: CloudFormation puts them on every resource that takes tags. Tags.of() would write them into
        # the template, on the proxy's target group too, where CDK's own validation calls them an error.
        "tags": {"service": environment.service, "environment": environment.name},
    }
