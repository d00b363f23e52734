"""The training loop and what surrounds it."""

from allrounder.training.course import Course, train
from allrounder.training.fit import fit
from allrounder.training.job import Job
from allrounder.training.loop import Loop, State, Step

__all__ = ["Course", "Job", "Loop", "State", "Step", "fit", "train"]
