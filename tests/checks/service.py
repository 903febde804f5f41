"""A correct service, as a user would write it with CDK's constructs, each of whose arguments a case can change."""

from types import SimpleNamespace

from aws_cdk import CfnResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

ISOLATED = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
POSTGRES = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.of("17.5", "17"))
CODE = lambda_.Code.from_inline("def handler(event, context): ...")
INTERFACES = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"]
USER = "application"
PORT = ec2.Port.tcp(5432)


def network(stack, id="Vpc", **changes):
    arguments = {
        "availability_zones": [f"{stack.region}a", f"{stack.region}b"],
        "nat_gateways": 0,
        "subnet_configuration": [
            ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)
        ],
        "restrict_default_security_group": False,
    }
    return ec2.Vpc(stack, id, **arguments | changes)


def group(stack, id, vpc, **changes):
    return ec2.SecurityGroup(stack, id, vpc=vpc, **{"allow_all_outbound": False} | changes)


def instance(stack, vpc, groups, *, id="Database", parameters=None, **changes):
    arguments = {
        "engine": POSTGRES,
        "instance_type": ec2.InstanceType("r8g.large"),
        "vpc": vpc,
        "vpc_subnets": ISOLATED,
        "security_groups": groups,
        "manage_master_user_password": True,
        "credentials": rds.Credentials.from_username("headroom_master"),
        "iam_authentication": True,
        "publicly_accessible": False,
        "multi_az": True,
        "storage_type": rds.StorageType.GP3,
        "storage_encrypted": True,
        "allocated_storage": 100,
        "max_allocated_storage": 500,
        "backup_retention": Duration.days(14),
        "deletion_protection": True,
        "removal_policy": RemovalPolicy.SNAPSHOT,
        "cloudwatch_logs_exports": ["postgresql"],
        "engine_lifecycle_support": rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED,
    } | changes
    if parameters is not None:
        engine = arguments["engine"]
        arguments["parameter_group"] = rds.ParameterGroup(
            stack, f"{id}Parameters", engine=engine, parameters=parameters
        )
    return rds.DatabaseInstance(stack, id, **{name: value for name, value in arguments.items() if value is not None})


def application_secret(stack, id="Application", *, username=USER, rotated_in=None, **changes):
    secret = rds.DatabaseSecret(stack, id, username=username, **changes)
    rotation = {"vpc": rotated_in, "vpc_subnets": ISOLATED} if rotated_in else {}
    secret.add_rotation_schedule(
        "Rotation", hosted_rotation=secretsmanager.HostedRotation.postgre_sql_single_user(**rotation)
    )
    return secret


def database_proxy(stack, vpc, groups, target, *, id="Proxy", secrets=None, **changes):
    """A proxy that logs in by IAM, or with secrets."""
    end_to_end = {"default_auth_scheme": rds.DefaultAuthScheme.IAM_AUTH}
    arguments = {
        "proxy_target": target if isinstance(target, rds.ProxyTarget) else rds.ProxyTarget.from_instance(target),
        "vpc": vpc,
        "vpc_subnets": ISOLATED,
        "security_groups": groups,
        "role": iam.Role(stack, f"{id}Role", assumed_by=iam.ServicePrincipal("rds.amazonaws.com")),
        "require_tls": True,
        "max_connections_percent": 85,
        "max_idle_connections_percent": 40,
        "borrow_timeout": Duration.seconds(5),
        "idle_client_timeout": Duration.minutes(15),
        **({"secrets": secrets, "iam_auth": True} if secrets else end_to_end),
    } | changes
    proxy = rds.DatabaseProxy(stack, id, **{name: value for name, value in arguments.items() if value is not None})
    return proxy, arguments["role"]


def function(stack, vpc=None, groups=None, *, id="Function", variables=None, **changes):
    role = iam.Role(stack, f"{id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_policy(iam.PolicyStatement(actions=INTERFACES, resources=["*"]))
    placed = {"vpc": vpc, "vpc_subnets": ISOLATED, "security_groups": groups} if vpc else {}
    arguments = {
        "runtime": lambda_.Runtime.PYTHON_3_13,
        "handler": "index.handler",
        "code": CODE,
        "role": role,
        "timeout": Duration.seconds(25),
        "memory_size": 512,
        "reserved_concurrent_executions": 20,
        "tracing": lambda_.Tracing.ACTIVE,
        "logging_format": lambda_.LoggingFormat.JSON,
        "log_group": logs.LogGroup(stack, f"{id}Logs", retention=logs.RetentionDays.ONE_MONTH),
        "environment": variables or {},
        **placed,
    } | changes
    return lambda_.Function(stack, id, **{name: value for name, value in arguments.items() if value is not None})


def http_api(stack, target, *, throttled=True, logged=True, authorizer=True, id="Api"):
    api = apigatewayv2.HttpApi(
        stack, id, default_authorizer=HttpIamAuthorizer() if authorizer else None, create_default_stage=False
    )
    api.add_routes(
        path="/projects",
        methods=[apigatewayv2.HttpMethod.GET],
        integration=HttpLambdaIntegration("Integration", target),
    )
    stage = apigatewayv2.HttpStage(
        stack,
        f"{id}Stage",
        http_api=api,
        auto_deploy=True,
        throttle=apigatewayv2.ThrottleSettings(rate_limit=100, burst_limit=20) if throttled else None,
    )
    if logged:
        log = logs.LogGroup(stack, f"{id}Logs", retention=logs.RetentionDays.ONE_MONTH)
        settings = {"DestinationArn": log.log_group_arn, "Format": "$context.requestId"}
        resource(stage).add_property_override("AccessLogSettings", settings)
    return api


def rest_api(it):
    log = logs.LogGroup(it.stack, "RestLogs", retention=logs.RetentionDays.ONE_MONTH)
    api = apigateway.RestApi(
        it.stack,
        "Rest",
        deploy_options=apigateway.StageOptions(
            throttling_rate_limit=100,
            throttling_burst_limit=20,
            access_log_destination=apigateway.LogGroupLogDestination(log),
        ),
        default_cors_preflight_options=apigateway.CorsOptions(allow_origins=["https://example.com"]),
    )
    proxy = apigateway.LambdaIntegration(it.function)
    api.root.add_method("GET", proxy, authorization_type=apigateway.AuthorizationType.IAM)
    return api


def pinning_alarm(stack, proxy):
    return cloudwatch.Metric(
        namespace="AWS/RDS",
        metric_name="DatabaseConnectionsCurrentlySessionPinned",
        dimensions_map={"ProxyName": proxy.db_proxy_name},
        statistic="Sum",
    ).create_alarm(stack, "Pinned", threshold=3, evaluation_periods=5)


def alarmed(it):
    """What production needs besides."""
    topic = sns.Topic(it.stack, "Operators")
    pinning_alarm(it.stack, it.proxy).add_alarm_action(actions.SnsAction(topic))


def resource(construct, id=None) -> CfnResource:
    """The resource that a construct stands for, for an escape hatch."""
    return construct.node.default_child if id is None else construct.node.find_child(id)


def target_group(proxy) -> CfnResource:
    return proxy.node.find_child("ProxyTargetGroup")


def service(stage, *, stack=None, secrets=False, chain=True, vpc=None, database=None, proxy=None, client=None):
    """A function, a proxy and a database, each in a security group that admits the one before it; nothing is wrong.

    `vpc`, `database`, `proxy` and `client` change arguments of the constructs. `secrets` is the scheme in which the
    proxy logs in with the application user's secret, and the functions with IAM tokens.
    """
    stack = stack or Stack(stage, "Stack")
    it = SimpleNamespace(
        stack=stack, vpc=vpc if vpc is not None and not isinstance(vpc, dict) else network(stack, **vpc or {})
    )
    it.groups = [group(stack, f"{name}Group", it.vpc) for name in ("Function", "Proxy", "Database")]
    it.instance = instance(stack, it.vpc, [it.groups[2]], **database or {})
    it.secret = application_secret(stack) if secrets else None
    given = {"secrets": [it.secret]} if secrets else {}
    it.proxy, it.role = database_proxy(stack, it.vpc, [it.groups[1]], it.instance, **given | (proxy or {}))
    it.function = function(
        stack, it.vpc, [it.groups[0]], variables={"DB_HOST": it.proxy.endpoint, "DB_USER": USER}, **client or {}
    )
    it.proxy.grant_connect(it.function, USER)
    if not secrets:
        it.instance.grant_connect(it.role, USER)
    if chain:
        it.groups[0].connections.allow_to(it.groups[1], PORT)
        it.groups[1].connections.allow_to(it.groups[2], PORT)
    return it


def direct(stage, *, stack=None, reserved=20, database=None, client=None):
    """A function and a database without a proxy."""
    stack = stack or Stack(stage, "Stack")
    it = SimpleNamespace(stack=stack, vpc=network(stack))
    it.groups = [group(stack, f"{name}Group", it.vpc) for name in ("Function", "Database")]
    it.instance = instance(stack, it.vpc, [it.groups[1]], **database or {})
    variables = {"DB_HOST": it.instance.db_instance_endpoint_address, "DB_USER": USER}
    changes = {"reserved_concurrent_executions": reserved} | (client or {})
    it.function = function(stack, it.vpc, [it.groups[0]], variables=variables, **changes)
    it.instance.grant_connect(it.function, USER)
    it.groups[0].connections.allow_to(it.groups[1], PORT)
    return it


def aurora(stage, *, proxy=None, **changes):
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Proxy", "Database")]
    arguments = {
        "engine": rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_4),
        "credentials": rds.Credentials.from_username("headroom_master"),
        "manage_master_user_password": True,
        "writer": rds.ClusterInstance.serverless_v2("Writer", publicly_accessible=False),
        "vpc": vpc,
        "vpc_subnets": ISOLATED,
        "security_groups": [groups[1]],
        "iam_authentication": True,
        "storage_encrypted": True,
        "deletion_protection": True,
        "backup": rds.BackupProps(retention=Duration.days(14)),
        "cloudwatch_logs_exports": ["postgresql"],
        "engine_lifecycle_support": rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED,
    }
    cluster = rds.DatabaseCluster(stack, "Cluster", **arguments | changes)
    groups[0].connections.allow_to(groups[1], PORT)
    made, role = database_proxy(stack, vpc, [groups[0]], rds.ProxyTarget.from_cluster(cluster), **proxy or {})
    cluster.grant_connect(role, USER)
    return cluster, made


def clients_of_aurora(cluster, host, *, count=1, reserved=20, port_of=None):
    """Functions that go to a cluster's proxy, or to the cluster itself."""
    stack = Stack.of(cluster)
    vpc, clients = stack.node.find_child("Vpc"), None
    clients = group(stack, "Clients", vpc)
    clients.connections.allow_to(port_of or stack.node.find_child("ProxyGroup"), PORT)
    changes = {"variables": {"DB_HOST": host}, "reserved_concurrent_executions": reserved}
    return [function(stack, vpc, [clients], id=f"Client{i}", **changes) for i in range(count)]


def by_hand_aurora(stage):
    """A cluster, its writer, a proxy and its target group, without what CDK's constructs add; the last two of them."""
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Proxy", "Database")]
    groups[0].connections.allow_to(groups[1], PORT)
    subnet_ids = [subnet.subnet_id for subnet in vpc.isolated_subnets]
    subnets = rds.CfnDBSubnetGroup(stack, "Subnets", db_subnet_group_description="database", subnet_ids=subnet_ids)
    cluster = rds.CfnDBCluster(
        stack,
        "Cluster",
        engine="aurora-postgresql",
        engine_version="17.5",
        serverless_v2_scaling_configuration={"minCapacity": 1, "maxCapacity": 8},
        storage_encrypted=True,
        master_username="headroom_master",
        manage_master_user_password=True,
        enable_iam_database_authentication=True,
        backup_retention_period=14,
        deletion_protection=True,
        db_subnet_group_name=subnets.ref,
        vpc_security_group_ids=[groups[1].security_group_id],
        enable_cloudwatch_logs_exports=["postgresql"],
        engine_lifecycle_support="open-source-rds-extended-support-disabled",
    )
    writer = rds.CfnDBInstance(
        stack,
        "Writer",
        engine="aurora-postgresql",
        db_instance_class="db.serverless",
        db_cluster_identifier=cluster.ref,
    )
    role = iam.Role(stack, "ProxyRole", assumed_by=iam.ServicePrincipal("rds.amazonaws.com"))
    user = f"arn:aws:rds-db:{stack.region}:{stack.account}:dbuser:{cluster.attr_db_cluster_resource_id}/{USER}"
    role.add_to_policy(iam.PolicyStatement(actions=["rds-db:connect"], resources=[user]))
    proxy = rds.CfnDBProxy(
        stack,
        "Proxy",
        db_proxy_name="orders",
        engine_family="POSTGRESQL",
        default_auth_scheme="IAM_AUTH",
        require_tls=True,
        role_arn=role.role_arn,
        vpc_subnet_ids=subnet_ids,
        vpc_security_group_ids=[groups[0].security_group_id],
    )
    pool = {"maxConnectionsPercent": 80, "maxIdleConnectionsPercent": 40, "connectionBorrowTimeout": 5}
    targets = rds.CfnDBProxyTargetGroup(
        stack,
        "Targets",
        db_proxy_name=proxy.ref,
        target_group_name="default",
        db_cluster_identifiers=[cluster.ref],
        connection_pool_configuration_info=pool,
    )
    return targets, writer


def managed_instances(client, *, environments=None, each=16):
    """A function on instances of the account, which CDK's function cannot say."""
    provider = {"CapacityProviderArn": "arn:aws:lambda:eu-west-1:111122223333:capacity-provider:orders"}
    settings = {
        "LambdaManagedInstancesCapacityProviderConfig": {**provider, "PerExecutionEnvironmentMaxConcurrency": each}
    }
    resource(client).add_property_override("CapacityProviderConfig", settings)
    if environments is not None:
        resource(client).add_property_override("FunctionScalingConfig", {"MaxExecutionEnvironments": environments})


def replica(it, id="Replica"):
    return rds.DatabaseInstanceReadReplica(
        it.stack,
        id,
        source_database_instance=it.instance,
        instance_type=ec2.InstanceType("r8g.large"),
        vpc=it.vpc,
        vpc_subnets=ISOLATED,
        security_groups=[it.groups[2]],
        iam_authentication=True,
        publicly_accessible=False,
        storage_encrypted=True,
        storage_type=rds.StorageType.GP3,
        max_allocated_storage=500,
        cloudwatch_logs_exports=["postgresql"],
        deletion_protection=True,
    )


GENERATED = {
    "manage_master_user_password": None,
    "credentials": rds.Credentials.from_generated_secret("headroom_master"),
}


def rotated_master(it):
    """A master secret that the stack holds, rotated, with a way to Secrets Manager."""
    it.instance.secret.add_rotation_schedule(
        "Rotation", hosted_rotation=secretsmanager.HostedRotation.postgre_sql_single_user()
    )


def function_of_sam(stack, **properties):
    """A function as SAM writes it, of which it makes the role, the alias and the API."""
    stack.add_transform("AWS::Serverless-2016-10-31")
    given = {"InlineCode": "...", "Handler": "index.handler", "Runtime": "python3.13"}
    return CfnResource(stack, "Function", type="AWS::Serverless::Function", properties={**given, **properties})
