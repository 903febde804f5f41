from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from ..cases import wrong
from ..service import (
    GENERATED,
    PORT,
    USER,
    alarmed,
    application_secret,
    aurora,
    database_proxy,
    direct,
    function,
    group,
    instance,
    network,
    replica,
    resource,
    rotated_master,
    service,
)


@wrong("E01")
def tls_not_required(stage):
    service(stage, proxy={"require_tls": False})


@wrong("E01")
def tls_forgotten_in_a_proxy_written_by_hand(stage):
    it = service(stage)
    resource(it.proxy).add_property_deletion_override("RequireTLS")


@wrong("E02")
def a_proxy_that_cannot_log_in(stage):
    it = service(stage, secrets=True)
    resource(it.proxy).add_property_override("Auth", [])


@wrong("E03")
def iam_to_a_database_without_iam(stage):
    it = service(stage)
    resource(it.instance).add_property_override("EnableIAMDatabaseAuthentication", False)


@wrong("E04")
def a_proxy_role_without_a_grant(stage):
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Proxy", "Database")]
    database = instance(stack, vpc, [groups[1]])
    groups[0].connections.allow_to(groups[1], PORT)
    database_proxy(stack, vpc, [groups[0]], database, role=None)


@wrong("E04")
def a_proxy_role_with_a_grant_on_the_proxy(stage):
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Proxy", "Database")]
    database = instance(stack, vpc, [groups[1]])
    groups[0].connections.allow_to(groups[1], PORT)
    proxy, role = database_proxy(stack, vpc, [groups[0]], database)
    policy = iam.Policy(stack, "Connect", roles=[role])
    user = f"arn:aws:rds-db:eu-west-1:{stack.account}:dbuser:{proxy.db_proxy_name}/{USER}"
    policy.add_statements(iam.PolicyStatement(actions=["rds-db:connect"], resources=[user]))


@wrong("E05", "warning")
def iam_on_a_micro(stage):
    changes = {"max_connections_percent": 75, "max_idle_connections_percent": 30}
    service(stage, database={"instance_type": ec2.InstanceType("t4g.micro")}, proxy=changes)


@wrong("E06")
def a_user_with_iam_and_a_secret(stage):
    it = service(stage, secrets=True)
    resource(it.proxy).add_property_override("DefaultAuthScheme", "IAM_AUTH")
    it.instance.grant_connect(it.role, USER)


@wrong("E07")
def iam_auth_for_sql_server_only(stage):
    it = service(stage, secrets=True)
    resource(it.proxy).add_property_override("Auth.0.IAMAuth", "ENABLED")


@wrong("E07", environment="prod")
def functions_with_a_password_in_production(stage):
    it = service(stage, secrets=True, proxy={"iam_auth": False})
    alarmed(it)


@wrong("E08")
def the_master_secret_for_the_proxy(stage):
    stack = Stack(stage, "Stack")
    it = service(stage, stack=stack, database=GENERATED)
    rotated_master(it)
    auth = [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": it.instance.secret.secret_arn}]
    resource(it.proxy).add_property_override("Auth", auth)
    it.instance.secret.grant_read(it.role)


@wrong("E08")
def the_master_secret_that_rds_manages_for_the_proxy(stage):
    it = service(stage)
    arn = resource(it.instance).get_att("MasterUserSecret.SecretArn")
    resource(it.proxy).add_property_override(
        "Auth", [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": arn}]
    )


@wrong("E08")
def the_master_secret_in_a_functions_environment(stage):
    it = direct(stage, database=GENERATED)
    rotated_master(it)
    it.function.add_environment("SECRET_ARN", it.instance.secret.secret_arn)


@wrong("E08")
def a_function_that_may_read_the_master_secret(stage):
    it = direct(stage, database=GENERATED)
    rotated_master(it)
    it.vpc.add_interface_endpoint("Secrets", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER, open=False)
    it.instance.secret.grant_read(it.function)


@wrong("E08")
def the_master_secret_for_the_data_api(stage):
    """CDK's grant for the Data API is one for the master's secret too."""
    cluster, _ = aurora(stage, enable_data_api=True, **GENERATED)
    cluster.secret.add_rotation_schedule(
        "Rotation", hosted_rotation=secretsmanager.HostedRotation.postgre_sql_single_user()
    )
    client = function(Stack.of(cluster), variables={"CLUSTER": cluster.cluster_arn})
    cluster.grant_data_api_access(client)


@wrong("E09")
def any_user_of_the_proxy(stage):
    it = service(stage)
    it.proxy.grant_connect(it.function, "*")


@wrong("E09")
def any_database_for_any_user(stage):
    it = service(stage)
    it.function.add_to_role_policy(iam.PolicyStatement(actions=["rds-db:connect"], resources=["*"]))


@wrong("E10")
def two_hundred_and_one_secrets(stage):
    it = service(stage)
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:user"
    auth = [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": f"{arn}{i}"} for i in range(201)]
    resource(it.proxy).add_property_override("Auth", auth)


@wrong("E11", "warning")
def a_secret_that_never_changes(stage):
    it = service(stage)
    secret = rds.DatabaseSecret(it.stack, "Reports", username="reports")
    auth = [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": secret.secret_arn}]
    resource(it.proxy).add_property_override("Auth", auth)
    secret.grant_read(it.role)


@wrong("E11", environment="prod")
def a_production_secret_that_never_changes(stage):
    it = service(stage, database=GENERATED)
    alarmed(it)


@wrong("E12", "error")
def alternating_users_behind_iam(stage):
    it = service(stage)
    secret = rds.DatabaseSecret(it.stack, "Reports", username="reports")
    master = secretsmanager.Secret(it.stack, "Administrator")
    rotation = secretsmanager.HostedRotation.postgre_sql_multi_user(master_secret=master)
    secret.add_rotation_schedule("Rotation", hosted_rotation=rotation)
    auth = [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": secret.secret_arn}]
    resource(it.proxy).add_property_override("Auth", auth)
    secret.grant_read(it.role)


@wrong("E13")
def a_replica_of_a_managed_password(stage):
    it = service(stage)
    replica(it)


@wrong("E14", "warning")
def md5(stage):
    service(stage, secrets=True, proxy={"client_password_auth_type": rds.ClientPasswordAuthType.POSTGRES_MD5})


@wrong("E15")
def a_password_by_dynamic_reference(stage):
    it = service(stage, secrets=True)
    password = it.secret.secret_value_from_json("password").unsafe_unwrap()
    it.function.add_environment("DB_PASS", password)


@wrong("E15")
def a_password_in_plain_text(stage):
    service(stage).function.add_environment("PGPASSWORD", "correct horse battery staple")


@wrong("E15")
def a_connection_url(stage):
    service(stage).function.add_environment("DATABASE_URL", "postgres://application:hunter2@db.example.com/projects")


@wrong("E15")
def a_password_in_a_variable_of_another_style(stage):
    service(stage).function.add_environment("dbPassword", "hunter2")


@wrong("E15")
def a_password_in_a_connection_string(stage):
    it = service(stage)
    url = f"jdbc:postgresql://{it.proxy.endpoint}:5432/projects?user=application&password=hunter2"
    it.function.add_environment("JDBC_URL", url)


@wrong("E16")
def pinning_filters_on_postgresql(stage):
    service(stage, proxy={"session_pinning_filters": [rds.SessionPinningFilter.EXCLUDE_VARIABLE_SETS]})


@wrong("E16", "warning")
def a_password_in_the_initialization_query(stage):
    service(stage, proxy={"init_query": "SELECT set_config('app.password', 'hunter2', false)"})


@wrong("E17", "warning")
def a_key_that_the_proxy_may_not_use(stage):
    it = service(stage)
    key = kms.Key(it.stack, "Key")
    secret = application_secret(it.stack, username="reports", encryption_key=key)
    auth = [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": secret.secret_arn}]
    resource(it.proxy).add_property_override("Auth", auth)
    it.role.add_to_policy(iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[secret.secret_arn]))
