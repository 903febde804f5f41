"""The dashboard's rows of RDS Proxy and PostgreSQL: clients, connections, pinning, the database."""

from stacks.alarm_plan import DATABASE, PROXY, TARGET
from stacks.capacity import Budget
from stacks.dashboard import Rows, errors, graph
from stacks.metrics import Dimensions, Metrics
from stacks.postgres.alarm_plan import busy_threshold, pinned_threshold


def of_rds(*, proxy_name: str, database_name: str) -> Dimensions:
    """A proxy, its target, and the database behind it.

    RDS publishes a proxy's metrics for each of its nodes: counts are summed, never averaged.
    Source: Amazon RDS User Guide, "Monitoring RDS Proxy metrics with Amazon CloudWatch", dimension sets 1 and 4.
    """
    return {
        PROXY: {"ProxyName": proxy_name},
        TARGET: {"ProxyName": proxy_name, "TargetGroup": "default", "TargetRole": "READ_WRITE"},
        DATABASE: {"DBInstanceIdentifier": database_name},
    }


def postgres_rows(metrics: Metrics, budget: Budget) -> Rows:
    """With the lines of the connection budget."""
    metric = metrics.metric
    return [
        [
            graph(
                "Proxy: client connections",
                [metric(PROXY, "ClientConnections", "Sum", "clients")],
                [
                    (budget.clients, "one for each environment"),
                    (budget.clients_during_deployment, "in a deployment"),
                ],
            ),
            graph(
                "Proxy: clients refused, connections failed",
                [
                    metric(PROXY, "ClientConnectionsSetupFailedAuth", "Sum", "refused"),
                    metric(PROXY, "DatabaseConnectionsSetupFailed", "Sum", "failed"),
                ],
            ),
        ],
        [
            graph(
                "Server connections",
                [
                    metric(PROXY, "DatabaseConnections", "Sum", "open"),
                    metric(PROXY, "DatabaseConnectionsCurrentlyBorrowed", "Sum", "in use"),
                    metric(PROXY, "MaxDatabaseConnectionsAllowed", "Sum", "allowed"),
                    metric(DATABASE, "DatabaseConnections", "Maximum", "all, also past the proxy"),
                ],
                [
                    (budget.needed, "needed"),
                    (busy_threshold(budget), "alarm"),
                    (budget.pool, "pool"),
                    (budget.slots, "slots"),
                ],
                width=24,
            )
        ],
        [
            graph(
                "Proxy: pinned sessions",
                [metric(PROXY, "DatabaseConnectionsCurrentlySessionPinned", "Sum", "pinned")],
                [(pinned_threshold(budget), "alarm")],
            ),
            graph(
                "Proxy: waiting for a server connection, µs",
                [metric(PROXY, "DatabaseConnectionsBorrowLatency", each, each) for each in ("Average", "Maximum")],
                [(1_000_000 * budget.connection_borrow_timeout, "borrow timeout")],
            ),
        ],
        [
            graph(
                "Database: CPU, %",
                [metric(DATABASE, "CPUUtilization", "Average", "busy")],
                [(90, "alarm")],
                width=8,
            ),
            graph(
                "Database: sessions that want to run",
                [metric(DATABASE, "DBLoad", "Average", "sessions")],
                [(budget.instance_class.vcpus, "vCPUs")],
                width=8,
            ),
            graph(
                "Database: free memory, bytes",
                [metric(DATABASE, "FreeableMemory", "Average", "free")],
                [(budget.instance_class.memory_gib * 2**30, "all")],
                width=8,
            ),
        ],
        errors(metrics),
    ]
