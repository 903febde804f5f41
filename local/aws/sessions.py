"""The credentials of functions and proxies: a session of their role, as on AWS."""

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any

from local.aws import internals
from local.aws.emulation import Emulation, write_privately

DEPLOYER = {"test": {"secret_access_key": "test", "session_token": None}}


class Sessions:
    """Sessions of roles, known to the emulator and written where the stand-in for RDS Proxy looks them up."""

    def __init__(self, emulation: Emulation) -> None:
        self._file = emulation.access_keys
        self._known: dict[str, dict[str, str | None]] = dict(DEPLOYER)
        self._lock = threading.Lock()
        self._write()

    def of_function(self, config: Mapping[str, Any]) -> dict[str, str]:
        """The environment variables with which a function signs, from its configuration."""
        return self.of(config["Role"], config["FunctionName"])

    def of(self, role: str, session: str) -> dict[str, str]:
        """The environment variables with which this session of a role signs; the same ones for the same session.

        They are derived instead of drawn, so that a restarted process is known to whoever knew the one before.
        """
        access_key = f"ASIA{_digest('key', role, session)[:16].upper()}"
        secret, token = _digest("secret", role, session), _digest("token", role, session)
        account, name = role.split(":")[4], role.rsplit("/", 1)[-1]
        internals.register_session(
            access_key,
            secret,
            token,
            arn=f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
            user_id=f"{name}:{session}",
        )
        with self._lock:
            if access_key not in self._known:
                self._known[access_key] = {"secret_access_key": secret, "session_token": token, "role": role}
                self._write()
        return {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

    def _write(self) -> None:
        write_privately(self._file, json.dumps(self._known, indent=1))


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
