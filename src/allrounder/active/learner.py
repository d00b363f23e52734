"""A head fitted on what frozen encoders say: seconds, where fine-tuning takes minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from allrounder.tasks import Task
from allrounder.training.head_start import fit_head
from allrounder.training.job import kept_chance

PENALTY = 0.1
"""Of squared weights: that of a logistic regression with C = 10 on vectors of length 1."""

DRAWS = 10
"""Passes with dropout by which a model's doubt about itself is measured."""

DROPOUT = 0.2


@dataclass
class Learner:
    """One task, learned from the labels that are there.

    Args:
        task: with what the labels told.
        head: from vectors to scores.
    """

    task: Task
    head: nn.Module

    @classmethod
    def fit(cls, task: Task, vectors: np.ndarray, labels: Sequence[Any]) -> "Learner":
        """Fit a fresh head.

        Args:
            task: that reads one vector a record.
            vectors: of records with a label: [n, D].
            labels: one each.
        """
        task = cls.learned(task, labels)
        targets = task.encode(labels)
        with kept_chance():
            torch.manual_seed(0)
            head = task.head(vectors.shape[1])
        task.begin(head, targets)
        fit_head(task, head, torch.from_numpy(vectors), targets, PENALTY)
        return cls(task, head.eval())

    @staticmethod
    def learned(task: Task, labels: Sequence[Any]) -> Task:
        """Return a task with what its labels tell."""
        column = pa.chunked_array([pa.array(labels, task.type)])
        return task.learn(column, column)

    def scores(self, vectors: np.ndarray) -> Tensor:
        """Return the scores of some records."""
        with torch.no_grad():
            return self.head(torch.from_numpy(vectors))

    def answers(self, vectors: np.ndarray) -> list[Any]:
        """Return the labels of some records."""
        return self.task.decode(self.scores(vectors))

    def chances(self, vectors: np.ndarray) -> list[np.ndarray]:
        """Return how likely every option of every decision is: [n, O] each.

        One decision for a task of one label, one for each label of a multilabel task, none for
        numbers.
        """
        return self._chances(self.scores(vectors))

    def doubts(self, vectors: np.ndarray, seed: int) -> list[list[np.ndarray]]:
        """Return the chances of `DRAWS` passes, each with other parts of the vectors dropped."""
        return [self._chances(scores) for scores in self._passes(vectors, seed)]

    def spread(self, vectors: np.ndarray, seed: int) -> np.ndarray:
        """Return the standard deviation of a number over passes with dropout: [n]."""
        passes = [scores[:, 0].numpy() for scores in self._passes(vectors, seed)]
        return np.std(passes, axis=0)

    def _passes(self, vectors: np.ndarray, seed: int) -> list[Tensor]:
        with kept_chance(), torch.no_grad():
            torch.manual_seed(seed)  # one mask for all records: their order makes no difference
            masks = dropout(torch.ones(DRAWS, vectors.shape[1]), DROPOUT)
            found = torch.from_numpy(vectors)
            return [self.head(found * mask) for mask in masks]

    def _chances(self, scores: Tensor) -> list[np.ndarray]:
        labels = dict.fromkeys(getattr(self.task, "labels", None) or [], 1)
        return [one.chances.float().numpy() for one in self.task.likely(scores, labels)]
