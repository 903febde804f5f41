"""Whether a variable of a function's environment holds a password that anybody can read there."""

import re
from typing import Any

from .template import PARAMETER_STORE
from .values import Text, Unknown

PASSWORD_NAME = re.compile(r"(PASSWORD|PASSWD|PASSPHRASE|(^|_)(PASS|PWD))$", re.IGNORECASE)
ABOUT_A_LOGIN = re.compile(
    r"PASS|PWD|SECRET|CREDENTIAL|TOKEN|KEY|AUTH|UR[LI]|DSN|CONN|HOST|ENDPOINT|D(ATA)?B(ASE)?|PG|POSTGRES|SQL|RDS|CONFIG",
    re.IGNORECASE,
)
CREDENTIALS_IN_URL = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@:\s]*:[^/@\s]+@", re.IGNORECASE)
# as JDBC, libpq and ADO.NET write it; what is in braces is filled in when it is read
PASSWORD_IN_CONNECTION_STRING = re.compile(r"(^|[?&;\s])(password|pwd)\s*=\s*[^&;\s\0{$<%]", re.IGNORECASE)
# names of secrets, pages, and switches such as REQUIRE_PASSWORD=yes
NO_PASSWORD = re.compile(
    r"arn:|/|https?://|(true|false|on|off|yes|no|0|1|enabled|disabled|required|optional|never|always)$", re.IGNORECASE
)
RESOLVED = re.compile(r"\{\{resolve:secretsmanager:(.*?)\}\}", re.DOTALL)
SECURE_PARAMETER = "{{resolve:ssm-secure:"
DYNAMIC_REFERENCE = "a dynamic reference to a password"


def password_in(name: str, value: Any) -> str | None:
    """What is wrong with a variable; None when it holds no password, or only a deployment knows."""
    text = _text(value)
    resolved = [_field(each) for each in RESOLVED.findall(text)]
    if any(field in ("password", "") for field in resolved) or SECURE_PARAMETER in text:
        return DYNAMIC_REFERENCE
    if CREDENTIALS_IN_URL.match(text):
        return "a URL with a password"
    if PASSWORD_IN_CONNECTION_STRING.search(text):
        return "a connection string with a password"
    if not PASSWORD_NAME.search(name):
        return None
    if isinstance(value, Unknown):
        is_resolved = value.key.startswith(PARAMETER_STORE)
        return "a parameter with NoEcho" if value.is_secret else DYNAMIC_REFERENCE if is_resolved else None
    is_one = isinstance(value, str) and value and not resolved and not NO_PASSWORD.match(value)
    return "a password in plain text" if is_one else None


def may_tell(name: str, value: Any) -> bool:
    """Whether a variable holds a password, or may: by its name, where only a deployment knows the value."""
    parts = value.parts if isinstance(value, Text) else (value,)
    is_unknown = any(isinstance(each, Unknown) for each in parts)
    return password_in(name, value) is not None or (is_unknown and ABOUT_A_LOGIN.search(name) is not None)


def _text(value: Any) -> str:
    """What is known of a text, with a letter for what a parameter with NoEcho hides, and NUL for the rest."""
    if not isinstance(value, Text):
        return value if isinstance(value, str) else ""
    hidden = [isinstance(part, Unknown) and part.is_secret for part in value.parts]
    known = ["x" if secret else part for secret, part in zip(hidden, value.parts, strict=True)]
    return Text(tuple(known)).literal


def _field(reference: str) -> str:
    """The key that a dynamic reference takes from a secret; empty for all of it."""
    _, found, rest = reference.partition(":SecretString:")
    return rest.split(":")[0] if found else ""
