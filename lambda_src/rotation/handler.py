"""The four steps of a rotation, called by Secrets Manager one after the other, and again after a failure.

PostgreSQL keeps one password for a role. Were it changed in setSecret, RDS Proxy could not log in until finishSecret,
two invocations later, makes the new password the current one: for seconds, or, when a step fails, until somebody
repairs it. So setSecret and testSecret change nothing that lasts, and finishSecret changes the password and the
current version together, and takes the one back when the other fails.
"""

import logging
import os
import secrets
import string
from collections.abc import Callable
from typing import Any

import psycopg

from lambda_src.database import instance
from lambda_src.database.settings import require
from lambda_src.explained import Explained
from lambda_src.rotation.secret import Secret

logging.getLogger("lambda_src").setLevel(logging.INFO)
logger = logging.getLogger(__name__)

VARIABLES = instance.VARIABLES  # what the template gives this function; a test compares the two
ALPHABET = string.ascii_letters + string.digits  # nothing that RDS refuses, or that a shell or a URL needs quoted
LENGTH = 40  # about 238 bits
SAME = ("engine", "host", "port", "dbname", "username")  # what a rotation leaves as it is


class RotationFailed(Explained):
    """The secret can't be rotated; the message says what is wrong with it, and holds no password."""

    heading = "rotation"


def handler(event: dict[str, str], _context: object) -> None:
    """Do one step; an exception fails the rotation, and the password that was current goes on working."""
    import boto3  # the runtime has it; the zip does not

    require(VARIABLES)
    secret = Secret(boto3.client("secretsmanager"), event["SecretId"], event["ClientRequestToken"])
    if secret.is_finished():
        secret.settle()
        return
    STEPS[event["Step"]](secret)
    logger.info("rotation", extra={"step": event["Step"], "secret": secret.arn})


def create_secret(secret: Secret) -> None:
    """Make the new password, unless an earlier attempt made one."""
    current = _checked(secret.current())
    password = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    secret.put_pending({**current, "password": password})


def set_secret(secret: Secret) -> None:
    """See that what is pending differs in the password only, and that the database lets us in to change it."""
    current, pending = _checked(secret.current()), _checked(secret.pending())
    changed = [name for name in SAME if current.get(name) != pending.get(name)]
    if changed:
        raise RotationFailed(f"{secret.arn}: the pending version has another {', '.join(changed)}; rotate it again")
    _log_in(secret).close()


def test_secret(secret: Secret) -> None:
    """See that the database takes the new password, and take it back at once."""
    pending = _checked(secret.pending())
    with _log_in(secret) as connection, connection.transaction(force_rollback=True):
        instance.set_password(connection, pending["username"], pending["password"])


def finish_secret(secret: Secret) -> None:
    """Change the password, log in with it, and make it the current one; undo all of it when that fails."""
    with _log_in(secret) as connection:
        # A deployment sets the role's password to the current one: it must not do so in between.
        connection.execute("SELECT pg_advisory_lock(%s)", [instance.PASSWORD_LOCK])
        current, pending = _checked(secret.current()), _checked(secret.pending())
        try:
            instance.set_password(connection, pending["username"], pending["password"])
            instance.connect(pending["username"], pending["password"]).close()
            secret.promote()
        except BaseException:
            if not _was_promoted(secret):  # a call that timed out may have been obeyed
                instance.set_password(connection, current["username"], current["password"])
            raise


def _was_promoted(secret: Secret) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return secret.is_finished()
    except (BotoCoreError, ClientError):
        return False  # whoever can't tell us can't have moved it either, most likely


STEPS: dict[str, Callable[[Secret], None]] = {
    "createSecret": create_secret,
    "setSecret": set_secret,
    "testSecret": test_secret,
    "finishSecret": finish_secret,
}


def _log_in(secret: Secret) -> psycopg.Connection:
    """A session of the secret's user, with the current password, or with the pending one where it is in force.

    It is when finishSecret was killed between its two changes; the rotation that follows sets it right.
    """
    current = _checked(secret.current())
    try:
        return instance.connect(current["username"], current["password"])
    except psycopg.OperationalError:
        pending = _checked(secret.pending())
        try:
            return instance.connect(pending["username"], pending["password"])
        except psycopg.OperationalError:
            pass
        raise


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    """The secret's value, where it is of our database; the proxy's host in it would rotate nothing but the proxy."""
    if missing := [name for name in ("host", "username", "password") if not value.get(name)]:
        raise RotationFailed(f"the secret has no {', '.join(missing)}: attach it to the database instance")
    if value["host"] != os.environ["DB_HOST"]:
        raise RotationFailed(
            f"the secret's host is {value['host']}, and the database instance's is {os.environ['DB_HOST']}: "
            "attach the secret to the instance, never to the proxy"
        )
    return value
