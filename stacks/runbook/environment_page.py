"""docs/environments/<name>.md: the budget of one environment, and what it can grow to."""

from bisect import bisect_right
from collections.abc import Iterator

from stacks import prices
from stacks.alarm_plan import alarm_plans
from stacks.budget.findings import ERROR
from stacks.budget.rules import RULES, judge
from stacks.budget.summary import tables
from stacks.capacity import PIN_SAFE, Budget
from stacks.config import Environment
from stacks.costs import monthly, per_million_requests, total
from stacks.runbook.markdown import NOTE, code, table

GROWTH = (1, 2, 5, 10, 20)  # times today's reserved concurrency
MOST = 10_000  # reserved concurrency that is tried


def page(environment: Environment) -> str:
    """The page of one environment."""
    budget = environment.budget
    parts = [
        NOTE,
        f"# {environment.name}",
        _sentence(environment, budget),
        f"![clients, pool, slots and times of {environment.name}]({environment.name}.svg)",
        *_numbers(budget),
        *_findings(budget),
        *_growth(environment, budget),
        *_alarms(environment, budget),
        *_costs(environment, budget),
    ]
    return "\n\n".join(parts) + "\n"


def _sentence(environment: Environment, b: Budget) -> str:
    return (
        f"{b.concurrency} execution environments on {code('db.' + b.plan.instance)} in {environment.region}: they keep "
        f"{b.busy_99} server connections busy at most, 99 % of the time; the plan needs {b.needed}, and the pool has "
        f"{b.pool}. "
        f"**{b.verdict}**. The words are explained in the [runbook](../runbook.md#numbers)."
    )


def _numbers(b: Budget) -> Iterator[str]:
    for title, rows in tables(b).items():
        yield f"## {title}"
        yield table(["number", "value", "meaning"], [[code(row.name), row.value, row.meaning] for row in rows])


def _findings(b: Budget) -> Iterator[str]:
    yield "## Findings"
    found = judge(b)
    if not found:
        yield "None."
        return
    yield "A warning is said at every synth. A note would be an error in prod."
    yield table(["id", "severity", "what"], [[each.id, each.severity, str(each).partition(" ")[2]] for each in found])


def _growth(environment: Environment, b: Budget) -> Iterator[str]:
    yield "## Growing"
    question = f"make budget ENV={environment.name} SET=reserved_concurrency={2 * b.concurrency}"
    yield (
        f"With everything else as it is, {_most(b, fits=False)} environments fit, and {_most(b, fits=True)} fit even "
        f"when every session is pinned. Raise {code('reserved_concurrency')} in stacks/environments.py and deploy: "
        f"synth refuses what does not fit. Try before: {code(question)}."
    )
    yield table(
        ["reserved_concurrency", "requests a second", "needed", "pool", "verdict", "what must change"],
        [_grown(b, times) for times in GROWTH],
    )


def _grown(b: Budget, times: int) -> list[str]:
    reserved = b.plan.workloads[0].reserved_concurrency * times
    grown = Budget.of(b.plan.changed({"reserved_concurrency": reserved}))
    errors = [each for each in judge(grown) if each.severity == ERROR]
    change = "; ".join(
        " or ".join(str(repair) for repair in each.repairs if repair.name != "reserved_concurrency") or each.sentence
        for each in errors
    )
    return [
        str(reserved),
        f"{grown.requests_per_second:g}",
        str(grown.needed),
        str(grown.pool),
        grown.verdict,
        change or "nothing",
    ]


def _most(b: Budget, *, fits: bool) -> int:
    """The most reserved concurrency that is no error, or with which even pinned sessions fit."""

    def too_many(reserved: int) -> bool:
        grown = Budget.of(b.plan.changed({"reserved_concurrency": reserved}))
        refused = any(rule.severity == ERROR and not rule.holds(grown) for rule in RULES)
        return refused or (fits and grown.verdict != PIN_SAFE)

    return bisect_right(range(1, MOST + 1), False, key=too_many)


def _alarms(environment: Environment, b: Budget) -> Iterator[str]:
    yield "## Alarms"
    told = environment.alarm_address
    yield f"They are sent to {told}." if told else "They are sent to nobody: the environment has no `alarm_address`."
    plans = alarm_plans(b, environment.store.allocated_storage_gib)
    yield table(
        ["alarm", "metric", "condition", "why", "page"],
        [
            [
                each.id,
                f"{each.about}: {each.metric}",
                each.condition,
                each.why,
                f"[{each.page}](../runbook.md#{each.page})",
            ]
            for each in plans
        ],
    )


def _costs(environment: Environment, b: Budget) -> Iterator[str]:
    yield "## Cost"
    if environment.name == "local":
        yield "It runs on your machine."
        return
    costs, more = monthly(environment, b), per_million_requests(environment, b)
    whole = total(costs)
    yield (
        f"An estimate with list prices of {prices.REGION} from {prices.DATE}, none of them read from AWS's own list; "
        f"the environment is in {environment.region}. It shows what weighs how much, and is no bill. Logs, backups "
        "beyond the database's size and traffic between zones are left out."
    )
    yield table(
        ["each month", "dollars", "price read from"],
        [
            *([each.what, "?" if each.dollars is None else f"{each.dollars:,.2f}", each.read] for each in costs),
            ["**together**", "?" if whole is None else f"**{whole:,.2f}**", ""],
        ],
    )
    yield table(
        ["each million requests", "dollars", "price read from"],
        [[each.what, f"{each.dollars or 0:,.2f}", each.read] for each in more],
    )
