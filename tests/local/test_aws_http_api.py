"""HTTP APIs on the local AWS."""

import base64
import json
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.local.aws_emulator import REGION, function, role, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with running_emulator(tmp_path_factory.mktemp("aws")) as emulator:
        yield emulator


ECHOING = """
import json
def handler(event, context):
    if event["rawPath"] == "/fail":
        raise ValueError("an internal detail")
    wanted = {name: event.get(name) for name in ("routeKey", "pathParameters", "body", "isBase64Encoded")}
    return {"statusCode": 418, "headers": {"x-own": "yes"}, "body": json.dumps(wanted)}
"""


@pytest.fixture(scope="module")
def api(emulator):
    api = {"ApiId": {"Ref": "Api"}}

    def route(key):
        properties = {**api, "RouteKey": key, "AuthorizationType": "AWS_IAM"}
        target = {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}
        return {"Type": "AWS::ApiGatewayV2::Route", "Properties": {**properties, "Target": target}}

    integration = {
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": {"Fn::GetAtt": ["Echo", "Arn"]},
        "PayloadFormatVersion": "2.0",
    }
    logging = {"DestinationArn": {"Fn::GetAtt": ["Logs", "Arn"]}, "Format": "$context.requestId"}
    outputs = emulator.deploy(
        "api",
        {
            "Role": role("lambda"),
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
            "Echo": function(ECHOING),
            "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "api", "ProtocolType": "HTTP"}},
            "Integration": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {**api, **integration}},
            "Stage": {
                "Type": "AWS::ApiGatewayV2::Stage",
                "Properties": {**api, "StageName": "$default", "AutoDeploy": True, "AccessLogSettings": logging},
            },
            "Thing": route("GET /tenants/{tenant}/things/{id}"),
            "Health": route("GET /health"),
            "Default": route("$default"),
        },
        Id={"Ref": "Api"},
    )
    return f"{emulator.endpoint}/_aws/execute-api/{outputs['Id']}/%24default"


def call(url, method="GET", body=None, key=("test", "test"), **headers):
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    if key:
        SigV4Auth(Credentials(*key), "execute-api", REGION).add_auth(request)
    try:
        sent = urllib.request.Request(url, data=body, method=method, headers=dict(request.headers))
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return answer.status, answer.headers, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.loads(error.read())


def test_an_http_api_hands_over_decoded_path_parameters_and_the_functions_answer(api):
    status, headers, answer = call(f"{api}/tenants/caf%C3%A9%20one/things/a%2Bb")
    assert (status, headers["x-own"]) == (418, "yes")
    assert answer["routeKey"] == "GET /tenants/{tenant}/things/{id}"
    assert answer["pathParameters"] == {"tenant": "café one", "id": "a+b"}


def test_an_http_api_hands_over_bytes_as_base64_and_unknown_routes_to_the_default(api):
    kind = {"content-type": "application/octet-stream"}
    answer = call(f"{api}/unknown", "PUT", b"\xff\x00", **kind)[2]
    assert answer == {
        "routeKey": "$default",
        "pathParameters": None,
        "body": base64.b64encode(b"\xff\x00").decode(),
        "isBase64Encoded": True,
    }


def test_an_http_api_refuses_unsigned_and_wrongly_signed_requests(emulator, api):
    assert call(f"{api}/health", key=None)[0] == 403
    assert call(f"{api}/health", key=("AKIAUNKNOWN", "secret"))[0] == 403
    iam = emulator.client("iam")
    iam.create_user(UserName="caller")
    key = iam.create_access_key(UserName="caller")["AccessKey"]
    assert call(f"{api}/health", key=(key["AccessKeyId"], key["SecretAccessKey"]))[0] == 403  # no policy
    allow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/*/GET/health"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="caller", PolicyName="p", PolicyDocument=policy)
    assert call(f"{api}/health", key=(key["AccessKeyId"], key["SecretAccessKey"]))[0] == 418
    assert call(f"{api}/health", key=(key["AccessKeyId"], "wrong"))[0] == 403
    assert call(f"{api}/tenants/a/things/b", key=(key["AccessKeyId"], key["SecretAccessKey"]))[0] == 403


def test_an_http_api_tells_nothing_of_a_functions_failure(api):
    assert call(f"{api}/fail")[::2] == (500, {"message": "Internal Server Error"})


def test_the_health_route_of_an_api_that_is_called_by_its_name_is_its_own(emulator, api):
    name = f"{api.split('/')[5]}.execute-api.localhost"
    request = urllib.request.Request(f"{emulator.endpoint}/health", headers={"Host": name})
    with pytest.raises(urllib.error.HTTPError, match="403"):  # unsigned; ministack's own answer would be 200
        urllib.request.urlopen(request, timeout=30).close()
