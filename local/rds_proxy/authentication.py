"""Who a client is: an IAM token, or the password of its role where IAM authentication is off.

Texts: Amazon RDS User Guide, "Troubleshooting for RDS Proxy"; SQLSTATEs: public reports of these texts.
"""

import logging

from local.rds_proxy.connection import Connection
from local.rds_proxy.credentials import Credentials, CredentialsUnavailable
from local.rds_proxy.iam import TokenRefused, TokenVerifier
from local.rds_proxy.messages import LENGTH, Authentication, Request, authentication
from local.rds_proxy.scram import MECHANISM, PasswordRefused, ScramServer
from local.rds_proxy.startup import INVALID_AUTHORIZATION, PROTOCOL_VIOLATION, Refused, Startup

INVALID_PASSWORD = "28P01"  # noqa: S105 - a SQLSTATE
log = logging.getLogger("rds_proxy")


async def authenticate(
    client: Connection, startup: Startup, credentials: Credentials, verifier: TokenVerifier | None
) -> None:
    """Return when the client is who it says; raises Refused. Without a verifier, IAM authentication is off."""
    user = startup.group.user
    try:
        if not await credentials.knows(user):
            raise Refused(
                INVALID_AUTHORIZATION,
                f"This RDS proxy has no credentials for the role {user}."
                " Check the credentials for this role and try again.",
            )
        if verifier is None:
            await _check_password(client, user, await credentials.password(user))
        else:
            await _check_token(client, startup, verifier)
    except CredentialsUnavailable as error:
        raise Refused(INVALID_AUTHORIZATION, "Unknown error.", f"credentials can't be read: {error}") from error


async def _check_token(client: Connection, startup: Startup, verifier: TokenVerifier) -> None:
    user = startup.group.user
    if not startup.tls:
        raise Refused(INVALID_AUTHORIZATION, "IAM authentication is allowed only with SSL connections.")
    client.write(authentication(Authentication.CLEARTEXT_PASSWORD))
    try:
        await verifier.admit((await _password_message(client))[:-1].decode(), user)
    except (TokenRefused, OSError, ValueError, KeyError) as error:  # of the token, or of the file of access keys
        text = f"The IAM authentication failed for the role {user}. Check the IAM token for this role and try again."
        raise Refused(INVALID_PASSWORD, text, str(error)) from error


async def _check_password(client: Connection, user: str, password: str | None) -> None:
    refusal = Refused(INVALID_PASSWORD, f"The password that was provided for the role {user} is wrong.")
    if password is None:
        raise refusal
    server = ScramServer(password)
    client.write(authentication(Authentication.SASL, MECHANISM.encode() + b"\0\0"))
    try:
        first = await _password_message(client)  # the mechanism's name, a length, and SCRAM's own message
        challenge = server.challenge(first[first.index(0) + 1 + LENGTH.size :].decode())
        client.write(authentication(Authentication.SASL_CONTINUE, challenge.encode()))
        proof = server.verify((await _password_message(client)).decode())
        client.write(authentication(Authentication.SASL_FINAL, proof.encode()))
    except (PasswordRefused, ValueError) as error:
        refusal.reason = str(error)
        raise refusal from error


async def _password_message(client: Connection) -> bytes:
    kind, body = await client.read_message()
    if kind != Request.PASSWORD:
        raise Refused(PROTOCOL_VIOLATION, f"expected a password response, got message type {kind}")
    return body
