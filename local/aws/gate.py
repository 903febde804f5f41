"""What every request passes before ministack sees it."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def gate(application: Application) -> Application:
    """The application, out of reach of web pages, and behind what looks like TLS, as every AWS endpoint is."""

    async def serve_request(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await application(scope, receive, send)
        elif (reason := refusal(scope["path"], headers_of(scope))) is not None:
            await _refuse(scope, send, reason)
        else:
            # Policies that deny requests without TLS, such as that of CDK's bootstrap bucket, hold on loopback too.
            scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
            await application(scope, receive, send)

    return serve_request


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers by their names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def refusal(path: str, headers: dict[str, str]) -> str | None:
    """Why a request is refused, or None.

    Whoever calls the emulator may run programs on this machine, and ministack lets every web page call it: a page that
    the developer visits, or one whose name was made to resolve to 127.0.0.1.
    """
    host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    if host not in {"127.0.0.1", "localhost"} and not host.endswith(".localhost"):
        return f"the local AWS is called as 127.0.0.1 or localhost, not as {host!r}"
    to_an_api = path.startswith("/_aws/execute-api/") or ".execute-api." in host
    if not to_an_api and ("origin" in headers or headers.get("sec-fetch-site", "none") != "none"):
        return "the local AWS is not for web pages: only deployed APIs answer them"
    if path == "/_ministack/reset":
        return "the local AWS is reset by ending it and starting it again: its databases would stay otherwise"
    return None


async def _refuse(scope: Scope, send: Send, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "reason": reason})
        return
    body = json.dumps({"message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
