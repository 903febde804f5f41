"""The runbook's chapter of DynamoDB. Sources: Amazon DynamoDB Developer Guide, "Resolving throttling", "Point-in-time
recovery", "Managing global secondary indexes".
"""

from collections.abc import Sequence

from stacks.options.dynamodb.budget import (
    PARTITION_READ_UNITS,
    PARTITION_WRITE_UNITS,
    READ_UNITS,
    WRITE_UNITS,
    Throughput,
)
from stacks.options.dynamodb.store import DynamoDb
from stacks.runbook.chapter import Chapter, Column, Seen

ERRORS = (
    Seen(
        "Throughput exceeds the maximum OnDemandThroughput configured on table or index",
        "DynamoDB; function's log: ThrottlingException at the last attempt",
        "Table throttling",
    ),
    Seen("ReadThrottleEvents, WriteThrottleEvents", "table's metrics", "Table throttling"),
    Seen("ReadKeyRangeThroughputThrottleEvents, WriteKeyRange…", "table's metrics", "Hot partition"),
    Seen("…KeyRangeThroughputExceeded", "reason of a ThrottlingException", "Hot partition"),
    Seen("503 with Retry-After", "API before a table", "Table failure"),
    Seen("s left, and an attempt begins only with 1 s", "function's log", "Table failure"),
    Seen("InternalServerError at the last attempt", "function's log", "Table failure"),
    Seen("projects are gone or wrong", "callers", "Table restore"),
    Seen("Cannot perform more than one GSI creation or deletion in a single update", "CloudFormation", "Index changes"),
    Seen("The table currently has the maximum number of indexes in CREATING state", "CloudFormation", "Index changes"),
)

THROUGHPUT = f"""
A table has no connections. What a request takes of it is counted in units: reading 4 KB consistently is one,
writing 1 KB is one, and one more in each index. A list of 25 projects takes {READ_UNITS} read units, a creation
{WRITE_UNITS} write units. The table must give as many as the API's throttle lets requests through: `cdk synth` refuses
an environment whose `max_read_request_units` or `max_write_request_units` is less.

- **partition-safe**: one tenant may make every request that the API lets through. A tenant's projects are in one
  partition, which gives {PARTITION_READ_UNITS} read or takes {PARTITION_WRITE_UNITS} write units a second.
- **spread-dependent**: the table serves all of it, but not for one tenant alone: then see [hot
  partition](#hot-partition).
- **refused**: `cdk synth` fails.

The two maxima limit the cost; AWS calls them a best effort. Without traffic a table costs its storage. A new one serves
4,000 writes and 12,000 reads a second at once, and later twice its earlier peak; more within half an hour is
throttled.
"""

PAGES = {
    "Throughput": THROUGHPUT,
    "Table throttling": """
DynamoDB refuses requests for a while. The function sends each again, 3 attempts in all, then answers 503 with
`Retry-After`; its log line counts `Throttles` and `CapacityUnits`.

1. Dashboard, rows *Table*: are the consumed units at the line *maximum throughput*? Then this limit is what
   throttles: raise `max_read_request_units` or `max_write_request_units` in stacks/environments.py. It takes effect
   within minutes and replaces nothing. `make budget ENV=… SET=max_write_request_units=…` says what that may cost an
   hour.
2. Far below the line: one partition is beyond what it can give. See [hot partition](#hot-partition).
3. At neither, and traffic has more than doubled within half an hour: DynamoDB splits partitions meanwhile, and it
   ends by itself. Before a peak that is known, give the table warm throughput; that can't be lowered again.
4. Writes are throttled and GSI1 is at its own maximum: an index that can't keep up throttles the table. Both have
   the same maximum here.
5. To cut the load first, lower the API's `throttle` in stacks/environments.py.
""",
    "Hot partition": f"""
One tenant asks for more than its partition gives, whatever the table may: {PARTITION_READ_UNITS // READ_UNITS}
lists of 25, or {PARTITION_WRITE_UNITS // WRITE_UNITS} creations a second.

1. Contributor insights of the table name the keys: `aws dynamodb describe-contributor-insights --table-name …` has
   the rules, and CloudWatch, *Contributor Insights*, shows the `PK` that is throttled most.
2. The tenant is in that key, `TENANT#…`. The API's access log says who calls: throttle that caller.
3. If it should be served: fewer and larger pages (a `limit` of 500 reads no more units for each project, but far
   fewer requests), or `get` instead of lists.
4. A tenant that is larger than that for good needs several partitions, which this table can't give while its list
   is a local index: spread its projects over several tenants, or choose other keys.
""",
    "Table failure": """
The function answers 503 with `Retry-After` while DynamoDB does not answer. Its log line says `Retries`, `Throttles`
and `DeadlineExceeded`; each 500 is logged with the place in the code.

1. `SystemErrors` of the table: the fault is AWS's, see its health dashboard. Requests are sent again by themselves.
2. None, and the function times out: it runs outside a VPC and needs no endpoint; one in a VPC needs the gateway
   endpoint.
3. `AccessDeniedException` in the log: somebody changed the role's policy. Put it back by hand: a deployment does not,
   since the template did not change. `python -m ci.drift` shows the difference.
4. `ResourceNotFoundException`: the table is gone or another one. See [table restore](#table-restore).
""",
    "Table restore": """
A restore makes a **new** table; the function keeps using the old one until `TABLE_NAME` changes. Any second of the last
`recovery_days` can be had.

1. `aws dynamodb restore-table-to-point-in-time --source-table-name … --target-table-name … --restore-date-time …`:
   from minutes to hours. Indexes come along; TTL, tags, alarms, maximum throughput, contributor insights, deletion
   protection and recovery itself do not: set them on the new table.
2. To bring back single projects, copy them: `get-item` from the new table, `put-item` into the old one.
3. To use the new table as a whole: `cdk import` it in place of the old one (both have `Retain`), or set
   `TABLE_NAME` of the function by hand until then. Cursors stay good: their keys are in the table.
4. A table that was deleted with its stack is still there where `retain` is True; else only a backup has it.
5. Practise it every quarter, and write down how long it takes.
""",
    "Index changes": """
DynamoDB makes or deletes one global index at a time, and a local index only with a new table. CloudFormation fails
an update that asks for more, and rolls it back.

1. `make snapshot` refuses such a change before it is deployed, and names the indexes: make one change, deploy, then
   the next.
2. A new index is filled while the table serves: it takes minutes to hours, and write units. `aws dynamodb
   describe-table` shows `IndexStatus`; use the index in code after it is `ACTIVE`, in a deployment of its own.
3. To change an index's keys or projection: add one of another name, deploy, move the code, deploy, remove the old
   one.
4. Another local index, or other keys of the table: make another table, copy, and switch. [Table
   restore](#table-restore) says how a function is given another table.
""",
}

OVERVIEW: Sequence[Column[Throughput]] = (
    Column("reserved", lambda t: t.environment.api.reserved_concurrency),
    Column("throttle", lambda t: f"{t.throttle_rate} a second"),
    Column("read units needed", lambda t: t.read_units),
    Column("maximum", lambda t: t.environment.store.max_read_request_units),
    Column("write units needed", lambda t: t.write_units),
    Column("maximum", lambda t: t.environment.store.max_write_request_units),
    Column("verdict", lambda t: t.verdict),
)

CHAPTER = Chapter(
    about="DynamoDB",
    store=DynamoDb,
    errors=ERRORS,
    pages=PAGES,
    numbers=Throughput.of,
    overview=OVERVIEW,
    of_a_page={
        "Table throttling": (
            Column("most reads", lambda t: f"{t.environment.store.max_read_request_units} /s"),
            Column("most writes", lambda t: f"{t.environment.store.max_write_request_units} /s"),
            Column(
                "alarm from",
                lambda t: (
                    f"{t.environment.store.max_read_request_units * 8 // 10} and "
                    f"{t.environment.store.max_write_request_units * 8 // 10} /s"
                ),
            ),
            Column("throttle", lambda t: f"{t.throttle_rate} a second, {t.throttle_burst} at once"),
        ),
        "Hot partition": (
            Column("reserved", lambda t: t.environment.api.reserved_concurrency),
            Column("throttle", lambda t: f"{t.throttle_rate} a second"),
            Column("verdict", lambda t: t.verdict),
            Column("contributor insights", lambda t: "on" if t.environment.store.contributor_insights else "off"),
        ),
        "Table restore": (
            Column("to any second of", lambda t: f"{t.environment.store.recovery_days} d"),
            Column("deletion protection", lambda t: "yes" if t.environment.retain else "no"),
        ),
    },
)
