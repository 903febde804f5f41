"""The dashboard's rows of a table: what is consumed and what is throttled, beside what the plan allows."""

from stacks.alarm_plan import CLIENT, TABLE, TABLE_INDEX
from stacks.dashboard import Row, Rows, errors, graph
from stacks.metrics import Dimensions, Metrics
from stacks.options.dynamodb.budget import PARTITION_READ_UNITS, PARTITION_WRITE_UNITS, Throughput
from stacks.options.dynamodb.table import ACROSS

MINUTE = 60  # seconds: units are consumed a minute, and planned a second


def of_table(name: str, function_name: str) -> Dimensions:
    """A table, its index across tenants, and what a function logs of its requests."""
    return {
        TABLE: {"TableName": name},
        TABLE_INDEX: {"TableName": name, "GlobalSecondaryIndexName": ACROSS},
        CLIENT: {"FunctionName": function_name},
    }


def table_rows(metrics: Metrics, throughput: Throughput) -> Rows:
    """Rows: reads, writes, what the function sees, errors; with the lines of the throughput."""
    store, metric = throughput.environment.store, metrics.metric
    return [
        _units(metrics, "Read", throughput.read_units, store.max_read_request_units, PARTITION_READ_UNITS),
        _units(metrics, "Write", throughput.write_units, store.max_write_request_units, PARTITION_WRITE_UNITS),
        [
            graph(
                "Table, as functions see it: attempts",
                [metric(CLIENT, each, "Sum", each) for each in ("Retries", "Throttles")],
            ),
            graph(
                "Table, as functions see it: ms",
                [metric(CLIENT, "QueryTime", each, each) for each in ("p50", "p90", "p99")],
                [(1000 * throughput.environment.api.deadline_seconds, "deadline of a request")],
            ),
        ],
        errors(
            metrics,
            "Errors of the function and of DynamoDB, throttles, requests without an answer",
            metric(TABLE, "SystemErrors", "Sum", "DynamoDB's"),
            metric(CLIENT, "DeadlineExceeded", "Sum", "no answer"),
        ),
    ]


def _units(metrics: Metrics, kind: str, needed: int, most: int, partition: int) -> Row:
    consumed, metric = f"Consumed{kind}CapacityUnits", metrics.metric
    return [
        graph(
            f"Table: {kind.lower()} units a minute",
            [metric(TABLE, consumed, "Sum", "consumed"), metric(TABLE_INDEX, consumed, "Sum", ACROSS)],
            [
                (MINUTE * needed, "needed at the throttle"),
                (MINUTE * most * 8 // 10, "alarm"),
                (MINUTE * most, "maximum throughput"),
                (MINUTE * partition, "one tenant's partition"),
            ],
        ),
        graph(f"Table: {kind.lower()}s throttled", [metric(TABLE, f"{kind}ThrottleEvents", "Sum", "throttled")]),
    ]
