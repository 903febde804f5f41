"""J, with B08 and C14: APIs, and the alarms that tell of all this."""

from collections.abc import Iterator

from .apis import ROUTES, STAGES, api_of, functions_behind, methods_of
from .references import mentions, shown
from .rule import Finding, Severity, rule
from .stage import Stage
from .template import Resource
from .values import listed, number, truth

QUOTAS = 'API Gateway Developer Guide, "Throttle requests"'
RATE = "ThrottlingRateLimit"
DASHBOARD = "AWS::CloudWatch::Dashboard"
REQUESTS_PER_ENVIRONMENT = 10  # a second, whatever a function's duration


def _throttled(stage: Stage, stage_resource: Resource) -> bool:
    """False only where it is known that nothing throttles: neither the stage, nor a usage plan for its keys."""
    plans = [each for each in stage.of_type("AWS::ApiGateway::UsagePlan") if each.get("Throttle") is not None]
    api = api_of(stage, stage_resource)
    if api is not None and any(mentions(each.get("ApiStages"), api) for each in plans):
        return True
    return any(not isinstance(each, dict) or each.get(RATE) is not None for each in methods_of(stage_resource))


def _is_relevant(stage: Stage, stage_resource: Resource) -> bool:
    """Whether the API is in front of a function that uses a database."""
    return any(each in stage.database_functions for each in functions_behind(stage, api_of(stage, stage_resource)))


@rule(
    "B08",
    Severity.WARNING,
    "an API lets through no more than its functions can serve",
    fix="throttle the stage below reserved concurrency / duration, which is at most 10 times reserved concurrency",
    source=f"{QUOTAS}; AWS Lambda Developer Guide, quotas of synchronous invocation",
)
def _api_is_throttled(stage: Stage) -> Iterator[Finding]:
    for each in stage.of_type(*STAGES):
        if not _is_relevant(stage, each):
            continue
        if not _throttled(stage, each):
            if each.template.production is not True:  # where it is, C14 says so
                yield Finding(each, _rate_of(each), "not set")
            continue
        rates = [number(settings.get(RATE)) for settings in methods_of(each) if isinstance(settings, dict)]
        most, reserved = max((rate for rate in rates if rate), default=None), _reserved(stage, each)
        if most and reserved and most > REQUESTS_PER_ENVIRONMENT * reserved:
            value = f"{most:.10g} a second, for {reserved} functions at once"
            fix = f"set {REQUESTS_PER_ENVIRONMENT * reserved} or less"
            yield Finding(each, _rate_of(each), value, None, fix)


def _rate_of(stage_resource: Resource) -> str:
    is_rest = stage_resource.type in ("AWS::ApiGateway::Stage", "AWS::Serverless::Api")
    return f"MethodSettings.{RATE}" if is_rest else f"DefaultRouteSettings.{RATE}"


def _reserved(stage: Stage, stage_resource: Resource) -> int | None:
    return stage.reserved(functions_behind(stage, api_of(stage, stage_resource)))


@rule(
    "C14",
    Severity.ONLY_PRODUCTION,
    "a production API tells callers to slow down (429) before its functions run out",
    fix="set throttling on the stage",
    source=QUOTAS,
)
def _production_api_is_throttled(stage: Stage) -> Iterator[Finding]:
    for each in stage.of_type(*STAGES):
        if _is_relevant(stage, each) and not _throttled(stage, each):
            yield Finding(each, _rate_of(each), "not set")


@rule(
    "J06",
    Severity.ONLY_PRODUCTION,
    "a production alarm tells somebody",
    fix="add an alarm action, such as an SNS topic",
    source="cdk-nag's HIPAA and NIST packs: CloudWatchAlarmAction",
)
def _alarms_tell_somebody(stage: Stage) -> Iterator[Finding]:
    composed = " ".join(shown(each.get("AlarmRule")) for each in stage.of_type("AWS::CloudWatch::CompositeAlarm"))
    heard = [  # a deployment that it stops, for instance
        each.properties for each in stage.templates if each.type not in ("AWS::CloudWatch::Alarm", DASHBOARD)
    ]
    for alarm in stage.of_type("AWS::CloudWatch::Alarm"):
        enabled = alarm.get("ActionsEnabled")
        silent = not listed(alarm.get("AlarmActions")) or (enabled is not None and truth(enabled) is False)
        if silent and alarm.id not in composed and not any(mentions(each, alarm) for each in heard):
            yield Finding(alarm, "AlarmActions", shown(alarm.get("AlarmActions")))


@rule(
    "J07",
    Severity.RAISED,
    "every route of an API has an authoriser",
    fix="set a default authoriser on the API, or one on the route",
    source="Security Hub APIGateway.8; cdk-nag APIG4",
)
def _routes_have_authorisers(stage: Stage) -> Iterator[Finding]:
    for route in stage.of_type(*ROUTES):
        key = route.get("RouteKey") or route.get("HttpMethod")
        preflight = not isinstance(key, str) or key.startswith("OPTIONS")
        api = api_of(stage, route)
        if preflight or (api is not None and not _is_public(api)):
            continue
        if route.get("AuthorizationType") in (None, "NONE"):
            yield Finding(route, "AuthorizationType", f"{shown(route.get('AuthorizationType'))} on {shown(key)}")


def _is_public(api: Resource) -> bool:
    """Whether a route's own authoriser decides who calls: not with WebSockets, nor in a private API."""
    return api.get("ProtocolType") != "WEBSOCKET" and "PRIVATE" not in listed(api.get("EndpointConfiguration", "Types"))


@rule(
    "J08",
    Severity.WARNING,
    "an API logs its requests",
    fix="set access_log_settings on the stage",
    source="Security Hub APIGateway.9; cdk-nag APIG1",
)
def _requests_are_logged(stage: Stage) -> Iterator[Finding]:
    for each in stage.of_type(*STAGES):
        settings = each.get("AccessLogSettings") or each.get("AccessLogSetting")
        api = api_of(stage, each)
        if settings is None and (api is None or api.get("ProtocolType") != "WEBSOCKET"):
            yield Finding(each, "AccessLogSettings", "not set")
