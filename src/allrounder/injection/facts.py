"""Facts of the entities that a text mentions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from allrounder.injection.base import Gated, one_or_more
from allrounder.injection.offered import Offered
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder.injection import modules
else:
    modules = lazy("allrounder.injection.modules")


@dataclass(kw_only=True)
class Facts(Gated, Offered):
    """Lets tokens attend to the facts of what they name, through a gate that starts closed.

    h' = h + tanh γ ⊙ O Σ_j α_j V f_j with γ = 0 at first (the gate of Flamingo, Alayrac et al.
    2022), where f_j are encodings of the facts as text. In every head α is a softmax over the
    cosines of query and keys, times a learned factor, with one key for a null fact, whose value is
    zero: a token may find that nothing known matters. The vector of a whole text attends to the
    facts of all its mentions in the same way, through weights of its own.

    The encoder reads each fact once, as it was before training, so that a fact that is added later
    can be read too.

    Args:
        of: the input whose texts are searched for mentions; by default every text.
        dropout: how often, in training, a mention is passed over.
        predicates: the predicates that are told; by default all but names and aliases.
        most: how many facts of an entity are offered at most: the surest, then the first.
        heads: of the attention; each may look at facts of another predicate.
        inner: the width of queries, keys and values of a head.
    """

    reads_texts: ClassVar[bool] = True

    heads: int = 4
    inner: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        one_or_more(self, "heads", "inner")

    def module(self, width: int) -> "modules.Injecting":
        """Build the attention; encodings of facts are as wide as the features."""
        return modules.AttendedFacts(width, self.heads, self.inner, self.dropout)
