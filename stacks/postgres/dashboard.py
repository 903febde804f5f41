"""The dashboard's rows of RDS Proxy and PostgreSQL: clients, connections, pinning, the database."""

from stacks.alarm_plan import DATABASE, PROXY, busy_threshold, pinned_threshold
from stacks.capacity import Budget
from stacks.dashboard import Rows, errors, graph
from stacks.metrics import Metrics


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
