"""Which tool finds which case: docs/checks.md, made by running them all over the suite's templates.

    python -m venv /tmp/others && /tmp/others/bin/pip install cfn-lint==1.58.0 checkov==3.3.30
    python -m tests.checks.compare --others /tmp/others/bin --write

cfn-lint and checkov need no place among the project's own packages: they live in an environment of their own, and this
takes its path. It needs a few minutes, and nothing from the network.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from stacks.checks.catalogue import check, stages

from .cases import ROOT, Case, build, new_app, read
from .suite import CASES, RIGHT, WRONG

PAGE = ROOT / "docs" / "checks.md"
TOOLS = ("CDK", "cfn-lint", "cdk-nag", "checkov")
CDK_REPORTS = ("CloudFormation Validate", "Construct Annotations")
OWN = "this pack"
METHOD = """\
Made on {date} by `python -m tests.checks.compare --others … --write`, which runs every tool over the {wrong} wrong and
{right} correct stacks of tests/checks: aws-cdk-lib {CDK} (errors of constructs and the built-in validation), cfn-lint
{cfn_lint}, cdk-nag {cdk_nag} (AwsSolutions and Serverless), checkov {checkov}, and this rule pack (stacks/checks).

A cell has the rules that a tool reports of that stack. What it reports of plain correct stacks too is left out, since
it is not about the mistake; a rule that is about something else beside the mistake stays in, to the tool's credit. An
empty cell is silence about the mistake: a tool may find much that is no concern of this suite, and does so in correct
stacks too.
"""
# Correct stacks that the wrong ones differ from in the mistake.
PLAIN = (
    "case-end-to-end-iam",
    "case-secrets-and-iam-tokens",
    "case-no-proxy",
    "case-a-cluster-of-aurora",
    "case-a-rest-api-with-preflight",
    "case-a-table-and-no-database",
    "prod-production-with-alarms-and-an-api",
)
Found = dict[str, set[tuple[str, str]]]  # by the case's id: rules and logical ids


def synthesize(directory: Path) -> Mapping[str, Found]:
    """What CDK's own validation and cdk-nag say of every case, and this pack; the templates stay in `directory`."""
    app = new_app(directory)
    for case in CASES:
        build(app, case)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    try:
        app.synth()
    except RuntimeError as error:  # this is what is wanted: the report is written before
        if "ValidationFailed" not in str(error):
            raise
    report = json.loads((directory / "validation-report.json").read_text())
    found: dict[str, Found] = defaultdict(lambda: defaultdict(set))
    for plugin in report["pluginReports"]:
        name = plugin["pluginName"]
        tool = "CDK" if name in CDK_REPORTS else "cdk-nag"
        for violation in plugin["violations"]:
            for construct in violation["violatingConstructs"]:
                case = construct["constructPath"].split("/")[0]
                logical_id = construct.get("cloudFormationResource", {}).get("logicalId", construct["constructPath"])
                found[tool][case].add((violation["ruleName"], logical_id))
    for case in CASES:  # not by the plugin, since some cases have a day of their own
        own = [
            each for stage in stages(read(directory / f"assembly-{case.id}"), today=case.today) for each in check(stage)
        ]
        found[OWN][case.id] = {(each.rule.id, each.resource.id) for each in own}
    return found


def collect(directory: Path, to: Path) -> dict[Path, str]:
    """The templates of every case by their case, copied to where there is nothing else."""
    copied = {}
    for case in CASES:
        for template in sorted((directory / f"assembly-{case.id}").glob("*.template.json")):
            target = to / case.id / template.name
            target.parent.mkdir(parents=True, exist_ok=True)
            copied[Path(shutil.copy(template, target))] = case.id
    return copied


def cfn_lint(command: Path, templates: Mapping[Path, str]) -> Found:
    arguments = [str(command), "--format", "json", "--regions", "eu-west-1", "--", *map(str, templates)]
    output = subprocess.run(arguments, capture_output=True, text=True, check=False).stdout
    found: Found = defaultdict(set)
    for match in json.loads(output):
        path = match["Location"]["Path"] or []
        logical_id = path[1] if len(path) > 1 and path[0] == "Resources" else ""
        found[templates[Path(match["Filename"])]].add((match["Rule"]["Id"], str(logical_id)))
    return found


def checkov(command: Path, templates: Mapping[Path, str], directory: Path) -> Found:
    arguments = [str(command), "--directory", str(directory), "--framework", "cloudformation", "--output", "json"]
    environment = {**os.environ, "CHECKOV_RUN_SCA_PACKAGE_SCAN_V2": "false", "BC_SKIP_MAPPING": "TRUE"}
    arguments += ["--compact", "--quiet", "--skip-download"]
    output = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment).stdout
    found: Found = defaultdict(set)
    for failed in json.loads(output)["results"]["failed_checks"]:
        file = directory / failed["file_path"].lstrip("/")
        found[templates[file]].add((failed["check_id"], failed["resource"].rpartition(".")[2]))
    return found


def credited(found: Found, case: Case) -> list[str]:
    """The rules that a tool breaks its silence with: not those that it also reports of the stacks in PLAIN.

    That is: rules that it reports of none of those, and others where it reports them of a resource that those have as
    well, without saying so there.
    """
    of_plain = {each for name in PLAIN for each in found.get(name, set())}
    rules_of_plain, ids_of_plain = {rule for rule, _ in of_plain}, {id for _, id in of_plain}
    new = found.get(case.id, set()) - of_plain
    return sorted({rule for rule, id in new if rule not in rules_of_plain or id in ids_of_plain})


def page(found: Mapping[str, Found], versions: Mapping[str, str]) -> str:
    """The whole of docs/checks.md."""
    credit = {(tool, case.id): credited(found.get(tool, {}), case) for tool in TOOLS for case in WRONG}
    counts = [sum(bool(credit[tool, case.id]) for case in WRONG) for tool in TOOLS]
    own = sum(bool(found[OWN].get(case.id)) for case in WRONG)
    quiet = len(RIGHT) - sum(bool(found[OWN].get(case.id)) for case in RIGHT)
    noisy = [sum(bool(found.get(tool, {}).get(case.id)) for case in RIGHT) for tool in TOOLS]
    titles = [f"{tool} {versions[tool]}" for tool in TOOLS]
    lines = [
        "# Which tool finds which mistake",
        "",
        METHOD.format(
            date=f"{datetime.now(UTC):%d %B %Y}", wrong=len(WRONG), right=len(RIGHT), **_identifiers(versions)
        ),
        _row(["", "this pack", *titles]),
        _row(["---", "---:", *("---:" for _ in TOOLS)]),
        _row([f"wrong stacks found, of {len(WRONG)}", own, *counts]),
        _row([f"correct stacks with no finding, of {len(RIGHT)}", quiet, *(len(RIGHT) - each for each in noisy)]),
        "",
        "## The wrong stacks",
        "",
        _row(["stack", "this pack", *TOOLS]),
        _row(["---"] * (len(TOOLS) + 2)),
        *(_case_row(case, found, credit) for case in sorted(WRONG, key=lambda each: (each.rule or "", each.name))),
        "",
    ]
    return "\n".join(lines)


def _case_row(case: Case, found: Mapping[str, Found], credit: Mapping[tuple[str, str], list[str]]) -> str:
    own = sorted({rule for rule, _ in found[OWN].get(case.id, set())})
    cells = [", ".join(map(_short, credit[tool, case.id])) for tool in TOOLS]
    return _row([case.name.replace("_", " "), ", ".join(own), *cells])


def _identifiers(versions: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): number for name, number in versions.items()}


def _short(rule: str) -> str:
    """A rule's id without the resource that cdk-nag puts into it."""
    return re.sub(r"\[.*", "", rule, flags=re.DOTALL).removeprefix("AwsSolutions-").removeprefix("Serverless-")


def _row(cells: Iterable[object]) -> str:
    return "".join(f"| {cell} " if cell != "" else "| " for cell in cells) + "|"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=Path, required=True, help="the folder with the programs cfn-lint and checkov")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}; else print it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory, copies = Path(temporary, "cdk.out"), Path(temporary, "templates")
        found = dict(synthesize(directory))
        templates = collect(directory, copies)
        found["cfn-lint"] = cfn_lint(arguments.others / "cfn-lint", templates)
        found["checkov"] = checkov(arguments.others / "checkov", templates, copies)
    versions = {
        "CDK": version("aws-cdk-lib"),
        "cdk-nag": version("cdk-nag"),
        "cfn-lint": _version(arguments.others / "cfn-lint"),
        "checkov": _version(arguments.others / "checkov"),
    }
    text = page(found, versions)
    if arguments.write:
        PAGE.write_text(text)
        sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
    else:
        sys.stdout.write(text)


def _version(command: Path) -> str:
    return subprocess.run([str(command), "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]


if __name__ == "__main__":
    main()
