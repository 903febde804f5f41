"""What is printed for the person who ran `make up` or `make status`."""

import json
import shlex
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo

from local import resource
from local.postgres.server import SUPERUSER, binaries
from local.up.aws import ACCESS_KEY, SECRET, Account
from local.up.steps import say


def print_welcome(account: Account, ask: str | None = None) -> None:
    """Where the API and the database are, as commands to copy; `ask` asks that of an option."""
    url = account.api_url()
    curl = f"curl -s --aws-sigv4 aws:amz:{account.region}:execute-api --user {ACCESS_KEY}:{SECRET}"
    say("\nAsk the API:\n")
    say(f"  {curl} '{url}{resource.path('acme')}' -d '{json.dumps(resource.body('first'))}'")
    say(f"  {curl} '{url}{resource.path('acme')}'")
    if ask:
        say("\nAsk the database:\n")
        say(f"  {ask}")
    else:
        _print_database(account, account.function_variables())
    say("\n`make status` shows what runs, `make down` ends it.")


def _print_database(account: Account, database: dict[str, str]) -> None:
    proxy = make_conninfo(
        host=database["DB_HOST"],
        port=database["DB_PORT"],
        user=database["DB_USER"],
        dbname=database["DB_NAME"],
        sslmode="verify-full",
        sslrootcert=_short(account.state / "certificates" / "ca.pem"),
    )
    say("\nAsk the database, through the stand-in for RDS Proxy, and as its superuser:\n")
    say(f'  PGPASSWORD="$(make -s token)" psql {shlex.quote(proxy)} -c "TABLE {resource.TABLE}"')
    say(f"  {superuser_psql(account.database_socket(), database['DB_NAME'])}")
    if page := account.proxy_page():
        say(f"\nWatch the stand-in, with its clients, server connections and pinned sessions:\n\n  {page}")


def superuser_psql(socket: Path, database: str) -> str:
    """A command that shows the table, over the folder of a server's socket."""
    # Not shortened: libpq takes a host for a folder only where it begins with a slash.
    where = make_conninfo(host=str(socket), user=SUPERUSER, dbname=database)
    return f'{shlex.quote(_short(binaries() / "psql"))} {shlex.quote(where)} -c "TABLE {resource.TABLE}"'


def print_status(account: Account, emulator: psutil.Process, counterpart: psutil.Process | None = None) -> None:
    """The processes and the deployed stacks, one a line."""
    roots = [emulator, *([counterpart] if counterpart else [])]
    say(f"{'process':<28} {'pid':>8}  memory")
    for process in [each for root in roots for each in (root, *root.children(recursive=True))]:
        try:
            memory = process.memory_info().rss / 2**20
            say(f"{_name(process):<28} {process.pid:>8}  {memory:4.0f} MiB")
        except psutil.NoSuchProcess:
            continue
    say(f"\n{'stack':<28} status")
    for stack in account.client("cloudformation").describe_stacks()["Stacks"]:
        say(f"{stack['StackName']:<28} {stack['StackStatus']}")
    if account.outputs_file.exists():
        say(f"\nThe API is at {account.api_url()}")


def _short(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _name(process: psutil.Process) -> str:
    """What a process is, from its command line: the module it runs, or its program."""
    words: list[str] = process.cmdline()
    if "-m" in words:
        return words[words.index("-m") + 1]
    return words[0].rsplit("/", 1)[-1][:28] if words else str(process.pid)
