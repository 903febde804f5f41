"""The plugin that CDK calls when an app is synthesized: the only module here that imports CDK."""

from collections.abc import Callable
from pathlib import Path

import jsii
from aws_cdk import (
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
)
from constructs import IConstruct

from .assembly import load, production_by_name
from .catalogue import CATALOGUE, check, severity_of, stages
from .rule import Finding

NAME = "Headroom"
VERSION = "1.0.0"


@jsii.implements(IPolicyValidationPlugin)
class ProxyChecks:
    """Checks every template of an app; `Validations.of(app).add_plugins(ProxyChecks(app))`.

    `production` says of a stack, by its path in the construct tree ("prod/Data"), whether it is production (True), is
    not (False), or does not say (None). By default that is decided by the words of the path: see the README.
    """

    def __init__(
        self, scope: IConstruct | None = None, *, production: Callable[[str], bool | None] = production_by_name
    ) -> None:
        self._scope = scope  # taken so that it reads like cdk-nag's packs; all that is read comes with validate
        self._production = production

    @property
    def name(self) -> str:
        """What acknowledgements begin with: Headroom::E01."""
        return NAME

    @property
    def version(self) -> str:
        """The version of the rules."""
        return VERSION

    @property
    def rule_ids(self) -> list[str]:
        """Every rule's id."""
        return [rule.id for rule in CATALOGUE]

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """What is wrong in the templates; an error fails the synthesis."""
        templates = [
            load(each.template_path, each.stack_construct_path, self._production, each.region, each.account_id)
            for each in context.stack_templates
        ]
        violations = [_violation(finding) for stage in stages(templates) for finding in check(stage)]
        return PolicyValidationPluginReport(
            success=not any(each.severity == "error" for each in violations), violations=violations
        )


def _page() -> str:
    """Where the rules are explained: from where the app is synthesized, since the folder may be anywhere in it."""
    page = Path(__file__).with_name("README.md")
    return f"{page.relative_to(Path.cwd()).as_posix() if page.is_relative_to(Path.cwd()) else page.name}#rules"


def _violation(finding: Finding) -> PolicyViolation:
    rule, resource = finding.rule, finding.resource
    if rule is None:
        raise ValueError(f"a finding at {resource.id} has no rule")
    found = f"{resource.id}.{finding.path}: {finding.value}" if finding.path else f"{resource.id}: {finding.value}"
    return PolicyViolation(
        rule_name=rule.id,
        severity=severity_of(finding),
        description=f"{found}; rule: {rule.sentence}; see {_page()}",
        fix=finding.fix or rule.fix,
        rule_metadata={"found": finding.value, "source": rule.source},
        violating_resources=[
            PolicyViolatingResource(
                resource_logical_id=resource.id,
                template_path=resource.template.path,
                locations=[f"Properties.{finding.path}" if finding.path else "Properties"],
            )
        ],
    )
