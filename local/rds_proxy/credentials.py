"""The passwords with which the proxy logs in to the database: from a file, or from Secrets Manager."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from lambda_src.database import iam_token


class CredentialsUnavailable(Exception):
    """The place where passwords are kept can't be read now."""


class Credentials(Protocol):
    """Where passwords come from."""

    async def knows(self, user: str) -> bool:
        """Whether there is an entry for this user."""

    async def password(self, user: str) -> str | None:
        """The password as it is now, or None for a user that logs in without one."""


class FileCredentials:
    """A JSON object `{"user": "password"}`; null is a user that the database trusts. Read at every use."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def knows(self, user: str) -> bool:
        """Whether the file has an entry for this user."""
        return user in self._content()

    async def password(self, user: str) -> str | None:
        """The file's entry now."""
        content = self._content()
        if user not in content:
            raise CredentialsUnavailable(f"{self._path} has no entry for the user {user!r}")
        return content[user]

    def _content(self) -> dict[str, str | None]:
        try:
            content: dict[str, str | None] = json.loads(self._path.read_text())
        except (OSError, ValueError) as error:
            raise CredentialsUnavailable(f"{self._path}: {error}") from error
        return content


class IamCredentials:
    """Tokens of the proxy's own role for the database at `host`:`port`; a new one at every login."""

    def __init__(self, host: str, port: int, region: str) -> None:
        self._host, self._port, self._region = host, port, region

    async def knows(self, _user: str) -> bool:
        """Always: the database says who may log in by IAM, and IAM says whom the proxy may log in as."""
        return True

    async def password(self, user: str) -> str | None:
        """A token signed with the credentials in the environment."""
        return iam_token.mint(self._host, self._port, user, self._region)


class SecretCredentials:
    """Secrets of Secrets Manager, each a JSON object with `username` and `password`; read at every login.

    Which user a secret is for is remembered, and looked up again when a user is unknown.
    """

    def __init__(self, secret_arns: Sequence[str], region: str) -> None:
        self._arns = tuple(secret_arns)
        self._region = region
        self._arn_of: dict[str, str] = {}
        self._client: Any = None

    async def knows(self, user: str) -> bool:
        """Whether a secret holds this user name."""
        if user not in self._arn_of:
            secrets = [await asyncio.to_thread(self._read, arn) for arn in self._arns]
            self._arn_of = {secret["username"]: arn for secret, arn in zip(secrets, self._arns, strict=True)}
        return user in self._arn_of

    async def password(self, user: str) -> str | None:
        """The secret's password now."""
        if not await self.knows(user):
            raise CredentialsUnavailable(f"no secret has the username {user!r}")
        return (await asyncio.to_thread(self._read, self._arn_of[user]))["password"]

    def _read(self, arn: str) -> dict[str, str]:
        # Imported here: whoever gives a file needs no boto3, and it takes longer to import than all the rest.
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._client is None:
                self._client = boto3.client("secretsmanager", region_name=self._region)
            secret: dict[str, str] = json.loads(self._client.get_secret_value(SecretId=arn)["SecretString"])
        except (BotoCoreError, ClientError, ValueError) as error:
            raise CredentialsUnavailable(f"{arn}: {error}") from error
        if not {"username", "password"} <= secret.keys():
            raise CredentialsUnavailable(f"{arn}: the secret has no username and password")
        return secret
