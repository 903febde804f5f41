"""Security-group rules and flow logs on the local AWS."""

import pytest

from tests.local.aws_emulator import NETWORK, role, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with running_emulator(tmp_path_factory.mktemp("aws")) as emulator:
        yield emulator


def rules(port):
    def rule(direction, group, peer, peer_property):
        return {
            "Type": f"AWS::EC2::SecurityGroup{direction}",
            "Properties": {
                "GroupId": {"Ref": group},
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                peer_property: {"Ref": peer},
            },
        }

    return {
        **NETWORK,
        "In": rule("Ingress", "GroupB", "GroupA", "SourceSecurityGroupId"),
        "Out": rule("Egress", "GroupA", "GroupB", "DestinationSecurityGroupId"),
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
        "Role": role("vpc-flow-logs", "logs:PutLogEvents"),
        "FlowLog": {
            "Type": "AWS::EC2::FlowLog",
            "Properties": {
                "ResourceId": {"Ref": "Vpc"},
                "ResourceType": "VPC",
                "TrafficType": "REJECT",
                "LogGroupName": {"Ref": "Logs"},
                "DeliverLogsPermissionArn": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
    }


def test_security_group_rules_and_flow_logs_are_made_replaced_and_deleted(emulator):
    ec2 = emulator.client("ec2")
    names = {
        "A": {"Ref": "GroupA"},
        "B": {"Ref": "GroupB"},
        "In": {"Ref": "In"},
        "Log": {"Fn::GetAtt": ["FlowLog", "Id"]},
    }

    def let_in(group):
        [described] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        return [(rule["FromPort"], rule["UserIdGroupPairs"][0]["GroupId"]) for rule in described["IpPermissions"]]

    first = emulator.deploy("rules", rules(5432), **names)
    assert let_in(first["B"]) == [(5432, first["A"])]
    assert first["Log"] in [each["FlowLogId"] for each in ec2.describe_flow_logs()["FlowLogs"]]
    second = emulator.deploy("rules", rules(5433), **names)
    assert let_in(second["B"]) == [(5433, second["A"])]
    assert second["In"] != first["In"]
    emulator.delete("rules")
    assert first["Log"] not in [each["FlowLogId"] for each in ec2.describe_flow_logs()["FlowLogs"]]
