"""Secrets Manager: secrets known by their ARN, rotation that really calls the function, and resource policies."""

import json
import logging
import threading
import uuid
from collections.abc import MutableMapping
from contextvars import copy_context
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from local.aws import internals
from local.aws.emulation import Emulation
from local.aws.internals import ApiError
from local.aws.resources import Properties, Request, Resource, ResourceError, ResourceType

TYPE = "AWS::SecretsManager::Secret"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")

logger = logging.getLogger(__name__)


class Secrets:
    """Secrets, their rotation and their policies."""

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation
        self._builtin = internals.builtin(TYPE)
        internals.replace_rotate_secret(self._rotate_secret)
        internals.hide_empty_secret_versions()

    def resource_types(self) -> list[ResourceType]:
        """The types of this module."""
        return [
            ResourceType(
                name=TYPE,
                create=lambda request: by_arn(self._builtin.create(request)),
                update=lambda request: by_arn(self._builtin.update(by_name(request))),
                delete=lambda request: self._builtin.delete(by_name(request)),
            ),
            ResourceType(
                name="AWS::SecretsManager::RotationSchedule",
                create=self._apply_schedule,
                update=self._apply_schedule,
                delete=self._delete_schedule,
                create_only=("SecretId",),
            ),
            ResourceType(
                name="AWS::SecretsManager::ResourcePolicy",
                create=self._put_policy,
                update=self._put_policy,
                delete=lambda request: self._secrets.delete_resource_policy(SecretId=request.properties["SecretId"]),
                create_only=("SecretId",),
            ),
        ]

    @property
    def _secrets(self) -> Any:
        return self._emulation.client("secretsmanager")

    def _rotate_secret(self, data: Properties) -> dict[str, str]:
        """Answer at once and rotate behind it, as AWS does."""
        secret = find(data["SecretId"])
        configure(secret, data.get("RotationLambdaARN"), data.get("RotationRules"))
        answer = {"ARN": secret["ARN"], "Name": secret["Name"]}
        if data.get("RotateImmediately", True):
            answer["VersionId"] = begin(secret, data.get("ClientRequestToken"))
            context = copy_context()  # the caller's account and Region
            rotation = threading.Thread(
                target=context.run, args=(self._run_logged, secret, answer["VersionId"]), daemon=True
            )
            rotation.start()
        return answer

    def _apply_schedule(self, request: Request) -> Resource:
        """AWS rotates behind the deployment and tells only a log when that fails; here the resource fails."""
        if "HostedRotationLambda" in request.properties:
            raise ResourceError("the local AWS has no hosted rotation function: give the schedule a RotationLambdaARN")
        try:
            secret = find(request.properties["SecretId"])
            configure(secret, request.properties.get("RotationLambdaARN"), request.properties.get("RotationRules"))
        except ApiError as error:
            raise ResourceError(str(error)) from error
        if request.flag("RotateImmediatelyOnUpdate", default=True):
            self._run(secret, begin(secret, None))
        return Resource(secret["ARN"], {"Id": secret["ARN"]})

    def _delete_schedule(self, request: Request) -> None:
        secret = internals.secret(request.properties["SecretId"])
        if secret is not None:
            secret.update(RotationEnabled=False, RotationLambdaARN=None, RotationRules=None)

    def _run_logged(self, secret: Properties, token: str) -> None:
        try:
            self._run(secret, token)
        except ResourceError as error:
            logger.error("%s", error)  # noqa: TRY400 - the sentence says it all; a traceback of ours would not help

    def _run(self, secret: Properties, token: str) -> None:
        for step in STEPS:
            event = {"SecretId": secret["ARN"], "ClientRequestToken": token, "Step": step}
            try:
                answer = self._emulation.client("lambda").invoke(
                    FunctionName=secret["RotationLambdaARN"], Payload=json.dumps(event)
                )
            except ClientError as error:
                raise ResourceError(f"rotation of {secret['Name']} failed at {step}: {error}") from error
            if "FunctionError" in answer:
                failure = json.load(answer["Payload"])
                raise ResourceError(
                    f"rotation of {secret['Name']} failed at {step}: "
                    f"{failure.get('errorType')}: {failure.get('errorMessage')}"
                )

    def _put_policy(self, request: Request) -> Resource:
        policy = request.properties["ResourcePolicy"]
        answer = self._secrets.put_resource_policy(
            SecretId=request.properties["SecretId"],
            ResourcePolicy=policy if isinstance(policy, str) else json.dumps(policy),
        )
        return Resource(answer["ARN"], {"Id": answer["ARN"]})


def by_arn(resource: Resource) -> Resource:
    """`Ref` of a secret is its ARN; ministack answers its name, and policies that name the secret grant nothing."""
    return Resource(resource.attributes["Id"], resource.attributes)


def by_name(request: Request) -> Request:
    """The same request as ministack knows the secret."""
    secret = internals.secret(request.physical_id)
    return request if secret is None else replace(request, physical_id=secret["Name"])


def find(secret_id: str) -> MutableMapping[str, Any]:
    """The record of a secret, or ApiError."""
    secret = internals.secret(secret_id)
    if secret is None:
        raise ApiError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    if secret.get("DeletedDate"):
        raise ApiError(
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        )
    return secret


def configure(secret: MutableMapping[str, Any], function: str | None, rules: Properties | None) -> None:
    """Turn rotation on, with what was given or with what the secret already has."""
    function = function or secret.get("RotationLambdaARN")
    if not function:
        raise ApiError(
            "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret: give one."
        )
    secret.update(RotationEnabled=True, RotationLambdaARN=function, RotationRules=rules or secret.get("RotationRules"))


def begin(secret: Properties, token: str | None) -> str:
    """The version under which to rotate: that of a rotation which did not finish, or a new one without a value."""
    pending = [
        version
        for version, each in secret["Versions"].items()
        if "AWSPENDING" in each["Stages"] and "AWSCURRENT" not in each["Stages"]
    ]
    token = pending[0] if pending else token or str(uuid.uuid4())
    if not pending:
        for each in secret["Versions"].values():
            each["Stages"] = [stage for stage in each["Stages"] if stage != "AWSPENDING"]
        secret["Versions"][token] = {
            "SecretString": None,
            "SecretBinary": None,
            "CreatedDate": secret["LastChangedDate"],
            "Stages": ["AWSPENDING"],
        }
    return token
