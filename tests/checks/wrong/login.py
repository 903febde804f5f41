import json

from aws_cdk import CfnParameter, SecretValue, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager

from ..cases import wrong
from ..service import (
    PORT,
    USER,
    application_secret,
    database_proxy,
    function,
    function_of_sam,
    group,
    instance,
    network,
    resource,
    service,
)

CONNECT = ["rds-db:connect"]


def without_grant(stage, **secrets):
    """A service whose function may not log in; its user, when the proxy has a secret, is `application`."""
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Function", "Proxy", "Database")]
    groups[0].connections.allow_to(groups[1], PORT)
    groups[1].connections.allow_to(groups[2], PORT)
    database = instance(stack, vpc, [groups[2]])
    given = {"secrets": [application_secret(stack)]} if secrets else {}
    proxy, role = database_proxy(stack, vpc, [groups[1]], database, **given)
    if not secrets:
        database.grant_connect(role, USER)
    return database, proxy, function(stack, vpc, [groups[0]], variables={"DB_HOST": proxy.endpoint})


@wrong("E19")
def a_rotation_through_the_proxy(stage):
    it = service(stage, secrets=True)
    it.secret.attach(it.proxy)


@wrong("E20")
def a_function_that_may_not_log_in(stage):
    without_grant(stage)


@wrong("E20")
def a_function_that_may_log_in_to_the_database_but_not_to_the_proxy(stage):
    database, _, client = without_grant(stage)
    database.grant_connect(client, USER)


@wrong("E20")
def a_grant_on_the_arn_of_the_proxy(stage):
    _, proxy, client = without_grant(stage)
    client.add_to_role_policy(iam.PolicyStatement(actions=CONNECT, resources=[proxy.db_proxy_arn]))


@wrong("E20")
def a_user_of_whom_the_proxy_has_no_secret(stage):
    _, proxy, client = without_grant(stage, secrets=True)
    proxy.grant_connect(client, "reporting")


@wrong("E04")
def a_proxy_role_with_a_grant_on_the_instances_name(stage):
    """IAM knows an instance by its resource id."""
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    groups = [group(stack, f"{name}Group", vpc) for name in ("Proxy", "Database")]
    database = instance(stack, vpc, [groups[1]])
    groups[0].connections.allow_to(groups[1], PORT)
    _, role = database_proxy(stack, vpc, [groups[0]], database)
    user = f"arn:aws:rds-db:eu-west-1:{stack.account}:dbuser:{database.instance_identifier}/{USER}"
    role.add_to_policy(iam.PolicyStatement(actions=CONNECT, resources=[user]))


@wrong("E06")
def a_function_that_logs_in_by_iam_as_the_user_of_the_proxys_secret(stage):
    """PostgreSQL takes no password of a user with rds_iam, so this stops the proxy."""
    it = service(stage, secrets=True)
    reports = group(it.stack, "ReportsGroup", it.vpc)
    reports.connections.allow_to(it.groups[2], PORT)
    variables = {"DB_HOST": it.instance.db_instance_endpoint_address}
    it.instance.grant_connect(function(it.stack, it.vpc, [reports], id="Reports", variables=variables), USER)


@wrong("E09")
def any_user_in_the_policies_of_a_function_of_sam(stage):
    statement = {"Effect": "Allow", "Action": "rds-db:connect", "Resource": "*"}
    function_of_sam(Stack(stage, "Stack"), Policies=[{"Statement": [statement]}])


@wrong("E15")
def a_hidden_parameter_as_the_password(stage):
    it = service(stage)
    it.function.add_environment("PGPASSWORD", CfnParameter(it.stack, "Password", no_echo=True).value_as_string)


@wrong("E15")
def a_hidden_parameter_in_a_connection_string(stage):
    it = service(stage)
    password = CfnParameter(it.stack, "Password", no_echo=True).value_as_string
    it.function.add_environment("DSN", f"host={it.proxy.endpoint} user={USER} password={password}")


@wrong("E15")
def a_secure_parameter_in_a_connection_string(stage):
    it = service(stage)
    password = SecretValue.ssm_secure("/projects/password", "1").unsafe_unwrap()
    it.function.add_environment("DSN", f"host={it.proxy.endpoint} user={USER} password={password}")


@wrong("E15")
def a_password_from_parameter_store(stage):
    it = service(stage)
    it.function.add_environment("DB_PASSWORD", "{{resolve:ssm:/projects/password}}")


@wrong("E19")
def a_secret_made_with_the_proxys_host(stage):
    it = service(stage)
    secret = secretsmanager.Secret(
        it.stack,
        "Reports",
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"username": "reports", "host": it.proxy.endpoint}),
            generate_string_key="password",
        ),
    )
    secret.add_rotation_schedule("Rotation", hosted_rotation=secretsmanager.HostedRotation.postgre_sql_single_user())


@wrong("E20")
def a_grant_on_the_name_of_the_proxy(stage):
    database, proxy, client = without_grant(stage)
    user = f"arn:aws:rds-db:eu-west-1:{Stack.of(database).account}:dbuser:{proxy.db_proxy_name}/{USER}"
    client.add_to_role_policy(iam.PolicyStatement(actions=CONNECT, resources=[user]))


@wrong("E20")
def a_user_whom_the_proxy_may_not_log_in(stage):
    """Both end with IAM, and each has a user of its own."""
    _, proxy, client = without_grant(stage)
    proxy.grant_connect(client, "reporting")


@wrong("E20")
def a_user_name_in_the_environment_that_is_not_the_granted_one(stage):
    it = service(stage)
    resource(it.function).add_property_override("Environment.Variables.DB_USER", "projects")
