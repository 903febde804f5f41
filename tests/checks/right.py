"""Correct stacks of many shapes, and near misses: what looks like a wrong one, and is none."""

from aws_cdk import (
    Aws,
    CfnCondition,
    CfnMapping,
    CfnParameter,
    CustomResource,
    Duration,
    Fn,
    NestedStack,
    RemovalPolicy,
    Stack,
    Token,
    triggers,
)
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from .cases import right
from .service import (
    CODE,
    GENERATED,
    ISOLATED,
    PORT,
    USER,
    alarmed,
    application_secret,
    aurora,
    database_proxy,
    direct,
    function,
    group,
    http_api,
    instance,
    network,
    pinning_alarm,
    replica,
    resource,
    rest_api,
    rotated_master,
    service,
    target_group,
)

MYSQL = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("8.4.5", "8.4"))


@right
def end_to_end_iam(stage):
    service(stage)


@right
def secrets_and_iam_tokens(stage):
    service(stage, secrets=True)


@right(environment="prod")
def production_with_alarms_and_an_api(stage):
    it = service(stage, secrets=True)
    alarmed(it)
    http_api(it.stack, it.function)


@right(environment="dev")
def development_is_small(stage):
    database = {
        "instance_type": ec2.InstanceType("t4g.micro"),
        "iam_authentication": None,
        "multi_az": False,
        "deletion_protection": False,
        "removal_policy": RemovalPolicy.DESTROY,
        "backup_retention": Duration.days(1),
    }
    proxy = {"max_connections_percent": 75, "max_idle_connections_percent": 30, "debug_logging": True}
    service(stage, secrets=True, database=database, proxy=proxy, client={"reserved_concurrent_executions": 5})


@right
def no_proxy(stage):
    direct(stage)


@right
def no_proxy_with_a_password_that_the_function_reads(stage):
    """Logged in with the application user's secret; an endpoint of its own group leads to it."""
    it = direct(stage, database={"iam_authentication": None})
    secret = application_secret(it.stack)
    secret.attach(it.instance)
    secret.grant_read(it.function)
    it.function.add_environment("SECRET_ARN", secret.secret_arn)
    endpoint = it.vpc.add_interface_endpoint(
        "Secrets", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER, open=False
    )
    it.function.connections.allow_to(endpoint, ec2.Port.tcp(443))


@right
def an_api_and_a_worker(stage):
    it = service(stage)
    http_api(it.stack, it.function)
    worker = function(
        it.stack,
        it.vpc,
        [it.groups[0]],
        id="Worker",
        variables={"DB_HOST": it.proxy.endpoint},
        reserved_concurrent_executions=5,
        timeout=Duration.seconds(60),
    )
    it.proxy.grant_connect(worker, USER)
    failed = sqs.Queue(it.stack, "Failed")
    queue = sqs.Queue(
        it.stack,
        "Queue",
        visibility_timeout=Duration.minutes(6),
        dead_letter_queue=sqs.DeadLetterQueue(queue=failed, max_receive_count=3),
    )
    worker.add_event_source(sources.SqsEventSource(queue, max_concurrency=5))


@right
def an_asynchronous_function_that_keeps_failures(stage):
    from aws_cdk import aws_events as events
    from aws_cdk import aws_events_targets as targets

    failed = sqs.Queue(Stack(stage, "Failures"), "Failed")
    it = service(stage, client={"on_failure": destinations.SqsDestination(failed)})
    rate = events.Schedule.rate(Duration.minutes(5))
    events.Rule(it.stack, "Rule", schedule=rate, targets=[targets.LambdaFunction(it.function)])


@right
def a_cluster_of_aurora(stage):
    aurora(stage, serverless_v2_min_capacity=0.5, serverless_v2_max_capacity=4)


@right
def an_aurora_that_pauses_without_a_proxy(stage):
    cluster, proxy = aurora(stage, serverless_v2_min_capacity=0, serverless_v2_max_capacity=4)
    stack = Stack.of(cluster)
    stack.node.try_remove_child(proxy.node.id)


@right
def aurora_with_a_reader_and_an_endpoint_for_it(stage):
    cluster, proxy = aurora(
        stage, readers=[rds.ClusterInstance.serverless_v2("Reader", scale_with_writer=True, publicly_accessible=False)]
    )
    rds.CfnDBProxyEndpoint(
        Stack.of(cluster),
        "Readers",
        db_proxy_name=proxy.db_proxy_name,
        db_proxy_endpoint_name="readers",
        target_role="READ_ONLY",
        vpc_subnet_ids=Stack.of(cluster)
        .node.find_child("Vpc")
        .select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        .subnet_ids,
    )


@right
def a_cluster_of_three_instances(stage):
    """A Multi-AZ DB cluster of RDS for PostgreSQL, which only has an L1."""
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Proxy", "Database")]
    subnets = rds.CfnDBSubnetGroup(
        stack,
        "Subnets",
        db_subnet_group_description="database",
        subnet_ids=[subnet.subnet_id for subnet in vpc.isolated_subnets],
    )
    cluster = rds.CfnDBCluster(
        stack,
        "Cluster",
        engine="postgres",
        engine_version="17.5",
        db_cluster_instance_class="db.r8gd.large",
        allocated_storage=400,
        storage_type="gp3",
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
    cluster.apply_removal_policy(RemovalPolicy.RETAIN)
    groups[0].connections.allow_to(groups[1], PORT)
    role = iam.Role(stack, "ProxyRole", assumed_by=iam.ServicePrincipal("rds.amazonaws.com"))
    user = f"arn:aws:rds-db:{stack.region}:{stack.account}:dbuser:{cluster.attr_db_cluster_resource_id}/{USER}"
    role.add_to_policy(iam.PolicyStatement(actions=["rds-db:connect"], resources=[user]))
    proxy = rds.CfnDBProxy(
        stack,
        "Proxy",
        db_proxy_name="three",
        engine_family="POSTGRESQL",
        default_auth_scheme="IAM_AUTH",
        require_tls=True,
        role_arn=role.role_arn,
        vpc_subnet_ids=[subnet.subnet_id for subnet in vpc.isolated_subnets],
        vpc_security_group_ids=[groups[0].security_group_id],
    )
    rds.CfnDBProxyTargetGroup(
        stack,
        "Targets",
        db_proxy_name=proxy.ref,
        target_group_name="default",
        db_cluster_identifiers=[cluster.ref],
        connection_pool_configuration_info=rds.CfnDBProxyTargetGroup.ConnectionPoolConfigurationInfoFormatProperty(
            max_connections_percent=80, max_idle_connections_percent=40, connection_borrow_timeout=5
        ),
    )


@right
def an_imported_vpc(stage):
    stack = Stack(stage, "Stack")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-12345",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        isolated_subnet_ids=["subnet-a", "subnet-b"],
    )
    it = service(stage, stack=stack, vpc=vpc)
    secretsmanager.Secret(stack, "Key").grant_read(it.function)  # somebody else's endpoint may lead there


@right
def imported_security_groups(stage):
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [
        ec2.SecurityGroup.from_security_group_id(stack, name, f"sg-{name.lower()}", mutable=False)
        for name in ("Clients", "Shared")
    ]
    service(
        stage,
        stack=stack,
        vpc=vpc,
        chain=False,
        database={"security_groups": groups[1:]},
        proxy={"security_groups": groups[1:]},
        client={"security_groups": groups[:1]},
    )


@right
def an_imported_database(stage):
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, "ProxyGroup", vpc), ec2.SecurityGroup.from_security_group_id(stack, "Theirs", "sg-theirs")]
    database = rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Database",
        instance_identifier="legacy",
        instance_endpoint_address="legacy.example.com",
        port=5432,
        engine=rds.DatabaseInstanceEngine.POSTGRES,
        security_groups=[groups[1]],
        instance_resource_id="db-ABCDEFGH",
    )
    groups[0].connections.allow_to(groups[1], PORT)
    _, role = database_proxy(stack, vpc, groups[:1], database)
    database.grant_connect(role, USER)


@right
def a_stack_for_each_thing(stage):
    """Network, data and service apart; groups are with the data, or the stacks would need each other."""
    first, data, last = (Stack(stage, name) for name in ("Network", "Data", "Service"))
    vpc = network(first)
    groups = [group(data, f"{name}Group", vpc) for name in ("Function", "Proxy", "Database")]
    groups[0].connections.allow_to(groups[1], PORT)
    groups[1].connections.allow_to(groups[2], PORT)
    database = instance(data, vpc, [groups[2]])
    proxy, role = database_proxy(data, vpc, [groups[1]], database)
    database.grant_connect(role, USER)
    client = function(last, vpc, [groups[0]], variables={"DB_HOST": proxy.endpoint})
    proxy.grant_connect(client, USER)
    http_api(last, client)


@right
def weak_references_between_stacks(stage):
    stage.node.set_context("@aws-cdk/core:defaultCrossStackReferences", "weak")
    a_stack_for_each_thing(stage)


@right
def a_function_in_a_nested_stack(stage):
    it = service(stage)
    nested = NestedStack(it.stack, "Nested")
    worker = function(nested, it.vpc, [it.groups[0]], id="Worker", variables={"DB_HOST": it.proxy.endpoint})
    it.proxy.grant_connect(worker, USER)


@right
def a_proxy_for_mysql(stage):
    """The filters are MySQL's, and so is the port."""
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Function", "Proxy", "Database")]
    groups[0].connections.allow_to(groups[1], ec2.Port.tcp(3306))
    groups[1].connections.allow_to(groups[2], ec2.Port.tcp(3306))
    database = instance(stack, vpc, [groups[2]], engine=MYSQL, cloudwatch_logs_exports=["error"])
    proxy, role = database_proxy(
        stack, vpc, [groups[1]], database, session_pinning_filters=[rds.SessionPinningFilter.EXCLUDE_VARIABLE_SETS]
    )
    database.grant_connect(role, USER)
    client = function(stack, vpc, [groups[0]], variables={"DB_HOST": proxy.endpoint})
    proxy.grant_connect(client, USER)


@right
def values_that_only_a_deployment_decides(stage):
    """Parameters, conditions and mappings: nothing can be said of what they come to."""
    stack = Stack(stage, "Stack")
    count = [CfnParameter(stack, f"Number{i}", type="Number") for i in range(6)]
    yes = CfnCondition(stack, "Yes", expression=Fn.condition_equals(count[0].value_as_string, "1"))
    it = service(stage, stack=stack)
    pool = "ConnectionPoolConfigurationInfo"
    for name, each in zip(
        ("MaxConnectionsPercent", "MaxIdleConnectionsPercent", "ConnectionBorrowTimeout"), count, strict=False
    ):
        target_group(it.proxy).add_property_override(f"{pool}.{name}", {"Ref": each.logical_id})
    for name in ("ReservedConcurrentExecutions", "Timeout"):
        resource(it.function).add_property_override(name, {"Ref": count[3].logical_id})
    choice = Token.as_any({"Fn::If": [yes.logical_id, True, False]})
    for name in ("MultiAZ", "StorageEncrypted", "DeletionProtection", "EnableIAMDatabaseAuthentication"):
        resource(it.instance).add_property_override(name, choice)
    resource(it.proxy).add_property_override("RequireTLS", choice)
    resource(it.proxy).add_property_override("IdleClientTimeout", {"Ref": count[4].logical_id})


@right
def settings_by_region_from_a_mapping(stage):
    stack = Stack(stage, "Stack")
    mapping = CfnMapping(stack, "Pool", mapping={"eu-west-1": {"percent": 60}, "us-east-1": {"percent": 100}})
    it = service(stage, stack=stack)
    percent = mapping.find_in_map(Aws.REGION, "percent")
    name = "ConnectionPoolConfigurationInfo.MaxConnectionsPercent"
    target_group(it.proxy).add_property_override(name, percent)


@right
def an_escape_hatch_that_mends(stage):
    it = service(stage, proxy={"max_connections_percent": 100, "require_tls": False})
    name = "ConnectionPoolConfigurationInfo.MaxConnectionsPercent"
    target_group(it.proxy).add_property_override(name, 80)
    resource(it.proxy).add_property_override("RequireTLS", True)


@right
def everything_by_hand(stage):
    """L1 constructs only, with inline rules and literal numbers as text."""
    stack = Stack(stage, "Stack")
    vpc = ec2.CfnVPC(stack, "Vpc", cidr_block="10.0.0.0/16")
    subnets = [
        ec2.CfnSubnet(stack, f"Subnet{i}", vpc_id=vpc.ref, cidr_block=f"10.0.{i}.0/24", availability_zone=zone)
        for i, zone in enumerate(("eu-west-1a", "eu-west-1b"))
    ]
    ids = [subnet.ref for subnet in subnets]
    everybody = ec2.CfnSecurityGroup(stack, "Group", vpc_id=vpc.ref, group_description="the service")
    for kind, peer in ((ec2.CfnSecurityGroupIngress, "source"), (ec2.CfnSecurityGroupEgress, "destination")):
        kind(
            stack,
            f"{peer.capitalize()}Itself",
            group_id=everybody.attr_group_id,
            ip_protocol="tcp",
            from_port=5432,
            to_port=5432,
            **{f"{peer}_security_group_id": everybody.attr_group_id},
        )
    group_name = rds.CfnDBSubnetGroup(stack, "Subnets", db_subnet_group_description="database", subnet_ids=ids).ref
    database = rds.CfnDBInstance(
        stack,
        "Database",
        engine="postgres",
        engine_version="18.3",
        db_instance_class="db.m8g.large",
        allocated_storage="50",
        max_allocated_storage=100,
        storage_type="gp3",
        storage_encrypted=True,
        multi_az=True,
        deletion_protection=True,
        backup_retention_period=7,
        master_username="headroom_master",
        manage_master_user_password=True,
        db_subnet_group_name=group_name,
        vpc_security_groups=[everybody.attr_group_id],
        enable_iam_database_authentication=True,
        publicly_accessible=False,
        enable_cloudwatch_logs_exports=["postgresql"],
        engine_lifecycle_support="open-source-rds-extended-support-disabled",
    )
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "rds-db:connect",
            "Resource": Fn.sub(
                "arn:aws:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser:${Database.DbiResourceId}/application"
            ),
        },
    }
    role = iam.CfnRole(
        stack,
        "Role",
        assume_role_policy_document={
            "Statement": {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "rds.amazonaws.com"},
            }
        },
        policies=[iam.CfnRole.PolicyProperty(policy_name="connect", policy_document=policy)],
    )
    proxy = rds.CfnDBProxy(
        stack,
        "Proxy",
        db_proxy_name="by-hand",
        engine_family="POSTGRESQL",
        role_arn=role.attr_arn,
        default_auth_scheme="IAM_AUTH",
        require_tls=True,
        vpc_subnet_ids=ids,
        vpc_security_group_ids=[everybody.attr_group_id],
    )
    rds.CfnDBProxyTargetGroup(
        stack,
        "Targets",
        db_proxy_name=proxy.db_proxy_name,
        target_group_name="default",
        db_instance_identifiers=[database.ref],
        connection_pool_configuration_info={"maxConnectionsPercent": 60, "connectionBorrowTimeout": 10},
    )


@right
def migrations_at_deployment(stage):
    """The function that migrates has the master secret, no reserved concurrency, and goes past the proxy."""
    it = service(stage, database=GENERATED)
    rotated_master(it)
    clients = group(it.stack, "MigrationsGroup", it.vpc)
    clients.connections.allow_to(it.groups[2], PORT)
    endpoint = it.vpc.add_interface_endpoint(
        "Secrets", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER, open=False
    )
    clients.connections.allow_to(endpoint, ec2.Port.tcp(443))
    migrate = function(
        it.stack,
        it.vpc,
        [clients],
        id="Migrate",
        variables={"SECRET_ARN": it.instance.secret.secret_arn},
        reserved_concurrent_executions=None,
    )
    it.instance.secret.grant_read(migrate)
    triggers.Trigger(it.stack, "Run", handler=migrate)


@right
def migrations_by_a_provider(stage):
    from aws_cdk import custom_resources

    it = direct(stage)
    migrate = function(
        it.stack,
        it.vpc,
        [it.groups[0]],
        id="Migrate",
        variables={"DB_HOST": it.instance.db_instance_endpoint_address},
        reserved_concurrent_executions=None,
        timeout=Duration.minutes(5),
    )
    provider = custom_resources.Provider(it.stack, "Provider", on_event_handler=migrate)
    CustomResource(it.stack, "Schema", service_token=provider.service_token)


@right
def a_rotation_function_with_a_way_to_secrets(stage):
    it = service(stage)
    clients = group(it.stack, "RotationGroup", it.vpc)
    clients.connections.allow_to(it.groups[2], PORT)
    rotate = function(it.stack, it.vpc, [clients], id="Rotate", reserved_concurrent_executions=None)
    secret = rds.DatabaseSecret(it.stack, "Reports", username="reports")
    secret.add_rotation_schedule("Rotation", rotation_lambda=rotate)
    it.vpc.add_interface_endpoint(
        "Secrets", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER, security_groups=[clients], open=False
    )


@right
def a_nat_gateway_and_a_secret(stage):
    """A way out of the VPC, which HTTPS may take."""
    with_egress = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
    subnets = [
        ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24),
        ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=24),
    ]
    it = service(
        stage,
        vpc={"subnet_configuration": subnets, "nat_gateways": 1},
        database={"vpc_subnets": with_egress},
        proxy={"vpc_subnets": with_egress},
        client={"vpc_subnets": with_egress},
    )
    it.groups[0].add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443))
    key = secretsmanager.Secret(it.stack, "Key")
    key.grant_read(it.function)
    application_secret(it.stack, "Reports", username="reports")


@right
def a_rest_api_with_preflight(stage):
    """OPTIONS has no authoriser, as it must be; the integration waits as long as it may."""
    it = service(stage, client={"timeout": Duration.seconds(28)})
    rest_api(it)


@right
def a_rest_api_that_waits_longer(stage):
    it = service(stage, client={"timeout": Duration.seconds(55)})
    api = rest_api(it)
    resource(api.root.node.find_child("GET")).add_property_override("Integration.TimeoutInMillis", 60000)


@right
def a_private_rest_api(stage):
    it = service(stage)
    api = rest_api(it)
    resource(api).add_property_override("EndpointConfiguration.Types", ["PRIVATE"])
    api.root.add_method("POST", apigateway.LambdaIntegration(it.function))


@right
def many_functions_behind_a_small_pool_with_an_alarm(stage):
    database = {"parameters": {"max_connections": "100"}}
    it = service(stage, database=database, client={"reserved_concurrent_executions": 200})
    pinning_alarm(it.stack, it.proxy)


@right
def names_of_secrets_in_the_environment(stage):
    """The names say password, the values do not; a user name by reference is none either."""
    it = service(stage, secrets=True)
    it.function.add_environment("DB_PASSWORD_SECRET_ARN", it.secret.secret_arn)
    it.function.add_environment("PASSWORD_PARAMETER", "/projects/password")
    it.function.add_environment("DB_USER", it.secret.secret_value_from_json("username").unsafe_unwrap())
    it.function.add_environment("DATABASE_URL", "postgres://application@db.example.com:5432/projects")
    it.function.add_environment("RESET_PASSWORD_URL", "https://example.com/reset")
    it.vpc.add_interface_endpoint("Secrets", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER, open=False)


@right
def a_secret_with_a_key_of_its_own(stage):
    it = service(stage)
    secret = application_secret(it.stack, username="reports", encryption_key=kms.Key(it.stack, "Key"))
    auth = [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": secret.secret_arn}]
    resource(it.proxy).add_property_override("Auth", auth)
    secret.grant_read(it.role)


@right
def provisioned_concurrency_and_versions(stage):
    it = service(stage, client={"snap_start": None})
    lambda_.Alias(
        it.stack, "Live", alias_name="live", version=it.function.current_version, provisioned_concurrent_executions=5
    )


@right
def snapstart_on_a_version(stage):
    it = service(stage, client={"snap_start": lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS})
    lambda_.Alias(it.stack, "Live", alias_name="live", version=it.function.current_version)


@right
def a_replica_for_reports(stage):
    it = service(stage, database=GENERATED)
    rotated_master(it)
    replica(it)


@right
def an_instance_from_a_snapshot(stage):
    """It is encrypted as its snapshot is, whatever the template says."""
    it = service(stage)
    resource(it.instance).add_property_override("DBSnapshotIdentifier", "arn:aws:rds:eu-west-1:111122223333:snapshot:s")
    resource(it.instance).add_property_deletion_override("StorageEncrypted")


@right
def two_proxies_for_two_databases(stage):
    it = service(stage)
    groups = [group(it.stack, f"{name}Group", it.vpc) for name in ("SecondProxy", "SecondDatabase")]
    groups[0].connections.allow_to(groups[1], PORT)
    database = instance(it.stack, it.vpc, [groups[1]], id="Second")
    _, role = database_proxy(it.stack, it.vpc, [groups[0]], database, id="SecondProxy")
    database.grant_connect(role, USER)


@right
def a_function_of_two_groups(stage):
    """One of its groups leads to the proxy; the other is for something else."""
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    clients, other = group(stack, "Clients", vpc), group(stack, "OtherGroup", vpc)
    it = service(stage, stack=stack, vpc=vpc, client={"security_groups": [other, clients]})
    clients.connections.allow_to(it.groups[1], PORT)


@right
def a_bastion_by_its_group(stage):
    it = service(stage)
    it.instance.connections.allow_default_port_from(group(it.stack, "Bastion", it.vpc))


@right
def the_databases_port_is_another(stage):
    """RDS Proxy listens on 5432 all the same."""
    it = service(stage, chain=False, database={"port": 6543})
    it.groups[0].connections.allow_to(it.groups[1], PORT)
    it.groups[1].connections.allow_to(it.groups[2], ec2.Port.tcp(6543))


@right
def a_dual_stack_proxy(stage):
    it = service(stage, vpc={"ip_protocol": ec2.IpProtocol.DUAL_STACK}, database={"network_type": rds.NetworkType.DUAL})
    resource(it.proxy).add_property_override("EndpointNetworkType", "DUAL")
    resource(it.proxy).add_property_override("TargetConnectionNetworkType", "IPV6")


@right
def advanced_insights(stage):
    service(
        stage,
        database={
            "database_insights_mode": rds.DatabaseInsightsMode.ADVANCED,
            "enable_performance_insights": True,
            "performance_insight_retention": rds.PerformanceInsightRetention.MONTHS_15,
        },
    )


@right
def a_table_and_no_database(stage):
    stack = Stack(stage, "Stack")
    table = dynamodb.TableV2(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=True,
        billing=dynamodb.Billing.on_demand(max_read_request_units=100, max_write_request_units=100),
        time_to_live_attribute="expires",
    )
    client = function(stack, variables={"TABLE": table.table_name})
    table.grant_read_write_data(client)
    http_api(stack, client)


@right
def functions_that_have_nothing_to_do_with_a_database(stage):
    """Left to CDK's defaults; and CDK's own functions beside them."""
    it = service(stage, vpc={"restrict_default_security_group": True})
    bucket = s3.Bucket(it.stack, "Bucket", auto_delete_objects=True, removal_policy=RemovalPolicy.DESTROY)
    runtime = lambda_.Runtime.PYTHON_3_13
    thumbnail = lambda_.Function(it.stack, "Thumbnail", runtime=runtime, handler="index.handler", code=CODE)
    bucket.add_event_notification(s3.EventType.OBJECT_CREATED, notifications.LambdaDestination(thumbnail))
    lambda_.Function(
        it.stack, "Inside", runtime=runtime, handler="index.handler", code=CODE, vpc=it.vpc, vpc_subnets=ISOLATED
    )
