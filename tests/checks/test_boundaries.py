"""Where each rule begins: the last value that is right, and the first that is wrong.

The templates are synthesized once; each case changes values in them.
"""

import copy
from datetime import date

import pytest
from aws_cdk import Duration
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from stacks.checks.catalogue import check, stages
from stacks.checks.classes import default_max_connections, memory_gib
from stacks.checks.rule import RULES
from stacks.checks.stage import Stage
from stacks.checks.template import Template

from .cases import TODAY, Case, build, templates
from .service import direct, http_api, rest_api, service

FUNCTION, DATABASE, PROXY = "AWS::Lambda::Function", "AWS::RDS::DBInstance", "AWS::RDS::DBProxy"
TARGETS, STAGE, QUEUE = "AWS::RDS::DBProxyTargetGroup", "AWS::ApiGatewayV2::Stage", "AWS::SQS::Queue"
MAPPING, SUBNET, GROUP = "AWS::Lambda::EventSourceMapping", "AWS::EC2::Subnet", "AWS::RDS::DBParameterGroup"
POOL = "ConnectionPoolConfigurationInfo"
MOST, IDLE, BORROW = (
    f"{POOL}.MaxConnectionsPercent",
    f"{POOL}.MaxIdleConnectionsPercent",
    f"{POOL}.ConnectionBorrowTimeout",
)
RATE, CONCURRENCY = "DefaultRouteSettings.ThrottlingRateLimit", "ScalingConfig.MaximumConcurrency"
SNAPSTART, RESERVED = "SnapStart.ApplyOn", "ReservedConcurrentExecutions"
PATIENT = {(FUNCTION, "Timeout"): 900, (QUEUE, "VisibilityTimeout"): 5400}


def with_http_api(stage):
    it = service(stage, database={"parameters": {}})
    http_api(it.stack, it.function)


def with_queue(stage):
    it = service(stage)
    queue = sqs.Queue(it.stack, "Queue", visibility_timeout=Duration.seconds(150))
    it.function.add_event_source(sources.SqsEventSource(queue, max_concurrency=20))


SHAPES = {
    "service": with_http_api,
    "rest": lambda stage: rest_api(service(stage)),
    "direct": lambda stage: direct(stage, database={"parameters": {}}),
    "queue": with_queue,
}


@pytest.fixture(scope="module")
def shapes(app):
    return {name: templates(build(app, Case(f"boundaries_{name}", made))) for name, made in SHAPES.items()}


def found_in(synthesized, changes, today=TODAY):
    """The rules that find something once the resources of a type have other values."""
    bodies = [copy.deepcopy(each.body) for each in synthesized]
    for (kind, path), value in changes.items():
        resources = [each for body in bodies for each in body["Resources"].values() if each["Type"] == kind]
        assert resources, f"no {kind}"
        for resource in resources:
            inside = resource["Properties"]
            *before, last = path.split(".")
            for key in before:
                inside = inside.setdefault(key, {})
            inside[last] = value
    changed = [
        Template(body, old.stack, old.path, old.name, old.region, old.account, old.production)
        for body, old in zip(bodies, synthesized, strict=True)
    ]
    return {finding.rule.id for stage in stages(changed, today=today) for finding in check(stage)}


def micro(percent):
    """On a db.t4g.micro of about 83 connections; E05 is of the class, whatever the percentage."""
    return {(DATABASE, "DBInstanceClass"): "db.t4g.micro", (TARGETS, MOST): percent, (TARGETS, IDLE): 20}


@pytest.mark.parametrize(
    ("shape", "right", "wrong", "rule"),
    [
        ("service", {(TARGETS, IDLE): 84}, {(TARGETS, IDLE): 86}, "A01"),
        ("service", {(TARGETS, MOST): "99"}, {(TARGETS, MOST): "101"}, "A02"),
        ("service", {(TARGETS, MOST): 99}, {(TARGETS, MOST): 100}, "A04"),
        ("service", {(TARGETS, MOST): 20, (TARGETS, IDLE): 1}, {(TARGETS, MOST): 19, (TARGETS, IDLE): 1}, "A05"),
        (
            "service",  # a pool of 20 for 20 functions at once
            {(GROUP, "Parameters"): {"max_connections": "100"}, (TARGETS, MOST): 20, (TARGETS, IDLE): 1},
            {(GROUP, "Parameters"): {"max_connections": "96"}, (TARGETS, MOST): 20, (TARGETS, IDLE): 1},
            "A07",
        ),
        (
            "direct",
            {(GROUP, "Parameters"): {"max_connections": "35"}},
            {(GROUP, "Parameters"): {"max_connections": "34"}},
            "A10",
        ),
        ("service", {(TARGETS, IDLE): 1}, {(TARGETS, IDLE): 0}, "A12"),
        ("service", {(TARGETS, IDLE): 84}, {(TARGETS, IDLE): 85}, "A12"),
        (
            "service",
            {(GROUP, "Parameters"): {"max_connections": "1802"}},
            {(GROUP, "Parameters"): {"max_connections": "1803"}},
            "A13",
        ),
        ("service", {(STAGE, RATE): 200}, {(STAGE, RATE): 201}, "B08"),
        ("queue", {(MAPPING, CONCURRENCY): 20}, {(MAPPING, CONCURRENCY): 21}, "B09"),
        ("queue", {(QUEUE, "VisibilityTimeout"): 150}, {(QUEUE, "VisibilityTimeout"): 149}, "B09"),
        ("direct", {(FUNCTION, SNAPSTART): "None"}, {(FUNCTION, SNAPSTART): "PublishedVersions"}, "B06"),
        ("direct", {(FUNCTION, RESERVED): 1}, {(FUNCTION, RESERVED): 0}, "B04"),
        ("queue", {**PATIENT, (TARGETS, BORROW): 300}, {**PATIENT, (TARGETS, BORROW): 301}, "C01"),
        ("service", {(TARGETS, BORROW): 1}, {(TARGETS, BORROW): 0}, "C02"),
        ("service", {(TARGETS, BORROW): 24}, {(TARGETS, BORROW): 25}, "C03"),
        ("service", {(FUNCTION, "Timeout"): 29}, {(FUNCTION, "Timeout"): 30}, "C04"),
        ("rest", {(FUNCTION, "Timeout"): 28}, {(FUNCTION, "Timeout"): 29}, "C04"),
        ("service", {(PROXY, "IdleClientTimeout"): 60}, {(PROXY, "IdleClientTimeout"): 59}, "C07"),
        ("service", {(PROXY, "IdleClientTimeout"): 28800}, {(PROXY, "IdleClientTimeout"): 28801}, "C07"),
        (
            "service",
            {(GROUP, "Parameters"): {"statement_timeout": "24999"}},
            {(GROUP, "Parameters"): {"statement_timeout": "25000"}},
            "C10",
        ),
        ("service", {(SUBNET, "CidrBlock"): "10.0.0.0/27"}, {(SUBNET, "CidrBlock"): "10.0.0.0/28"}, "D03"),
        ("service", {(DATABASE, "BackupRetentionPeriod"): 7}, {(DATABASE, "BackupRetentionPeriod"): 6}, "F04"),
        ("service", {(DATABASE, "BackupRetentionPeriod"): 35}, {(DATABASE, "BackupRetentionPeriod"): 36}, "F04"),
        ("service", {(DATABASE, "AllocatedStorage"): "20"}, {(DATABASE, "AllocatedStorage"): "19"}, "F05"),
        (
            "service",
            {(DATABASE, "AllocatedStorage"): "400", (DATABASE, "Iops"): 12000},
            {(DATABASE, "AllocatedStorage"): "399", (DATABASE, "Iops"): 12000},
            "F05",
        ),
        ("service", {(DATABASE, "MaxAllocatedStorage"): 110}, {(DATABASE, "MaxAllocatedStorage"): 109}, "F06"),
        ("service", {(DATABASE, "EngineVersion"): "15.9"}, {(DATABASE, "EngineVersion"): "12.9"}, "F08"),
        ("service", {(DATABASE, "EngineVersion"): "15.9"}, {(DATABASE, "EngineVersion"): "14.9"}, "F11"),
        (
            "service",
            {
                (DATABASE, "DatabaseInsightsMode"): "advanced",
                (DATABASE, "EnablePerformanceInsights"): True,
                (DATABASE, "PerformanceInsightsRetentionPeriod"): 465,
            },
            {
                (DATABASE, "DatabaseInsightsMode"): "advanced",
                (DATABASE, "EnablePerformanceInsights"): True,
                (DATABASE, "PerformanceInsightsRetentionPeriod"): 464,
            },
            "F13",
        ),
        (
            "service",
            {(DATABASE, "EnablePerformanceInsights"): True, (DATABASE, "PerformanceInsightsRetentionPeriod"): 7},
            {(DATABASE, "EnablePerformanceInsights"): True, (DATABASE, "PerformanceInsightsRetentionPeriod"): 31},
            "F13",
        ),
        ("service", {(PROXY, "DBProxyName"): "a" * 63}, {(PROXY, "DBProxyName"): "a" * 64}, "G01"),
        ("service", {(PROXY, "DBProxyName"): "a-b"}, {(PROXY, "DBProxyName"): "a--b"}, "G01"),
    ],
)  # fmt: skip
def test_a_rule_begins_where_it_says(shapes, shape, right, wrong, rule):
    assert found_in(shapes[shape], right) == set()
    assert rule in found_in(shapes[shape], wrong)


def test_the_pool_of_a_micro_leaves_ten_connections_to_administrators(shapes):
    assert "A04" not in found_in(shapes["service"], micro(81))
    assert "A04" in found_in(shapes["service"], micro(82))


@pytest.mark.parametrize(
    ("today", "found"),
    [
        (date(2027, 1, 1), set()),  # 180 days before
        (date(2027, 1, 2), {"H01"}),
        (date(2027, 7, 1), {"H01"}),
    ],
)
def test_a_runtime_is_found_half_a_year_before_its_end(shapes, today, found):
    assert found_in(shapes["direct"], {(FUNCTION, "Runtime"): "python3.11"}, today) == found


@pytest.mark.parametrize(("today", "found"), [(date(2029, 2, 28), set()), (date(2029, 3, 1), {"F08"})])
def test_a_version_is_found_a_year_before_its_support_ends(shapes, today, found):
    """PostgreSQL 17 has it until 28 February 2030."""
    assert found_in(shapes["direct"], {(FUNCTION, "Runtime"): "python3.99"}, today) == found


@pytest.mark.parametrize(
    ("instance_class", "gib"),
    [
        ("db.t4g.micro", 1),
        ("db.t3.2xlarge", 32),
        ("db.m8g.large", 8),
        ("db.m8g.xlarge", 16),
        ("db.r8g.large", 16),
        ("db.r8gd.16xlarge", 512),
        ("db.c6gd.medium", 2),
        ("db.serverless", None),
        ("db.z1.large", None),
        ("large", None),
        (None, None),
    ],
)
def test_memory_follows_from_the_class(instance_class, gib):
    assert memory_gib(instance_class) == gib


@pytest.mark.parametrize(
    ("gib", "connections"), [(1, 83), (2, 189), (4, 400), (8, 823), (16, 1668), (32, 3359), (64, 5000)]
)
def test_max_connections_follow_from_memory(gib, connections):
    """AWS publishes 189, 823, 1669, 3360 and 5000 by memory, for Aurora Serverless v2."""
    assert default_max_connections(gib) == connections


@pytest.mark.parametrize(("parameters", "found"), [({"masterSecretArn": "arn"}, 1), ({"endpoint": "https://…"}, 0)])
def test_the_rotation_application_of_alternating_users_is_known_by_its_master_secret(parameters, found):
    """CDK's add_rotation_multi_user makes an AWS::Serverless::Application of it."""
    auth = [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": {"Ref": "Secret"}}]
    rotation = {"SecretId": {"Ref": "Secret"}, "RotationLambdaARN": {"Fn::GetAtt": ["Application", "Outputs.Arn"]}}
    resources = {
        "Secret": {"Type": "AWS::SecretsManager::Secret"},
        "Proxy": {"Type": PROXY, "Properties": {"Auth": auth}},
        "Application": {"Type": "AWS::Serverless::Application", "Properties": {"Parameters": parameters}},
        "Rotation": {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": rotation},
    }
    assert len(RULES["E12"].findings(Stage([Template({"Resources": resources}, "Stack")]))) == found
