"""D: subnets, zones and ways out."""

from collections.abc import Iterator
from typing import Any

from .policies import Statement
from .reachability import subnets_of
from .references import comparable, mentioned, shown
from .rule import Finding, Severity, rule
from .servers import DATABASES
from .stage import Stage
from .template import Resource
from .values import Text, Unknown, truth

PREREQUISITES = 'Amazon RDS User Guide, "Setting up network prerequisites for RDS Proxy"'
LIMITATIONS = 'Amazon RDS User Guide, "Amazon RDS Proxy", quotas and limitations'
LAMBDA_VPC = 'AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"'
# What a function calls itself, and the endpoint that it would need; pollers and the runtime call others for it.
CALLS = {
    "secretsmanager": ("secretsmanager:GetSecretValue",),
    "ssm": ("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"),
    "appconfigdata": ("appconfig:GetLatestConfiguration",),
    "dynamodb": ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
    "s3": ("s3:GetObject", "s3:PutObject"),
    "sqs": ("sqs:SendMessage",),
    "sns": ("sns:Publish",),
    "events": ("events:PutEvents",),
    "states": ("states:StartExecution",),
    "kinesis-streams": ("kinesis:PutRecord", "kinesis:PutRecords"),
    "kinesis-firehose": ("firehose:PutRecord", "firehose:PutRecordBatch"),
    "lambda": ("lambda:InvokeFunction",),
    "cognito-idp": ("cognito-idp:AdminGetUser", "cognito-idp:AdminCreateUser", "cognito-idp:ListUsers"),
    "email": ("ses:SendEmail", "ses:SendRawEmail"),
    "bedrock-runtime": ("bedrock:InvokeModel",),
    "sts": ("sts:AssumeRole",),
}


def _places(stage: Stage) -> Iterator[tuple[Resource, str, list[Any] | None]]:
    """Everything that is on the way to a database, the property with its subnets, and the subnets."""
    for proxy in stage.proxies:
        yield proxy.resource, "VpcSubnetIds", stage.network.subnets(proxy.resource)
    for group in _subnet_groups(stage):
        yield group, "SubnetIds", stage.network.subnets(group)
    for function in (each for each, used in stage.uses.items() if used):
        if function.get("VpcConfig") is not None:
            yield function, "VpcConfig.SubnetIds", stage.network.subnets(function)


def _subnet_groups(stage: Stage) -> list[Resource]:
    named = [each.get("DBSubnetGroupName") for each in stage.of_type(*DATABASES)]
    groups = [each.resource for each in mentioned(named) if each.resource.type == "AWS::RDS::DBSubnetGroup"]
    return list(dict.fromkeys(groups))


@rule(
    "D01",
    Severity.ERROR,
    "proxy, database and functions are in two subnets of two availability zones or more",
    fix="choose subnets of at least two availability zones",
    source=f"{PREREQUISITES}; Security Hub Lambda.5",
)
def _two_zones(stage: Stage) -> Iterator[Finding]:
    for resource, path, subnets in _places(stage):
        if subnets is None or any(isinstance(each, Unknown) for each in subnets):
            continue
        zones = [_zone(each) for each in subnets]
        if len(set(subnets)) == 1:
            yield Finding(resource, path, "one subnet")
        elif subnets and None not in zones and len(set(zones)) == 1:
            yield Finding(resource, path, f"{len(subnets)} subnets of one zone")


def _zone(subnet: Any) -> Any:
    if not isinstance(subnet, Resource):
        return None
    return comparable(subnet.get("AvailabilityZone") or subnet.get("AvailabilityZoneId"))


@rule(
    "D04",
    Severity.ERROR,
    "proxy, database and functions are in private subnets, and the database has no public address",
    fix="choose private or isolated subnets, and publicly_accessible=False",
    source=f"Security Hub RDS.2 and RDS.46; {LAMBDA_VPC}",
)
def _nothing_is_public(stage: Stage) -> Iterator[Finding]:
    for resource, path, subnets in _places(stage):
        public = [each.id for each in subnets or [] if stage.network.is_public(each)]
        if public:
            yield Finding(resource, path, f"public subnet{'s' * (len(public) > 1)} {', '.join(public)}")
    for database in stage.of_type(*DATABASES):
        if truth(database.get("PubliclyAccessible")):
            yield Finding(database, "PubliclyAccessible", "true")


@rule(
    "D07",
    Severity.ERROR,
    "a function in a VPC can reach the services that it calls",
    fix="add a VPC endpoint for the service (a gateway endpoint for DynamoDB), or subnets with a NAT gateway; "
    "an IAM token for a proxy needs neither",
    source=LAMBDA_VPC,
)
def _functions_reach_services(stage: Stage) -> Iterator[Finding]:
    rotation = set(_rotation_functions(stage))
    for function in stage.functions:
        vpc = _closed_vpc(stage, stage.network.subnets(function))
        if vpc is None or function in rotation:
            continue
        allowed = [each for each in stage.policies.of(function.get("Role")) if each.is_allow]
        for service, actions in CALLS.items():
            called = any(each.allows(*actions) for each in allowed if _is_its_own_call(stage, function, each))
            if called and not stage.network.has_endpoint(vpc, service):
                value = f"isolated subnets without an endpoint for {service}, which its role may call"
                yield Finding(function, "VpcConfig.SubnetIds", value)


def _is_its_own_call(stage: Stage, function: Resource, statement: Statement) -> bool:
    """Whether a statement is for the function's code, not for Lambda, which sends what failed for it."""
    configured = [
        each
        for each in stage.of_type("AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping")
        if stage.function_of(each.get("FunctionName")) in (function, None)
    ]
    sent = [function.get("DeadLetterConfig"), *(each.get("DestinationConfig") for each in configured)]
    return "*" not in statement.actions and not any(_mentions_same(statement.resources, each) for each in sent)


def _mentions_same(resources: list[Any], destination: Any) -> bool:
    theirs = {each.resource for each in mentioned(destination)}
    named = {shown(each) for each in resources if isinstance(each, str | Text)}
    if _has_unknown(destination) or any(each.resource in theirs for each in mentioned(resources)):
        return True
    return any(each in shown(destination) for each in named - {"*"})


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_unknown, value.values()))
    return isinstance(value, Unknown)


def _closed_vpc(stage: Stage, subnets: list[Any] | None) -> Resource | None:
    """The VPC of subnets of which it is known that none has a way out."""
    if not subnets or not all(stage.network.is_closed(each) for each in subnets):
        return None
    return next(iter(stage.network.vpcs(subnets)), None)


@rule(
    "D09",
    Severity.ERROR,
    "what rotates a secret in a VPC can reach Secrets Manager",
    fix="add an interface endpoint for Secrets Manager, or subnets with a NAT gateway",
    source='AWS Secrets Manager User Guide, "Network access for a rotation function"',
)
def _rotation_reaches_secrets_manager(stage: Stage) -> Iterator[Finding]:
    for schedule in stage.of_type("AWS::SecretsManager::RotationSchedule"):
        vpc = _closed_vpc(stage, _rotation_subnets(stage, schedule))
        if vpc is not None and not stage.network.has_endpoint(vpc, "secretsmanager"):
            path = "HostedRotationLambda" if schedule.get("HostedRotationLambda") else "RotationLambdaARN"
            yield Finding(schedule, path, "in isolated subnets without an endpoint for secretsmanager")


def _rotation_functions(stage: Stage) -> Iterator[Resource]:
    for schedule in stage.of_type("AWS::SecretsManager::RotationSchedule"):
        function = stage.function_of(schedule.get("RotationLambdaARN"))
        if function is not None:
            yield function


def _rotation_subnets(stage: Stage, schedule: Resource) -> list[Any] | None:
    hosted = schedule.get("HostedRotationLambda", "VpcSubnetIds")
    if hosted is not None:
        return subnets_of(hosted)
    arn = schedule.get("RotationLambdaARN")
    function = stage.function_of(arn)
    if function is not None:
        return stage.network.subnets(function)
    application = next((a.resource for a in mentioned(arn) if a.resource.type == "AWS::Serverless::Application"), None)
    return None if application is None else subnets_of(application.get("Parameters", "vpcSubnetIds"))


@rule(
    "D15",
    Severity.WARNING,
    "a proxy is reached by the name that RDS gives it",
    fix="remove the record, and give functions the endpoint: the certificate and the IAM token name no other host",
    source=f"{LIMITATIONS}; 'IAM database authentication', limitations",
)
def _names_are_rdss_own(stage: Stage) -> Iterator[Finding]:
    proxies = {proxy.resource for proxy in stage.proxies}
    for record in stage.of_type("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"):
        path = "ResourceRecords" if record.type.endswith("RecordSet") else "RecordSets"
        for proxy in {each.resource for each in mentioned(record.get(path))} & proxies:
            yield Finding(record, path, f"{shown(record.get('Name') or record.id)} for {proxy.id}")
