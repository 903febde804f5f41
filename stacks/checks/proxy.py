"""G: the proxy as a resource."""

import re
from collections.abc import Iterator

from .alarms import PINNED, is_watched
from .rule import Finding, Severity, rule
from .stage import Stage
from .template import Resource
from .values import truth

NAME = re.compile(r"(?!.*--)[A-Za-z][A-Za-z0-9-]{0,62}(?<!-)")
MOST_PROXIES = 20


@rule(
    "G01",
    Severity.ERROR,
    f"a proxy's name is allowed and nobody else's, and there are at most {MOST_PROXIES}",
    fix="leave db_proxy_name out, with the feature flag @aws-cdk/aws-rds:databaseProxyUniqueResourceName",
    source="RDS API Reference, CreateDBProxy; Amazon RDS User Guide, quotas and limitations",
)
def _names_are_unique(stage: Stage) -> Iterator[Finding]:
    seen: dict[tuple[str, str | None, str | None], Resource] = {}
    for proxy in stage.proxies:
        name, template = proxy.resource.get("DBProxyName"), proxy.resource.template
        if not isinstance(name, str):
            continue
        if not NAME.fullmatch(name):
            yield Finding(proxy.resource, "DBProxyName", f"{name}, which is no letters, digits and single hyphens")
        other = seen.setdefault((name.lower(), template.region, template.account), proxy.resource)
        if other is not proxy.resource:
            yield Finding(proxy.resource, "DBProxyName", f"{name}, as {other.id} in {other.template.stack}")
    if len(stage.proxies) > MOST_PROXIES:
        yield Finding(stage.proxies[-1].resource, "", f"{len(stage.proxies)} proxies")


@rule(
    "G02",
    Severity.WARNING,
    "two stages of one region and account have no proxies of one name",
    fix="leave db_proxy_name out, with the feature flag @aws-cdk/aws-rds:databaseProxyUniqueResourceName; without "
    "the flag a proxy's name is the id of its construct",
    source="RDS API Reference, CreateDBProxy; CDK's feature flags",
)
def _names_differ_between_stages(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        name, own = proxy.resource.get("DBProxyName"), proxy.resource.template
        for template in stage.others if isinstance(name, str) else []:
            same_place = (template.region, template.account) == (own.region, own.account)
            for other in template.resources.values():
                if same_place and other.type == "AWS::RDS::DBProxy" and other.get("DBProxyName") == name:
                    yield Finding(proxy.resource, "DBProxyName", f"{name}, as in {template.stack}")


@rule(
    "G03",
    Severity.PRODUCTION,
    "a production proxy does not log the text of statements",
    fix="set debug_logging=False",
    source="RDS API Reference, CreateDBProxy",
)
def _statements_are_not_logged(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        if truth(proxy.resource.get("DebugLogging")):
            yield Finding(proxy.resource, "DebugLogging", "true")


@rule(
    "G04",
    Severity.ONLY_PRODUCTION_WARNING,
    "an alarm tells when sessions are pinned to a production proxy's connections",
    fix=f"add an alarm on {PINNED}, summed over the proxy's nodes",
    source='Amazon RDS User Guide, "Monitoring RDS Proxy metrics with Amazon CloudWatch"',
)
def _pinning_is_watched(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        if not is_watched(stage, proxy):
            yield Finding(proxy.resource, "", f"no alarm on {PINNED}")
