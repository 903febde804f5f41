"""The runbook's own words. Sources: Amazon RDS User Guide, chapters of RDS Proxy; PostgreSQL's error codes."""

from stacks.runbook.chapter import Seen

ERRORS = (
    Seen("Timed-out waiting to acquire database connection", "function's log, SQLSTATE 08000", "Exhaustion"),
    Seen("remaining connection slots are reserved", "function's or administrator's, 53300", "Exhaustion"),
    Seen("503 with Retry-After", "API", "Exhaustion"),
    Seen("The client session was pinned to the database connection", "proxy's log", "Pinning"),
    Seen("429 Too Many Requests", "API", "Throttling"),
    Seen("Rate Exceeded, ReservedFunctionConcurrentInvocationLimitExceeded", "Lambda", "Throttling"),
    Seen("terminating connection due to administrator command", "function's log, 57P01", "Failover"),
    Seen("cannot execute … in a read-only transaction", "function's log, 25006", "Failover"),
    Seen("password authentication failed", "proxy's log, 28P01", "Rotation"),
    Seen("This RDS proxy has no credentials for the role", "function's log, 28000", "Authentication"),
    Seen("The IAM authentication failed for the role", "function's log, 28000", "Authentication"),
    Seen("certificate verify failed", "function's log", "Authentication"),
    Seen("RDS Proxy currently doesn't support command-line options", "function's log, 0A000", "Pinning"),
    Seen("PENDING_PROXY_CAPACITY, RDS-EVENT-0243", "target's health, event", "Proxy replacement"),
    Seen("Timed out waiting for target group", "CloudFormation", "Proxy replacement"),
)

NUMBERS = """
A function's execution environment keeps one connection to the proxy open: `clients`. It needs a connection from the
proxy to the database, a server connection, only while a statement or transaction runs. How many do so at once is a
binomial distribution: `busy_mean` is its mean, `busy_99` is not exceeded 99 % of the time, and `needed` is 30 % more,
since a proxy spreads its connections over its nodes. `pool` is how many the proxy may open: `max_connections_percent`
of `max_connections`. `slots` are the connections that our roles may use; `administrators` is how many of them the pool
leaves free.

- **pin-safe**: the pool has a connection for every client. Nothing that a session does can exhaust it.
- **multiplex-dependent**: the pool has fewer connections than there are clients, and enough as long as clients share
  them. A pinned session does not share: watch the alarm on pinned sessions first.
- **refused**: `cdk synth` fails.

Four things are assumptions. `max_connections` is estimated from the class's memory, and the plan uses 5 % less; `SHOW
max_connections` tells the real number. How long an invocation takes, and how much of that in the database: measure
both, the function's `Duration` and the proxy's `QueryResponseLatency`. And invocations are taken to be independent.

To grow, raise `reserved_concurrency` in stacks/environments.py. Try it before with `make budget ENV=prod
SET=reserved_concurrency=200`, and run `make runbook` after. Change one thing at a time, in this order: concurrency
(takes effect at once), the pool's percentage (at once, without a restart), the instance class ([an
outage](#scaling)).
"""

PAGES = {
    "Exhaustion": """
The pool is used up: requests wait for a server connection until the borrow timeout, then the function answers 503.

1. Dashboard, row *Server connections*: are open connections at the pool? Row *Pinned sessions*: if they rose first,
   this is [pinning](#pinning). If neither, the database itself is slow: [scaling](#scaling).
2. See who holds connections. Connect to the instance itself ([psql](aws.md#psql)), where slots are kept free for this:
   `SELECT state, wait_event_type, now() - xact_start AS age, query FROM pg_stat_activity WHERE usename =
   'application' ORDER BY age DESC NULLS LAST;`
3. Cut the load first: `aws lambda put-function-concurrency --function-name … --reserved-concurrent-executions <half>`
   takes effect at once. Write it into stacks/environments.py too: until then templates and function differ, and a
   deployment that changes the function's concurrency overwrites it.
4. End what is stuck: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND
   now() - state_change > interval '10 seconds';`. The role's own timeouts should have done so.
5. Then raise `max_connections_percent`, up to the highest that is safe. Beyond that only a larger class helps.

Do not raise the borrow timeout: requests then wait longer than their callers do.
""",
    "Pinning": """
A session that is pinned keeps its server connection until its client leaves. SET, PREPARE, DISCARD, temporary tables,
cursors, LISTEN, `nextval`, session-level advisory locks and statements longer than 16 KB pin.

1. Turn the proxy's debug log on: `aws rds modify-db-proxy --db-proxy-name … --debug-logging`. Its log group then has
   the reason, and the text of every statement. Turn it off again by `--no-debug-logging`: a deployment does not, since
   the template did not change.
2. Find the statement. In psycopg: `prepare_threshold` must be `None`, no named cursor, no `SET`, no `options`.
   Settings of a session belong to the role: `ALTER ROLE application SET …`, in a migration.
3. `make up` runs the same code against a proxy that says for each pinned session which statement pinned it.
4. To free connections at once, replace the execution environments. Any change of the function's configuration does,
   such as `aws lambda update-function-configuration --function-name … --description …`.
""",
    "Throttling": """
More requests come than the functions may serve. 429 is the API's own throttle. A request that the API lets through to a
throttled function gets a 5xx.

1. Is the traffic wanted? The API's access log has the caller of every request.
2. If the functions are slow rather than many, see [exhaustion](#exhaustion): concurrency is requests a second times
   duration.
3. If it is wanted, raise `reserved_concurrency`; the throttle follows it.
4. An account's concurrency is shared by all its functions: Service Quotas, Lambda, *Concurrent executions*.
""",
    "Failover": """
An instance with a standby is away for 60 to 120 s, one without until it has started again or was restored. The proxy
keeps idle clients connected, fails the statements that were running, and lets new requests wait for as long as the
borrow timeout. The function answers 503 at its deadline, and connects again by itself.

1. `aws rds describe-events --source-type db-instance --source-identifier …` says why.
2. The functions need nothing. Errors 57P01, 08006 and 25006 stop when the new primary is there.
3. The function opens a new connection after each 25006. If 25006 stays, the proxy still leads to the old primary: see
   `aws rds describe-db-proxy-targets --db-proxy-name …`.
4. Practise it: `aws rds reboot-db-instance --force-failover --db-instance-identifier …`.
""",
    "Rotation": """
The proxy or the migrations cannot log in to the database after a password changed. Where `credentials` is `"iam"`
there is no password: then look at [authentication](#authentication).

1. See in the [log group](aws.md#look-at-it) of the rotation function which step failed.
2. Compare the versions: `aws secretsmanager describe-secret --secret-id …`. AWSPENDING that stays beside AWSCURRENT
   is a rotation that did not finish; the old password still works.
3. A time-out means that the function does not reach the database or the endpoint of Secrets Manager: look at its
   security group.
4. Rotate again: `aws secretsmanager rotate-secret --secret-id …`. It is safe to repeat.
""",
    "Authentication": """
Clients are refused by the proxy. A token is only good for one host, port, user and Region, for 15 minutes.

1. The host must be the proxy's own endpoint, not another name for it. `DB_USER` must be `application`.
2. The function's role needs `rds-db:connect` on `dbuser:prx-…/application`. That id changes when the proxy is
   replaced; a deployment writes the new one.
3. Where `credentials` is `"secrets"`, the proxy needs the secret of that user, and the role must not have `rds_iam`.
   Where it is `"iam"`, the role must have `rds_iam`, the instance IAM authentication, and the proxy's role
   `rds-db:connect` on `dbuser:db-…`.
4. `certificate verify failed`: the zip's root certificates must have Amazon's roots; certifi has them.
5. IAM authentication takes about 200 new connections a second. More are refused, and the function tries again.
""",
    "Restore": """
A restore makes a **new** instance; the proxy keeps using the old one until its target is changed.

1. `aws rds restore-db-instance-to-point-in-time --use-latest-restorable-time …` with the parameter group, subnet
   group and security group of the old one. The last five minutes may be missing.
2. Check the data there, as the master user, before anybody else uses it.
3. `aws rds register-db-proxy-targets --db-proxy-name … --db-instance-identifiers <new>` after deregistering the old
   one.
4. Bring CloudFormation up to date with `cdk import`, or give the new instance the name of the old one once that is
   deleted.
5. Practise it every quarter, and write down how long it takes.
""",
    "Scaling": """
The instance is too small: CPU, load, memory, storage or transaction ids.

1. Row *Database* of the dashboard, then Database Insights: it is cheaper to repair a slow statement than to enlarge the
   instance.
2. `make budget ENV=… SET=instance=r8g.xlarge` shows what another class means for the pool, and what it costs.
3. Change `instance` in stacks/environments.py and deploy in a quiet hour: with a standby it is an outage as long as a
   [failover](#failover), without one it is longer.
4. Where `max_connections` is set in the environment it does not grow with the class. Before a **smaller** class lower
   it first, or the instance does not start (`incompatible-parameters`).
5. Storage grows by itself at 10 % free, once in six hours, and never shrinks.
6. `MaximumUsedTransactionIDs` above 1,000,000,000: a long transaction or an abandoned replication slot stops
   vacuum.
""",
    "Upgrade": """
A major version: either with a blue/green deployment (seconds of outage; the proxy must have had the instance as its
target before; no RDS-managed master password; no DDL meanwhile; a primary key on every table), or in place after a
snapshot (minutes). Both end every session with 57P01, and functions connect again. Do neither through CloudFormation:
write the new version into stacks/environments.py afterwards and look at `cdk diff`. Minor versions install themselves
in the maintenance window.
""",
    "Migrations": """
A deployment that changes the functions' zip runs lambda_src/migrations first, against the instance itself and not
through the proxy. A migration that fails fails the deployment, which is rolled back; the event of `Custom::Trigger` has
the file, the line and PostgreSQL's error. [Migrations](migrations.md) says how to write them so that the older code
goes on working.
""",
    "Proxy replacement": """
Another network (`cidr`, `availability_zones`) makes a new proxy, with a new endpoint and a new id `prx-…`. Both
stacks of the environment must be deployed together: `npx cdk deploy 'prod/*'`. The second stack gives the functions the
new endpoint and the right to connect to it; until then they use the old proxy. Deleting a proxy takes up to an hour.

A proxy that does not become available: `aws rds describe-db-proxy-targets --db-proxy-name …` has the reason.
`PENDING_PROXY_CAPACITY` lasts some minutes, or until its subnets have free addresses (RDS-EVENT-0243). For
`AUTH_FAILURE` see [authentication](#authentication) and [rotation](#rotation). With `UNREACHABLE`, look at the security
groups.
""",
}
