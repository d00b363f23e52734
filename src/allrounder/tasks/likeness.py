"""How likely a label was found, and how like it is what was written.

Every metric is a sum over records and a number from the sum, so that intervals are drawn from the
sums. Each record is `{"text": …}`, and on the side of answers `loss` and `tokens`.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from allrounder.lazy import lazy

if TYPE_CHECKING:
    import sacrebleu
    from rouge_score import rouge_scorer
else:
    sacrebleu, rouge_scorer = lazy("sacrebleu"), lazy("rouge_score.rouge_scorer")

HAN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
WORD = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|[^\W\u2e80-\u9fff]+")

Score = Callable[[np.ndarray, np.ndarray], float]


def likelihoods(truths: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return negative log-likelihood, tokens and characters of each record, NaN where unknown."""
    constant = Constant(answers[0]["counts"]) if len(answers) and "counts" in answers[0] else None
    rows = [
        (
            constant.loss(truth["text"]) if constant else answer.get("loss", np.nan),
            answer.get("tokens", np.nan),
            len(truth["text"]),
        )
        for truth, answer in zip(truths, answers, strict=True)
    ]
    return np.array(rows, dtype=np.float64)


class Constant:
    """What a text is worth to one who only knows how often each character stands in others.

    Args:
        counts: of characters, and of ends as `""`; one more is kept for all that are unseen.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        total = sum(counts.values()) + len(counts) + 1
        self.known = {name: -np.log((count + 1) / total) for name, count in counts.items()}
        self.unseen = float(np.log(total))

    def loss(self, text: str) -> float:
        """Return the negative log-likelihood of a text and its end."""
        return float(sum(self.known.get(each, self.unseen) for each in [*text, ""]))


def perplexity_of(rows: np.ndarray) -> float:
    """Return e to the mean negative log-likelihood of a token."""
    loss, tokens, _ = rows.sum(0)
    return float(np.exp(min(loss / tokens, 700.0)))


def bits_of(rows: np.ndarray) -> float:
    """Return the mean negative log₂-likelihood of a character."""
    loss, _, characters = rows.sum(0)
    return float(loss / np.log(2) / max(characters, 1))


def perplexity(truths: np.ndarray, answers: np.ndarray) -> float:
    """Perplexity of the labels by token, the end of each included; of the model's own tokens."""
    return perplexity_of(likelihoods(truths, answers))


def bits_per_character(truths: np.ndarray, answers: np.ndarray) -> float:
    """Bits for a character of the labels: compares models whatever their tokens are."""
    return bits_of(likelihoods(truths, answers))


def _texts(truths: np.ndarray, answers: np.ndarray) -> tuple[list[str], list[str]] | None:
    """Return what was wanted and what was written, or None where nothing was."""
    if any("text" not in answer for answer in answers):
        return None
    return [t["text"] for t in truths], [a["text"] for a in answers]


@lru_cache(maxsize=4)
def _corpus(name: str, han: bool) -> Any:
    if name == "chrf":
        return sacrebleu.CHRF()
    return sacrebleu.BLEU(tokenize="zh" if han else "13a", effective_order=True)


def _is_han(texts: list[str]) -> bool:
    return sum(map(bool, map(HAN.search, texts))) * 2 > len(texts)


def counts(name: str, truths: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return of each record the counts that BLEU or chrF is made of, and whether it is Chinese."""
    pair = _texts(truths, answers)
    if pair is None:
        return np.full((len(truths), 2), np.nan)
    wanted, written = pair
    han = _is_han(wanted)
    rows = _corpus(name, han)._extract_corpus_statistics(written, [wanted])
    return np.column_stack([np.array(rows, dtype=np.float64), np.full(len(rows), float(han))])


def from_counts(name: str, rows: np.ndarray) -> float:
    """Return BLEU or chrF from counts, between 0 and 1."""
    if np.isnan(rows).any():
        return float("nan")
    metric = _corpus(name, bool(rows[0, -1]))
    return float(metric._compute_score_from_stats(rows[:, :-1].sum(0).tolist()).score) / 100


def bleu(truths: np.ndarray, answers: np.ndarray) -> float:
    """BLEU of the corpus (Papineni et al. 2002) by sacrebleu, divided by 100; Chinese by `zh`.

    Texts too short for four words in a row are compared by what they have (effective order).
    """
    return from_counts("bleu", counts("bleu", truths, answers))


def chrf(truths: np.ndarray, answers: np.ndarray) -> float:
    """Return the chrF2 of the corpus (Popović 2015) by sacrebleu, divided by 100."""
    return from_counts("chrf", counts("chrf", truths, answers))


class _Words:
    """Words for ROUGE; a Han character is one, which the library's own tokenizer drops."""

    def tokenize(self, text: str) -> list[str]:
        return WORD.findall(text.lower())


def overlaps(truths: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return the F of ROUGE-L of each record."""
    pair = _texts(truths, answers)
    if pair is None:
        return np.full(len(truths), np.nan)
    scorer = rouge_scorer.RougeScorer(["rougeL"], tokenizer=_Words())
    return np.array([scorer.score(*both)["rougeL"].fmeasure for both in zip(*pair, strict=True)])


def rouge_l(truths: np.ndarray, answers: np.ndarray) -> float:
    """Mean F of ROUGE-L (Lin 2004) by rouge-score; a Han character is a word."""
    return float(overlaps(truths, answers).mean())


def known() -> dict[str, Score]:
    """Return the metrics whose libraries are installed."""
    found: dict[str, Score] = {}
    if find_spec("sacrebleu") is not None:
        found |= {"chrf": chrf, "bleu": bleu}
    if find_spec("rouge_score") is not None:
        found |= {"rouge_l": rouge_l}
    return found
