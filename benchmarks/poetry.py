"""A model from nothing that writes quatrains by their title and tells poets apart.

The poetry example as it stands: the tokenizer is learned and the weights are drawn here, a causal
model learns from 17,000 quatrains with their titles, then one model is trained to write a quatrain
by its title and to tell eight poets apart, beside a twin of each task. Perplexity is by character,
the end included, of quatrains that nothing was learned from; the peer is a 4-gram of characters
with interpolated Kneser–Ney smoothing (Chen and Goodman 1999) of the same texts and characters.

Default size: that of the example, one seed. --full: three seeds.
"""

import json
import math
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from common import ROOT, arguments, keep, mean_interval, remembered, scratch

from allrounder import Project
from allrounder.encoders.text import read_tokenizer
from allrounder.evaluation.sharing import spread
from allrounder.pretraining import Causal
from allrounder.pretraining.corpus import Corpus
from allrounder.pretraining.learning import Learning
from allrounder.records import Source, load

NAME, EXAMPLE = "poetry", ROOT / "examples" / "poetry"
TITLES = ("春夜", "登高", "送友人歸山", "雪")


class KneserNey:
    """A character model of some order, smoothed by what is left of discounted counts.

    Args:
        texts: tokens of texts, the end of each included.
        order: how many characters are counted together.
        size: how many characters there are.
    """

    def __init__(self, texts: Sequence[Sequence[int]], order: int, size: int) -> None:
        self.order, self.size = order, size
        self.counts: list[dict[tuple[int, ...], Counter[int]]] = [
            defaultdict(Counter) for _ in range(order)
        ]
        for ids in texts:
            row = [-1] * (order - 1) + list(ids)
            for at in range(order - 1, len(row)):
                self.counts[-1][tuple(row[at - order + 1 : at])][row[at]] += 1
        for n in range(order - 2, -1, -1):
            for before, following in self.counts[n + 1].items():
                self.counts[n][before[1:]].update(following.keys())
        self.discounts = [_discount(table) for table in self.counts]
        self.totals = [{c: sum(f.values()) for c, f in table.items()} for table in self.counts]

    def likelihood(self, before: tuple[int, ...], token: int) -> float:
        """Return how likely a character is behind some others."""
        found = 1.0 / self.size
        for n, table in enumerate(self.counts):
            context = before[len(before) - n :] if n else ()
            following = table.get(context)
            if following:
                total, off = self.totals[n][context], self.discounts[n]
                left = off * len(following) / total
                found = max(following.get(token, 0) - off, 0.0) / total + left * found
        return found

    def loss(self, ids: Sequence[int]) -> float:
        """Return the negative log-likelihood of a text."""
        row = [-1] * (self.order - 1) + list(ids)
        return -sum(
            math.log(self.likelihood(tuple(row[at - self.order + 1 : at]), row[at]))
            for at in range(self.order - 1, len(row))
        )


def _discount(table: dict[tuple[int, ...], Counter[int]]) -> float:
    counts = Counter(c for following in table.values() for c in following.values() if c < 3)
    return counts[1] / (counts[1] + 2 * counts[2])


def texts(split: str, *, of: Sequence[str] = ("poems",)) -> list[str]:
    """Return the texts of a split, each once: poems with their titles, and those of other files."""
    found: dict[str, None] = {}
    for name in of:
        with open(EXAMPLE / "data" / f"{name}.jsonl", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        found |= dict.fromkeys(row["text"] for row in rows if row["split"] == split)
    return list(found)


ALL = ("poems", "verses", "poets")
"""What the model learns from; titles that stand alone do not help a model that counts."""


def by_counting(encoder: str) -> dict[str, float]:
    """Return the perplexity of models that count characters, on test poems."""
    tokenizer = read_tokenizer(encoder)
    size, end = tokenizer.get_vocab_size(), tokenizer.token_to_id("</s>")

    def tokens(some: list[str]) -> list[list[int]]:
        encoded = tokenizer.encode_batch(some, add_special_tokens=False)
        return [[*row.ids, end] for row in encoded]

    judged = tokens(texts("test"))
    found = {}
    for named, of in (("of the poems", ALL[:1]), ("of all texts", ALL)):
        learned = tokens(texts("train", of=of))
        for order in (1, 2, 3, 4):
            model = KneserNey(learned, order, size)
            whole = sum(model.likelihood((5,) * (order - 1), token) for token in range(size))
            assert abs(whole - 1) < 1e-6, "likelihoods of all characters sum to one"
            loss = sum(map(model.loss, judged)) / sum(map(len, judged))
            found[f"{order}-gram {named}"] = math.exp(loss)
    return found


def by_model(project: Project, encoder: str) -> float:
    """Return the perplexity of the model on test poems, with none of them learned from."""
    told = project.plan.inputs["text"]
    folder = scratch()
    rows = [{"text": text} for text in texts("test")]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "test.jsonl").write_text(lines, encoding="utf-8")
    records = load(
        [Source(path="test.jsonl", split="train")], fields=project.plan.fields, columns={},
        folder=folder, cache=folder / "cache", trains=False,
    )  # fmt: skip
    reader = told.__class__(model=encoder, fields=["text"], max_tokens=told.max_tokens)
    corpus = Corpus.of(records, reader, hold_out=0.5, cache=folder / "tokens")
    every = np.concatenate([corpus.learned, corpus.held_out])
    settings = Causal()
    learning = Learning(settings.objective(reader), Corpus(**{**vars(corpus), "held_out": every}),
                        settings)  # fmt: skip
    return math.exp(learning.held_out())


def measured(seed: int) -> dict[str, Any]:
    """Pretrain, train both tasks beside their twins, and return what came of it."""
    folder = scratch() / "poetry"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("runs", "pretraining", ".*"))
    changes = [f"pretraining.seed={seed}", f"training.seed={seed}"]
    file = folder / "poetry.yaml"
    pretrained = Project.load(file, changes=changes).pretrain()
    encoder = str(pretrained.encoder)
    project = Project.load(file, changes=[*changes, "training.twins=true"])
    report = project.train()
    sharing = report.sharing
    answers = project.predict([{"text": title} for title in TITLES])
    return {
        "seconds": {"pretraining": pretrained.seconds, "training": report.speed["train_seconds"]},
        "perplexity": {**by_counting(encoder), "model": by_model(project, encoder)},
        "tasks": {
            name: {
                metric: [one.baseline.value, one.after.value]
                for metric, one in task.metrics.items()
            }
            for name, task in report.tasks.items()
        },
        "sharing": {
            name: [task.metric, task.twin[0], task.joint[0], spread(task.difference)]
            for name, task in sharing.tasks.items()
        },
        "costs": {name: [cost.seconds, cost.megabytes] for name, cost in sharing.costs.items()},
        "verses": [answer["verse"]["text"] for answer in answers],
    }


def main() -> None:
    """Measure, and keep the tables."""
    seeds = 3 if arguments(__doc__).full else 1
    subprocess.run([sys.executable, str(EXAMPLE / "prepare.py")], check=True)
    found = [remembered(NAME, f"seed-{seed}", lambda s=seed: measured(s)) for seed in range(seeds)]
    first = found[0]
    rows = [["perplexity of test poems, by character", ""]]
    rows += [[name, mean_interval([one["perplexity"][name] for one in found])]
             for name in first["perplexity"]]  # fmt: skip
    tasks = [["task", "metric", "constant", "one model"]]
    tasks += [[name, metric, f"{first['tasks'][name][metric][0]:.3f}",
               mean_interval([one["tasks"][name][metric][1] for one in found])]
              for name, metrics in first["tasks"].items() for metric in metrics]  # fmt: skip
    twins = [["task", "metric", "twin", "one model", "one model − twin, better above 0"]]
    twins += [[name, metric, f"{twin:.3f}", f"{joint:.3f}", difference]
              for name, (metric, twin, joint, difference) in first["sharing"].items()]  # fmt: skip
    minutes = {n: np.mean([one["seconds"][n] for one in found]) / 60 for n in first["seconds"]}
    verses = [f"{title}: {verse}" for title, verse in zip(TITLES, first["verses"], strict=True)]
    keep(NAME, "Quatrains from nothing", [rows, tasks, twins], [
        f"{len(texts('train')):,} poems with titles to learn from, some titles and poems of the "
        f"tasks beside; {len(texts('test')):,} poems to test on; none of these shares its first "
        f"line with another. {seeds} seed(s); the table of twins is of the first, its intervals "
        "are over records.",
        f"Pretraining took {minutes['pretraining']:.1f} minutes, training of both tasks "
        f"{minutes['training']:.1f}, on {torch.get_num_threads()} thread(s).",
        "n-grams: interpolated Kneser–Ney of the same characters; what is rare is one character, "
        "unknown, for all. All texts: those that the model learns from.",
        *verses,
    ])  # fmt: skip


if __name__ == "__main__":
    main()
