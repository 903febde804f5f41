"""Who can speak to whom: functions -> proxy -> database, migrations -> database, and nobody else with anybody."""

import json

import pytest

from .synthesis import of_type, only

NOWHERE = {"CidrIp": "255.255.255.255/32", "Description": "Disallow all traffic"}
CHAIN = [("Clients", "Proxy"), ("Migrations", "Database"), ("Proxy", "Database")]
CHAIN_TO_SECRETS = [("Migrations", "SecretsEndpoint"), ("Rotation", "Database"), ("Rotation", "SecretsEndpoint")]


def chain(environment):
    hops = CHAIN if environment.store.uses_iam else CHAIN + CHAIN_TO_SECRETS
    return [(*hop, port(environment, hop[1])) for hop in sorted(hops)]


def rules(template, kind, own, other):
    """(from, to, port) of every rule of this type."""
    return sorted(
        (name(each["Properties"][own]), name(each["Properties"][other]), each["Properties"]["FromPort"])
        for each in of_type(template, kind).values()
    )


def name(group):
    """NetworkProxy38F5C949 without its hash."""
    return group["Fn::GetAtt"][0].removeprefix("Network")[:-8]


def port(environment, to):
    return 443 if to == "SecretsEndpoint" else environment.store.port


def test_every_hop_of_the_chain_has_its_egress(data, environment):
    found = rules(data, "AWS::EC2::SecurityGroupEgress", "GroupId", "DestinationSecurityGroupId")
    assert found == chain(environment)


def test_every_hop_of_the_chain_has_its_ingress(data, environment):
    found = rules(data, "AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId", "GroupId")
    assert found == chain(environment)


def test_every_rule_is_for_one_tcp_port(data):
    for kind in ("AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress"):
        for each in of_type(data, kind).values():
            assert each["Properties"]["IpProtocol"] == "tcp"
            assert each["Properties"]["FromPort"] == each["Properties"]["ToPort"]


def test_no_group_has_a_rule_of_its_own_for_addresses(data):
    for each in of_type(data, "AWS::EC2::SecurityGroup").values():
        assert "SecurityGroupIngress" not in each["Properties"]
        for rule in each["Properties"].get("SecurityGroupEgress", []):
            assert rule.items() >= NOWHERE.items()


def test_nothing_in_a_template_says_anywhere(data, service):
    assert "0.0.0.0/0" not in json.dumps([data, service])
    assert "::/0" not in json.dumps([data, service])


@pytest.mark.parametrize(
    "kind", ["AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route", "AWS::EC2::EIP"]
)
def test_the_network_has_no_way_out(data, kind):
    assert not of_type(data, kind)


def test_the_network_has_a_subnet_in_every_zone_and_no_look_up(data, environment):
    subnets = [each["Properties"] for each in of_type(data, "AWS::EC2::Subnet").values()]
    zones = [each["AvailabilityZone"]["Fn::Select"] for each in subnets]
    assert zones == [[i, {"Fn::GetAZs": ""}] for i in range(environment.availability_zones)]
    assert not any(each["MapPublicIpOnLaunch"] for each in subnets)


def test_refused_traffic_is_logged(data):
    assert only(data, "AWS::EC2::FlowLog")["TrafficType"] == "REJECT"


def test_the_default_security_group_is_emptied(data):
    assert of_type(data, "Custom::VpcRestrictDefaultSG")


def test_the_only_endpoint_is_for_the_two_secrets_and_the_roles_that_use_them(data, environment):
    if environment.store.uses_iam:
        assert not of_type(data, "AWS::EC2::VPCEndpoint")
        return
    endpoint = only(data, "AWS::EC2::VPCEndpoint")
    assert endpoint["ServiceName"].endswith(".secretsmanager")
    assert [name(each) for each in endpoint["SecurityGroupIds"]] == ["SecretsEndpoint"]
    roles = {}
    for statement in endpoint["PolicyDocument"]["Statement"]:
        assert sorted(each["Ref"] for each in statement["Resource"]) == sorted(
            of_type(data, "AWS::SecretsManager::Secret")
        )
        (role,) = statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]["Fn::GetAtt"][:1]
        roles[role[:-8]] = "secretsmanager:PutSecretValue" in statement["Action"]
    assert roles == {"MigrationsMigrateRole": False, "RotationRotateRole": True}


def test_only_an_environment_with_a_standby_pays_for_an_endpoint_in_every_zone(data, environment):
    expected = environment.availability_zones if environment.store.multi_az else 1
    for endpoint in of_type(data, "AWS::EC2::VPCEndpoint").values():
        assert len(endpoint["Properties"]["SubnetIds"]) == expected


def test_functions_run_in_the_isolated_subnets_with_their_own_group(data, service, environment):
    (handler,) = vpc_functions(service)
    groups = sorted(
        name(each) for function in vpc_functions(data) for each in function["VpcConfig"]["SecurityGroupIds"]
    )
    assert groups == (["Migrations"] if environment.store.uses_iam else ["Migrations", "Rotation"])
    (group,) = handler["VpcConfig"]["SecurityGroupIds"]
    assert "NetworkClients" in group["Fn::ImportValue"]


def vpc_functions(template):
    return [
        each["Properties"]
        for each in of_type(template, "AWS::Lambda::Function").values()
        if "VpcConfig" in each["Properties"]
    ]
