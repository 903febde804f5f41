"""E: what functions need to log in to a proxy by IAM, and what rotation needs to reach the database past it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from .authentication import CONNECT, is_end_to_end, username
from .policies import may_be_user_of, user_in
from .references import shown
from .rule import Finding, Severity, rule
from .servers import Proxy
from .stage import Stage
from .template import Attribute, Resource
from .values import Text

HOST = re.compile(r'"host"\s*:\s*"$')
USER_NAME = re.compile(r"(DB|DATABASE|PG|POSTGRES|POSTGRESQL|RDS)_?USER(_?NAME)?", re.IGNORECASE)
IAM_ACCESS = 'Amazon RDS User Guide, "Creating and using an IAM policy for IAM database access"'


@rule(
    "E19",
    Severity.ERROR,
    "a secret that is rotated has the database as its host, not the proxy",
    fix="attach the secret to the instance or cluster: secret.attach(database)",
    source="rotation functions cannot change a password through RDS Proxy (aws-secrets-manager-rotation-lambdas#103)",
)
def _rotation_goes_past_the_proxy(stage: Stage) -> Iterator[Finding]:
    schedules = stage.of_type("AWS::SecretsManager::RotationSchedule")
    rotated = [stage.secret_of(each.get("SecretId")) for each in schedules]
    for attachment in stage.of_type("AWS::SecretsManager::SecretTargetAttachment"):
        secret = stage.secret_of(attachment.get("SecretId"))
        if attachment.get("TargetType") == "AWS::RDS::DBProxy" and secret is not None and secret in rotated:
            yield Finding(attachment, "TargetType", f"AWS::RDS::DBProxy, for {secret.id}")
    for secret in filter(None, dict.fromkeys(rotated)):
        for path in (("SecretString",), ("GenerateSecretString", "SecretStringTemplate")):
            host = _host_in(secret.get(*path))
            if host is not None and host.resource.type.startswith("AWS::RDS::DBProxy"):
                yield Finding(secret, ".".join(path), f"host {shown(host)}")


def _host_in(text: Any) -> Attribute | None:
    """What a secret's JSON refers to as its host."""
    parts = text.parts if isinstance(text, Text) else ()
    hosts = (after for before, after in pairwise(parts) if isinstance(before, str) and HOST.search(before))
    return next((each for each in hosts if isinstance(each, Attribute)), None)


@rule(
    "E20",
    Severity.ERROR,
    "a function of a proxy that requires IAM may connect to that proxy, as a user whom the proxy logs in",
    fix='grant it: proxy.grant_connect(function, "application"), with the name of a user of the proxy; '
    "a grant on the database, or on the proxy's ARN, is none on the proxy",
    source=IAM_ACCESS,
)
def _functions_may_connect(stage: Stage) -> Iterator[Finding]:
    for proxy in filter(stage.requires_iam, stage.proxies):
        for function in stage.users_of(proxy.resource, deployment=True):
            role = function.get("Role")
            if proxy.resource not in stage.hosts(function) or not stage.policies.is_complete(role):
                continue
            granted = [each for each in stage.policies.of(role) if each.allows(CONNECT)]
            users = [each for one in granted for each in one.resources if may_be_user_of(each, proxy.resource)]
            strange = _stranger(stage, proxy, function, {user_in(each) for each in users})
            if not users:
                value = f"no {CONNECT} on {proxy.resource.id}" + (", but on something else" if granted else "")
                yield Finding(function, "Role", value)
            elif strange:
                yield Finding(function, "Role", strange)


def _stranger(stage: Stage, proxy: Proxy, function: Resource, users: set[str | None]) -> str | None:
    """What is wrong where it is known that a function may not log in as a user whom the proxy can log in."""
    known = _logins(stage, proxy)
    if None in users:
        return None
    allowed = ", ".join(sorted(map(str, users)))
    if None not in known and not known & users:
        return f"{CONNECT} as {allowed}, and {proxy.resource.id} has no login of that user"
    told = _told_user(function) if stage.only_host(function) is proxy.resource else None
    return None if told is None or told in users else f"{CONNECT} as {allowed}, and its environment says {told}"


def _logins(stage: Stage, proxy: Proxy) -> set[str | None]:
    """Whom a proxy can log in to its database; None is among them where that cannot be known."""
    secrets = [stage.secret_of(auth.get("SecretArn")) for auth in stage.auth(proxy)]
    found = {None if secret is None else username(secret) for secret in secrets}
    role = proxy.resource.get("RoleArn")
    if is_end_to_end(proxy):
        granted = [each for each in stage.policies.of(role) if each.allows(CONNECT)]
        found |= {user_in(each) for statement in granted for each in statement.resources}
    return found if found and (stage.policies.is_complete(role) or not is_end_to_end(proxy)) else {None}


def _told_user(function: Resource) -> str | None:
    variables = function.get("Environment", "Variables")
    named = variables.items() if isinstance(variables, dict) else ()
    return next((value for name, value in named if USER_NAME.fullmatch(name) and isinstance(value, str)), None)


@rule(
    "G06",
    Severity.WARNING,
    "a proxy's target group waits for the instances of its cluster",
    fix="make the target group depend on the writer: target_group.add_resource_dependency(writer)",
    source="aws-cdk#31304: a target group that is created before its cluster has an instance fails",
)
def _target_groups_wait(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        for group in proxy.groups:
            for target in proxy.targets:
                instances = [each for each in stage.members_of(target) if each.template is group.template]
                if instances and not set(instances) & _before(group):
                    yield Finding(group, "", f"does not depend on {', '.join(each.id for each in instances)}")


def _before(resource: Resource) -> set[Resource]:
    """Everything of its stack that CloudFormation creates before a resource."""
    found: set[Resource] = set()
    waiting = [resource]
    while waiting:
        for id in waiting.pop().needs:
            each = resource.template.resources.get(id)
            if each is not None and each not in found:
                found.add(each)
                waiting.append(each)
    return found
