"""What alarms of a stage are about."""

from collections.abc import Iterator
from typing import Any

from .references import shown
from .servers import Proxy, names
from .stage import Stage
from .template import Resource
from .values import Text, Unknown, listed, within

PINNED = "DatabaseConnectionsCurrentlySessionPinned"


def is_watched(stage: Stage, proxy: Proxy) -> bool:
    """Whether any alarm of the stage is about a proxy's pinned sessions, or may be."""
    return any(
        _is_about_pinning(metric) and _may_be_of(proxy, metric, alarm)
        for alarm in stage.of_type("AWS::CloudWatch::Alarm")
        for metric in (alarm.properties, *_queried(alarm))
    )


def _queried(alarm: Resource) -> Iterator[Any]:
    for query in listed(alarm.get("Metrics")):
        yield within(query, "MetricStat", "Metric")
        yield {"MetricName": within(query, "Expression")}  # a search, or a query of Metrics Insights


def _is_about_pinning(metric: Any) -> bool:
    name = within(metric, "MetricName")
    return isinstance(name, Unknown) or PINNED in shown(name)


def _may_be_of(proxy: Proxy, metric: Any, alarm: Resource) -> bool:
    """Whether a metric is of a proxy, or of all."""
    dimensions = [each for each in listed(within(metric, "Dimensions")) if within(each, "Name") == "ProxyName"]
    values = [within(each, "Value") for each in dimensions]
    own = proxy.resource
    return not values or any(
        isinstance(each, Unknown | Text)
        or names(each, own, "DBProxyName", alarm)
        or (isinstance(each, str) and not isinstance(own.get("DBProxyName"), str))
        for each in values
    )
