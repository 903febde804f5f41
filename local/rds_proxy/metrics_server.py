"""The metrics over HTTP: GET /metrics.json."""

import asyncio
import contextlib
import json
from dataclasses import asdict
from typing import Any

from local.rds_proxy.server import Proxy


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


async def serve_metrics(proxy: Proxy, address: str, port: int) -> asyncio.Server:
    """Answer GET /metrics.json at a loopback address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(5):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(proxy, request))
                await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, address, port)


def _response(proxy: Proxy, request: bytes) -> bytes:
    if request.startswith(b"GET /metrics.json "):
        status, body = "200 OK", json.dumps(snapshot(proxy))
    else:
        status, body = "404 Not Found", json.dumps({"error": "there is only GET /metrics.json"})
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + content
