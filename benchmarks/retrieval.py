"""Which stamp does a caption mean: pictures found by English and Chinese captions, and back.

The 950 stamps of `examples/stamps`, 773 with a Chinese caption; test stamps share no English
caption with training stamps. Beside the `match` task stand chance, a bag of features (k-means words
of picture patches and colours; TF-IDF of words, of characters and their pairs for Chinese) and the
same frozen encoders, both joined by regularized canonical correlation analysis whose sizes are
chosen on validation stamps. All are ranked by one function: candidates are the distinct values of
test stamps, other right answers left out.
Default size: three seeds, about 6 minutes on 2 cores with features read once; --full: ten seeds.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import yaml
from common import ROOT, arguments, keep, scratch, trained
from PIL import Image
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import TfidfVectorizer

from allrounder.checking import load_records
from allrounder.evaluation.sharing import over_seeds
from allrounder.judging import job_of
from allrounder.plan import make_plan
from allrounder.runs import Run
from allrounder.tasks.matching import Vectors, ranks

EXAMPLE = ROOT / "examples" / "stamps"
PAIRS = [("caption", "picture"), ("picture", "caption"), ("chinese", "picture"),
         ("picture", "chinese"), ("speech", "picture"), ("caption", "chinese")]  # fmt: skip
CUTS = (1, 5, 10)
WORDS, PATCH, PATCHES = 512, 8, 200
"""Visual words, pixels a side of a patch, patches of a picture."""
SIZES = [(size, ridge) for size in (16, 32, 64, 128) for ridge in (1e-3, 1e-2, 1e-1, 1.0)]

Found = dict[tuple[str, str], np.ndarray]
"""By direction, ranks of the right answer."""


class Stamps:
    """The records, what frozen encoders say of them, and which are for what."""

    def __init__(self) -> None:
        for script in ("prepare.py", "models.py"):
            subprocess.run([sys.executable, str(EXAMPLE / script)], check=True)
        self.sections = yaml.safe_load((EXAMPLE / "search.yaml").read_text(encoding="utf-8"))
        plan = make_plan(self.sections, folder=EXAMPLE)
        self.records = load_records(plan)
        run = Run(scratch(), {})
        job = job_of(plan, self.records, run, lambda *_: None).learned()
        prepared = job.prepared(job.model(dropout=0.0))
        self.rows = {
            split: self.records.indices(split) for split in ("train", "validation", "test")
        }
        self.keys = prepared.target("fits", np.arange(len(self.records)))
        self.names = list(plan.inputs)
        self.has = {name: prepared.has(name, np.arange(len(self.records))) for name in self.names}
        self.deep = {name: self._features(prepared, name) for name in self.names}

    def _features(self, prepared: Any, name: str) -> np.ndarray:
        stored, has = prepared.stored[name], self.has[name]
        known = stored.cache.pooled(stored.place[has])
        table = np.zeros((len(has), known.shape[1]), dtype=np.float32)
        table[has] = known
        return table

    def texts(self, name: str) -> list[str]:
        """Return a column of captions, empty where there is none."""
        return [text or "" for text in self.records.values(name).to_pylist()]

    def pictures(self) -> list[np.ndarray]:
        """Return the pictures on white, 64 pixels a side, as floats up to 1."""
        return [_opened(value["path"]) for value in self.records.values("picture").to_pylist()]

    def ranked(self, vectors: Mapping[str, np.ndarray], split: str) -> Found:
        """Return the ranks that vectors of two inputs give on a split, in both directions."""
        (a, x), (b, y) = vectors.items()
        rows = self.rows[split]
        table = torch.from_numpy(np.stack([x[rows], y[rows]], 1)).float()
        for column, name in enumerate((a, b)):
            table[~torch.from_numpy(self.has[name][rows]), column] = 0
        columns = [self.names.index(a), self.names.index(b)]
        found = np.array(ranks(Vectors(table, self.keys[rows][:, columns])), dtype=float)
        return {(a, b): _known(found[:, 0]), (b, a): _known(found[:, 1])}


def _known(column: np.ndarray) -> np.ndarray:
    return column[np.isfinite(column)]


def _opened(path: str) -> np.ndarray:
    picture = Image.open(path).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    small = Image.alpha_composite(white, picture).convert("RGB").resize((64, 64))
    return np.asarray(small, dtype=np.float32) / 255


def visual_words(pictures: Sequence[np.ndarray], train: np.ndarray) -> np.ndarray:
    """Return a bag of visual words and colours of every picture."""
    rng = np.random.default_rng(0)
    patches = [_patches(picture, rng) for picture in pictures]
    words = MiniBatchKMeans(WORDS, random_state=0, n_init=1, batch_size=4096)
    words.fit(np.concatenate([patches[row] for row in train]))
    bags = np.stack([np.bincount(words.predict(part), minlength=WORDS) for part in patches])
    rarity = np.log((1 + len(train)) / (1 + (bags[train] > 0).sum(0)))
    colours = np.stack([_colours(picture) for picture in pictures])
    return np.concatenate([_unit(np.sqrt(bags) * rarity), _unit(np.sqrt(colours))], 1)


def _patches(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    corners = rng.integers(0, 64 - PATCH, (PATCHES, 2))
    found = np.stack([picture[y : y + PATCH, x : x + PATCH].ravel() for y, x in corners])
    found -= found.mean(1, keepdims=True)
    return found / (found.std(1, keepdims=True) + 0.05)


def _colours(picture: np.ndarray) -> np.ndarray:
    cells = (picture.reshape(-1, 3) * 3.999).astype(int) @ np.array([16, 4, 1])
    return np.bincount(cells, minlength=64).astype(float)


def bag_of_words(texts: Sequence[str], train: np.ndarray, *, chinese: bool) -> np.ndarray:
    """Return TF-IDF of words, or of characters and their pairs."""
    units = {"analyzer": "char", "ngram_range": (1, 2)} if chinese else {"stop_words": "english"}
    model = TfidfVectorizer(sublinear_tf=True, **units).fit([texts[row] for row in train])
    return model.transform(texts).toarray()


def _unit(table: np.ndarray) -> np.ndarray:
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)


def correlated(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, size: int, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides in the space of regularized canonical correlation (Hotelling 1936)."""
    a, b = (_whitened(side, train, size, ridge) for side in (x, y))
    left, values, right = np.linalg.svd(a[train].T @ b[train] / len(train))
    kept = min(len(values), a.shape[1], b.shape[1])
    return a @ left[:, :kept] * values[:kept], b @ right[:kept].T * values[:kept]


def _whitened(table: np.ndarray, train: np.ndarray, size: int, ridge: float) -> np.ndarray:
    centred = table - table[train].mean(0)
    _, values, right = np.linalg.svd(centred[train], full_matrices=False)
    size = min(size, len(values))
    spread = values[:size] ** 2 / len(train)
    return centred @ right[:size].T / np.sqrt(spread + ridge * spread.mean())


def by_correlation(stamps: Stamps, features: Mapping[str, np.ndarray]) -> Found:
    """Return test ranks of canonical correlation, each pair with the size validation likes best."""
    found: Found = {}
    for a, b in PAIRS:
        if (a, b) in found or a not in features or b not in features:
            continue
        both = stamps.has[a] & stamps.has[b]
        train = np.array([row for row in stamps.rows["train"] if both[row]])
        sides = partial(correlated, features[a].astype(float), features[b].astype(float), train)
        best = max(
            SIZES,
            key=lambda setting: _quality(
                stamps.ranked(_named(a, b, sides(*setting)), "validation")
            ),
        )
        found |= stamps.ranked(_named(a, b, sides(*best)), "test")
    return found


def _named(a: str, b: str, sides: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    return {a: sides[0], b: sides[1]}


def _quality(found: Found) -> float:
    return float(np.mean([(1 / column).mean() for column in found.values()]))


def matched(stamps: Stamps, inputs: Sequence[str], seed: int) -> dict[tuple[str, str], list[float]]:
    """Train a match task; return recall in every direction."""
    sections = {
        **stamps.sections,
        "inputs": {name: stamps.sections["inputs"][name] for name in inputs},
        "training": {**stamps.sections["training"], "seed": seed},
    }
    _, report = trained(sections, EXAMPLE)
    return {
        (one.asked, one.searched): [100 * one.recall[str(n)].value for n in CUTS]
        for one in report.tasks["fits"].directions
    }


def cells(found: Found, pair: tuple[str, str]) -> str:
    """Return recall at every cut, in hundredths."""
    if pair not in found:
        return "–"
    return " / ".join(f"{100 * float((found[pair] <= n).mean()):.1f}" for n in CUTS)


def over(runs: Sequence[dict[tuple[str, str], list[float]]], pair: tuple[str, str]) -> str:
    """Return the mean over seeds of every cut, and half of the last one's 95 % interval."""
    if pair not in runs[0]:
        return "–"
    scores = [over_seeds([run[pair][at] for run in runs]) for at in range(len(CUTS))]
    half = (scores[-1].high - scores[-1].low) / 2
    return " / ".join(f"{score.value:.1f}" for score in scores) + f" ± {half:.1f}"


def chance(stamps: Stamps, pair: tuple[str, str]) -> str:
    """Return recall of a ranking at random."""
    rows = stamps.rows["test"]
    keys = stamps.keys[rows][:, stamps.names.index(pair[1])].numpy()
    num = len(np.unique(keys[keys != 0]))
    return " / ".join(f"{100 * n / num:.1f}" for n in CUTS)


def main() -> None:
    """Rank test stamps in every way and print the table."""
    seeds = range(10 if arguments(__doc__).full else 3)
    stamps = Stamps()
    train = stamps.rows["train"]
    bags = {
        "picture": visual_words(stamps.pictures(), train),
        "caption": bag_of_words(stamps.texts("caption"), train, chinese=False),
        "chinese": bag_of_words(stamps.texts("chinese"), train, chinese=True),
    }
    plain, deep = by_correlation(stamps, bags), by_correlation(stamps, stamps.deep)
    two = [
        {**matched(stamps, ("picture", "caption"), seed),
         **matched(stamps, ("picture", "chinese"), seed),
         **matched(stamps, ("picture", "speech"), seed),
         **matched(stamps, ("caption", "chinese"), seed)}
        for seed in seeds
    ]  # fmt: skip
    three = [matched(stamps, ("picture", "caption", "chinese"), seed) for seed in seeds]
    four = [matched(stamps, stamps.names, seed) for seed in seeds]
    head = ["recall@1 / 5 / 10, %", "searches", "chance", "bag of features", "encoders, CCA",
            "match, these two", "match, three", "match, all four"]  # fmt: skip
    rows = [
        [f"{a} → {b}", str(len(deep[a, b])), chance(stamps, (a, b)), cells(plain, (a, b)),
         cells(deep, (a, b)), *(over(runs, (a, b)) for runs in (two, three, four))]
        for a, b in PAIRS
    ]  # fmt: skip
    keep("retrieval", "Which stamp does a caption mean", [head, *rows], [
        f"match: mean of {len(seeds)} seeds, ± half of the 95 % interval over seeds of recall@10. "
        "The interval over the test stamps is about ± 6 points for each number of every system.",
        "Encoders, frozen: EfficientNet-lite0, MiniLM (English), multilingual-e5-small (Chinese), "
        "Whisper-tiny.en (for French, Spanish and Russian speech). Trained on at most 582 stamps; "
        "none of the encoders ever saw pictures beside words.",
        "One model of several inputs searches in every direction; a model of two only between its "
        "two. `three` are picture, caption and chinese.",
        "Sizes and ridge of canonical correlation: the best of "
        f"{len(SIZES)} on validation stamps, for each pair of inputs anew. `match` ran with the "
        "settings of the example for all.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
