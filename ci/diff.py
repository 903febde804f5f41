"""What a change would do to an environment, as Markdown for a pull request: `python -m ci.diff <environment>`.

Ends with 1 when a resource that holds state would be replaced, deleted or left behind, and no line `Accept: <its name>`
of ACCEPTED (a pull request's text) says that it may. It reads templates only, with the lookup role of `cdk bootstrap`.
"""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ci.assembly import cdk
from ci.losses import STATEFUL, Loss, unaccepted
from ci.refusal import refusal
from stacks.environments import ENVIRONMENTS

# With --fail-on=destructive the CLI says what it found, one a line; the counts are held to each other.
FOUND = re.compile(r"Found (\d+) destructive change\(s\)")
DESTRUCTIVE = re.compile(
    r"^  \S+ \((?P<stack>[\w-]+)\): (?:(?P<type>\S+::\S+) )?(?:.* )?(?P<logical_id>\w+) "
    r"(?P<fate>(?:will|may) be (?:replaced|destroyed|orphaned))\b.*$",
    re.MULTILINE,
)
MOST_CHARACTERS = min(15_000, 50_000 // len(ENVIRONMENTS))  # of each environment's diff: a comment may have 65,536
FENCE = "`````"


def destructive(output: str) -> list[Loss]:
    """What the CLI calls destructive. SystemExit when it says more than can be read from it."""
    found = [Loss(each["stack"], each["logical_id"], each["type"] or "", each["fate"]) for each in _lines(output)]
    expected = sum(int(count) for count in FOUND.findall(output))
    if len(found) != expected:
        raise refusal(f"cdk diff found {expected} destructive changes, and this can read {len(found)} of them")
    return found


def _lines(output: str) -> list[re.Match[str]]:
    _, _, end = output.partition("(--fail-on=destructive):")
    return list(DESTRUCTIVE.finditer(end))


def comment(environment: str, output: str, losses: Sequence[Loss], missing: Sequence[Loss]) -> str:
    """The part of the pull request's comment about one environment."""
    stacks = re.search(r"Number of stacks with differences: (\d+)", output)
    changed = int(stacks[1]) if stacks else 0
    parts = [f"### {environment}: {f'{changed} stacks change' if changed else 'no change'}"]
    if losses:
        parts.append("| what holds state | what becomes of it | what is lost | accepted |\n| --- | --- | --- | --- |")
        parts[-1] += "".join(
            f"\n| `{loss.name}` {loss.type} | **{loss.fate}** | {STATEFUL[loss.type]} | "
            f"{'no' if loss in missing else 'yes'} |"
            for loss in losses
        )
    if missing:
        names = "\n".join(f"Accept: {loss.name}" for loss in missing)
        parts.append(f"If this is meant, put these lines into the pull request's text:\n\n```text\n{names}\n```")
    if changed:
        parts.append(f"<details><summary>cdk diff</summary>\n\n{FENCE}text\n{_cut(output)}\n{FENCE}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def _cut(output: str) -> str:
    text = output.strip().replace(FENCE, "")
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS} characters more are in the job's log"


def main() -> None:
    """Print what the CLI prints, and write the comment."""
    parser = argparse.ArgumentParser(prog="python -m ci.diff", description=__doc__)
    parser.add_argument("environment")
    parser.add_argument("--assembly", type=Path, default=Path("cdk.out"), help="what `cdk synth` wrote")
    parser.add_argument("--comment", type=Path, required=True, help="file for the Markdown")
    options = parser.parse_args()
    words = ["diff", f"{options.environment}/*", "--method", "template", "--fail-on", "destructive"]
    status, output = cdk(*words, assembly=options.assembly)
    found = destructive(output)
    if status != 0 and not found:
        raise refusal(f"cdk diff of {options.environment} ended with {status}")
    losses = sorted(loss for loss in found if loss.type in STATEFUL)
    missing = unaccepted(losses, os.environ.get("ACCEPTED", ""))
    options.comment.parent.mkdir(parents=True, exist_ok=True)
    options.comment.write_text(comment(options.environment, output, losses, missing))
    if missing:
        raise refusal("\n".join(["not accepted:", *map(str, missing)]))


if __name__ == "__main__":
    main()
