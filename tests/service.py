"""The deployed function as API Gateway calls it: the real handler in the real Lambda runtime client."""

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from lambda_src.routes import ROUTE_KEYS
from local.execution_environment import ExecutionEnvironment
from tests.conftest import ROOT

HANDLER = "lambda_src.handler.handler"


class HasVariables(Protocol):
    """What a store runs on, as far as a function is told of it."""

    variables: dict[str, str]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class Service:
    """The service's API, spoken by one execution environment."""

    examples = 30  # of each generated request

    def __init__(self, environment: ExecutionEnvironment, store: str = "postgres") -> None:
        self.environment = environment
        self.store = store

    def request(self, method: str, target: str, body: object = None, raw: str | bytes | None = None) -> Answer:
        text = raw if raw is not None else json.dumps(body) if body is not None else None
        status, headers, content = self.send(method, target, text)
        return Answer(status, headers, json.loads(content) if content else None)

    def send(self, method: str, target: str, text: str | bytes | None) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of the answer."""
        answer = self.environment.invoke(event(method, target, text))
        if answer["statusCode"] == 500:
            # The log alone says where it happened; pytest shows this beside a test that fails.
            print(*self.environment.log.read_text().splitlines()[-2:], sep="\n")  # noqa: T201
        return answer["statusCode"], answer.get("headers", {}), answer.get("body", "")


def event(method: str, target: str, body: str | bytes | None) -> dict[str, Any]:
    """What an HTTP API sends for a request (payload format 2.0)."""
    url = urlsplit(target)
    route_key, parameters = route(method, url.path)
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": url.path,
        "rawQueryString": url.query,
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": method, "path": url.path}, "routeKey": route_key},
        "isBase64Encoded": isinstance(body, bytes),
    }
    if parameters:
        found["pathParameters"] = parameters
    if url.query:
        found["queryStringParameters"] = dict(parse_qsl(url.query, keep_blank_values=True))
    if body is not None:
        found["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return found


def route(method: str, path: str) -> tuple[str, dict[str, str]]:
    for key in ROUTE_KEYS:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", key)
        if match := re.fullmatch(pattern, f"{method} {path}"):
            return key, {name: unquote(value) for name, value in match.groupdict().items()}
    return "$default", {}


def environment(
    store: HasVariables, directory: Path, *, python: str = sys.executable, **changed: str
) -> ExecutionEnvironment:
    variables, log = {**store.variables, **changed}, directory / "function.log"
    handler, task_root = getattr(store, "handler", HANDLER), getattr(store, "task_root", ROOT)
    client = getattr(store, "runtime_client", None)  # of another runtime than Python's
    return ExecutionEnvironment(handler, task_root, variables, log, python=python, client=client)
