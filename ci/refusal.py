"""How a command here ends that does not do its work: with a sentence, and the page that explains it."""

from stacks.refusal import see


def refusal(message: str) -> SystemExit:
    """What to raise: status 1, and the message with its link on standard error."""
    return SystemExit(f"{message}\n{see('workflows')}")
