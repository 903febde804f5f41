"""CloudFormation replaces what changes its logical id: with an empty database, and with secrets that nobody knows."""

import pytest

from ci.losses import STATEFUL as HOLDS_STATE

from .synthesis import FIXED, OPTIONS, of_type, synthesize, templates

STATEFUL = {
    "AWS::RDS::DBInstance": ["DatabaseInstanceAA8A5FDE"],
    "AWS::RDS::DBSubnetGroup": ["DatabaseInstanceSubnetGroupDE121BB6"],
    "AWS::RDS::DBParameterGroup": ["DatabaseParametersB8AC9B07"],
    "AWS::RDS::DBProxy": ["ProxyE947DB46"],
    "AWS::RDS::DBProxyTargetGroup": ["ProxyProxyTargetGroup40C0C8F5"],
    "AWS::EC2::VPC": ["NetworkVpc7FB7348F"],
    "AWS::EC2::SecurityGroup": [
        "NetworkClientsD2C4FBFD",
        "NetworkDatabase9E9EAA0C",
        "NetworkMigrations30609692",
        "NetworkProxy38F5C949",
    ],
    "AWS::Logs::LogGroup": [
        "DatabasePostgresqlLog95349A1F",
        "DatabaseUpgradeLog128D343E",
        "MigrationsMigrateLogs47BA0F11",
        "NetworkFlowLogs2BEC3212",
        "ProxyLogs2799388F",
    ],
}
# and where there are passwords
WITH_SECRETS = {
    "AWS::SecretsManager::Secret": ["CredentialsApplicationEF1C8947", "CredentialsMaster6115FDA7"],
    "AWS::EC2::SecurityGroup": ["NetworkRotationD30AE3A8", "NetworkSecretsEndpointF272AB1A"],
    "AWS::Logs::LogGroup": ["RotationRotateLogsCD7516E3"],
}


@pytest.mark.parametrize("kind", STATEFUL | WITH_SECRETS)
def test_what_holds_state_keeps_its_logical_id(data, environment, kind):
    more = [] if environment.store.uses_iam else WITH_SECRETS.get(kind, [])
    assert sorted(of_type(data, kind)) == sorted(STATEFUL.get(kind, []) + more)


def test_the_api_keeps_its_logical_id_and_so_its_address(service):
    assert list(of_type(service, "AWS::ApiGatewayV2::Api")) == ["ApiHttpApi4C294DC0"]


# Of every store's two stacks; what an option has not is simply not there.
OF_OPTIONS = {
    "AWS::ApiGatewayV2::Api": {"ApiHttpApi4C294DC0"},
    "AWS::DynamoDB::GlobalTable": {"Table710B521B"},
    "AWS::Logs::LogGroup": {"ApiAccessLogs50B185DB", "MigrationsMigrateLogs47BA0F11", "ProjectsLogs07B63268"},
}


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return templates(synthesize(tmp_path_factory.mktemp("options"), OPTIONS))


@pytest.mark.parametrize("environment", OPTIONS, ids=lambda each: each.name)
def test_what_holds_state_in_another_store_keeps_its_logical_id(options, environment):
    for stack in ("data", "service"):
        template = options[environment.name, stack]
        for kind in HOLDS_STATE:
            assert of_type(template, kind).keys() <= OF_OPTIONS.get(kind, set()), kind
    assert of_type(options[environment.name, "service"], "AWS::ApiGatewayV2::Api")


def test_everything_that_outlives_its_stack_counts_as_holding_state(synthesized, own, options):
    """So that a pull request that would replace or delete it is stopped: ci/losses.py."""
    kept = {
        resource["Type"]
        for template in (*synthesized.values(), *own.values(), *options.values())
        for resource in template["Resources"].values()
        if resource.get("DeletionPolicy") in ("Retain", "Snapshot", "RetainExceptOnCreate")
    }
    assert kept <= HOLDS_STATE.keys()


def test_a_new_availability_zone_adds_a_subnet_and_changes_none(synthesized):
    two, three = (of_type(synthesized[name, "data"], "AWS::EC2::Subnet") for name in ("dev", "prod"))
    assert len(two) == 2
    assert len(three) == 3
    assert two.keys() < three.keys()


def test_two_environments_share_no_physical_name(synthesized, own):
    assert len(names(synthesized)) == len(FIXED) * 6  # instance, its two log groups, proxy, its log group, API
    for made in (synthesized, own):
        exports = [output["Export"]["Name"] for each in made.values() for output in outputs(each)]
        assert len(set(names(made))) == len(names(made))
        assert len(set(exports)) == len(exports)


def names(templates):
    return [
        resource["Properties"][key]
        for template in templates.values()
        for resource in template["Resources"].values()
        for key in PHYSICAL_NAMES.get(resource["Type"], [])
        if key in resource.get("Properties", {})
    ]


def outputs(template):
    return [each for each in template.get("Outputs", {}).values() if "Export" in each]


PHYSICAL_NAMES = {
    "AWS::ApiGatewayV2::Api": ["Name"],
    "AWS::EC2::SecurityGroup": ["GroupName"],
    "AWS::IAM::Role": ["RoleName"],
    "AWS::Lambda::Function": ["FunctionName"],
    "AWS::Logs::LogGroup": ["LogGroupName"],
    "AWS::RDS::DBInstance": ["DBInstanceIdentifier"],
    "AWS::RDS::DBParameterGroup": ["DBParameterGroupName"],
    "AWS::RDS::DBProxy": ["DBProxyName"],
    "AWS::RDS::DBSubnetGroup": ["DBSubnetGroupName"],
    "AWS::SecretsManager::Secret": ["Name"],
}
