"""How far people agree with each other, and how far a suggestion sways them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from allrounder.ledger import Answer, Question, canonical
from allrounder.ledger.agreement import agreement, self_agreement


def agreeing(
    events: Sequence[Answer], gone: Collection[str], questions: Mapping[int, Question], task: str
) -> dict[str, Any]:
    """Return how far people agree on a task.

    Args:
        events: all that was said.
        gone: the ids of what was undone.
        questions: all that was asked, by number.
        task: the task.
    """
    own = [one for one in events if one.task == task]
    found = agreement(own, task)
    labels = [one for one in own if one.act == "label" and one.id not in gone]
    return {
        "records": found.num_records,
        "same": found.same,
        "alpha": found.alpha,
        "pairs": [[*names, n, kappa] for names, (n, kappa) in found.pairs.items()],
        "self": {
            who: [one.num_records, one.same, one.alpha]
            for who, one in self_agreement(own, task).items()
        },
        "shown": _followed(labels, questions, blind=False),
        "blind": _followed(labels, questions, blind=True),
    }


def _followed(
    labels: Sequence[Answer], questions: Mapping[int, Question], *, blind: bool
) -> list[int]:
    """Return how many answers said what the model would have, and how many there are.

    What sways people is the difference of both shares, with the suggestion shown and without.
    """
    hits = total = 0
    for one in labels:
        question = questions.get(one.question or 0)
        if question is None or not question.suggestion or (one.suggested is None) != blind:
            continue
        total += 1
        hits += canonical(one.value) == canonical(question.suggestion.get("value"))
    return [hits, total]
