"""One environment: a Stage, so that `cdk deploy 'dev/*'` deploys all of it in the right order."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.budget.findings import WARNING
from stacks.budget.rules import judge
from stacks.config import Environment
from stacks.data_stack import DataStack
from stacks.service_stack import ServiceStack


class EnvironmentStage(cdk.Stage):
    """The two stacks of an environment, named <service>-<environment>-data and -service, in its region."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, environment.name, env=cdk.Environment(region=environment.region))
        data, service = _options(environment, "data"), _options(environment, "service")
        self.data = DataStack(self, "Data", environment=environment, options=data)
        self.service = ServiceStack(self, "Service", data=self.data, environment=environment, options=service)
        acknowledge(self.data, self.service, environment)
        for finding in judge(environment.budget):
            if finding.severity == WARNING:
                cdk.Annotations.of(self.service).add_warning_v2(f"headroom:{finding.id}", str(finding))


def _options(environment: Environment, stack: str) -> dict[str, Any]:
    return {
        "stack_name": f"{environment.prefix}-{stack}",
        "description": f"{environment.service}: the {stack} stack of {environment.name}",
        "termination_protection": environment.retain,
        # Tags of the stack: CloudFormation puts them on every resource that takes tags. Tags.of() would write them into
        # the template, on the proxy's target group too, where CDK's own validation calls them an error.
        "tags": {"service": environment.service, "environment": environment.name},
    }
