"""The rules of a run, day by day: what decodes an answer are those in force on the day asked."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from allrounder.knowledge import MentionFacts, known_words
from allrounder.model.knowing import Knowing
from allrounder.model.network import Model
from allrounder.model.ruled import load_rules
from allrounder.records import Field
from allrounder.rules import Decoder, Rules, Terms
from allrounder.rules.analysis import refuse_contradiction
from allrounder.tasks import Task

REMEMBERED = 8
"""Sets of rules of which the decoder is kept; days with the same rules share one."""


class Rulebook:
    """Rules, and what decodes under those of a day.

    Args:
        rules: all rules, those that have not begun or are over too.
        tasks: the tasks, their labels known.
        fields: the fields of the inputs.
        knowing: what the model knows; rules ask it for facts.
    """

    def __init__(
        self,
        rules: Rules,
        tasks: Mapping[str, Task],
        fields: Mapping[str, Field],
        knowing: Knowing | None = None,
    ) -> None:
        self.rules = rules
        self._facts = MentionFacts(knowing.base) if knowing else None
        self._terms = Terms.of(tasks, fields, **known_words(self._facts))
        self._decoders: dict[tuple[str, ...], Decoder] = {}

    @classmethod
    def of_run(cls, folder: Path, model: Model, fields: Mapping[str, Field]) -> "Rulebook | None":
        """Return the rules of a run folder, if it has any."""
        rules = load_rules(folder)
        return None if rules is None else cls(rules, model.tasks, fields, model.knowing)

    def on(self, day: date | None = None) -> Decoder:
        """Return what decodes under the rules of a day, by default today; there may be none.

        Raises:
            ProjectError: hard rules of that day contradict one another.
        """
        rules = self.rules.on(day or date.today()).decoding()
        key = tuple(rule.id for rule in rules.rules)
        if key not in self._decoders:
            decoder = Decoder(rules, self._terms, self._facts)
            refuse_contradiction(rules, self._terms, on=day)
            if len(self._decoders) >= REMEMBERED:
                self._decoders.clear()
            self._decoders[key] = decoder
        return self._decoders[key]
