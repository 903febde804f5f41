"""Correct stacks that a rule could take for a wrong one."""

from aws_cdk import (
    Aws,
    CfnCondition,
    CfnParameter,
    CustomResource,
    Fn,
    Stack,
    Token,
)
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from .cases import right
from .service import (
    PORT,
    USER,
    alarmed,
    database_proxy,
    direct,
    function,
    group,
    http_api,
    instance,
    network,
    resource,
    service,
    target_group,
)


def connect_as(stack, role, resource_id):
    user = f"arn:aws:rds-db:eu-west-1:{stack.account}:dbuser:{resource_id}/{USER}"
    role.add_to_policy(iam.PolicyStatement(actions=["rds-db:connect"], resources=[user]))


@right
def resource_ids_that_are_looked_up(stage):
    """By custom resources, from before CloudFormation had them as attributes."""
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Function", "Proxy", "Database")]
    groups[0].connections.allow_to(groups[1], PORT)
    groups[1].connections.allow_to(groups[2], PORT)
    database = instance(stack, vpc, [groups[2]])
    proxy, role = database_proxy(stack, vpc, [groups[1]], database)
    client = function(stack, vpc, [groups[0]], variables={"DB_HOST": proxy.endpoint})
    arn = "arn:aws:lambda:eu-west-1:111122223333:function:lookup"
    for id, one in (("Instance", role), ("Endpoint", client.role)):
        looked_up = CustomResource(stack, f"{id}Id", service_token=arn, properties={"Of": database.instance_identifier})
        connect_as(stack, one, looked_up.get_att_string("ResourceId"))


@right
def an_api_with_its_proxy_and_the_database_for_what_pins(stage):
    it = service(stage)
    it.function.add_environment("LISTEN_HOST", it.instance.db_instance_endpoint_address)
    it.instance.grant_connect(it.function, USER)
    it.groups[0].connections.allow_to(it.groups[2], PORT)
    http_api(it.stack, it.function)


@right
def a_migration_that_a_pipeline_calls(stage):
    """It goes past the proxy, and nothing in the template says who calls it."""
    it = service(stage)
    clients = group(it.stack, "MigrationGroup", it.vpc)
    clients.connections.allow_to(it.groups[2], PORT)
    variables = {"DB_HOST": it.instance.db_instance_endpoint_address, "DB_USER": USER}
    migration = function(it.stack, it.vpc, [clients], id="Migration", variables=variables)
    it.instance.grant_connect(migration, USER)
    http_api(it.stack, it.function)


@right
def a_function_that_has_the_group_of_others_and_no_login(stage):
    """What it is told is neither a host nor a password, whatever its value; it asks a service on the internet."""
    it = direct(stage)
    it.groups[0].add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443))
    resource(it.instance).add_property_override("Port", {"Ref": "Port"})
    CfnParameter(it.stack, "Port", type="Number")
    level = CfnParameter(it.stack, "LogLevel").value_as_string
    variables = {"LOG_LEVEL": level, "POWERTOOLS_SERVICE_NAME": "thumbnails", "LARGEST_PIXELS": "4000000"}
    function(
        it.stack,
        it.vpc,
        [it.groups[0]],
        id="Thumbnails",
        variables=variables,
        reserved_concurrent_executions=None,
    )


@right
def switches_that_are_called_passwords(stage):
    it = service(stage)
    for name, value in {"FEATURE_RESET_PASSWORD": "on", "REQUIRE_PASSWORD": "1", "CACHE_BY_PASS": "no"}.items():
        it.function.add_environment(name, value)


@right
def a_bus_of_events_for_what_succeeded(stage):
    """Lambda sends it, and what failed: the function's subnets need no way there."""
    stack = Stack(stage, "Stack")
    failed = sqs.Queue.from_queue_arn(stack, "Failed", Fn.import_value("failed"))
    sent = {"on_success": destinations.EventBridgeDestination(), "on_failure": destinations.SqsDestination(failed)}
    service(stage, stack=stack, client=sent)


@right
def iops_by_condition(stage):
    """Whether there are any is decided when it is deployed."""
    it = service(stage)
    CfnCondition(it.stack, "Fast", expression=Fn.condition_equals(CfnParameter(it.stack, "Kind"), "fast"))
    resource(it.instance).add_property_override("Iops", Fn.condition_if("Fast", 12000, Aws.NO_VALUE))


@right
def a_secret_that_tells_of_the_proxy_beside_the_database(stage):
    it = service(stage, secrets=True)
    hosts = {"host": it.instance.db_instance_endpoint_address, "proxyHost": it.proxy.endpoint}
    template = it.stack.to_json_string({"username": "reports", **hosts})
    secret = secretsmanager.Secret(
        it.stack,
        "Reports",
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=template, generate_string_key="password"
        ),
    )
    secret.add_rotation_schedule("Rotation", hosted_rotation=secretsmanager.HostedRotation.postgre_sql_single_user())


@right
def administrators_by_a_prefix_list(stage):
    it = service(stage)
    office = ec2.PrefixList(it.stack, "Office", entries=[{"cidr": "10.99.0.0/24"}])
    it.groups[2].add_ingress_rule(ec2.Peer.prefix_list(office.prefix_list_id), PORT)


@right
def ports_that_the_environment_tells(stage):
    """The database's is the proxy's too; the others are of something else."""
    it = service(stage)
    it.function.add_environment("DB_PORT", Token.as_string(it.instance.instance_endpoint.port))
    it.function.add_environment("REDIS_PORT", "6379")
    it.function.add_environment("PORT", "8080")
    it.function.add_environment("CALLBACK", f"{http_api(it.stack, it.function).api_endpoint}:8443/done")


@right
def max_connections_by_a_formula(stage):
    service(stage, database={"parameters": {"max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)"}})


@right(environment="prod")
def each_of_two_proxies_is_watched(stage):
    """One by its metric, and both by a query."""
    service(stage, stack=Stack(stage, "First"))
    it = service(stage, stack=Stack(stage, "Second"))
    alarmed(it)
    query = 'SELECT MAX(DatabaseConnectionsCurrentlySessionPinned) FROM SCHEMA("AWS/RDS", ProxyName)'
    cloudwatch.CfnAlarm(
        it.stack,
        "AnyProxy",
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=3,
        threshold=5,
        alarm_actions=["arn:aws:sns:eu-west-1:111122223333:operators"],
        metrics=[{"id": "q", "expression": query, "period": 60}],
    )


FROM_PARAMETER_STORE = {
    "DBInstanceClass": "{{resolve:ssm:/database/class}}",
    "StorageType": "{{resolve:ssm:/database/storage}}",
    "MultiAZ": "{{resolve:ssm:/database/standby}}",
    "BackupRetentionPeriod": "{{resolve:ssm:/database/backup-days:1}}",
    "EnableCloudwatchLogsExports": ["{{resolve:ssm:/database/log}}"],
    "VPCSecurityGroups": ["{{resolve:ssm:/network/database-group}}"],
}


@right(environment="prod")
def settings_from_parameter_store(stage):
    """CloudFormation reads them when it deploys."""
    it = service(stage)
    alarmed(it)
    for name, value in FROM_PARAMETER_STORE.items():
        resource(it.instance).add_property_override(name, value)
    resource(it.proxy).add_property_override("DBProxyName", "{{resolve:ssm:/proxy/name}}")
    target_group(it.proxy).add_property_override(
        "ConnectionPoolConfigurationInfo.MaxConnectionsPercent", "{{resolve:ssm:/proxy/percent}}"
    )
    resource(it.function).add_property_override("VpcConfig.SubnetIds", ["{{resolve:ssm:/network/subnet}}"])
    resource(it.function).add_property_override("Environment.Variables.DB_USER", "{{resolve:ssm:/database/user}}")


@right
def a_user_and_a_port_of_a_database_elsewhere(stage):
    """The function has a proxy here, and a host that another app exports."""
    it = service(stage)
    resource(it.function).add_property_override("Environment.Variables.DB_USER", "legacy")
    it.function.add_environment("DB_PORT", "6432")
    it.function.add_environment("LEGACY_HOST", Fn.import_value("legacy-host"))
