"""Correct stacks as others write them: what this template does not do, and is right all the same."""

from aws_cdk import CfnCondition, CfnParameter, CfnResource, Duration, Environment, Fn, Stack, custom_resources
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from .cases import right
from .service import (
    PORT,
    USER,
    alarmed,
    application_secret,
    aurora,
    by_hand_aurora,
    database_proxy,
    function,
    group,
    instance,
    managed_instances,
    network,
    resource,
    service,
    target_group,
)


@right
def aurora_with_a_name_of_its_own(stage):
    aurora(stage, cluster_identifier="orders")


@right
def aurora_with_instances_of_a_class(stage):
    writer = rds.ClusterInstance.provisioned("Writer", instance_type=ec2.InstanceType("r8g.large"))
    aurora(stage, writer=writer)


@right
def aurora_by_hand(stage):
    group, writer = by_hand_aurora(stage)
    group.add_resource_dependency(writer)


@right
def readers_through_an_endpoint_with_a_group_of_its_own(stage):
    cluster, proxy = aurora(stage)
    stack, vpc = Stack.of(cluster), Stack.of(cluster).node.find_child("Vpc")
    clients, readers = (group(stack, name, vpc) for name in ("Reports", "Readers"))
    clients.connections.allow_to(readers, PORT)
    endpoint = rds.CfnDBProxyEndpoint(
        stack,
        "ReadOnly",
        db_proxy_name=proxy.db_proxy_name,
        db_proxy_endpoint_name="read-only",
        target_role="READ_ONLY",
        vpc_subnet_ids=vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED).subnet_ids,
        vpc_security_group_ids=[readers.security_group_id],
    )
    reports = function(stack, vpc, [clients], variables={"DB_HOST": endpoint.attr_endpoint})
    proxy.grant_connect(reports, USER)


@right
def the_data_api(stage):
    """Its connections are Aurora's own, so the function's concurrency is no concern of the database."""
    cluster, _ = aurora(stage, enable_data_api=True)
    stack = Stack.of(cluster)
    secret = application_secret(stack)
    secret.attach(cluster)
    variables = {"CLUSTER": cluster.cluster_arn, "SECRET": secret.secret_arn}
    client = function(stack, variables=variables, reserved_concurrent_executions=None)
    secret.grant_read(client)
    client.add_to_role_policy(
        iam.PolicyStatement(actions=["rds-data:ExecuteStatement"], resources=[cluster.cluster_arn])
    )


@right
def a_target_by_condition(stage):
    it = service(stage)
    kind = CfnParameter(it.stack, "Kind", default="instance")
    CfnCondition(it.stack, "IsInstance", expression=Fn.condition_equals(kind.value_as_string, "instance"))
    nothing, database = {"Ref": "AWS::NoValue"}, {"Ref": it.stack.get_logical_id(resource(it.instance))}
    targets = target_group(it.proxy)
    targets.add_property_override("DBInstanceIdentifiers", [{"Fn::If": ["IsInstance", database, nothing]}])
    targets.add_property_override("DBClusterIdentifiers", [{"Fn::If": ["IsInstance", nothing, "orders"]}])


@right
def one_of_two_proxies_by_condition(stage):
    it = service(stage)
    size = CfnParameter(it.stack, "Size", default="small")
    small = CfnCondition(it.stack, "IsSmall", expression=Fn.condition_equals(size.value_as_string, "small"))
    large = CfnCondition(it.stack, "IsLarge", expression=Fn.condition_not(small))
    other, role = database_proxy(it.stack, it.vpc, [it.groups[1]], it.instance, id="Large")
    it.instance.grant_connect(role, USER)
    for proxy, condition in ((it.proxy, small), (other, large)):
        for each in (resource(proxy), target_group(proxy)):
            each.cfn_options.condition = condition


@right
def the_default_group_of_the_vpc_into_the_database(stage):
    it = service(stage)
    it.groups[2].add_ingress_rule(ec2.Peer.security_group_id(it.vpc.vpc_default_security_group), PORT)


@right
def a_function_of_the_same_group_that_may_read_no_password(stage):
    it = service(stage, secrets=True, proxy={"iam_auth": False})
    variables = {"THUMBNAILS": s3.Bucket(it.stack, "Thumbnails").bucket_name}
    function(it.stack, it.vpc, [it.groups[0]], variables=variables, id="Inside", reserved_concurrent_executions=None)


@right
def a_replica_of_sql_server(stage):
    """The one engine that has replicas beside a master password that RDS manages."""
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, "DatabaseGroup", vpc)]
    version = rds.SqlServerEngineVersion.of("16.00.4185.3.v1", "16.00")
    source = instance(
        stack,
        vpc,
        groups,
        engine=rds.DatabaseInstanceEngine.sql_server_ee(version=version),
        license_model=rds.LicenseModel.LICENSE_INCLUDED,
        instance_type=ec2.InstanceType("r6i.xlarge"),
        cloudwatch_logs_exports=["error"],
        iam_authentication=None,
        engine_lifecycle_support=None,
    )
    rds.CfnDBInstance(
        stack,
        "Replica",
        source_db_instance_identifier=source.instance_identifier,
        db_instance_class="db.r6i.xlarge",
        max_allocated_storage=500,
        publicly_accessible=False,
    )


@right
def a_function_of_the_same_group_that_may_not_log_in(stage):
    it = service(stage)
    function(it.stack, it.vpc, [it.groups[0]], id="Thumbnails", reserved_concurrent_executions=None)


@right
def roles_that_may_do_nearly_everything(stage):
    it = service(stage)
    role = it.role.node.default_child
    role.add_property_override("ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"])
    it.stack.node.find_child("ProxyRole").node.try_remove_child("DefaultPolicy")
    worker = function(it.stack, it.vpc, [it.groups[0]], id="Worker", variables={"DB_HOST": it.proxy.endpoint})
    worker.role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name("PowerUserAccess"))


@right
def a_policy_attached_by_the_name_of_a_role(stage):
    it = service(stage)
    worker = function(it.stack, it.vpc, [it.groups[0]], id="Worker", variables={"DB_HOST": it.proxy.endpoint})
    worker.role.node.default_child.role_name = "orders-worker"
    user = f"arn:aws:rds-db:eu-west-1:{it.stack.account}:dbuser:{Fn.select(6, Fn.split(':', it.proxy.db_proxy_arn))}"
    iam.CfnManagedPolicy(
        it.stack,
        "Connect",
        roles=["orders-worker"],
        policy_document={
            "Statement": {"Effect": "Allow", "Action": "rds-db:connect", "Resource": f"{user}/{USER}"},
        },
    )


@right
def everything_but_what_is_forbidden(stage):
    """NotAction allows the rest, logging in to a database too."""
    it = service(stage)
    worker = function(it.stack, it.vpc, [it.groups[0]], id="Worker", variables={"DB_HOST": it.proxy.endpoint})
    worker.add_to_role_policy(iam.PolicyStatement(not_actions=["iam:*"], resources=["*"]))


@right
def a_queue_with_pollers_of_its_own(stage):
    it = service(stage)
    queue = sqs.Queue(it.stack, "Queue", visibility_timeout=Duration.minutes(5))
    mapping = it.function.add_event_source_mapping("Mapping", event_source_arn=queue.queue_arn)
    resource(mapping).add_property_override("ProvisionedPollerConfig", {"MinimumPollers": 2, "MaximumPollers": 2})


@right
def destinations_of_an_isolated_function(stage):
    """Lambda sends to them, not the function, which is in subnets without a way to SQS."""
    stack = Stack(stage, "Stack")
    names = ("Dead", "Failed", "Done")
    dead, failed, done = (sqs.Queue(stack, name) for name in names)
    sent = {"on_failure": destinations.SqsDestination(failed), "on_success": destinations.SqsDestination(done)}
    service(stage, stack=stack, client={"dead_letter_queue": dead, **sent})


@right
def a_stream_whose_failures_go_to_a_queue(stage):
    it = service(stage)
    queue = sqs.Queue(it.stack, "Failed")
    it.function.add_event_source_mapping(
        "Mapping",
        event_source_arn="arn:aws:kinesis:eu-west-1:111122223333:stream/orders",
        starting_position=lambda_.StartingPosition.LATEST,
        on_failure=sources.SqsDlq(queue),
        bisect_batch_on_error=True,
        retry_attempts=3,
    )


@right
def a_usage_plan_that_throttles(stage):
    it = service(stage)
    log = apigateway.LogGroupLogDestination(logs.LogGroup(it.stack, "Log", retention=logs.RetentionDays.ONE_WEEK))
    options = apigateway.MethodOptions(authorization_type=apigateway.AuthorizationType.IAM, api_key_required=True)
    api = apigateway.LambdaRestApi(
        it.stack,
        "Api",
        handler=it.function,
        deploy_options=apigateway.StageOptions(access_log_destination=log),
        default_method_options=options,
    )
    throttle = apigateway.ThrottleSettings(rate_limit=50, burst_limit=10)
    of = apigateway.UsagePlanPerApiStage(api=api, stage=api.deployment_stage)
    api.add_usage_plan("Plan", throttle=throttle, api_stages=[of])


@right(environment="prod")
def an_alarm_that_stops_a_deployment(stage):
    it = service(stage)
    alarmed(it)
    alarm = cloudwatch.Alarm(it.stack, "Errors", metric=it.function.metric_errors(), threshold=1, evaluation_periods=1)
    live = lambda_.Alias(it.stack, "Live", alias_name="live", version=it.function.current_version)
    codedeploy.LambdaDeploymentGroup(it.stack, "Deployments", alias=live, alarms=[alarm])


@right
def migrations_that_a_provider_waits_for(stage):
    it = service(stage)
    operators = group(it.stack, "Operators", it.vpc)
    operators.connections.allow_to(it.groups[2], PORT)
    variables = {"DB_HOST": it.instance.db_instance_endpoint_address}
    begin, wait = (
        function(it.stack, it.vpc, [operators], id=id, variables=variables, reserved_concurrent_executions=None)
        for id in ("Begin", "Wait")
    )
    for each in (begin, wait):
        it.instance.grant_connect(each, "migrator")
    custom_resources.Provider(it.stack, "Provider", on_event_handler=begin, is_complete_handler=wait)
    provider = it.stack.node.find_child("Provider")
    CfnResource(it.stack, "Run", type="Custom::Migrations", properties={"ServiceToken": provider.service_token})


@right
def managed_instances_with_a_bound(stage):
    it = service(stage, client={"reserved_concurrent_executions": None})
    managed_instances(it.function, environments=10, each=16)


@right
def names_of_secrets_and_parameters_called_passwords(stage):
    it = service(stage)
    it.function.add_environment("DB_PASSWORD", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders")
    it.function.add_environment("CACHE_PASSWORD", "/orders/cache/password")
    it.function.add_environment("RESET_PASSWORD", "https://example.com/reset")
    it.function.add_environment("requirePassword", "true")
    it.function.add_environment("DSN", f"host={it.proxy.endpoint} password={{token}} dbname=orders")


@right
def the_same_names_in_two_accounts(stage):
    """As two stacks of one stage, which are read together."""
    for account in ("111111111111", "222222222222"):
        stack = Stack(stage, f"Orders{account[0]}", env=Environment(account=account, region="eu-west-1"))
        names = {"database": {"instance_identifier": "orders"}, "proxy": {"db_proxy_name": "orders"}}
        it = service(stage, stack=stack, vpc=network(stack), **names)
        target_group(it.proxy).add_property_override("DBInstanceIdentifiers", ["orders"])


@right
def functions_that_manage_a_database_and_do_not_log_in(stage):
    """One stops it at night, one watches its proxy: by their names, through AWS's API."""
    it = service(stage)
    night = {"DATABASE": it.instance.instance_identifier, "ARN": it.instance.instance_arn}
    for id, variables in (("Night", night), ("Watch", {"PROXY": it.proxy.db_proxy_name})):
        function(it.stack, id=id, variables=variables, reserved_concurrent_executions=None)


@right
def sources_that_are_no_streams_of_shards(stage):
    it = service(stage)
    failed = sources.SqsDlq(sqs.Queue(it.stack, "Failed"))
    arn = "arn:aws:{}:eu-west-1:111122223333:{}"
    of = {"starting_position": lambda_.StartingPosition.LATEST, "on_failure": failed}
    it.function.add_event_source_mapping(
        "Kafka", event_source_arn=arn.format("kafka", "cluster/orders/1"), kafka_topic="orders", **of
    )
    it.function.add_event_source_mapping(
        "Kinesis",
        event_source_arn=arn.format("kinesis", "stream/orders"),
        report_batch_item_failures=True,
        retry_attempts=3,
        **of,
    )


@right
def a_member_of_a_global_cluster(stage):
    """Extended Support is the global cluster's to say."""
    cluster, _ = aurora(stage, engine_lifecycle_support=None)
    resource(cluster).add_property_override("GlobalClusterIdentifier", "orders")
