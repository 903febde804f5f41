"""What a function may do, and what it is told."""

import pytest

from lambda_src import stores
from lambda_src.database import settings
from lambda_src.migrations import handler as migrations
from lambda_src.migrations.roles import MIGRATOR
from lambda_src.rotation import handler as rotation
from stacks.postgres.credentials import MIGRATOR_USER
from stacks.service import FUNCTION

from .synthesis import function_and_role, of_type, only
from .test_database import policy_of

INTERFACES = "ec2:CreateNetworkInterface"
INSTANCE_HOST = {"Fn::GetAtt": ["DatabaseInstanceAA8A5FDE", "Endpoint.Address"]}


@pytest.fixture
def handler(service):
    return only(service, "AWS::Lambda::Function")


@pytest.fixture
def migrate(data):
    return next(f for n, f in of_type(data, "AWS::Lambda::Function").items() if n.startswith("MigrationsMigrate"))[
        "Properties"
    ]


def test_the_function_is_given_exactly_the_variables_that_it_reads(handler):
    assert sorted(handler["Environment"]["Variables"]) == sorted((*stores.VARIABLES, *settings.VARIABLES))


def test_the_migrations_are_given_exactly_the_variables_that_they_read(migrate, environment):
    read = migrations.VARIABLES_WITH_IAM if environment.store.uses_iam else migrations.VARIABLES_WITH_SECRETS
    assert sorted(migrate["Environment"]["Variables"]) == sorted(read)


def test_the_rotation_is_given_exactly_the_variables_that_it_reads(data, environment):
    found = [each["Properties"] for name, each in of_type(data, "AWS::Lambda::Function").items() if "Rotat" in name]
    assert len(found) == (0 if environment.store.uses_iam else 1)
    for function in found:
        assert sorted(function["Environment"]["Variables"]) == sorted(rotation.VARIABLES)
        assert function["Environment"]["Variables"]["DB_HOST"] == INSTANCE_HOST


def test_stacks_and_migrations_call_the_migrator_by_one_name():
    assert MIGRATOR_USER == MIGRATOR


def test_the_function_knows_the_proxy_and_the_migrations_know_the_instance(handler, migrate):
    assert "ProxyE947DB46Endpoint" in handler["Environment"]["Variables"]["DB_HOST"]["Fn::ImportValue"]
    assert migrate["Environment"]["Variables"]["DB_HOST"] == INSTANCE_HOST


def test_the_function_is_configured_as_the_environment_says(handler, environment):
    assert handler["ReservedConcurrentExecutions"] == environment.api.reserved_concurrency
    assert handler["Timeout"] == environment.api.timeout_seconds
    assert handler["MemorySize"] == environment.api.memory_mb
    assert handler["Runtime"] == f"python{environment.runtime.python}"
    assert handler["Architectures"] == [environment.runtime.architecture]


def test_functions_trace_and_log_json_to_a_group_of_their_own(handler, migrate):
    for function in (handler, migrate):
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert "Logs" in function["LoggingConfig"]["LogGroup"]["Ref"]


def test_the_function_may_log_in_as_one_user_of_one_proxy(service, environment):
    (statement,) = [
        each for each in policy_of(service, function_and_role(service)[1]) if each["Action"] == "rds-db:connect"
    ]
    assert statement["Effect"] == "Allow"
    expected = f"arn:aws:rds-db:{environment.region}:111122223333:dbuser:prx-0abc/application"
    assert resolve(statement["Resource"], environment.region) == expected


def resolve(value, region):
    """The ARN as CloudFormation makes it, when the proxy is prx-0abc."""
    if isinstance(value, str):
        return value
    (function, argument), *_ = value.items()
    match function:
        case "Ref":
            return {"AWS::Partition": "aws", "AWS::AccountId": "111122223333"}[argument]
        case "Fn::ImportValue":
            assert "DBProxyArn" in argument
            return f"arn:aws:rds:{region}:111122223333:db-proxy:prx-0abc"
        case "Fn::Split":
            return resolve(argument[1], region).split(argument[0])
        case "Fn::Select":
            return resolve(argument[1], region)[argument[0]]
        case "Fn::Join":
            return argument[0].join(resolve(each, region) for each in argument[1])
    raise AssertionError(f"no such function: {function}")


def test_the_function_reads_no_secret(service):
    actions = [
        action for each in policy_of(service, function_and_role(service)[1]) for action in listed(each["Action"])
    ]
    assert not [action for action in actions if action.startswith(("secretsmanager:", "ssm:", "kms:"))]


def test_no_statement_allows_everything(data, service):
    for template in (data, service):
        for policy in of_type(template, "AWS::IAM::Policy").values():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                assert not [action for action in listed(statement["Action"]) if "*" in action]


def test_roles_of_ours_have_no_managed_policy(data, service):
    for template in (data, service):
        for name, role in of_type(template, "AWS::IAM::Role").items():
            if "CustomResourceProvider" not in name:  # these are CDK's own
                assert "ManagedPolicyArns" not in role["Properties"]


@pytest.mark.parametrize(("stack", "construct"), [("service", FUNCTION), ("data", "MigrationsMigrate")])
def test_code_cannot_use_what_lambda_needs_to_attach_it_to_the_vpc(synthesized, environment, stack, construct):
    template = synthesized[environment.name, stack]
    function, role = function_and_role(template, construct)
    statements = policy_of(template, role)
    allowed = next(each for each in statements if each["Effect"] == "Allow" and INTERFACES in each["Action"])
    (denied,) = [each for each in statements if each["Effect"] == "Deny"]
    assert {each for each in allowed["Action"] if each.startswith("ec2:")} <= set(denied["Action"])
    assert denied["Resource"] == "*"
    arn = {"Fn::GetAtt": [function, "Arn"]}
    versions = {"Fn::Join": ["", [arn, ":*"]]}
    assert denied["Condition"] == {"ArnLike": {"lambda:SourceFunctionArn": [arn, versions]}}


def listed(value):
    return [value] if isinstance(value, str) else value
