"""What is printed for the person who ran `make up` or `make status`."""

import psutil

from local.up.aws import ACCESS_KEY, SECRET, Account
from local.up.steps import say


def print_welcome(account: Account) -> None:
    """Where the API is, and commands to copy."""
    url, outputs = account.api_url(), account.outputs()
    curl = f"curl -s --aws-sigv4 aws:amz:{account.region}:execute-api --user {ACCESS_KEY}:{SECRET}"
    say(f"\nThe API is at {url}\n")
    say(f"  {curl} '{url}/tenants/acme/projects' -d '{{\"name\": \"first\"}}'")
    say(f"  {curl} '{url}/tenants/acme/projects'\n")
    say(f"PostgreSQL is at {outputs['DatabaseHost']}, the stand-in for RDS Proxy at {outputs['ProxyHost']}.")
    say("`make status` shows what runs, `make down` ends it.")


def print_status(account: Account, emulator: psutil.Process) -> None:
    """The processes and the deployed stacks, one a line."""
    say(f"{'process':<28} {'pid':>8}  memory")
    for process in [emulator, *emulator.children(recursive=True)]:
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


def _name(process: psutil.Process) -> str:
    """What a process is, from its command line: the module it runs, or its program."""
    words: list[str] = process.cmdline()
    if "-m" in words:
        return words[words.index("-m") + 1]
    return words[0].rsplit("/", 1)[-1][:28] if words else str(process.pid)
