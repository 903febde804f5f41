"""What can be replaced at any time of an environment on RDS PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from constructs import Construct

from stacks.config import Environment
from stacks.postgres.alarm_plan import alarm_plans
from stacks.postgres.dashboard import of_rds, postgres_rows
from stacks.postgres.data_stack import DataStack
from stacks.service import Behind, Service


class ServiceStack(Service):
    """The service, whose function logs in to the proxy."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        data: DataStack,
        environment: Environment,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id, environment=environment, options=options)
        budget = environment.budget
        behind = Behind(
            variables=data.proxy.variables(environment.api),
            allow=data.proxy.allow,
            rate=budget.throttle_rate,
            burst=budget.throttle_burst,
            dimensions=lambda _: of_rds(proxy_name=data.proxy.name, database_name=data.database.name),
            alarms=alarm_plans(budget, environment.store.allocated_storage_gib),
            rows=lambda metrics: postgres_rows(metrics, budget),
            runbook=environment.runbook,
            vpc_config=data.network.vpc_config(data.network.clients),
        )
        self.compose(behind, data.notifications)
