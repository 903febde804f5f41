import json

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from lambda_src.routes import ROUTE_KEYS
from stacks.stage import EnvironmentStage

from .synthesis import FIXED, context, function_and_role, of_type, only


def test_the_api_has_exactly_the_routes_that_the_function_answers(service):
    routes = [each["Properties"]["RouteKey"] for each in of_type(service, "AWS::ApiGatewayV2::Route").values()]
    assert sorted(routes) == sorted(ROUTE_KEYS)


def test_every_route_has_the_iam_authoriser(service):
    for route in of_type(service, "AWS::ApiGatewayV2::Route").values():
        assert route["Properties"]["AuthorizationType"] == "AWS_IAM"


def test_every_route_leads_to_the_function(service):
    integration = only(service, "AWS::ApiGatewayV2::Integration")
    assert integration["IntegrationUri"] == {"Fn::GetAtt": [function_and_role(service)[0], "Arn"]}
    assert integration["PayloadFormatVersion"] == "2.0"
    (target,) = of_type(service, "AWS::ApiGatewayV2::Integration")
    for route in of_type(service, "AWS::ApiGatewayV2::Route").values():
        assert {"Ref": target} in route["Properties"]["Target"]["Fn::Join"][1]


def test_requests_are_throttled_as_the_environment_says(service, environment):
    settings = only(service, "AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"]
    assert settings["ThrottlingRateLimit"] == environment.budget.throttle_rate
    assert settings["ThrottlingBurstLimit"] == environment.budget.throttle_burst


def test_every_request_is_logged_as_json_with_its_caller(service):
    settings = only(service, "AWS::ApiGatewayV2::Stage")["AccessLogSettings"]
    fields = json.loads(settings["Format"])
    assert {"$context.requestId", "$context.identity.userArn", "$context.status"} <= set(fields.values())
    assert settings["DestinationArn"]["Fn::GetAtt"][0] in of_type(service, "AWS::Logs::LogGroup")


def test_the_stack_says_where_the_api_is(service):
    assert "ApiUrl" in service["Outputs"]


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    (environment,) = [each for each in FIXED if each.name == "dev"]
    app = App(context={**context(), "aws:cdk:bundling-stacks": []}, outdir=str(tmp_path_factory.mktemp("tenants")))
    return EnvironmentStage(app, environment=environment)


def test_a_caller_can_be_let_into_one_tenant_only(dev):
    stack = Stack(dev, "Callers")
    caller = iam.User(stack, "Acme")
    dev.service.api.allow_tenant(caller, "acme")
    (policy,) = of_type(Template.from_stack(stack).to_json(), "AWS::IAM::Policy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"]["Fn::Join"][1][-1].endswith("/$default/*/tenants/acme/*")


@pytest.mark.parametrize("tenant", ["", "*", "a/b", "acme*", "${aws:username}"])
def test_a_tenant_that_would_match_another_is_refused(dev, tenant):
    with pytest.raises(ValueError, match="allowed is one path segment"):
        dev.service.api.allow_tenant(iam.User(dev.service, f"User{len(tenant)}"), tenant)
