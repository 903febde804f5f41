"""The metrics over HTTP, at a loopback address: a live page, JSON, and Prometheus's text format."""

import asyncio
import base64
import contextlib
import hashlib
import ipaddress
import json
import re
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from local.rds_proxy.prometheus import CONTENT_TYPE, exposition
from local.rds_proxy.server import Proxy

PAGE = Path(__file__).with_name("metrics_page.html")
SAMPLE_SECONDS, SAMPLES = 0.5, 600  # five minutes
REQUEST_SECONDS = 5
PATHS = "GET /, /metrics, /metrics.json and /history.json"


def snapshot(proxy: Proxy) -> dict[str, Any]:
    """The metrics now, under CloudWatch's names, and what CloudWatch has no name for."""
    pool, metrics = proxy.pool, proxy.metrics
    tls = sum(session.tls for session in proxy.sessions)
    return {
        **metrics.counts,
        "ClientConnections": len(proxy.sessions),
        "ClientConnectionsTLS": tls,
        "ClientConnectionsNoTLS": len(proxy.sessions) - tls,
        "DatabaseConnections": pool.size,
        "DatabaseConnectionsCurrentlyBorrowed": pool.borrowed,
        "DatabaseConnectionsCurrentlyInTransaction": pool.in_transaction,
        "DatabaseConnectionsCurrentlySessionPinned": len(metrics.pinned),
        "DatabaseConnectionsWithTLS": pool.with_tls,
        "MaxDatabaseConnectionsAllowed": pool.limit if pool.is_limit_known else None,
        "DatabaseConnectionsBorrowLatency": metrics.borrow_latency.microseconds,
        "QueryDatabaseResponseLatency": metrics.query_database_response_latency.microseconds,
        "QueryResponseLatency": metrics.query_response_latency.microseconds,
        "AvailabilityPercentage": 100 if pool.available else 0,
        "ClientsWaiting": pool.waiting,
        "DatabaseConnectionsPeak": pool.peak,
        "PinnedSessions": [asdict(pinned) for pinned in metrics.pinned.values()],
    }


class Sample(NamedTuple):
    """The gauges at one moment, for the page's plots; `borrow` is the average wait since the sample before, in ms."""

    at: float  # seconds since the epoch
    clients: int
    waiting: int
    servers: int
    borrowed: int
    pinned: int
    limit: int | None
    borrow: float | None


class History:
    """The last five minutes, so that whoever opens the page sees what led here."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._borrows, self._waited = 0, 0.0

    async def record(self) -> None:
        """Sample until cancelled."""
        while True:
            self._samples.append(self._sample())
            await asyncio.sleep(SAMPLE_SECONDS)

    def after(self, moment: float) -> dict[str, Any]:
        """What the page asks for: the metrics now, and the samples since the last one that it has."""
        settings = self._proxy.settings
        return {
            "address": f"{settings.address}:{self._proxy.port}",
            "metrics": snapshot(self._proxy),
            "columns": Sample._fields,
            "samples": [sample for sample in self._samples if sample.at > moment],
            "kept": SAMPLES,
        }

    def _sample(self) -> Sample:
        pool, latency = self._proxy.pool, self._proxy.metrics.borrow_latency
        borrows, waited = latency.count - self._borrows, latency.total - self._waited
        self._borrows, self._waited = latency.count, latency.total
        return Sample(
            at=round(time.time(), 3),
            clients=len(self._proxy.sessions),
            waiting=pool.waiting,
            servers=pool.size,
            borrowed=pool.borrowed,
            pinned=len(self._proxy.metrics.pinned),
            limit=pool.limit if pool.is_limit_known else None,
            borrow=round(1000 * waited / borrows, 4) if borrows else None,
        )


class MetricsServer:
    """Answers GET at a loopback address, from `start` to `close`."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy, self._history = proxy, History(proxy)
        self._page = PAGE.read_bytes()
        self._server: asyncio.Server
        self._recording: asyncio.Task[None]

    async def start(self, address: str, port: int) -> str:
        """Listen, and return the page's address; OSError when it is taken."""
        self._server = await asyncio.start_server(self._answer, address, port)
        self._recording = asyncio.get_running_loop().create_task(self._history.record())
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def close(self) -> None:
        """Stop listening."""
        self._server.close()
        self._recording.cancel()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response(request.decode("latin-1")))
                await writer.drain()
        writer.close()

    def _response(self, request: str) -> bytes:
        if not _is_for_loopback(request):
            return _response("403 Forbidden", "text/plain", b"ask for this by its loopback address\n")
        method, target, _ = f"{request.splitlines()[0]}  ".split(" ", 2)
        url = urlsplit(target)
        match method, url.path:
            case "GET", "/":
                return _response("200 OK", "text/html; charset=utf-8", self._page, _policy(self._page))
            case "GET", "/metrics.json":
                return _json("200 OK", snapshot(self._proxy))
            case "GET", "/history.json":
                return _json("200 OK", self._history.after(_moment(url.query)))
            case "GET", "/metrics":
                return _response(
                    "200 OK", CONTENT_TYPE, exposition(snapshot(self._proxy), self._proxy.metrics).encode()
                )
            case _:
                return _json("404 Not Found", {"error": f"there are only {PATHS}"})


def _is_for_loopback(request: str) -> bool:
    """Whether a browser that sends this has not been sent by a page whose name was made to mean loopback."""
    found = re.search(r"^host:[ \t]*(.*?)(?::\d+)?[ \t]*\r?$", request, re.IGNORECASE | re.MULTILINE)
    if found is None or found[1].lower() == "localhost":
        return True  # no browser leaves it out
    try:
        return ipaddress.ip_address(found[1].strip("[]")).is_loopback
    except ValueError:
        return False


def _moment(query: str) -> float:
    try:
        return float(parse_qs(query).get("after", ["0"])[0])
    except ValueError:
        return 0.0


def _policy(page: bytes) -> str:
    """A Content-Security-Policy that lets the page run its own script and style, load its figures, and nothing else."""
    script, style = (
        base64.b64encode(hashlib.sha256(re.search(rf"<{tag}>(.*?)</{tag}>".encode(), page, re.DOTALL)[1]).digest())  # type: ignore[index]
        for tag in ("script", "style")
    )
    return (
        f"Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; "
        f"script-src 'sha256-{script.decode()}'; style-src 'sha256-{style.decode()}'\r\n"
    )


def _json(status: str, content: object) -> bytes:
    return _response(status, "application/json", json.dumps(content).encode())


def _response(status: str, content_type: str, content: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\n{headers}"
    return (
        f"{head}X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
        + content
    )
