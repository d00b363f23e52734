"""The ways to choose questions, one file each."""

from allrounder.active.base import Strategy
from allrounder.active.strategies.badge import Badge
from allrounder.active.strategies.bald import Bald
from allrounder.active.strategies.contrastive import Contrastive
from allrounder.active.strategies.core_set import CoreSet
from allrounder.active.strategies.entropy import Entropy
from allrounder.active.strategies.k_means import KMeans
from allrounder.active.strategies.least_confidence import LeastConfidence
from allrounder.active.strategies.margin import Margin
from allrounder.active.strategies.prob_cover import ProbCover
from allrounder.active.strategies.random import Random
from allrounder.active.strategies.typiclust import TypiClust
from allrounder.active.strategies.violations import Violations
from allrounder.kinds import Kinds

STRATEGIES: Kinds[Strategy] = Kinds(
    "active",
    margin=Margin,
    random=Random,
    least_confidence=LeastConfidence,
    entropy=Entropy,
    bald=Bald,
    badge=Badge,
    core_set=CoreSet,
    contrastive=Contrastive,
    violations=Violations,
    k_means=KMeans,
    typiclust=TypiClust,
    prob_cover=ProbCover,
)
