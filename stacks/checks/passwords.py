"""E: where passwords are, and who can read them."""

from collections.abc import Iterator
from typing import Any

from .plaintext import password_in
from .policies import Statement
from .references import mentioned, mentions, shown
from .rule import Finding, Severity, rule
from .stage import Stage
from .template import Resource
from .values import Unknown, listed

SECRETS_MANAGER = "AWS Secrets Manager User Guide"
READ = ("secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue")


@rule(
    "E08",
    Severity.ERROR,
    "the master user's secret is for migrations and rotation, not for a proxy or for functions",
    fix="make a secret or a role for an application user, and give the proxy that; let migrations create the user",
    source=f'{SECRETS_MANAGER}, "Best practices"; least privilege',
)
def _master_stays_out(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        secret = stage.master_secret(database)
        for proxy in stage.proxies:
            if any(_is_master(stage, auth.get("SecretArn"), database, secret) for auth in stage.auth(proxy)):
                yield Finding(proxy.resource, "Auth", f"the master secret of {database.id}")
        for function in stage.functions:
            if function in stage.deployment_functions:
                continue
            if _is_master(stage, function.get("Environment", "Variables"), database, secret):
                yield Finding(function, "Environment.Variables", f"the master secret of {database.id}")
            elif any(_reads(each, stage, database, secret) for each in stage.policies.of(function.get("Role"))):
                yield Finding(function, "Role", f"may read the master secret of {database.id}")


def _is_master(stage: Stage, value: Any, database: Resource, secret: Resource | None) -> bool:
    managed = any(a.resource is database and a.name.startswith("MasterUserSecret") for a in mentioned(value))
    return managed or (secret is not None and any(stage.secret_of(a) is secret for a in mentioned(value)))


def _reads(statement: Statement, stage: Stage, database: Resource, secret: Resource | None) -> bool:
    return statement.allows(*READ) and _is_master(stage, statement.resources, database, secret)


@rule(
    "E11",
    Severity.PRODUCTION,
    "a proxy's and a database's secrets are rotated",
    fix="add a rotation schedule, or use IAM authentication end to end and have no password",
    source="Security Hub SecretsManager.1; cdk-nag SMG4",
)
def _secrets_are_rotated(stage: Stage) -> Iterator[Finding]:
    rotated = {stage.secret_of(each.get("SecretId")) for each in stage.of_type("AWS::SecretsManager::RotationSchedule")}
    for secret in stage.of_type("AWS::SecretsManager::Secret"):
        served = [attribute for attribute in _used(stage) if stage.secret_of(attribute) is secret]
        if served and secret not in rotated and None not in rotated:
            yield Finding(secret, "", "no rotation schedule")


def _used(stage: Stage) -> Iterator[Any]:
    for proxy in stage.proxies:
        yield from (auth.get("SecretArn") for auth in stage.auth(proxy))
    for database in stage.databases:
        yield from (database.get("MasterUserPassword"), database.get("MasterUsername"))


@rule(
    "E12",
    Severity.ERROR,
    "a secret whose user logs in to the proxy by IAM is not rotated by alternating users",
    fix="rotate with a single user, or use IAM authentication end to end",
    source=f'{SECRETS_MANAGER}, "Rotation strategies"; the token names one user, the secret another after rotation',
)
def _iam_users_do_not_alternate(stage: Stage) -> Iterator[Finding]:
    for schedule in stage.of_type("AWS::SecretsManager::RotationSchedule"):
        secret = stage.secret_of(schedule.get("SecretId"))
        if secret is None or not _alternates(schedule):
            continue
        for proxy in stage.proxies:
            for auth in stage.auth(proxy):
                if stage.secret_of(auth.get("SecretArn")) is secret and auth.get("IAMAuth") == "REQUIRED":
                    yield Finding(schedule, "", f"alternating users, and {proxy.resource.id} requires IAM")


def _alternates(schedule: Resource) -> bool:
    if str(schedule.get("HostedRotationLambda", "RotationType")).endswith("MultiUser"):
        return True
    applications = [a.resource for a in mentioned(schedule.get("RotationLambdaARN"))]
    return any(each.get("Parameters", "masterSecretArn") is not None for each in applications)


@rule(
    "E15",
    Severity.ERROR,
    "no password is in a function's environment",
    fix="log in with an IAM token, or give the function the secret's ARN and let it read the secret",
    source="Security Hub; checkov CKV_AWS_45; a dynamic reference puts the password into the template's result",
)
def _environments_hold_no_passwords(stage: Stage) -> Iterator[Finding]:
    for function in stage.functions:
        variables = function.get("Environment", "Variables")
        for name, value in variables.items() if isinstance(variables, dict) else ():
            found = password_in(name, value)
            if found:
                yield Finding(function, f"Environment.Variables.{name}", found)


@rule(
    "E17",
    Severity.WARNING,
    "the proxy's role may decrypt secrets that have a key of their own",
    fix="grant it: secret.grant_read(role) does, or key.grant_decrypt(role) through Secrets Manager",
    source='Amazon RDS User Guide, "Setting up database credentials for RDS Proxy"',
)
def _proxy_can_decrypt(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        role = proxy.resource.get("RoleArn")
        for auth in stage.auth(proxy):
            secret = stage.secret_of(auth.get("SecretArn"))
            key = None if secret is None else _key(secret.get("KmsKeyId"))
            if secret is None or key is None or not stage.policies.is_complete(role):
                continue
            granted = any(each.allows("kms:Decrypt") for each in stage.policies.of(role))
            if not granted and not _key_lets(stage, key, role):
                yield Finding(proxy.resource, "RoleArn", f"no kms:Decrypt on {key.id}, which encrypts {secret.id}")


def _key(value: Any) -> Resource | None:
    return next((each.resource for each in mentioned(value) if each.resource.type == "AWS::KMS::Key"), None)


def _key_lets(stage: Stage, key: Resource, role: Any) -> bool:
    wanted = stage.policies.role_of(role)
    document = key.get("KeyPolicy", "Statement")
    if wanted is None or isinstance(document, Unknown):
        return True
    for body in listed(document):
        statement = Statement(key, body if isinstance(body, dict) else {})
        if statement.allows("kms:Decrypt") and mentions(statement.body.get("Principal"), wanted):
            return True
        if statement.allows("kms:Decrypt") and shown(statement.body.get("Principal")) in ("*", '{"AWS": "*"}'):
            return True
    return False
