"""RDS on the local AWS: instances are real PostgreSQL servers, proxies are the stand-in, and the API knows them."""

import json
import socket
import ssl

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.local.aws_emulator import NETWORK, role, running_emulator

PASSWORD = "made for this test"
DATABASE = {
    **NETWORK,
    "Subnets": {
        "Type": "AWS::RDS::DBSubnetGroup",
        "Properties": {"DBSubnetGroupDescription": "-", "SubnetIds": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]},
    },
    "Parameters": {
        "Type": "AWS::RDS::DBParameterGroup",
        "Properties": {
            "Family": "postgres18",
            "Description": "-",
            "Parameters": {"max_connections": "57", "rds.force_ssl": "1"},
        },
    },
    "Master": {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"SecretString": json.dumps({"username": "master", "password": PASSWORD})},
    },
    "Instance": {
        "Type": "AWS::RDS::DBInstance",
        "DeletionPolicy": "Delete",
        "Properties": {
            "Engine": "postgres",
            "DBInstanceClass": "db.t4g.small",
            "AllocatedStorage": "20",
            "DBName": "shop",
            "Port": "55431",
            "DBSubnetGroupName": {"Ref": "Subnets"},
            "DBParameterGroupName": {"Ref": "Parameters"},
            "MasterUsername": "master",
            "MasterUserPassword": {"Fn::Sub": "{{resolve:secretsmanager:${Master}:SecretString:password}}"},
        },
    },
    "ProxyRole": role("rds", "secretsmanager:GetSecretValue"),
    "Proxy": {
        "Type": "AWS::RDS::DBProxy",
        "Properties": {
            "DBProxyName": "test-proxy",
            "EngineFamily": "POSTGRESQL",
            "RequireTLS": True,
            "RoleArn": {"Fn::GetAtt": ["ProxyRole", "Arn"]},
            "Auth": [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": {"Ref": "Master"}}],
            "VpcSubnetIds": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}],
        },
    },
    "TargetGroup": {
        "Type": "AWS::RDS::DBProxyTargetGroup",
        "Properties": {
            "DBProxyName": {"Ref": "Proxy"},
            "TargetGroupName": "default",
            "DBInstanceIdentifiers": [{"Ref": "Instance"}],
            "ConnectionPoolConfigurationInfo": {"MaxConnectionsPercent": 80, "ConnectionBorrowTimeout": 3},
        },
    },
}
DATABASE_OUTPUTS = {
    "Address": {"Fn::GetAtt": ["Instance", "Endpoint.Address"]},
    "Port": {"Fn::GetAtt": ["Instance", "Endpoint.Port"]},
    "Identifier": {"Ref": "Instance"},
    "Proxy": {"Fn::GetAtt": ["Proxy", "Endpoint"]},
    "ProxyArn": {"Fn::GetAtt": ["Proxy", "DBProxyArn"]},
    "Secret": {"Ref": "Master"},
}


def changed(resources, resource, **properties):
    """The same template with other properties of one resource."""
    description = resources[resource]
    return {**resources, resource: {**description, "Properties": {**description["Properties"], **properties}}}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with running_emulator(tmp_path_factory.mktemp("aws")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def database(emulator):
    return emulator.deploy("database", DATABASE, **DATABASE_OUTPUTS)


def connect(emulator, database):
    return psycopg.connect(
        host=database["Address"],
        port=database["Port"],
        user="master",
        password=PASSWORD,
        dbname="shop",
        sslmode="verify-full",
        sslrootcert=emulator.state / "certificates" / "ca.pem",
    )


def test_a_db_instance_is_a_postgresql_with_the_parameters_of_its_group(emulator, database):
    with connect(emulator, database) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("57",)
        assert connection.execute("SELECT current_user").fetchone() == ("master",)
    [instance] = emulator.client("rds").describe_db_instances()["DBInstances"]
    assert instance["Endpoint"]["Address"] == database["Address"]


def one_instance(allocated_storage="20"):
    properties = {
        "Engine": "postgres",
        "DBInstanceClass": "db.t4g.small",
        "AllocatedStorage": allocated_storage,
        "MasterUsername": "master",
        "MasterUserPassword": PASSWORD,
    }
    instance = {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete", "Properties": properties}
    return json.dumps({"Resources": {"Instance": instance}})


def test_a_stack_at_work_is_told_about_when_it_has_finished_and_takes_no_other_change_meanwhile(emulator):
    cloudformation = emulator.client("cloudformation")
    cloudformation.create_stack(StackName="patience", TemplateBody=one_instance())
    change = cloudformation.create_change_set(
        StackName="patience", ChangeSetName="second", TemplateBody=one_instance("30")
    )
    with pytest.raises(ClientError, match="is in CREATE_IN_PROGRESS state and can not be updated"):
        cloudformation.execute_change_set(ChangeSetName=change["Id"])
    [stack] = cloudformation.describe_stacks(StackName="patience")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    emulator.delete("patience")


def test_a_proxy_listens_with_tls_on_an_address_of_its_own_at_the_port_of_its_target(emulator, database):
    assert database["Proxy"] != database["Address"]
    assert database["Proxy"].startswith("127.")
    trust = ssl.create_default_context(cafile=emulator.state / "certificates" / "ca.pem")
    with socket.create_connection((database["Proxy"], int(database["Port"])), timeout=10) as connection:
        connection.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))  # SSLRequest
        assert connection.recv(1) == b"S"
        with trust.wrap_socket(connection, server_hostname=database["Proxy"]) as tls:
            assert tls.version() in {"TLSv1.2", "TLSv1.3"}


def test_the_rds_api_describes_the_deployed_proxy_and_its_pool(emulator, database):
    rds = emulator.client("rds")
    [proxy] = rds.describe_db_proxies()["DBProxies"]
    assert (proxy["Endpoint"], proxy["DBProxyArn"]) == (database["Proxy"], database["ProxyArn"])
    [target] = rds.describe_db_proxy_targets(DBProxyName="test-proxy")["Targets"]
    assert (target["RdsResourceId"], target["Port"]) == (database["Identifier"], int(database["Port"]))
    pool = {"MaxConnectionsPercent": 60, "MaxIdleConnectionsPercent": 10, "ConnectionBorrowTimeout": 5}
    emulator.deploy("database", changed(DATABASE, "TargetGroup", ConnectionPoolConfigurationInfo=pool))
    [group] = rds.describe_db_proxy_target_groups(DBProxyName="test-proxy")["TargetGroups"]
    assert group["ConnectionPoolConfig"] == {**pool, "SessionPinningFilters": []}
    assert rds.describe_db_proxies()["DBProxies"][0]["Endpoint"] == database["Proxy"]
    emulator.deploy("database", DATABASE, **DATABASE_OUTPUTS)


def test_a_changed_parameter_group_reaches_its_instance_and_the_data_stays(emulator, database):
    with connect(emulator, database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    emulator.deploy("database", changed(DATABASE, "Parameters", Parameters={"max_connections": "61"}))
    with connect(emulator, database) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("61",)
        assert connection.execute("SELECT * FROM kept").fetchone() == (1,)
    emulator.deploy("database", DATABASE, **DATABASE_OUTPUTS)


def test_a_proxy_with_its_own_name_is_not_replaced(emulator, database):
    with pytest.raises(AssertionError, match="cannot update a stack when a custom-named resource requires replacing"):
        emulator.deploy("database", changed(DATABASE, "Proxy", VpcSubnetIds=[{"Ref": "SubnetA"}]))


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (
            {"Type": "AWS::RDS::DBInstance", "Properties": {"Engine": "mysql", "DBInstanceClass": "db.t4g.small"}},
            "the local AWS has no engine 'mysql'",
        ),
        (
            {
                "Type": "AWS::RDS::DBInstance",
                "Properties": {
                    "Engine": "postgres",
                    "DBInstanceClass": "db.t4g.small",
                    "MasterUsername": "master",
                    "MasterUserPassword": "password",
                    "DBName": "x" * 64,
                    "DBParameterGroupName": {"Ref": "Bad"},
                },
            },
            "(?s)local.postgres ended before it was ready: .*nonsense.*[.]log",
        ),
        (
            {
                "Type": "AWS::RDS::DBProxyEndpoint",
                "Properties": {"DBProxyName": "p", "DBProxyEndpointName": "e", "VpcSubnetIds": ["a", "b"]},
            },
            "the local AWS has no further endpoints of a proxy",
        ),
    ],
)
def test_what_cannot_be_made_here_fails_with_the_reason_and_leaves_nothing(emulator, resource, reason):
    bad = {
        "Type": "AWS::RDS::DBParameterGroup",
        "Properties": {"Family": "postgres18", "Description": "-", "Parameters": {"wal_level": "nonsense"}},
    }
    with pytest.raises(AssertionError, match=reason):
        emulator.deploy("refused", {"Bad": bad, "Refused": resource})
    emulator.delete("refused")
    identifiers = [
        each["DBInstanceIdentifier"] for each in emulator.client("rds").describe_db_instances()["DBInstances"]
    ]
    assert not [identifier for identifier in identifiers if identifier.startswith("refused")]
