"""The versions of the secret that is being rotated, as Secrets Manager keeps them."""

import json
from typing import Any

from lambda_src.explained import Explained

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"


class NotRotating(Explained):
    """Secrets Manager is not rotating this secret with this token; the message says what it says instead."""

    heading = "rotation"


class Secret:
    """One secret, and the version of it (`token`) that is to become current.

    `client` is boto3's for Secrets Manager.
    """

    def __init__(self, client: Any, arn: str, token: str) -> None:
        self.arn = arn
        self._client, self._token = client, token

    def is_finished(self) -> bool:
        """Whether this rotation has been done; NotRotating where it isn't one."""
        stages = self._stages().get(self._token)
        if stages is None or not {CURRENT, PENDING} & set(stages):
            raise NotRotating(f"{self.arn}: the version {self._token} is {stages or 'unknown'}, {PENDING} is needed")
        return CURRENT in stages

    def current(self) -> dict[str, Any]:
        """What clients log in with."""
        return self._value(VersionStage=CURRENT)

    def pending(self) -> dict[str, Any]:
        """What clients will log in with; NotRotating where createSecret has not made it."""
        try:
            return self._value(VersionId=self._token, VersionStage=PENDING)
        except self._client.exceptions.ResourceNotFoundException:
            raise NotRotating(f"{self.arn}: the version {self._token} has no value: createSecret comes first") from None

    def put_pending(self, value: dict[str, Any]) -> None:
        """Keep a value as the pending version, unless it has one."""
        try:
            self.pending()
        except NotRotating:
            self._client.put_secret_value(
                SecretId=self.arn,
                ClientRequestToken=self._token,
                SecretString=json.dumps(value),
                VersionStages=[PENDING],
            )

    def promote(self) -> None:
        """Make the pending version current; Secrets Manager makes the one before it previous."""
        current = next((version for version, stages in self._stages().items() if CURRENT in stages), None)
        self._client.update_secret_version_stage(
            SecretId=self.arn, VersionStage=CURRENT, MoveToVersionId=self._token, RemoveFromVersionId=current
        )
        self.settle()

    def settle(self) -> None:
        """Take AWSPENDING from the version, if it is there.

        A version that has it and is no longer current counts as a rotation to be finished: once somebody has put
        another password in by hand, the next rotation would bring the one before it back.
        """
        if PENDING in self._stages().get(self._token, []):
            self._client.update_secret_version_stage(
                SecretId=self.arn, VersionStage=PENDING, RemoveFromVersionId=self._token
            )

    def _stages(self) -> dict[str, list[str]]:
        stages: dict[str, list[str]] = self._client.describe_secret(SecretId=self.arn)["VersionIdsToStages"]
        return stages

    def _value(self, **version: str) -> dict[str, Any]:
        answer = self._client.get_secret_value(SecretId=self.arn, **version)
        try:
            value = json.loads(answer.get("SecretString", ""))
        except ValueError:  # its text may quote the secret
            value = None
        return value if isinstance(value, dict) else {}  # in which all is missing
