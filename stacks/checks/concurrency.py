"""B: how many of a function may run at once."""

from collections.abc import Iterator

from .references import mentions, shown
from .rule import Finding, Severity, rule
from .stage import Stage
from .values import number

LAMBDA = "AWS Lambda Developer Guide"
RESERVED = "ReservedConcurrentExecutions"
LARGEST_TMP = 512  # MB, with SnapStart
VISIBILITY = 6  # times the function's timeout
DEFAULT_VISIBILITY = 30  # seconds


@rule(
    "B03",
    Severity.ERROR,
    "a function that uses the database has reserved concurrency",
    fix="set reserved_concurrent_executions: it is what bounds the function's connections",
    source=f'{LAMBDA}, "Configuring reserved concurrency"; Security Hub and checkov CKV_AWS_115',
)
def _concurrency_is_reserved(stage: Stage) -> Iterator[Finding]:
    for function in stage.database_functions:
        managed = function.get("CapacityProviderConfig") is not None  # A16 is about those
        if function.get(RESERVED) is None and not managed:
            yield Finding(function, RESERVED, "not set: as many connections as the account has concurrency")


@rule(
    "B04",
    Severity.ERROR,
    "reserved concurrency is not 0, which stops a function",
    fix="set reserved_concurrent_executions to 1 or more; to stop a function in need, do it by hand",
    source=f'{LAMBDA}, "Configuring reserved concurrency"',
)
def _concurrency_is_not_zero(stage: Stage) -> Iterator[Finding]:
    for function in stage.functions:
        if number(function.get(RESERVED)) == 0:
            yield Finding(function, RESERVED, "0")


@rule(
    "B05",
    Severity.ERROR,
    "provisioned concurrency is at most reserved concurrency",
    fix="lower provisioned concurrency, or raise reserved_concurrent_executions",
    source=f'{LAMBDA}, "Configuring provisioned concurrency"',
)
def _provisioned_fits_reserved(stage: Stage) -> Iterator[Finding]:
    for function in stage.functions:
        reserved = number(function.get(RESERVED))
        published = [  # SAM's function makes an alias of its own
            function,
            *(
                each
                for each in stage.of_type("AWS::Lambda::Version", "AWS::Lambda::Alias")
                if stage.function_of(each.get("FunctionName")) is function
            ),
        ]
        path = "ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions"
        found = [(each, number(each.get(*path.split(".")))) for each in published]
        total = sum(count for _, count in found if count is not None)
        if reserved and total > reserved:
            where = next(each for each, count in found if count)
            yield Finding(where, path, f"{total:.10g} of at most {reserved:.10g}, which {function.id} reserves")
            continue
        for target in stage.of_type("AWS::ApplicationAutoScaling::ScalableTarget"):
            most = number(target.get("MaxCapacity"))
            is_its_own = target.get("ServiceNamespace") == "lambda" and stage.function_of(target.get("ResourceId"))
            if is_its_own is function and reserved and most is not None and most > reserved:
                yield Finding(
                    target, "MaxCapacity", f"{most:.10g} of at most {reserved:.10g}, which {function.id} reserves"
                )


@rule(
    "B06",
    Severity.ERROR,
    "SnapStart is on a published version, without provisioned concurrency, EFS, or more than 512 MB of /tmp",
    fix="publish a version (current_version) and invoke that, or turn off the other, or SnapStart",
    source=f'{LAMBDA}, "Improving startup performance with Lambda SnapStart"',
)
def _snapstart_can_work(stage: Stage) -> Iterator[Finding]:
    for function in stage.functions:
        if function.get("SnapStart", "ApplyOn") != "PublishedVersions":
            continue
        versions = [
            each
            for each in stage.of_type("AWS::Lambda::Version")
            if stage.function_of(each.get("FunctionName")) is function
        ]
        aliases = [
            each
            for each in stage.of_type("AWS::Lambda::Alias")
            if stage.function_of(each.get("FunctionName")) is function
        ]
        tmp = number(function.get("EphemeralStorage", "Size"))
        wrong = [
            "no version is published" if not versions and function.type == "AWS::Lambda::Function" else "",
            "provisioned concurrency"
            if any(each.get("ProvisionedConcurrencyConfig") is not None for each in (function, *versions, *aliases))
            else "",
            "a file system" if function.get("FileSystemConfigs") else "",
            f"{tmp:.10g} MB of /tmp" if tmp is not None and tmp > LARGEST_TMP else "",
        ]
        if any(wrong):
            yield Finding(function, "SnapStart", f"PublishedVersions, and {', '.join(filter(None, wrong))}")


@rule(
    "B09",
    Severity.WARNING,
    "a queue's consumer has a maximum concurrency within its reserved one, and 6 times its timeout to finish",
    fix="set max_concurrency on the event source (2 or more, at most the reserved concurrency), and the queue's "
    "visibility_timeout to 6 times the function's timeout",
    source=f'{LAMBDA}, "Using Lambda with Amazon SQS"',
)
def _queues_do_not_flood(stage: Stage) -> Iterator[Finding]:
    for mapping in stage.of_type("AWS::Lambda::EventSourceMapping"):
        function = stage.function_of(mapping.get("FunctionName"))
        queue = next((q for q in stage.of_type("AWS::SQS::Queue") if mentions(mapping.get("EventSourceArn"), q)), None)
        if function not in stage.database_functions or function is None or queue is None:
            continue
        most, reserved = mapping.get("ScalingConfig", "MaximumConcurrency"), number(function.get(RESERVED))
        limit = number(most)
        by_pollers = most is None and mapping.get("ProvisionedPollerConfig") is not None  # which takes no maximum
        if (most is None and not by_pollers) or (limit is not None and reserved and limit > reserved):
            value = f"{shown(most)}, and {function.id} reserves {shown(function.get(RESERVED))}"
            yield Finding(mapping, "ScalingConfig.MaximumConcurrency", value)
        visibility = queue.get("VisibilityTimeout")
        seconds, timeout = DEFAULT_VISIBILITY if visibility is None else number(visibility), stage.timeout(function)
        if seconds is not None and timeout is not None and seconds < VISIBILITY * timeout:
            value = f"{seconds:.10g} s for a timeout of {timeout:.10g} s"
            yield Finding(queue, "VisibilityTimeout", value, None, f"set {VISIBILITY * timeout:.10g} s or more")
