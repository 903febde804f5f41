"""What is wrong with a budget: every inequality that fails, with its numbers and the changes that repair it.

The rules are in the modules beside this one. A repair is found by trying: it is named only if the rule holds with it,
and no rule that held before fails as an error. Where no one change does it, two or three are named together.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice
from typing import Any

from stacks.budget.instance_classes import larger
from stacks.budget.plan import INPUTS_OF_A_FUNCTION
from stacks.capacity import Budget
from stacks.refusal import see

ERROR = "error"  # refused
WARNING = "warning"  # said, and accepted
IN_PRODUCTION = "in production"  # an error in prod; elsewhere a note in the documents
NOTE = "note"
SEVERITIES = (ERROR, WARNING, NOTE)
ROUNDS = 20  # more than there are rules that one repair can break
MOST_CHANGES = 3  # that are named together as one repair


@dataclass(frozen=True)
class Repair:
    """An input, the value that repairs a finding, and the value that it has now; `also` is what must change with it."""

    name: str
    value: Any
    now: Any
    also: "Repair | None" = None

    @property
    def changes(self) -> dict[str, Any]:
        """The values that repair it, by their inputs."""
        return {self.name: self.value} | (self.also.changes if self.also else {})

    def __str__(self) -> str:
        return self._alone() + (f" and {self.also}" if self.also else "")

    def _alone(self) -> str:
        if isinstance(self.value, str | bool) or self.now is None:
            return f"set {self.name} to {self.value}"
        return f"{'raise' if self.value > self.now else 'lower'} {self.name} to {self.value}"


@dataclass(frozen=True)
class Finding:
    """A rule that fails: its id, how bad that is, one sentence with the numbers, and what would repair it."""

    id: str
    severity: str
    sentence: str
    repairs: tuple[Repair, ...] = ()

    def __str__(self) -> str:
        *most, last = [str(repair) for repair in self.repairs] or [""]
        repairs = f"{', '.join(most)}{', or ' if most else ''}{last}"
        return f"{self.id} {self.sentence}{': ' if repairs else ''}{repairs}"


@dataclass(frozen=True)
class Input:
    """An input that may repair a finding: its name, its value now, and better ones, the nearest first."""

    name: str
    now: Callable[[Budget], Any]
    better: Callable[[Budget], Sequence[Any]]


@dataclass(frozen=True)
class Rule:
    """One inequality. `sentence` says how it fails, or None where it holds; `inputs` are what may repair it."""

    id: str
    severity: str
    sentence: Callable[[Budget], str | None]
    inputs: tuple[Input, ...] = ()

    def holds(self, budget: Budget) -> bool:
        """Whether there is nothing to say."""
        return self.sentence(budget) is None


def up(name: str, most: int) -> Input:
    """A whole number that may be raised to `most`."""
    return Input(name, now(name), lambda budget: range(now(name)(budget) + 1, most + 1))


def down(name: str, least: int) -> Input:
    """A whole number that may be lowered to `least`."""
    return Input(name, now(name), lambda budget: range(now(name)(budget) - 1, least - 1, -1))


def becomes(name: str, value: object) -> Input:
    """One value that would be right."""
    return Input(name, now(name), lambda _: [value])


def now_instance(budget: Budget) -> str:
    """The instance class in force."""
    return budget.plan.instance


LARGER_INSTANCE = Input(
    "instance",
    now_instance,
    lambda budget: [each.name for each in larger(budget.instance_class)] if budget.plan.max_connections is None else [],
)
MORE_MEMORY = Input(  # also where max_connections is given
    "instance", now_instance, lambda budget: [each.name for each in larger(budget.instance_class)]
)

# Inputs whose value in force is the budget's, since the plan may have left it out.
IN_FORCE = {"statement_timeout_seconds": "statement_timeout"}


def now(name: str) -> Callable[[Budget], Any]:
    """Where the value in force of an input is: in the budget, the plan, or the function that reserves most."""

    def read(budget: Budget) -> Any:
        if name in INPUTS_OF_A_FUNCTION:
            return getattr(budget.plan.workloads[_largest(budget)], name)
        value = getattr(budget, IN_FORCE.get(name, name), None)
        return getattr(budget.plan, name) if value is None else value

    return read


def findings(budget: Budget, rules: Sequence[Rule]) -> tuple[Finding, ...]:
    """Every rule that fails, errors first."""
    failing = [(rule, sentence) for rule in rules if (sentence := rule.sentence(budget)) is not None]
    found = [
        Finding(rule.id, severity(rule, budget), sentence, _repairs(rule, budget, rules)) for rule, sentence in failing
    ]
    return in_order(found)


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings, the errors first."""
    return tuple(sorted(found, key=lambda each: SEVERITIES.index(each.severity)))


def fitting_repairs(budget: Budget, rules: Sequence[Rule]) -> dict[str, Any]:
    """Changes that leave no error which a change repairs: what two errors name may exclude each other."""
    return min((_followed(budget, rules, begin) for begin in (0, -1)), key=len)


def _followed(budget: Budget, rules: Sequence[Rule], begin: int) -> dict[str, Any]:
    """The first repair of the first error, or of the last, and then of what is left."""
    changes: dict[str, Any] = {}
    for _ in range(ROUNDS):
        found = findings(_changed(budget, changes), rules)
        repairable = [each for each in found if each.severity == ERROR and each.repairs]
        if not repairable:
            break
        changes |= repairable[begin].repairs[0].changes
    return changes


def refuse_findings(
    environment: str,
    found: Iterable[Finding],
    budget: str = "connection budget",
    fitting: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Raise ValueError with everything that is an error, unless nothing is; `fitting` repairs several at once."""
    errors = [str(each) for each in found if each.severity == ERROR]
    if len(errors) == 1:
        raise ValueError(f"{environment}: {errors[0]}\n  {see('connection-budget')}")
    if errors:
        changes = " ".join(f"{name}={value}" for name, value in fitting().items())
        together = [f"repairs that fit each other: {changes}"] if changes else []
        lines = [f"{environment}: the {budget} does not hold:", *errors, *together, see("connection-budget")]
        raise ValueError("\n  ".join(lines))


def severity(rule: Rule, budget: Budget) -> str:
    """How bad it is that this rule fails, in this environment."""
    if rule.severity != IN_PRODUCTION:
        return rule.severity
    return ERROR if budget.plan.is_production else NOTE


def _repairs(rule: Rule, budget: Budget, rules: Sequence[Rule]) -> tuple[Repair, ...]:
    held = [each for each in rules if severity(each, budget) == ERROR and each.holds(budget)]
    found = [repair for each in rule.inputs if (repair := _repair(rule, each, budget))]
    alone = tuple(each for each in found if _all_hold(held, _changed(budget, each.changes)))
    return alone or tuple(islice(_together(rule, budget, held, found), 1))


def _together(rule: Rule, budget: Budget, held: Sequence[Rule], found: Sequence[Repair]) -> Iterator[Repair]:
    """Two changes or three: one that breaks another rule, and what repairs that; or the most of one, and of another."""
    furthest = (most for changing in rule.inputs if (most := _most(changing, budget, held)))
    begin = [*found, *furthest]
    for changes in (2, MOST_CHANGES):
        for first in begin:
            yield from _completed([first], changes, rule, budget, held)


def _completed(
    changes: Sequence[Repair], most: int, rule: Rule, budget: Budget, held: Sequence[Rule]
) -> Iterator[Repair]:
    """These changes and what repairs the rules that fail with them, as one; of at most so many changes."""
    after = _changed(budget, {each.name: each.value for each in changes})
    broken = next((each for each in (*held, rule) if not each.holds(after)), None)
    if broken is None:
        *earlier, last = changes
        yield reduce(lambda also, each: replace(each, also=also), reversed(earlier), last)
    elif len(changes) < most:
        used = {each.name for each in changes}
        for changing in broken.inputs:
            another = _repair(broken, changing, after)
            if another and another.name not in used:
                following = replace(another, now=changing.now(budget))
                yield from _completed([*changes, following], most, rule, budget, held)


def _most(changing: Input, budget: Budget, held: Sequence[Rule]) -> Repair | None:
    """The furthest value with which all rules hold that held."""
    name, values = _name(changing.name, budget), changing.better(budget)
    index = bisect_left(values, True, key=lambda value: not _all_hold(held, _changed(budget, {name: value})))
    return Repair(name, values[index - 1], changing.now(budget)) if index else None


def _all_hold(rules: Iterable[Rule], budget: Budget) -> bool:
    return all(each.holds(budget) for each in rules)


def _repair(rule: Rule, changing: Input, budget: Budget) -> Repair | None:
    """The nearest value with which the rule holds; it is searched by halves, since better values stay better."""
    name = _name(changing.name, budget)
    values = changing.better(budget)
    index = bisect_left(values, True, key=lambda value: rule.holds(_changed(budget, {name: value})))
    return None if index == len(values) else Repair(name, values[index], changing.now(budget))


def _changed(budget: Budget, changes: Mapping[str, Any]) -> Budget:
    return Budget.of(budget.plan.changed(changes))


def _name(name: str, budget: Budget) -> str:
    """Of several functions, the one that reserves most is changed, and named."""
    workloads = budget.plan.workloads
    if name not in INPUTS_OF_A_FUNCTION or len(workloads) == 1:
        return name
    return f"{workloads[_largest(budget)].name}.{name}"


def _largest(budget: Budget) -> int:
    workloads = budget.plan.workloads
    return max(range(len(workloads)), key=lambda index: workloads[index].reserved_concurrency)
