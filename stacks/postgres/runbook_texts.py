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
proxy to the database only while a statement or transaction runs. How many do so at once is a binomial distribution:
`busy_mean` is its mean, `busy_99` what is not exceeded 99 % of the time, and `needed` 30 % more, since a proxy
spreads its connections over its nodes. `pool` is how many the proxy may open: `max_connections_percent` of
`max_connections`. The database has fewer for our roles, `slots`, and some of them stay free for administrators.

- **pin-safe**: the pool has a connection for every client. Nothing that a session does can exhaust it.
- **multiplex-dependent**: it has not, and need not as long as the proxy can share. A session that is pinned is not
  shared: the alarm on pinned sessions is then the first thing to look at.
- **refused**: synth stops.

Four things are assumptions: the estimate of `max_connections` from the class's memory (5 % less is planned with; see
what it is with `SHOW max_connections`), how long an invocation takes, how much of it is in the database (measure
both: the function's `Duration`, the proxy's `QueryResponseLatency`), and that invocations are independent of each
other.

To grow, raise `reserved_concurrency` in stacks/environments.py. `make budget ENV=prod SET=reserved_concurrency=200`
answers before you do, and `make runbook` brings this page up to date after. Change one thing at a time, in this
order: concurrency (takes effect at once), the pool's percentage (at once, without a restart), the instance class (as
long as a failover).
"""

PAGES = {
    "Exhaustion": """
The pool is used up: requests wait for a server connection until the borrow timeout, then the function answers 503.

1. Dashboard, row *Server connections*: are open connections at the pool? Row *Pinned sessions*: if they rose first,
   this is [pinning](#pinning). If neither, the database itself is slow: [scaling](#scaling).
2. See who holds connections. Administrators' slots are there for this; connect to the instance, not to the proxy:
   `SELECT state, wait_event_type, now() - xact_start AS age, query FROM pg_stat_activity WHERE usename =
   'application' ORDER BY age DESC NULLS LAST;`
3. Cut the load first: `aws lambda put-function-concurrency --function-name … --reserved-concurrent-executions <half>`
   takes effect at once. Write it into stacks/environments.py afterwards, or the next deployment undoes it.
4. End what is stuck: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND
   now() - state_change > interval '10 seconds';`. The role's own timeouts should have done so.
5. Then raise `max_connections_percent`, up to the highest that is safe. Beyond that only a larger class helps.

Do not raise the borrow timeout: requests then wait longer, for callers that have gone.
""",
    "Pinning": """
A session that is pinned keeps its server connection until its client leaves. SET, PREPARE, DISCARD, temporary tables,
cursors, LISTEN, `nextval`, session-level advisory locks and statements longer than 16 KB pin.

1. Turn the proxy's debug log on: `aws rds modify-db-proxy --db-proxy-name … --debug-logging`. Its log group then has
   the reason. Turn it off again (`--no-debug-logging`; the next deployment does too), since it has the text of every
   statement: production refuses `debug_logging=True` in its configuration.
2. Find the statement. In psycopg: `prepare_threshold` must be `None`, no named cursor, no `SET`, no `options`.
   Settings of a session belong to the role: `ALTER ROLE application SET …`, in a migration.
3. `make up` runs the same code against a proxy that says for each pinned session which statement pinned it.
4. To free connections at once: lower `idle_client_timeout`, or deploy, which replaces the execution environments.
""",
    "Throttling": """
More requests come than the functions may serve. 429 is the API's own throttle; behind it, callers of a throttled
function get a 5xx.

1. Is the traffic wanted? The API's access log has the caller of every request.
2. If the functions are slow rather than many, see [exhaustion](#exhaustion): concurrency is requests a second times
   duration.
3. If it is wanted, raise `reserved_concurrency`; the throttle follows it.
4. An account's concurrency is shared by all its functions: Service Quotas, Lambda, *Concurrent executions*.
""",
    "Failover": """
An instance with a standby is away for 60 to 120 s; one without is, until it is restored. The proxy keeps idle
clients, fails what was in flight, and lets new requests wait for as long as the borrow timeout; the function answers
503 from its deadline on, and connects again by itself.

1. `aws rds describe-events --source-type db-instance --source-identifier …` says why.
2. Nothing is to be done for the functions. Errors 57P01, 08006 and 25006 stop when the new primary is there.
3. If 25006 stays, clients hold connections to the old primary: deploy, which replaces them.
4. Practise it: `aws rds reboot-db-instance --force-failover --db-instance-identifier …`.
""",
    "Rotation": """
The proxy or the migrations cannot log in to the database after a password changed. Where `credentials` is `"iam"`
there is no password: then look at [authentication](#authentication).

1. Log group of the rotation function: which step failed?
2. Compare the versions: `aws secretsmanager describe-secret --secret-id …`. AWSPENDING that stays beside AWSCURRENT
   is a rotation that did not finish; the old password still works.
3. The function needs the database's security group and the endpoint of Secrets Manager: a time-out points there.
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
5. New connections with IAM are good for about 200 a second. A burst beyond is refused, and repeated by the function.
""",
    "Restore": """
A restore makes a **new** instance; the proxy goes on with the old one until it is told.

1. `aws rds restore-db-instance-to-point-in-time --use-latest-restorable-time …` with the parameter group, subnet
   group and security group of the old one. The last five minutes may be missing.
2. Check the data there, as the master user, before anybody else uses it.
3. `aws rds register-db-proxy-targets --db-proxy-name … --db-instance-identifiers <new>` after deregistering the old
   one.
4. Bring CloudFormation up to date with `cdk import`, or name the new instance as the old one once that is deleted.
5. Practise it every quarter, with a clock: that is the time you will need.
""",
    "Scaling": """
The instance is too small: CPU, load, memory, storage or transaction ids.

1. Row *Database* of the dashboard, then Database Insights: one statement is cheaper to mend than an instance to
   enlarge.
2. `make budget ENV=… SET=instance=r8g.xlarge` shows what another class means for the pool, and what it costs.
3. Change `instance` in stacks/environments.py and deploy in a quiet hour: it takes as long as a
   [failover](#failover).
4. Where `max_connections` is set in the environment it does not grow with the class. Before a **smaller** class lower
   it first, or the instance does not start (`incompatible-parameters`).
5. Storage grows by itself at 10 % free, once in six hours, and never shrinks.
6. `MaximumUsedTransactionIDs` above a thousand million: a long transaction or an abandoned replication slot stops
   vacuum.
""",
    "Upgrade": """
A major version: either with a blue/green deployment (seconds of outage; the proxy must have had the instance as its
target before; no RDS-managed master password; no DDL meanwhile; a primary key on every table), or in place after a
snapshot (minutes). Both end every session with 57P01, and functions connect again. Neither is CloudFormation's doing:
write the new version into stacks/environments.py afterwards and look at `cdk diff`. Minor versions install themselves
in the maintenance window.
""",
    "Migrations": """
Every deployment runs lambda_src/migrations against the instance itself, past the proxy, before anything new uses the
schema. One that fails fails the deployment, with the file, the line and PostgreSQL's error in the event of
`Custom::Trigger`, and is rolled back. Write them so that the version which still runs goes on working: add, deploy,
then remove.
""",
    "Proxy replacement": """
Another network (`cidr`, `availability_zones`) makes a new proxy, with a new endpoint and a new id `prx-…`. Both
stacks of the environment must be deployed together: `cdk deploy 'prod/*'`. Functions get the new endpoint and the
right to connect to it in the second; until then they use the old proxy. Deleting a proxy takes up to an hour.

A proxy that does not become available: `aws rds describe-db-proxy-targets --db-proxy-name …` has the reason.
`PENDING_PROXY_CAPACITY` asks for patience, or for addresses in its subnets (RDS-EVENT-0243). `AUTH_FAILURE` is
[authentication](#authentication) or [rotation](#rotation). `UNREACHABLE` is a security group.
""",
}
