"""H: functions that use a database: runtime, logs, roles, failures."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from .references import mentioned, mentions, shown
from .rule import Finding, Severity, rule
from .stage import Stage
from .template import Resource
from .values import Text, listed, number

RUNTIMES = 'AWS Lambda Developer Guide, "Lambda runtimes", read October 2026'
# The day that Lambda deprecates a runtime; those that are gone are all before today.
DEPRECATION = {
    **dict.fromkeys(("python2.7", "python3.6", "python3.7", "nodejs12.x", "nodejs14.x"), date(2023, 12, 4)),
    **dict.fromkeys(("nodejs16.x", "go1.x", "java8", "provided", "ruby2.7"), date(2024, 6, 12)),
    "dotnetcore3.1": date(2023, 4, 3),
    "python3.8": date(2024, 10, 14),
    "dotnet6": date(2024, 12, 20),
    "nodejs18.x": date(2025, 9, 1),
    "python3.9": date(2025, 12, 15),
    "ruby3.2": date(2026, 3, 31),
    "nodejs20.x": date(2026, 4, 30),
    "provided.al2": date(2026, 7, 31),
    "python3.10": date(2026, 10, 31),
    "dotnet8": date(2026, 11, 10),
    "ruby3.3": date(2027, 3, 31),
    "nodejs22.x": date(2027, 4, 30),
    "python3.11": date(2027, 6, 30),
    "ruby3.4": date(2028, 3, 31),
    "nodejs24.x": date(2028, 4, 30),
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
    "python3.14": date(2029, 6, 30),
}
DAYS_OF_WARNING = 180
VPC_POLICY = "AWSLambdaVPCAccessExecutionRole"


@rule(
    "H01",
    Severity.ERROR,
    "a function's runtime is supported, and for half a year more",
    fix="take a newer runtime, such as python3.14, nodejs24.x or provided.al2023",
    source=RUNTIMES,
)
def _runtimes_are_supported(stage: Stage) -> Iterator[Finding]:
    for function in stage.functions:
        end = DEPRECATION.get(str(function.get("Runtime")))
        if end is None:
            continue
        left = (end - stage.today).days
        if left < 0:
            yield Finding(function, "Runtime", f"{function.get('Runtime')}, deprecated since {end}")
        elif left < DAYS_OF_WARNING and function not in stage.deployment_functions:  # which are often CDK's own
            yield Finding(function, "Runtime", f"{function.get('Runtime')}, deprecated on {end}", Severity.WARNING)


@rule(
    "H03",
    Severity.WARNING,
    "a function that uses the database has tracing, memory of its own, JSON logs, and a log group that ends",
    fix="set tracing, memory_size, logging_format JSON, and log_group with a retention",
    source="cdk-nag's Serverless pack: LambdaTracing, LambdaDefaultMemorySize; AWS Lambda Developer Guide",
)
def _functions_can_be_seen(stage: Stage) -> Iterator[Finding]:
    for function in stage.database_functions:
        wrong = [
            "no tracing" if _tracing(function) in (None, "PassThrough") else "",
            "MemorySize not set, so 128 MB" if function.get("MemorySize") is None else "",
            "logs as text" if function.get("LoggingConfig", "LogFormat") in (None, "Text") else "",
            "logs kept for ever" if not _logs_end(stage, function) else "",
        ]
        if any(wrong):
            yield Finding(function, "LoggingConfig", ", ".join(filter(None, wrong)))


def _tracing(function: Resource) -> Any:
    """The mode of tracing, as CloudFormation or SAM writes it."""
    value = function.get("TracingConfig", "Mode")
    return function.get("Tracing") if value is None else value


def _logs_end(stage: Stage, function: Resource) -> bool:
    """False only where it is known that nothing sets a retention."""
    group = function.get("LoggingConfig", "LogGroup")
    if group is not None:
        named = [each.resource for each in mentioned(group) if each.resource.type == "AWS::Logs::LogGroup"]
        return not named or named[0].get("RetentionInDays") is not None
    groups = [each for each in stage.of_type("AWS::Logs::LogGroup") if _is_group_of(each, function)]
    if groups:
        return groups[0].get("RetentionInDays") is not None
    return any(mentions(each.get("LogGroupName"), function) for each in stage.of_type("Custom::LogRetention"))


def _is_group_of(group: Resource, function: Resource) -> bool:
    name = group.get("LogGroupName")
    if mentions(name, function):
        return True
    return isinstance(name, str) and name == f"/aws/lambda/{function.get('FunctionName')}"


@rule(
    "H04",
    Severity.WARNING,
    "a function that uses the database attaches to its VPC by a policy of its own",
    fix="give the function a role with ec2's interface actions, and deny them to its own code "
    "(condition lambda:SourceFunctionArn)",
    source='AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"; cdk-nag IAM4',
)
def _vpc_policy_is_own(stage: Stage) -> Iterator[Finding]:
    for function in stage.database_functions:
        role = stage.policies.role_of(function.get("Role"))
        for arn in listed(role.get("ManagedPolicyArns")) if role is not None else []:
            text = arn if isinstance(arn, str) else arn.literal if isinstance(arn, Text) else ""
            if text.endswith(VPC_POLICY) and role is not None:
                yield Finding(role, "ManagedPolicyArns", f"{VPC_POLICY}, for {function.id}")


@rule(
    "H05",
    Severity.WARNING,
    "what fails asynchronously is kept, and a stream is not blocked by one bad record",
    fix="add on_failure (or a dead-letter queue); for a stream also bisect_batch_on_error and a maximum age or retries",
    source="cdk-nag's Serverless pack: LambdaAsyncFailureDestination, LambdaEventSourceMappingDestination",
)
def _failures_are_kept(stage: Stage) -> Iterator[Finding]:
    for function in stage.database_functions:
        callers = [each for each in _asynchronous_callers(stage) if stage.function_of(each[1]) is function]
        if callers and not _keeps_failures(stage, function):
            value = f"called by {callers[0][0].id}, and nothing keeps what fails"
            yield Finding(function, "DeadLetterConfig", value)
    for mapping in stage.of_type("AWS::Lambda::EventSourceMapping"):
        if mapping.get("StartingPosition") is None:
            continue  # no stream
        if stage.function_of(mapping.get("FunctionName")) in stage.database_functions:
            missing = [each for each in _stream_settings(mapping) if each]
            if missing:
                yield Finding(mapping, "DestinationConfig", f"no {', no '.join(missing)}")


def _asynchronous_callers(stage: Stage) -> Iterator[tuple[Resource, Any]]:
    for each in stage.of_type("AWS::Events::Rule"):
        yield from ((each, target.get("Arn")) for target in listed(each.get("Targets")) if isinstance(target, dict))
    for each in stage.of_type("AWS::SNS::Subscription"):
        if each.get("Protocol") == "lambda":
            yield each, each.get("Endpoint")
    for each in stage.of_type("AWS::Scheduler::Schedule"):
        yield each, each.get("Target", "Arn")
    for each in stage.of_type("AWS::Logs::SubscriptionFilter"):
        yield each, each.get("DestinationArn")
    for each in stage.of_type("AWS::S3::Bucket", "Custom::S3BucketNotifications"):
        yield each, each.get("NotificationConfiguration", "LambdaConfigurations")
        yield each, each.get("NotificationConfiguration", "LambdaFunctionConfigurations")


def _keeps_failures(stage: Stage, function: Resource) -> bool:
    configured = [
        each.get("DestinationConfig", "OnFailure")
        for each in stage.of_type("AWS::Lambda::EventInvokeConfig")
        if stage.function_of(each.get("FunctionName")) in (function, None)
    ]
    return function.get("DeadLetterConfig") is not None or any(each is not None for each in configured)


WITHOUT_SHARDS = (  # Kafka and DocumentDB: their batches are not bisected, nor do they grow too old
    *("AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig", "SelfManagedEventSource"),
    *("DocumentDBEventSourceConfig", "Topics"),
)


def _stream_settings(mapping: Resource) -> list[str]:
    no_destination = "failure destination" if mapping.get("DestinationConfig", "OnFailure") is None else ""
    if any(mapping.get(each) is not None for each in WITHOUT_SHARDS):
        return [no_destination]
    reports = "ReportBatchItemFailures" in listed(mapping.get("FunctionResponseTypes"))
    age, retries = number(mapping.get("MaximumRecordAgeInSeconds")), number(mapping.get("MaximumRetryAttempts"))
    unset = mapping.get("MaximumRecordAgeInSeconds") is None and mapping.get("MaximumRetryAttempts") is None
    return [
        no_destination,
        "bisecting of batches" if mapping.get("BisectBatchOnFunctionError") is None and not reports else "",
        "maximum age or retries" if unset or (age in (None, -1) and retries in (None, -1)) else "",
    ]


@rule(
    "H06",
    Severity.WARNING,
    "a function's URL asks who calls",
    fix="set auth_type AWS_IAM",
    source="Security Hub Lambda.1",
)
def _urls_ask_who_calls(stage: Stage) -> Iterator[Finding]:
    for url in stage.of_type("AWS::Lambda::Url"):
        if url.get("AuthType") == "NONE":
            yield Finding(url, "AuthType", shown(url.get("AuthType")))
    for function in stage.of_type("AWS::Serverless::Function"):
        if function.get("FunctionUrlConfig", "AuthType") == "NONE":
            yield Finding(function, "FunctionUrlConfig.AuthType", "NONE")
