"""Fields of a log line that CloudWatch also reads as metrics (embedded metric format), whatever the store is."""

import os
import time
from collections.abc import Mapping
from typing import Any

NAMESPACE = "DatabaseClient"  # stacks/metrics.py reads it too


def as_log_fields(units: Mapping[str, str], values: Mapping[str, float]) -> dict[str, Any]:
    """The values under their names, of the function that runs; `units` has CloudWatch's unit of each.

    Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format".
    """
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": metrics}
    return {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
        "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "unknown"),
        **values,
    }
