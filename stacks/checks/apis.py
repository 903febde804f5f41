"""APIs of a stage, HTTP and REST alike: routes, stages, and the functions behind them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .references import mentions
from .stage import Stage
from .template import Resource
from .values import listed, number, within

LIMITS = {"AWS::ApiGatewayV2::Integration": 30.0, "AWS::ApiGateway::Method": 29.0}
LIMITS_OF_SAM = {"HttpApi": 30.0, "Api": 29.0}  # an event of a function, of which SAM makes the integration
STAGES = ("AWS::ApiGatewayV2::Stage", "AWS::ApiGateway::Stage")
ROUTES = ("AWS::ApiGatewayV2::Route", "AWS::ApiGateway::Method")


@dataclass(frozen=True)
class Integration:
    """An API's integration with a function."""

    resource: Resource
    function: Resource
    body: dict[str, Any]
    limit: float

    @property
    def timeout(self) -> float | None:
        """Seconds until the API gives up; None when that cannot be known."""
        value = self.body.get("TimeoutInMillis")
        found = number(value)
        return self.limit if value is None else None if found is None else found / 1000

    @property
    def is_asynchronous(self) -> bool:
        """Whether the caller does not wait for the function, or reads a stream of it."""
        headers = str(self.body.get("RequestParameters", ""))
        return "InvocationType" in headers.replace("-", "") or self.body.get("ResponseTransferMode") == "STREAM"


def integrations(stage: Stage) -> Iterator[Integration]:
    """Every integration with a function of this stage."""
    for resource in stage.of_type(*LIMITS):
        is_http = resource.type == "AWS::ApiGatewayV2::Integration"
        body = resource.properties if is_http else within(resource.properties, "Integration")
        if not isinstance(body, dict) or (is_http and _is_websocket(stage, resource)):
            continue
        function = stage.function_of(body.get("IntegrationUri" if is_http else "Uri"))
        if function is not None:
            yield Integration(resource, function, body, LIMITS[resource.type])
    for function in stage.of_type("AWS::Serverless::Function"):
        events = function.get("Events")
        for event in events.values() if isinstance(events, dict) else ():
            body, limit = within(event, "Properties"), LIMITS_OF_SAM.get(str(within(event, "Type")))
            if limit is not None and isinstance(body, dict):
                yield Integration(function, function, body, limit)


def _is_websocket(stage: Stage, resource: Resource) -> bool:
    api = api_of(stage, resource)
    return api is not None and api.get("ProtocolType") == "WEBSOCKET"


def api_of(stage: Stage, resource: Resource) -> Resource | None:
    """The API that a route, stage or integration belongs to."""
    value = resource.get("ApiId") or resource.get("RestApiId")
    apis = stage.of_type("AWS::ApiGatewayV2::Api", "AWS::ApiGateway::RestApi")
    return next((api for api in apis if mentions(value, api)), None)


def functions_behind(stage: Stage, api: Resource | None) -> list[Resource]:
    """The functions that an API calls."""
    made = [each for each in integrations(stage) if each.resource is not each.function]  # not by SAM, whose API is too
    found = [each.function for each in made if api_of(stage, each.resource) is api]
    return list(dict.fromkeys(found))


def methods_of(stage_resource: Resource) -> list[Any]:
    """The settings of an API stage that throttle: of all routes, or of each."""
    defaults = stage_resource.get("DefaultRouteSettings")
    routes = stage_resource.get("RouteSettings")
    each = list(routes.values()) if isinstance(routes, dict) else listed(routes)
    return [*listed(defaults), *each, *listed(stage_resource.get("MethodSettings"))]
