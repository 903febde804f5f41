"""Serves ministack, extended with what the templates need, on one loopback port."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from local.aws import internals
from local.aws.emulation import Emulation
from local.aws.functions import Functions
from local.aws.gate import gate
from local.aws.identity import IdentityProviders
from local.aws.network import Network
from local.aws.patience import patient
from local.aws.rds import Databases
from local.aws.rds_proxy import Proxies
from local.aws.secrets_manager import Secrets
from local.aws.sessions import Sessions

START_SECONDS = 60
SHUTDOWN_SECONDS = 3


def run(listener: socket.socket, *, endpoint: str, state: Path, python: Path) -> None:
    """Serve until SIGTERM or SIGINT, then end every process that the emulator started."""
    internals.check()
    emulation = Emulation(state=state, python=python, endpoint=endpoint)
    extend(emulation)
    try:
        asyncio.run(_serve(listener, emulation))
    finally:
        emulation.children.stop_all()


def extend(emulation: Emulation) -> None:
    """Add the resource types that ministack lacks, and mend those that it has."""
    internals.free_health_path()
    internals.refuse_a_second_deployment()
    sessions, databases = Sessions(emulation), Databases(emulation)
    proxies = Proxies(emulation, databases, sessions)
    others = IdentityProviders(emulation), Functions(emulation, sessions), Secrets(emulation)
    for part in (Network(emulation), databases, proxies, *others):
        for resource_type in part.resource_types():
            internals.register(resource_type)


async def _serve(listener: socket.socket, emulation: Emulation) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)

    async def shutdown() -> None:
        await ended.wait()
        _leave_later(emulation)
        # A function that is running would keep its caller's request, and so the server, until it has finished.
        await asyncio.to_thread(internals.end_all_environments)

    threading.Thread(target=_announce, args=(emulation.endpoint,), daemon=True).start()
    await internals.serve(gate(patient(internals.application())), listener, shutdown)


def _leave_later(emulation: Emulation) -> None:
    """End the process even if something keeps it: a deployment may wait an hour for a custom resource."""

    def leave() -> None:
        emulation.children.stop_all()
        os._exit(0)

    timer = threading.Timer(SHUTDOWN_SECONDS, leave)
    timer.daemon = True
    timer.start()


def _announce(endpoint: str) -> None:
    """Print the ready line once requests are answered."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/ready", timeout=5):
                print(json.dumps({"ready": True, "endpoint": endpoint}), flush=True)
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
