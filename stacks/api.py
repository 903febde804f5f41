"""The HTTP API: every route has the IAM authoriser, every request is throttled and logged."""

import json
from typing import Any

import jsii
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from stacks.config import Environment
from stacks.logs import log_group

GET, POST = apigatewayv2.HttpMethod.GET, apigatewayv2.HttpMethod.POST
PATCH, DELETE = apigatewayv2.HttpMethod.PATCH, apigatewayv2.HttpMethod.DELETE
ROUTES = {
    "/tenants/{tenant}/projects": [POST, GET],
    "/tenants/{tenant}/projects/{id}": [GET, PATCH, DELETE],
    "/health": [GET],
}
ACCESS_LOG = {
    "time": "$context.requestTime",
    "request": "$context.requestId",
    "caller": "$context.identity.userArn",
    "address": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "path": "$context.path",
    "status": "$context.status",
    "length": "$context.responseLength",
    "milliseconds": "$context.responseLatency",
    "integration_milliseconds": "$context.integrationLatency",
    "error": "$context.error.message",
    "integration_error": "$context.integrationErrorMessage",
}


@jsii.implements(apigatewayv2.IAccessLogSettings)
class _AccessLog:
    def __init__(self, logs: logs.ILogGroup) -> None:
        self._logs = logs

    @property
    def destination(self) -> apigatewayv2.IAccessLogDestination:
        return apigatewayv2.LogGroupLogDestination(self._logs)

    @property
    def format(self) -> apigateway.AccessLogFormat:
        return apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG))


class Api(Construct):
    """Routes to one function. Anything that is not a route goes there too, for a 404 in the service's own form."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: lambda_.IFunction,
        rate: int,
        burst: int,
        environment: Environment[Any],
    ) -> None:
        super().__init__(scope, id)
        integration = HttpLambdaIntegration("Function", function)
        self.api = apigatewayv2.HttpApi(
            self,
            "HttpApi",
            api_name=environment.prefix,
            default_authorizer=HttpIamAuthorizer(),
            default_integration=integration,  # the route $default
            create_default_stage=False,
        )
        for path, methods in ROUTES.items():
            self.api.add_routes(path=path, methods=methods, integration=integration)
        stage = apigatewayv2.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigatewayv2.ThrottleSettings(rate_limit=rate, burst_limit=burst),
            access_log_settings=_AccessLog(log_group(self, "AccessLogs", environment=environment)),
        )
        self.url = stage.url

    def allow_tenant(self, caller: iam.IGrantable, tenant: str) -> iam.Grant:
        """Let a caller do everything in one tenant's name, and nothing in another's.

        The ARN ends in the path of the request: arn:…:execute-api:…/$default/*/tenants/acme/*.
        """
        if not tenant or set(tenant) & set("/*?${}"):
            raise ValueError(f"tenant is {tenant!r}, allowed is one path segment without / * ? $ {{ }}")
        return iam.Grant.add_to_principal(
            grantee=caller,
            actions=["execute-api:Invoke"],
            resource_arns=[self.api.arn_for_execute_api("*", f"/tenants/{tenant}/*", "$default")],
        )
