"""How the losses of tasks make one step: sums, learned weights, or products of gradients."""

from allrounder.kinds import Kinds
from allrounder.training.weighting.aligned_mtl import AlignedMTL
from allrounder.training.weighting.base import Aggregation, Scalarization, State, Weighting
from allrounder.training.weighting.cagrad import CAGrad
from allrounder.training.weighting.dwa import DWA
from allrounder.training.weighting.famo import FAMO
from allrounder.training.weighting.fixed import Mean, Sum
from allrounder.training.weighting.geometric_mean import GeometricMean
from allrounder.training.weighting.imtl_g import IMTLG
from allrounder.training.weighting.learned import IMTLL, Uncertainty
from allrounder.training.weighting.mgda import MGDA
from allrounder.training.weighting.nash_mtl import NashMTL
from allrounder.training.weighting.pcgrad import PCGrad
from allrounder.training.weighting.random import Random
from allrounder.training.weighting.stch import STCH
from allrounder.training.weighting.upgrad import UPGrad

WEIGHTINGS = Kinds[Weighting](
    "weighting",
    sum=Sum,
    mean=Mean,
    uncertainty=Uncertainty,
    dwa=DWA,
    famo=FAMO,
    stch=STCH,
    imtl_l=IMTLL,
    geometric_mean=GeometricMean,
    random=Random,
    upgrad=UPGrad,
    pcgrad=PCGrad,
    cagrad=CAGrad,
    imtl_g=IMTLG,
    aligned_mtl=AlignedMTL,
    nash_mtl=NashMTL,
    mgda=MGDA,
)

__all__ = ["WEIGHTINGS", "Aggregation", "Scalarization", "State", "Sum", "Weighting"]
