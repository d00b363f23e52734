"""Made labels: variations, pseudo-labels, votes of rules; each filtered, none of them judging."""

from allrounder.kinds import Kinds
from allrounder.synthesis.base import Made, Making, Parent, Synthesis, Writing
from allrounder.synthesis.conditional import Conditional
from allrounder.synthesis.endpoint import Endpoint
from allrounder.synthesis.mix import Mix, mixing
from allrounder.synthesis.noise import Noise
from allrounder.synthesis.paraphrase import Paraphrase
from allrounder.synthesis.pseudo import Pseudo
from allrounder.synthesis.replace import Replace
from allrounder.synthesis.rules import RuleVotes

__all__ = [
    "SYNTHESES",
    "Conditional",
    "Endpoint",
    "Made",
    "Making",
    "Mix",
    "Noise",
    "Paraphrase",
    "Parent",
    "Pseudo",
    "Replace",
    "RuleVotes",
    "Synthesis",
    "Writing",
    "mixing",
]

SYNTHESES = Kinds[Synthesis](
    "synthesis",
    noise=Noise,
    replace=Replace,
    paraphrase=Paraphrase,
    conditional=Conditional,
    endpoint=Endpoint,
    pseudo=Pseudo,
    rules=RuleVotes,
    mix=Mix,
)
