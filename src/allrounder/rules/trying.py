"""The test cases of rules: each says of a record whether its rule holds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.rules.meaning import Facts, ListedFacts, Meaning, World
from allrounder.rules.rule import Case, Rule, Rules
from allrounder.rules.terms import Terms


@dataclass(kw_only=True)
class Trial:
    """What became of one case; `found` is None where the record does not tell."""

    rule: str
    number: int
    expected: bool
    found: bool | None
    given: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether the rule holds as the case says."""
        return self.found == self.expected


@dataclass(kw_only=True)
class Trials:
    """What became of all cases; `untested` are rules without any."""

    trials: list[Trial]
    untested: list[str]

    @property
    def failed(self) -> list[Trial]:
        """The cases that did not come out as they say."""
        return [trial for trial in self.trials if not trial.passed]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {**asdict(self), "failed": len(self.failed)}

    def __str__(self) -> str:
        lines = [
            f"{one.rule}, test {one.number}: expected that it {_verb(one.expected)}, found that it "
            f"{_verb(one.found)}: {one.given}"
            for one in self.failed
        ]
        lines.append(f"{len(self.trials) - len(self.failed)} of {len(self.trials)} tests pass.")
        if self.untested:
            lines.append(f"Rules without a test: {listed(self.untested)}.")
        return "\n".join(lines)


def _verb(holds: bool | None) -> str:
    return {True: "holds", False: "is broken", None: "cannot be told, as something is missing"}[
        holds
    ]


def tried(rules: Rules, terms: Terms, facts: Facts | None = None) -> Trials:
    """Try every rule on its own cases.

    Args:
        rules: the rules.
        terms: the words of the project.
        facts: what is known where a case does not say; by default nothing.

    Raises:
        ProjectError: a rule or a case names what is not there.
    """
    terms.check(rules)
    trials = [
        _trial(rules, terms, facts, rule, number, case)
        for rule in rules.rules
        for number, case in enumerate(rule.tests, 1)
    ]
    return Trials(trials=trials, untested=[rule.id for rule in rules.rules if not rule.tests])


def _trial(
    rules: Rules, terms: Terms, facts: Facts | None, rule: Rule, number: int, case: Case
) -> Trial:
    known = [*terms.tasks, *terms.fields]
    for name in case.given:
        if name not in known:
            raise ProjectError(
                f"{rule.title}, test {number}: {name!r} is neither a task nor an input."
                f"{did_you_mean(name, known)} Known: {listed(known)}."
            )
    _check_labels(terms, rule, number, case)
    told = facts if case.facts is None else ListedFacts(case.facts)
    meaning = Meaning(rules, terms, told)
    try:
        answers = {n: _answer(terms, n, v) for n, v in case.given.items() if n in terms.tasks}
        inputs = {n: _input(terms, n, v) for n, v in case.given.items() if n in terms.fields}
        found = meaning.truth(rule.tree, World(answers, inputs))
    except (KeyError, TypeError, ValueError) as error:
        raise ProjectError(
            f"{rule.title}, test {number}: a value in {case.given!r} is not of the kind that its "
            f"task or input has ({error})."
        ) from None
    return Trial(
        rule=rule.id, number=number, expected=case.holds, found=found, given=dict(case.given)
    )


def _check_labels(terms: Terms, rule: Rule, number: int, case: Case) -> None:
    """Refuse a case whose answer is no label of its task: it would try nothing."""
    for name, value in case.given.items():
        task = terms.tasks.get(name)
        if task is None or not task.labels or task.speaks not in {"label", "rank", "labels"}:
            continue
        for label in map(str, _several(value)):
            if label not in task.labels:
                raise ProjectError(
                    f"{rule.title}, test {number}: expected a label of `{name}`, found {label!r}."
                    f"{did_you_mean(label, task.labels)} Labels: {listed(task.labels)}."
                )


def _answer(terms: Terms, name: str, value: Any) -> Any:
    speaks = terms.tasks[name].speaks
    if speaks == "labels":
        return [str(label) for label in _several(value)]
    if speaks == "spans":
        return [{"text": "", **span} if isinstance(span, Mapping) else span
                for span in _several(value)]  # fmt: skip
    return float(value) if speaks == "number" else str(value)


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _input(terms: Terms, name: str, value: Any) -> Any:
    return float(value) if terms.fields[name] == "number" else str(value)
