"""E: who logs in to the proxy and to the database, and how."""

from collections.abc import Iterator

from .classes import memory_gib
from .policies import is_user_of, may_be_user_of, user_in
from .references import mentions, shown
from .rule import Finding, Severity, rule
from .servers import DATABASES, Proxy, is_false
from .stage import Stage
from .template import Resource
from .values import Text, Unknown, listed, truth

IAM_PAGES = 'Amazon RDS User Guide, "Configuring IAM authentication for RDS Proxy"'
CONNECT = "rds-db:connect"
API = "RDS API Reference, CreateDBProxy"
IAM_MEMORY_GIB = 4
MOST_SECRETS = 200


def is_end_to_end(proxy: Proxy) -> bool:
    """Whether a proxy logs in to its database by IAM, too."""
    return bool(proxy.resource.get("DefaultAuthScheme") == "IAM_AUTH")


@rule(
    "E01",
    Severity.ERROR,
    "a proxy requires TLS",
    fix="set require_tls=True",
    source="Security Hub RDS.43; IAM authentication needs TLS",
)
def _tls_is_required(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        if is_false(proxy.resource.get("RequireTLS")):
            yield Finding(proxy.resource, "RequireTLS", shown(proxy.resource.get("RequireTLS")))


@rule(
    "E02",
    Severity.ERROR,
    "a proxy has secrets, or DefaultAuthScheme IAM_AUTH",
    fix="give the proxy the application user's secret, or set DefaultAuthScheme to IAM_AUTH",
    source=API,
)
def _proxy_can_log_in(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        auth, scheme = proxy.resource.get("Auth"), proxy.resource.get("DefaultAuthScheme")
        if scheme in (None, "NONE") and auth in (None, []):
            yield Finding(proxy.resource, "Auth", f"{shown(auth)}, and DefaultAuthScheme {shown(scheme)}")


@rule(
    "E03",
    Severity.ERROR,
    "the database of a proxy with IAM_AUTH has IAM authentication",
    fix="set iam_authentication=True on the database",
    source=IAM_PAGES,
)
def _database_takes_iam(stage: Stage) -> Iterator[Finding]:
    for proxy in filter(is_end_to_end, stage.proxies):
        for target in proxy.targets:
            enabled = target.get("EnableIAMDatabaseAuthentication")
            if is_false(enabled):
                yield Finding(
                    target, "EnableIAMDatabaseAuthentication", f"{shown(enabled)}, and {proxy.resource.id} needs it"
                )


@rule(
    "E04",
    Severity.ERROR,
    "the role of a proxy with IAM_AUTH may connect to the database",
    fix='grant it, for instance database.grant_connect(role, "application"); CDK grants nothing by itself',
    source=IAM_PAGES,
)
def _proxy_role_may_connect(stage: Stage) -> Iterator[Finding]:
    for proxy in filter(is_end_to_end, stage.proxies):
        role = proxy.resource.get("RoleArn")
        if not stage.policies.is_complete(role):
            continue
        granted = [each for each in stage.policies.of(role) if each.allows(CONNECT)]
        for target in proxy.targets:
            if not any(may_be_user_of(each, target) for statement in granted for each in statement.resources):
                value = f"no {CONNECT} on {target.id}" + (", but on something else" if granted else "")
                yield Finding(proxy.resource, "RoleArn", value)


@rule(
    "E05",
    Severity.WARNING,
    "a database with IAM authentication behind a proxy has 4 GiB of memory or more",
    fix="take db.t4g.medium or larger, or secrets with IAMAuth REQUIRED",
    source='Amazon RDS User Guide, "IAM database authentication", limitations: 300 to 1000 MiB more',
)
def _iam_has_memory(stage: Stage) -> Iterator[Finding]:
    for proxy in filter(is_end_to_end, stage.proxies):
        for target in proxy.targets:
            gib = memory_gib(target.get("DBInstanceClass"))
            if gib is not None and gib < IAM_MEMORY_GIB:
                yield Finding(target, "DBInstanceClass", f"{target.get('DBInstanceClass')} with {gib:.10g} GiB")


@rule(
    "E06",
    Severity.ERROR,
    "a database user logs in by IAM or by a secret, not by both",
    fix="remove the secret of that user from Auth, or the rds-db:connect; a user with rds_iam has no password",
    source='Amazon RDS User Guide, "Moving to end-to-end IAM authentication"',
)
def _users_log_in_one_way(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        by_iam = _users_by_iam(stage, proxy)
        for auth in stage.auth(proxy):
            secret = stage.secret_of(auth.get("SecretArn"))
            user = None if secret is None else username(secret)
            if user in by_iam and user is not None:
                yield Finding(proxy.resource, "Auth", f"the secret of {user}, who has {CONNECT} too")


def _users_by_iam(stage: Stage, proxy: Proxy) -> set[str | None]:
    """Whom a proxy, another of the same database, or a function without one logs in to the database by IAM."""
    own = stage.policies.of(proxy.resource.get("RoleArn")) if is_end_to_end(proxy) else []
    found = {user_in(each) for statement in own if statement.allows(CONNECT) for each in statement.resources}
    for target in proxy.targets:
        clients = [each.resource.get("RoleArn") for each in stage.proxies_of(target) if is_end_to_end(each)]
        clients += [each.get("Role") for each in stage.functions if target in stage.hosts(each)]
        statements = [each for role in clients for each in stage.policies.of(role) if each.allows(CONNECT)]
        found |= {user_in(each) for one in statements for each in one.resources if is_user_of(each, target)}
    return found


def username(secret: Resource) -> str | None:
    """The user name that a generated secret holds; None when it cannot be known."""
    template = secret.get("GenerateSecretString", "SecretStringTemplate")
    text = template if isinstance(template, str) else template.literal if isinstance(template, Text) else ""
    _, found, rest = text.partition('"username":')
    return rest.split('"')[1] if found and rest.count('"') > 1 else None


@rule(
    "E07",
    Severity.ERROR,
    "IAMAuth is REQUIRED or DISABLED (ENABLED is for SQL Server only), and REQUIRED for functions in production",
    fix="set iam_auth=True, and let functions log in with a token",
    source="RDS API Reference, UserAuthConfig",
)
def _iam_is_required(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        has_functions = bool(stage.users_of(proxy.resource))
        for auth in stage.auth(proxy):
            iam = auth.get("IAMAuth")
            if iam == "ENABLED" and proxy.engine_family in ("POSTGRESQL", "MYSQL"):
                yield Finding(proxy.resource, "Auth", f"IAMAuth ENABLED for {proxy.engine_family}")
            elif iam in (None, "DISABLED") and has_functions and not is_end_to_end(proxy):
                value = f"IAMAuth {shown(iam)}: functions hold the password"
                yield Finding(proxy.resource, "Auth", value, Severity.ONLY_PRODUCTION)


@rule(
    "E09",
    Severity.ERROR,
    "rds-db:connect names one database or proxy, and one user",
    fix='name the user: proxy.grant_connect(function, "application")',
    source='Amazon RDS User Guide, "Creating and using an IAM policy for IAM database access"',
)
def _connect_is_narrow(stage: Stage) -> Iterator[Finding]:
    for statement in stage.policies.all:
        if not statement.is_allow or not any(each.startswith("rds-db:") for each in statement.actions):
            continue
        for resource in statement.resources:
            text = resource if isinstance(resource, str) else resource.literal if isinstance(resource, Text) else ""
            if "*" in text.rpartition(":")[2]:
                yield Finding(statement.resource, "PolicyDocument", f"{CONNECT} on {shown(resource)}")


@rule(
    "E10",
    Severity.ERROR,
    f"a proxy has at most {MOST_SECRETS} secrets",
    fix="use end-to-end IAM authentication, or fewer users",
    source='Amazon RDS User Guide, "Amazon RDS Proxy", quotas and limitations',
)
def _secrets_are_few(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        if len(stage.auth(proxy)) > MOST_SECRETS:
            yield Finding(proxy.resource, "Auth", f"{len(stage.auth(proxy))} secrets")


@rule(
    "E14",
    Severity.WARNING,
    "clients prove their password by SCRAM, not by MD5",
    fix="set client_password_auth_type to POSTGRES_SCRAM_SHA_256",
    source="RDS API Reference, UserAuthConfig",
)
def _passwords_are_scram(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        if any(auth.get("ClientPasswordAuthType") == "POSTGRES_MD5" for auth in stage.auth(proxy)):
            yield Finding(proxy.resource, "Auth", "ClientPasswordAuthType POSTGRES_MD5")


@rule(
    "E16",
    Severity.ERROR,
    "a proxy for PostgreSQL has no session pinning filters, and no initialization query holds a password",
    fix="remove the filters (PostgreSQL has none) or the password; who can read the target group can read the query",
    source='Amazon RDS User Guide, "Avoiding pinning an RDS Proxy"',
)
def _pool_settings_are_possible(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        filters, query = proxy.pool("SessionPinningFilters"), proxy.pool("InitQuery")
        group = proxy.groups[0] if proxy.groups else proxy.resource
        at = "ConnectionPoolConfigurationInfo"
        if proxy.engine_family == "POSTGRESQL" and filters and not isinstance(filters, Unknown):
            yield Finding(group, f"{at}.SessionPinningFilters", shown(filters))
        if isinstance(query, str | Text) and "password" in shown(query).lower():
            yield Finding(group, f"{at}.InitQuery", "a query with the word password", Severity.WARNING)


def replicas_of(stage: Stage, database: Resource) -> list[Resource]:
    """The read replicas of an instance or cluster."""
    names = ("SourceDBInstanceIdentifier", "ReplicationSourceIdentifier", "SourceDBClusterIdentifier")
    return [each for each in stage.of_type(*DATABASES) if any(mentions(listed(each.get(n)), database) for n in names)]


@rule(
    "E13",
    Severity.ERROR,
    "an instance whose master password RDS manages has no read replica",
    fix="use a secret of your own for the master password, or no replica",
    source='Amazon RDS User Guide, "Password management with Amazon RDS and AWS Secrets Manager", limitations',
)
def _managed_password_has_no_replica(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        is_sql_server = str(database.get("Engine")).startswith("sqlserver")  # the one engine that can
        is_instance = database.type == "AWS::RDS::DBInstance" and not is_sql_server
        if truth(database.get("ManageMasterUserPassword")) and is_instance:
            for replica in replicas_of(stage, database):
                yield Finding(replica, "SourceDBInstanceIdentifier", f"{database.id}, whose password RDS manages")
