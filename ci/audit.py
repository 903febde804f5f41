"""Known vulnerabilities of every pinned package: `python -m ci.audit [--where-reachable]`.

Every lock file of the project is asked about, at the advisories of PyPI (pip-audit) and of npm (npm audit). The exit
status is 1 where a package is vulnerable, and where advisories can't be reached, unless that is allowed.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
LOCKS = (
    "requirements*.txt",
    "*/requirements.txt",
    "*/*/requirements.txt",
    "package-lock.json",
    "*/*/package-lock.json",
)
NOT_OURS = {"node_modules", ".venv", ".venv-emulator", "build", "cdk.out"}
SECONDS = 300


class Audit(NamedTuple):
    """What is known about one lock file's packages."""

    lock: str
    packages: int
    vulnerabilities: list[str]
    not_reached: str | None = None  # the reason


def locks() -> list[Path]:
    """Every lock file that the project has, in order."""
    found = {path.relative_to(ROOT) for pattern in LOCKS for path in ROOT.glob(pattern)}
    return sorted(path for path in found if not NOT_OURS & set(path.parts))


def audit(lock: Path) -> Audit:
    """Ask about the packages of one lock file."""
    return _of_npm(lock) if lock.name == "package-lock.json" else _of_pypi(lock)


def _of_pypi(lock: Path) -> Audit:
    words = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    found = _answer([sys.executable, "-m", "pip_audit", *words, "--requirement", str(lock)])
    if "dependencies" not in found:
        return Audit(str(lock), 0, [], found["error"])
    packages = found["dependencies"]
    skipped = [each["skip_reason"] for each in packages if "skip_reason" in each]
    vulnerable = [
        f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in {', '.join(vulnerability['fix_versions'])}"
        for each in packages
        for vulnerability in each.get("vulns", [])
    ]
    return Audit(str(lock), len(packages), vulnerable, skipped[0] if skipped else None)


def _of_npm(lock: Path) -> Audit:
    found = _answer(["npm", "audit", "--package-lock-only", "--json"], directory=ROOT / lock.parent)
    if "vulnerabilities" not in found:
        return Audit(str(lock), 0, [], str(found.get("message") or found["error"]))
    packages = found["metadata"]["dependencies"]["total"]
    vulnerable = [f"{name}: {each['severity']}, {_why(each)}" for name, each in found["vulnerabilities"].items()]
    return Audit(str(lock), packages, vulnerable)


def _why(vulnerability: dict[str, Any]) -> str:
    """The titles of its advisories, or the names of the packages through which it comes."""
    return ", ".join(each if isinstance(each, str) else each["title"] for each in vulnerability["via"])


def _answer(command: list[str], directory: Path = ROOT) -> dict[str, Any]:
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=SECONDS, check=False)
    try:
        answer: dict[str, Any] = json.loads(result.stdout)
    except ValueError:
        answer = {"error": (result.stderr.strip().splitlines() or ["no answer"])[-1]}
    return answer


def main() -> int:
    """Print a line for each lock file, and what is vulnerable in it."""
    parser = argparse.ArgumentParser(prog="python -m ci.audit", description=__doc__)
    parser.add_argument(
        "--where-reachable", action="store_true", help="succeed where the advisories of a registry can't be reached"
    )
    may_be_out_of_reach = parser.parse_args().where_reachable
    failed = False
    for found in map(audit, locks()):
        failed = failed or bool(found.vulnerabilities) or (bool(found.not_reached) and not may_be_out_of_reach)
        how = f"not audited: {found.not_reached}" if found.not_reached else f"{len(found.vulnerabilities)} vulnerable"
        print(f"{found.lock:44}{found.packages:5} packages  {how}")
        for each in found.vulnerabilities:
            print(f"    {each}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
