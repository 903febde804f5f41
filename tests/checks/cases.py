"""The suite: wrong stacks, each with the one rule that must find it, and correct ones, where nothing may be found."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from aws_cdk import App, Environment, Stage

from stacks.checks.assembly import Production, load, production_by_name
from stacks.checks.catalogue import check, severity_of
from stacks.checks.catalogue import stages as grouped
from stacks.checks.rule import Finding
from stacks.checks.template import Template

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 22)  # what is supported depends on the day


@dataclass(frozen=True)
class Case:
    """A stack of the suite. `rule` is None where nothing is wrong with it."""

    name: str
    build: Callable[[Stage], object]
    rule: str | None = None
    severity: str | None = None
    environment: str = "case"  # the first word of the stage's path: prod is production, dev is not, case says nothing
    today: date = TODAY

    @property
    def id(self) -> str:
        """What the stage is called."""
        number = f"{self.rule}-" if self.rule else ""
        return f"{self.environment}-{number}{self.name.replace('_', '-')}"


WRONG: list[Case] = []
RIGHT: list[Case] = []


def wrong(rule: str, severity: str = "error", **about: Any) -> Callable:
    """A wrong stack: `rule` must find it, with this severity, and no other rule anything."""

    def add(build: Callable[[Stage], object]) -> Callable[[Stage], object]:
        WRONG.append(Case(build.__name__, build, rule, severity, **about))
        return build

    return add


def right(build: Callable[[Stage], object] | None = None, **about: Any) -> Callable:
    """A correct stack: no rule may find anything."""

    def add(build: Callable[[Stage], object]) -> Callable[[Stage], object]:
        RIGHT.append(Case(build.__name__, build, **about))
        return build

    return add if build is None else add(build)


def new_app(outdir: Path, **changes) -> App:
    """An app with the flags that the CDK CLI takes from cdk.json."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(
        context={**context, "aws:cdk:bundling-stacks": []} | changes.pop("context", {}),
        outdir=str(outdir),
        analytics_reporting=False,
        **changes,
    )


def build(app: App, case: Case) -> Stage:
    stage = Stage(app, case.id[:100], env=Environment(region="eu-west-1"))
    case.build(stage)
    return stage


def templates(stage: Stage, production: Production = production_by_name) -> list[Template]:
    """What a stage's synthesis wrote. A stage's own synthesis runs no validation, so this is quick."""
    return list(read(Path(stage.synth().directory), production))


def read(assembly: Path, production: Production = production_by_name) -> Iterator[Template]:
    """The templates of an assembly and those in it, as the plugin gets them."""
    for artifact in json.loads((assembly / "manifest.json").read_text())["artifacts"].values():
        if artifact["type"] == "aws:cloudformation:stack":
            account, region = artifact["environment"].removeprefix("aws://").split("/")
            path = str(assembly / artifact["properties"]["templateFile"])
            known = (region if "-" in region[3:] else None, account if account.isdigit() else None)
            yield load(path, artifact["displayName"], production, *known)
        elif artifact["type"] == "cdk:cloud-assembly":
            yield from read(assembly / artifact["properties"]["directoryName"], production)


def findings(stage: Stage, today: date = TODAY) -> list[Finding]:
    return [finding for each in grouped(templates(stage), today=today) for finding in check(each)]


def described(found: list[Finding]) -> str:
    """Findings for the message of a test that failed."""
    return "\n".join(f"{f.rule.id} {severity_of(f)} {f.resource.id}.{f.path}: {f.value}" for f in found)
