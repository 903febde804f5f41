"""What every environment's service stack is made of; the store says what is behind the function."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.alarm_plan import AlarmPlan
from stacks.alarms import Alarms
from stacks.api import Api
from stacks.config import Environment
from stacks.dashboard import Dashboard, Rows
from stacks.function import Function, VpcConfig
from stacks.metrics import Dimensions, Metrics
from stacks.notifications import Notifications

FUNCTION = "Projects"  # its log group has this name, and so another one once it is deployed is another log group


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What is behind the function: the same questions to every store.

    The function gets `variables` and `allow` lets its role use the store, from `vpc_config` where that is in one. The
    API lets `rate` requests a second through, `burst` at once. `dimensions` are those of the store's metrics, by the
    function's name; `alarms` and the dashboard's `rows` are made of them, and `runbook` has the pages of the alarms.
    """

    variables: Mapping[str, str]
    allow: Callable[[iam.Role], None]
    rate: int
    burst: int
    dimensions: Callable[[str], Dimensions]
    alarms: Sequence[AlarmPlan]
    rows: Callable[[Metrics], Rows]
    runbook: str
    vpc_config: VpcConfig | None = None


class Service(Stack):
    """The function, the API in front of it, and what watches both and what is behind them."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment[Any], options: Mapping[str, Any]) -> None:
        super().__init__(scope, id, **options)
        self._environment = environment

    def compose(self, behind: Behind, notifications: Notifications) -> None:
        """Make it all, before that store; alarms are sent where `notifications` says."""
        environment, api = self._environment, self._environment.api
        self.handler = Function(
            self,
            FUNCTION,
            handler="lambda_src.handler.handler",
            description="Answers every request of the API",
            memory_mb=api.memory_mb,
            timeout=Duration.seconds(api.timeout_seconds),
            reserved_concurrency=api.reserved_concurrency,
            vpc_config=behind.vpc_config,
            environment=environment,
            runtime=api.runtime,
            variables={**self._store(), **behind.variables},
        )
        behind.allow(self.handler.role)
        function = self.handler.function
        self.api = Api(self, "Api", function=function, rate=behind.rate, burst=behind.burst, environment=environment)
        name = function.function_name
        metrics = Metrics(api_id=self.api.api.api_id, function_name=name, store=behind.dimensions(name))
        self.alarms = Alarms(
            self,
            "Alarms",
            plans=behind.alarms,
            metrics=metrics,
            notifications=notifications,
            runbook=behind.runbook,
        )
        self.dashboard = Dashboard(
            self,
            "Dashboard",
            metrics=metrics,
            alarms=self.alarms,
            api=api,
            rate=behind.rate,
            rows=behind.rows(metrics),
        )
        CfnOutput(self, "ApiUrl", value=self.api.url)

    def _store(self) -> dict[str, str]:
        """Which module of the function in Python has the store; lambda_src/stores.py reads it."""
        environment = self._environment
        return {"STORE": environment.store.code} if environment.api.runtime == "python" else {}
