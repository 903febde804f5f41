"""`python -m local.rds_proxy`: the flags."""

import argparse
import asyncio
import json
import logging
import signal
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import uvloop

from local.rds_proxy.credentials import Credentials, FileCredentials, IamCredentials, SecretCredentials
from local.rds_proxy.iam import AccessKeys
from local.rds_proxy.metrics_server import MetricsServer
from local.rds_proxy.server import Proxy
from local.rds_proxy.server_connection import Upstream
from local.rds_proxy.settings import Settings, check_loopback

DESCRIPTION = """\
A stand-in for Amazon RDS Proxy in front of any PostgreSQL, for development on one machine. It requires TLS and IAM
authentication tokens, lends server connections per transaction, pins sessions on the documented events and says why,
and refuses what RDS Proxy refuses, with the same words. It listens on loopback only.
"""
EXAMPLE = """\
example, with a PostgreSQL on this machine and the role `app`:

  echo '{"app": "its password"}' > credentials.json
  echo '{"AKIDEXAMPLE": {"secret_access_key": "secret", "session_token": null}}' > access-keys.json
  python -m local.rds_proxy --listen 127.0.0.1:6432 --upstream 127.0.0.1:5432 --certificates certificates \\
      --region eu-west-1 --credentials credentials.json --access-keys access-keys.json

Clients then sign a token for 127.0.0.1:6432 with that access key and use it as the password of `app`; the root
certificate is certificates/ca.pem. When it accepts clients it prints one JSON object with "ready", "address", "port"
and "metrics".
"""


def main(arguments: Sequence[str] | None = None, clock: Callable[[], float] = time.time) -> None:
    """Run until SIGTERM or SIGINT; exit code 2 for flags that make no sense, 1 when the address can't be had.

    `clock` gives the seconds since 1970 by which tokens are judged.
    """
    parser = _parser()
    flags = parser.parse_args(arguments)
    try:
        settings, credentials, access_keys, metrics = _configured(flags)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    level = logging.DEBUG if flags.debug_logging else logging.INFO
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s [%(levelname)s] %(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    try:
        uvloop.run(_run(Proxy(settings, credentials, access_keys, clock), metrics))
    except (OSError, ssl.SSLError) as error:
        sys.exit(f"the proxy can't listen on {flags.listen}: {error}")


async def _run(proxy: Proxy, metrics: tuple[str, int] | None) -> None:
    await proxy.start()
    page = MetricsServer(proxy)
    page_address = await page.start(*metrics) if metrics else None
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    ready = {"ready": True, "address": proxy.settings.address, "port": proxy.port, "metrics": page_address}
    print(json.dumps(ready), flush=True)
    await ended.wait()
    if page_address:
        page.close()
    await proxy.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.rds_proxy",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--listen", metavar="ADDRESS:PORT", required=True, help="loopback address and port (0: any) for clients")
    add("--endpoint", metavar="NAME", action="append", default=[], help="a further host name tokens may be made for")
    add("--upstream", metavar="HOST:PORT|PATH", required=True, help="the database: host and port, or Unix socket")
    add("--upstream-root-certificate", metavar="FILE", type=Path, help="verify the database's certificate with this")
    add("--certificates", metavar="DIR", type=Path, help="make the server certificate here, with a local authority")
    add("--tls-certificate", metavar="FILE", type=Path, help="the server certificate, instead of --certificates")
    add("--tls-key", metavar="FILE", type=Path, help="its key")
    add("--region", default="us-east-1", help="the region tokens must be made for (default: %(default)s)")
    add("--credentials", metavar="FILE", type=Path, help='JSON {"user": "password"}; null: the database trusts it')
    add("--secret-arn", metavar="ARN", action="append", default=[], help="a secret with username and password")
    add("--database-iam", action="store_true", help="log in to the database with IAM tokens of this process's own keys")
    add("--connect-arn", metavar="ARN", help="ask the local AWS whether a role may rds-db:connect to ARN/user")
    add("--access-keys", metavar="FILE", type=Path, help="JSON of access keys: see the example")
    add("--iam-auth", choices=("required", "disabled"), default="required", help="(default: %(default)s)")
    add("--require-tls", action=argparse.BooleanOptionalAction, default=True, help="refuse clients without TLS")
    add("--max-connections-percent", metavar="N", type=int, default=100, help="of max_connections (default: 100)")
    add("--max-idle-connections-percent", metavar="N", type=int, help="(default: half of the above)")
    add("--connection-borrow-timeout", metavar="SECONDS", type=float, default=120.0, help="(default: 120)")
    add("--idle-client-timeout", metavar="SECONDS", type=float, default=1800.0, help="(default: 1800)")
    add("--max-connections", metavar="N", type=int, help="the database's max_connections (default: it is asked)")
    add(
        "--set-local-pins",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether SET LOCAL, SET TRANSACTION and set_config(..., true) pin: AWS does not say it for PostgreSQL",
    )
    add("--metrics", metavar="ADDRESS:PORT", help="serve a live page, JSON and Prometheus metrics there")
    add("--debug-logging", action="store_true", help="log every client connection")
    return parser


def _configured(
    flags: argparse.Namespace,
) -> tuple[Settings, Credentials, AccessKeys | None, tuple[str, int] | None]:
    address, port = _address("--listen", flags.listen)
    check_loopback(address)  # before a certificate is made
    metrics = _address("--metrics", flags.metrics) if flags.metrics else None
    if metrics:
        check_loopback(metrics[0])
    certificate, key = _certificate(flags, address)
    settings = Settings(
        address=address,
        port=port,
        upstream=_upstream(flags),
        certificate=certificate,
        key=key,
        region=flags.region,
        endpoints=tuple(flags.endpoint),
        connect_arn=flags.connect_arn,
        max_connections_percent=flags.max_connections_percent,
        max_idle_connections_percent=flags.max_idle_connections_percent,
        connection_borrow_timeout=flags.connection_borrow_timeout,
        idle_client_timeout=flags.idle_client_timeout,
        max_connections=flags.max_connections,
        iam_auth=flags.iam_auth == "required",
        require_tls=flags.require_tls,
        set_local_pins=flags.set_local_pins,
    )
    return settings, _credentials(flags), _access_keys(flags), metrics


def _address(flag: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{flag} {text}: give an address and a port, such as 127.0.0.1:6432")
    return host.strip("[]"), int(port)


def _upstream(flags: argparse.Namespace) -> Upstream:
    path = Path(flags.upstream)
    if path.is_absolute() or path.exists():
        return Upstream(socket=path / ".s.PGSQL.5432" if path.is_dir() else path)
    upstream = Upstream(*(None, *_address("--upstream", flags.upstream)))
    return replace(upstream, root_certificate=flags.upstream_root_certificate)


def _certificate(flags: argparse.Namespace, address: str) -> tuple[Path, Path]:
    if flags.certificates:
        # Imported here: whoever brings a certificate needs no package that makes one.
        from local.certificates import server_certificate

        return server_certificate(flags.certificates, address)
    if not flags.tls_certificate or not flags.tls_key:
        raise ValueError("give --certificates, or --tls-certificate and --tls-key: RDS Proxy always speaks TLS")
    return _readable(flags.tls_certificate), _readable(flags.tls_key)


def _credentials(flags: argparse.Namespace) -> Credentials:
    if sum(map(bool, (flags.credentials, flags.secret_arn, flags.database_iam))) != 1:
        raise ValueError("give --credentials or --secret-arn or --database-iam: the proxy logs in to the database too")
    if flags.database_iam:
        return IamCredentials(*_address("--upstream", flags.upstream), flags.region)
    if flags.credentials:
        return FileCredentials(_readable(flags.credentials))
    return SecretCredentials(flags.secret_arn, flags.region)


def _access_keys(flags: argparse.Namespace) -> AccessKeys | None:
    if flags.iam_auth == "disabled":
        return None
    if not flags.access_keys:
        raise ValueError("give --access-keys, or --iam-auth disabled: tokens are verified with the keys' secrets")
    return AccessKeys(_readable(flags.access_keys))


def _readable(path: Path) -> Path:
    path.open().close()
    return path


if __name__ == "__main__":
    main()
