"""The proxy: it listens, lets clients in, and ends them."""

import asyncio
import itertools
import logging
import secrets
import ssl
import time
from collections.abc import Callable

from local.rds_proxy.authentication import INVALID_PASSWORD, authenticate
from local.rds_proxy.authorization import Authorization
from local.rds_proxy.connection import Connection
from local.rds_proxy.credentials import Credentials
from local.rds_proxy.iam import AccessKeys, TokenVerifier
from local.rds_proxy.messages import (
    LENGTH,
    Answer,
    Authentication,
    authentication,
    error,
    message,
    parameter_status,
    ready_for_query,
)
from local.rds_proxy.metrics import Metrics
from local.rds_proxy.pinning import Pinning
from local.rds_proxy.pool import BorrowTimeout, Pool
from local.rds_proxy.server_connection import DatabaseRefused
from local.rds_proxy.session import Session
from local.rds_proxy.settings import Settings
from local.rds_proxy.startup import INVALID_AUTHORIZATION, Closed, Refused, Startup, negotiate

LOGIN_SECONDS = 60.0  # PostgreSQL's authentication_timeout
BACKLOG = 4096
log = logging.getLogger("rds_proxy")


class Proxy:
    """A running stand-in for RDS Proxy: `start`, then `close`."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        access_keys: AccessKeys | None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.sessions: set[Session] = set()
        self._credentials, self._access_keys = credentials, access_keys
        self._clock, self._monotonic = clock, monotonic
        self._pinning = Pinning(set_local_pins=settings.set_local_pins)
        self._tls = _tls(settings)
        self._numbers = itertools.count(1)
        self._logins: set[asyncio.Task[None]] = set()
        self._verifier: TokenVerifier | None = None
        self.pool: Pool
        self.port: int

    async def start(self) -> None:
        """Listen; OSError when the address is taken."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: _Client(self._accept), settings.address, settings.port, backlog=BACKLOG
        )
        self.port = self._listener.sockets[0].getsockname()[1]
        self.pool = Pool(settings, self._credentials, self.metrics, self._monotonic)
        self._watching = loop.create_task(self._close_what_is_due())
        if self._access_keys is not None:
            hosts = frozenset(name.lower() for name in (settings.address, *settings.endpoints))
            self._verifier = TokenVerifier(
                self._access_keys,
                region=settings.region,
                hosts=hosts,
                port=self.port,
                clock=self._clock,
                authorization=Authorization(settings.connect_arn) if settings.connect_arn else None,
            )

    async def close(self) -> None:
        """Stop listening, and end every client and every server connection."""
        self._listener.close()
        self._watching.cancel()
        for login in self._logins:
            login.cancel()
        for session in tuple(self.sessions):
            session.close("57P01", "the proxy is shutting down")
        await asyncio.gather(*self._logins, return_exceptions=True)
        await self.pool.close()

    def _accept(self, client: Connection) -> None:
        task = asyncio.get_running_loop().create_task(self._welcome(client))
        self._logins.add(task)
        task.add_done_callback(self._logins.discard)

    async def _welcome(self, client: Connection) -> None:
        number, counts = next(self._numbers), self.metrics.counts
        peer = "{}:{}".format(*(client.transport.get_extra_info("peername") or ("a client that left", 0)))
        counts["ClientConnectionsReceived"] += 1
        log.debug("A new client connected from %s [clientConnection=%d]", peer, number)
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                startup = await negotiate(client, self._tls, require_tls=self.settings.require_tls)
                await authenticate(client, startup, self._credentials, self._verifier)
            parameters = await self.pool.greeting(startup.group)
        except Refused as refusal:
            counts["ClientConnectionsSetupFailedAuth"] += refusal.sqlstate in (INVALID_AUTHORIZATION, INVALID_PASSWORD)
            reason = f" The reason: {refusal.reason}." if refusal.reason else ""
            log.warning("A client from %s [clientConnection=%d] was refused: %s%s", peer, number, refusal, reason)
            client.close(error("FATAL", refusal.sqlstate, refusal.text))
        except BorrowTimeout:
            log.warning("A client from %s [clientConnection=%d] waited for a database connection in vain", peer, number)
            client.close(error("FATAL", "08000", "Timed-out waiting to acquire database connection"))
        except DatabaseRefused as refusal:
            client.close(error("FATAL", refusal.sqlstate, f"Request returned an error: {refusal.text}"))
        except (Closed, ValueError) as reason:
            log.warning("A client from %s [clientConnection=%d] was closed: %s", peer, number, reason)
            client.close()
        except (OSError, EOFError, TimeoutError) as reason:
            counts["ClientConnectionsSetupFailedAuth"] += isinstance(reason, ssl.SSLError)
            log.info("A client from %s [clientConnection=%d] left while it logged in: %s", peer, number, reason)
            client.transport.abort()
        except asyncio.CancelledError:
            client.transport.abort()
            raise
        else:
            self._begin(client, number, peer, startup, parameters)

    def _begin(self, client: Connection, number: int, peer: str, startup: Startup, parameters: dict[str, str]) -> None:
        self.metrics.counts["ClientConnectionsSetupSucceeded"] += 1
        key = message(Answer.BACKEND_KEY_DATA, LENGTH.pack(number) + secrets.token_bytes(4))
        reports = b"".join(parameter_status(name, value) for name, value in parameters.items())
        client.write(authentication(Authentication.OK) + reports + key + ready_for_query())
        session = Session(
            client,
            number=number,
            peer=peer,
            tls=startup.tls,
            group=startup.group,
            parameters=parameters,
            pool=self.pool,
            pinning=self._pinning,
            metrics=self.metrics,
            settings=self.settings,
            clock=self._monotonic,
            on_end=self._ended,
        )
        self.sessions.add(session)
        session.start()

    async def _close_what_is_due(self) -> None:
        settings = self.settings
        while True:
            await asyncio.sleep(min(1.0, settings.idle_client_timeout / 4, settings.client_life / 4))
            self._close_due()

    def _close_due(self) -> None:  # a function, whose end forgets the session that was looked at last
        for session in tuple(self.sessions):
            session.close_when_due()

    def _ended(self, session: Session) -> None:
        if session in self.sessions:
            self.sessions.discard(session)
            self.metrics.counts["ClientConnectionsClosed"] += 1


class _Client(Connection):
    """A client's connection, announced when it is made."""

    def __init__(self, accept: Callable[[Connection], None]) -> None:
        super().__init__()
        self._accept = accept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._accept(self)


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.certificate, settings.key)
    context.num_tickets = 0  # no client resumes: tickets would only cost
    return context
