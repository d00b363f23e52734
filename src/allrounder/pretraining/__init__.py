"""Learning without labels, before any task: an encoder goes on learning on the project's texts."""

from allrounder.kinds import Kinds
from allrounder.pretraining.base import Pretraining
from allrounder.pretraining.causal import Causal
from allrounder.pretraining.contrastive import Contrastive
from allrounder.pretraining.denoising import Denoising
from allrounder.pretraining.masked import Masked

__all__ = ["PRETRAININGS", "Causal", "Contrastive", "Denoising", "Masked", "Pretraining"]

PRETRAININGS = Kinds[Pretraining](
    "pretraining", masked=Masked, causal=Causal, contrastive=Contrastive, denoising=Denoising
)
