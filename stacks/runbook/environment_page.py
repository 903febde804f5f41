"""docs/environments/<name>.md: everything that is said of one environment."""

from collections.abc import Iterator

from stacks.budget import prices
from stacks.budget.report import Estimate, Report
from stacks.runbook.markdown import NOTE, code, table


def page(report: Report) -> str:
    """The page of one environment."""
    name = report.environment.name
    parts = [
        NOTE,
        f"# {name}",
        report.summary,
        f"![{', '.join(each.removeprefix(f'{name}: ') for each in report.charts())}]({name}.svg)",
        *_numbers(report),
        *_findings(report),
        *_growth(report),
        *_alarms(report),
        *_costs(report),
    ]
    return "\n\n".join(parts) + "\n"


def _numbers(report: Report) -> Iterator[str]:
    for title, rows in report.tables().items():
        yield f"## {title}"
        yield table(["number", "value", "meaning"], [[code(row.name), row.value, row.meaning] for row in rows])


def _findings(report: Report) -> Iterator[str]:
    yield "## Findings"
    found = report.findings()
    if not found:
        yield "None."
        return
    yield "`cdk synth` prints every warning. A note would be an error in production."
    yield table(["id", "severity", "what"], [[each.id, each.severity, str(each).partition(" ")[2]] for each in found])


def _growth(report: Report) -> Iterator[str]:
    growth = report.growth()
    yield "## Growing"
    yield growth.text
    yield table(growth.heading, growth.rows)


def _alarms(report: Report) -> Iterator[str]:
    yield "## Alarms"
    told = report.environment.alarm_address
    yield f"They are sent to {told}." if told else "Nobody is notified: the environment has no `alarm_address`."
    yield table(
        ["alarm", "metric", "condition", "why", "page"],
        [
            [
                each.id,
                f"{each.about}: {each.metric}",
                each.condition,
                each.why,
                f"[{each.page}](../{report.runbook}#{each.page})",
            ]
            for each in report.alarms()
        ],
    )


def _costs(report: Report) -> Iterator[str]:
    yield "## Cost"
    if report.environment.name == "local":
        yield "None: it runs on your machine."
        return
    yield (
        f"An estimate with list prices of {prices.REGION} from {prices.DATE}, none of them read from AWS's own list; "
        f"the environment is in {report.environment.region}. It shows which part costs how much, and is not a "
        f"quotation. {report.left_out} are left out."
    )
    for estimate in report.estimates():
        yield table([estimate.of, "dollars", "price read from"], _lines(estimate))


def _lines(estimate: Estimate) -> Iterator[list[str]]:
    for line in estimate.lines:
        yield [line.what, dollars(line.dollars), line.read]
    if estimate.summed:
        yield ["**together**", "?" if estimate.total is None else f"**{dollars(estimate.total)}**", ""]


def dollars(amount: float | None) -> str:
    """An amount as it is written; a question mark where a price is not known."""
    return "?" if amount is None else f"{amount:,.2f}"
