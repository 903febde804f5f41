"""What a proxy is told when it starts; an impossible value is refused with a sentence."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from local.rds_proxy.server_connection import Upstream

DAY = 24 * 60 * 60.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a proxy and of its target group, under RDS's names and in RDS's ranges; times in seconds.

    Raises ValueError outside the ranges. Source: Amazon RDS API Reference, ConnectionPoolConfiguration, CreateDBProxy.
    """

    address: str
    port: int
    upstream: Upstream
    certificate: Path
    key: Path
    region: str = "us-east-1"
    endpoints: tuple[str, ...] = ()  # further names that tokens may be made for
    connect_arn: str | None = None  # whose users rds-db:connect must be allowed for; None asks nobody
    max_connections_percent: int = 100
    max_idle_connections_percent: int | None = None  # half of max_connections_percent
    connection_borrow_timeout: float = 120.0
    idle_client_timeout: float = 1800.0
    max_connections: int | None = None  # the database is asked
    iam_auth: bool = True
    require_tls: bool = True
    set_local_pins: bool = True
    client_life: float = DAY
    database_connection_life: float = DAY
    database_connection_idle_time: float = 300.0  # "idle" to max_idle_connections_percent

    def __post_init__(self) -> None:
        check_loopback(self.address)
        _check("max_connections_percent", self.max_connections_percent, 1, 100)
        _check("max_idle_connections_percent", self.idle_percent, 0, self.max_connections_percent)
        _check("connection_borrow_timeout", self.connection_borrow_timeout, 0, 300)
        _check("idle_client_timeout", self.idle_client_timeout, 0.1, 8 * 60 * 60)  # on AWS at least 60
        if self.max_connections is not None:
            _check("max_connections", self.max_connections, 1, 262_143)

    @property
    def idle_percent(self) -> int:
        """`max_idle_connections_percent`, or RDS's default: half of what may be open, rounded down."""
        half = self.max_connections_percent // 2
        return half if self.max_idle_connections_percent is None else self.max_idle_connections_percent


def check_loopback(address: str) -> None:
    """Return when `address` is one that only this machine can reach; ValueError otherwise."""
    try:
        is_loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_loopback = address == "localhost"
    if not is_loopback:
        raise ValueError(
            f"this is a development tool and listens on loopback only: {address} is not a loopback address,"
            " such as 127.0.0.1"
        )


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value:g}, and must be from {least:g} to {most:g}")
