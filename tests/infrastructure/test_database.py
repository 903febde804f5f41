import json

import pytest

from .synthesis import FIXED, of_type, only


@pytest.fixture
def instance(data):
    return only(data, "AWS::RDS::DBInstance")


@pytest.fixture
def proxy(data):
    return only(data, "AWS::RDS::DBProxy")


@pytest.fixture
def target_group(data):
    return of_type(data, "AWS::RDS::DBProxyTargetGroup")["ProxyProxyTargetGroup40C0C8F5"]


def test_the_instance_is_encrypted_and_private(instance):
    assert instance["StorageEncrypted"] is True
    assert instance["PubliclyAccessible"] is False
    assert instance["StorageType"] == "gp3"


def test_the_instance_refuses_plaintext(data):
    assert only(data, "AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] == "1"


def test_the_class_decides_max_connections_unless_the_environment_does(data, environment):
    parameters = only(data, "AWS::RDS::DBParameterGroup")["Parameters"]
    assert parameters.get("max_connections") == ("78" if environment.name == "local" else None)


def test_logs_leave_the_instance_for_groups_that_exist_before_it(data, instance):
    resource = of_type(data, "AWS::RDS::DBInstance")["DatabaseInstanceAA8A5FDE"]
    groups = {each["Properties"].get("LogGroupName"): key for key, each in of_type(data, "AWS::Logs::LogGroup").items()}
    for log in instance["EnableCloudwatchLogsExports"]:
        assert groups[f"/aws/rds/instance/{instance['DBInstanceIdentifier']}/{log}"] in resource["DependsOn"]


def test_every_log_group_has_a_retention(data, service, environment):
    for template in (data, service):
        for group in of_type(template, "AWS::Logs::LogGroup").values():
            assert group["Properties"]["RetentionInDays"] == environment.log_retention_days


def test_an_instance_never_slips_into_paid_extended_support(instance):
    assert instance["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"


def test_what_is_retained_is_protected_and_snapshotted(data, environment):
    resource = of_type(data, "AWS::RDS::DBInstance")["DatabaseInstanceAA8A5FDE"]
    assert resource["Properties"]["DeletionProtection"] is environment.retain
    assert resource["DeletionPolicy"] == ("Snapshot" if environment.retain else "Delete")
    for secret in of_type(data, "AWS::SecretsManager::Secret").values():
        assert secret["DeletionPolicy"] == ("RetainExceptOnCreate" if environment.retain else "Delete")


def test_prod_survives_the_loss_of_a_zone(synthesized):
    assert only(synthesized["prod", "data"], "AWS::RDS::DBInstance")["MultiAZ"] is True


def test_the_proxy_requires_tls_and_iam(proxy, environment):
    assert proxy["RequireTLS"] is True
    if environment.store.uses_iam:
        assert proxy["DefaultAuthScheme"] == "IAM_AUTH"
        assert "Auth" not in proxy
    else:
        assert [each["IAMAuth"] for each in proxy["Auth"]] == ["REQUIRED"]


def test_the_proxy_may_log_in_as_the_application_and_as_nobody_else(data, proxy, environment):
    (statement,) = policy_of(data, "ProxyRole46D67FAB")
    if environment.store.uses_iam:
        assert statement["Action"] == "rds-db:connect"
        assert database_users(statement) == ["application"]
    else:
        assert [each["SecretArn"] for each in proxy["Auth"]] == [{"Ref": "CredentialsApplicationEF1C8947"}]
        assert statement["Action"] == ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        assert statement["Resource"] == {"Ref": "CredentialsApplicationEF1C8947"}


def database_users(statement):
    """The users of our one instance that a statement lets somebody log in as."""
    found = []
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    for resource in resources:
        _, parts = resource["Fn::Join"]
        assert parts[-2] == {"Fn::GetAtt": ["DatabaseInstanceAA8A5FDE", "DbiResourceId"]}
        assert str(parts[-3]).endswith(":dbuser:")
        found.append(parts[-1].removeprefix("/"))
    return found


def of_environments(*, with_iam):
    names = [each.name for each in FIXED if each.store.uses_iam is with_iam]
    return pytest.mark.parametrize("environment", names, indirect=True)


with_iam, with_secrets = of_environments(with_iam=True), of_environments(with_iam=False)


@with_iam
def test_with_iam_no_password_exists(data, instance, environment):
    assert instance["EnableIAMDatabaseAuthentication"] is True
    assert instance["MasterUserAuthenticationType"] == "iam-db-auth"
    assert "MasterUserPassword" not in instance
    assert not [each["Type"] for each in data["Resources"].values() if "::SecretsManager::" in each["Type"]]
    assert not of_type(data, "AWS::EC2::VPCEndpoint")
    assert not [name for name in data["Resources"] if name.startswith("Rotation")]
    assert "secretsmanager" not in json.dumps(data)
    assert "not in the template" not in json.dumps(data)


@with_iam
def test_with_iam_migrations_log_in_as_the_master_and_as_the_migrator(data, environment):
    statements = policy_of(data, "MigrationsMigrateRoleCD4F4782")
    (statement,) = [each for each in statements if each["Action"] == "rds-db:connect"]
    assert sorted(database_users(statement)) == sorted([environment.master_user, "migrator"])


@with_secrets
def test_with_secrets_both_are_rotated(data, environment):
    schedules = [each["Properties"] for each in of_type(data, "AWS::SecretsManager::RotationSchedule").values()]
    assert sorted(each["SecretId"]["Ref"] for each in schedules) == sorted(of_type(data, "AWS::SecretsManager::Secret"))
    (function,) = [name for name in of_type(data, "AWS::Lambda::Function") if name.startswith("Rotation")]
    for schedule in schedules:
        assert schedule["RotationLambdaARN"] == {"Fn::GetAtt": [function, "Arn"]}
        assert schedule["RotationRules"] == {"AutomaticallyAfterDays": environment.store.days_between_rotations}
    assert environment.store.days_between_rotations == 30


@with_secrets
def test_the_rotation_may_read_and_write_the_two_secrets_and_nothing_else(data, environment):
    statements = [each for each in policy_of(data, "RotationRotateRole4EF76DB1") if "secrets" in str(each["Action"])]
    assert [each["Action"] for each in statements] == [
        [
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ]
    ]
    assert sorted(each["Ref"] for each in statements[0]["Resource"]) == sorted(
        of_type(data, "AWS::SecretsManager::Secret")
    )


@with_secrets
def test_only_secrets_manager_may_call_the_rotation_and_only_for_the_two_secrets(data, environment):
    permissions = [
        each["Properties"]
        for name, each in of_type(data, "AWS::Lambda::Permission").items()
        if name.startswith("Rotation")
    ]
    assert {each["Principal"] for each in permissions} == {"secretsmanager.amazonaws.com"}
    assert sorted(each["SourceArn"]["Ref"] for each in permissions) == sorted(
        of_type(data, "AWS::SecretsManager::Secret")
    )


@with_secrets
def test_a_rotation_begins_when_all_that_it_needs_is_there(data, environment):
    """The users, the proxy's first login, the secrets' hosts, the rules to database and endpoint, the permission."""
    for schedule in of_type(data, "AWS::SecretsManager::RotationSchedule").values():
        needed = [
            *of_type(data, "Custom::Trigger"),
            *of_type(data, "AWS::RDS::DBProxyTargetGroup"),
            *of_type(data, "AWS::SecretsManager::SecretTargetAttachment"),
            *of_type(data, "AWS::EC2::VPCEndpoint"),
            *(name for name in of_type(data, "AWS::IAM::Policy") if name.startswith("Rotation")),
            *(name for name in of_type(data, "AWS::EC2::SecurityGroupEgress") if name.startswith("NetworkRotation")),
        ]
        assert len(needed) == 1 + 1 + 2 + 1 + 2 + 2
        assert set(needed) <= set(schedule["DependsOn"])
        assert any(name.startswith("RotationRotateFunctionInvoke") for name in schedule["DependsOn"])


@with_secrets
def test_a_failed_rotation_is_seen(data, environment):
    alarms = [each["Properties"] for each in of_type(data, "AWS::CloudWatch::Alarm").values()]
    (alarm,) = [each for each in alarms if "Rotat" in str(each["Dimensions"])]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("Errors", 0)
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"


def test_the_pool_is_what_the_environment_says(proxy, target_group, environment):
    pool = environment.budget
    assert target_group["Properties"]["ConnectionPoolConfigurationInfo"] == {
        "MaxConnectionsPercent": pool.max_connections_percent,
        "MaxIdleConnectionsPercent": pool.max_idle_connections_percent,
        "ConnectionBorrowTimeout": pool.connection_borrow_timeout,
    }
    assert proxy["IdleClientTimeout"] == pool.idle_client_timeout
    assert proxy["DebugLogging"] is environment.store.pool.debug_logging


def test_the_proxys_log_group_exists_before_it(data, proxy):
    groups = {each["Properties"].get("LogGroupName"): key for key, each in of_type(data, "AWS::Logs::LogGroup").items()}
    (resource,) = of_type(data, "AWS::RDS::DBProxy").values()
    assert groups[f"/aws/rds/proxy/{proxy['DBProxyName']}"] in resource["DependsOn"]


def test_the_proxy_is_given_its_target_only_after_the_migrations(data, target_group):
    assert set(of_type(data, "Custom::Trigger")) <= set(target_group["DependsOn"])


def test_the_proxy_is_given_its_target_only_when_it_can_log_in(data, target_group):
    """Its role may read the secret, and its group lets it out to the database."""
    egress = {key for key in of_type(data, "AWS::EC2::SecurityGroupEgress") if key.startswith("NetworkProxyto")}
    assert len(egress) == 1
    assert {"ProxyRole46D67FAB", "ProxyRoleDefaultPolicy02214CAB"} | egress <= set(target_group["DependsOn"])


def test_migrations_wait_for_everything_they_need_to_reach(data, environment):
    """Every rule of the chain from the migrations, the endpoint, the role's policies."""
    (run,) = of_type(data, "Custom::Trigger").values()
    needed = [
        key
        for kind in ("AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::VPCEndpoint")
        for key in of_type(data, kind)
        if "Migrations" in key or "SecretsManager" in key
    ] + [key for key in of_type(data, "AWS::IAM::Policy") if key.startswith("Migrations")]
    assert len(needed) == (2 + 0 + 2 if environment.store.uses_iam else 2 * 2 + 1 + 2)
    assert set(needed) <= set(run["DependsOn"])


def test_migrations_run_again_when_the_zip_changes(data):
    (run,) = of_type(data, "Custom::Trigger").values()
    (version,) = of_type(data, "AWS::Lambda::Version")
    assert run["Properties"]["HandlerArn"] == {"Ref": version}
    assert run["Properties"]["ExecuteOnHandlerChange"] is True


def test_a_trigger_waits_longer_than_the_migrations_may_take(data):
    (run,) = of_type(data, "Custom::Trigger").values()
    migrate = next(f for name, f in of_type(data, "AWS::Lambda::Function").items() if name.startswith("Migrations"))
    assert migrate["Properties"]["Timeout"] == 300
    assert migrate["Properties"]["ReservedConcurrentExecutions"] == 1
    assert int(run["Properties"]["Timeout"]) > 300_000


def policy_of(template, role):
    return [
        statement
        for policy in of_type(template, "AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
