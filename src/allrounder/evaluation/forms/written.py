"""Answers that are written: ``{"text": "…", "finished": true}``."""

import numpy as np

from allrounder.evaluation.forms.form import Form, clip, worst
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.report import WrongAnswer
from allrounder.tasks import likeness


class Written(Form):
    """Texts, which may be good without being the one that was wanted."""

    def errors(self, judged: Judged) -> list[WrongAnswer]:
        """Return the records whose label the model finds least likely, by token."""
        task = judged.task
        rows = likeness.likelihoods(task.array(judged.truths), task.array(judged.decoded))
        return [
            WrongAnswer(
                text=clip(judged.texts[i])[0],
                where=judged.wheres[i],
                truth=clip(judged.truths[i])[0],
                answer=clip(judged.answers[i]["text"])[0],
                probability=None,
            )
            for i in worst(rows[:, 0] / np.maximum(rows[:, 1], 1))
        ]
