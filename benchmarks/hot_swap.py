"""Do answers follow the facts: 200 invented companies, known only by the knowledge base.

Texts mention companies and say nothing of their sector or country; both are asked. A model trains
on version 1, with the texts of 120 companies. Then version 2 moves four companies in ten to another
sector and another country from 2025-07-01 on: one `replace` in the store, no training. Judged on
new texts about companies seen in training and about the 80 others, with the facts of version 1, of
version 2, and of version 2 as of the day before. The same model without knowledge is shown beside.

Default size: five seeds, MiniLM frozen, about five minutes on two cores.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any

import numpy as np
from common import MINILM, arguments, keep, mean_interval, remembered, scratch, write_jsonl

from allrounder.knowledge import Fact, Store
from allrounder.plan import make_plan
from allrounder.project import Project

NAME = "hot_swap"
SECTORS = ("energy", "banking", "health", "software", "mining", "retail", "shipping", "farming")
COUNTRIES = ("Norway", "Chile", "Kenya", "Japan", "Poland", "Canada", "Greece", "Vietnam")
FIRST = "Alvo Brin Cato Dexa Elmo Fyro Goro Hexi Ilto Juno Kavo Lumi Mira Nexo Orbi Pavo".split()
LAST = (
    "Partners Holding Group Works Labs Union Brothers Systems Point Bridge Hill Star Line".split()
)
FRAMES = (
    "{} reported its results today", "Shares of {} rose sharply", "A new chairman leads {}",
    "{} will cut two hundred jobs", "The court ruled against {}", "Analysts expect more of {}",
    "{} opened an office in the capital", "Workers of {} went on strike", "Who owns {}?",
    "{} bought a rival for cash", "The rating of {} was lowered", "{} celebrated its founding day",
)  # fmt: skip
NUM_TRAINED, MOVED, DAY = 120, 0.4, date(2025, 7, 1)

World = Mapping[str, tuple[str, str]]
"""Company → sector, country."""


def companies(chance: np.random.Generator) -> list[str]:
    """Return 200 names."""
    names = [f"{one} {other}" for one, other in product(FIRST, LAST)]
    return [names[at] for at in chance.permutation(len(names))[:200]]


def world(names: Sequence[str], chance: np.random.Generator) -> dict[str, tuple[str, str]]:
    """Return a sector and a country for every company."""
    return {name: (str(chance.choice(SECTORS)), str(chance.choice(COUNTRIES))) for name in names}


def moved(old: World, chance: np.random.Generator) -> dict[str, tuple[str, str]]:
    """Return the world with some companies in another sector and another country."""
    new = dict(old)
    for name in chance.permutation(list(old))[: int(MOVED * len(old))].tolist():
        sector, country = old[name]
        new[name] = (
            str(chance.choice([one for one in SECTORS if one != sector])),
            str(chance.choice([one for one in COUNTRIES if one != country])),
        )
    return new


def facts(old: World, new: World | None = None) -> list[Fact]:
    """Return the facts of a world; of one that changes, each with its days."""
    found = []
    for name in old:
        found.append(Fact(name, "name", name))
        for place, predicate in enumerate(("sector", "country")):
            before = old[name][place]
            after = new[name][place] if new else before
            if after == before:
                found.append(Fact(name, predicate, before))
                continue
            found.append(Fact(name, predicate, before, valid_to=DAY))
            found.append(Fact(name, predicate, after, valid_from=DAY))
    return found


def records(names: Sequence[str], frames: Sequence[str], known: World) -> list[dict[str, Any]]:
    """Return texts that mention companies, with the labels that the world gives."""
    return [
        {"text": frame.format(name), "sector": known[name][0], "country": known[name][1]}
        for name in names
        for frame in frames
    ]


def sections(injection: str | None, seed: int) -> dict[str, Any]:
    """Return the project file."""
    told = {"kind": injection, "dropout": 0.0} if injection else None
    known = {"knowledge": {"facts": "world.db", "injection": told}} if told else {}
    return {
        "sources": [{"path": f"{split}.jsonl", "split": split}
                    for split in ("train", "validation", "test")],
        "inputs": {"text": {"kind": "text", "model": MINILM, "tune": "frozen"}},
        **known,
        "tasks": {"sector": {"kind": "multiclass", "labels": list(SECTORS)},
                  "country": {"kind": "multiclass", "labels": list(COUNTRIES)}},
        "training": {"epochs": 30, "head_lr": 3.0e-3, "patience": 8, "seed": seed},
    }  # fmt: skip


def right(project: Project, names: Sequence[str], known: World, **options: Any) -> float:
    """Return the share of right answers to both questions on new texts about some companies."""
    rows = records(names, FRAMES[-4:], known)
    answers = project.predict([{"text": row["text"]} for row in rows], **options)
    return 100 * float(
        np.mean(
            [
                answer[task]["label"] == row[task]
                for row, answer in zip(rows, answers, strict=True)
                for task in ("sector", "country")
            ]
        )
    )


def measure(injection: str | None, seed: int) -> dict[str, float]:
    """Train on version 1; return what is answered right with each version."""
    chance, folder = np.random.default_rng(seed), scratch()
    names = companies(chance)
    old = world(names, chance)
    new = moved(old, chance)
    seen, others = names[:NUM_TRAINED], names[NUM_TRAINED:]
    write_jsonl(folder / "train.jsonl", records(seen[:-20], FRAMES[:8], old))
    write_jsonl(folder / "validation.jsonl", records(seen[-20:], FRAMES[:8], old))
    write_jsonl(folder / "test.jsonl", records(others, FRAMES[8:], old))
    changed = [name for name in names if new[name] != old[name]]
    store = Store(folder / "world.db")
    store.replace(facts(old), source="world")
    project = Project(make_plan(sections(injection, seed), folder=folder))
    project.train()
    found = {"1, seen": right(project, seen, old), "1, others": right(project, others, old)}
    store.replace(facts(old, new), source="world")
    found |= {
        "2, seen": right(project, seen, new),
        "2, others": right(project, others, new),
        "2, moved": right(project, changed, new),
        "before": right(project, names, old, as_of="2025-06-30"),
        "after": right(project, names, new, as_of="2025-07-01"),
    }
    store.close()
    return found


def main() -> None:
    """Measure, and keep one table."""
    seeds = 10 if arguments(__doc__).full else 5
    shown = {"facts": "facts", "": "nothing"}
    columns = {
        "1, seen": "version 1: seen", "1, others": "others", "2, seen": "version 2: seen",
        "2, others": "others", "2, moved": "moved", "before": "as of 06-30", "after": "as of 07-01",
    }  # fmt: skip
    rows = [["what is known", *columns.values()]]
    for injection, name in shown.items():
        found = [
            remembered(NAME, f"{injection or 'nothing'}-{seed}",
                       lambda i=injection, s=seed: measure(i or None, s))
            for seed in range(seeds)
        ]  # fmt: skip
        rows.append([name, *(mean_interval([one[key] for one in found]) for key in columns)])
    keep(NAME, "Facts that change after training", rows, [
        f"Share of right answers in percent over two tasks of eight labels, {seeds} seeds, 95 % "
        "intervals. 200 invented companies, 100 trained on, 20 for validation (both count as "
        "seen), 80 others; new texts for all.",
        "Version 2 moves 40 % of the companies to another sector and country from 2025-07-01 on. "
        "Nothing is trained after the swap. `as of` answers with the facts of a day, from version "
        "2.",
        "MiniLM is frozen; the injection is `facts` without dropout, so that the model never "
        "learns to do without. Without knowledge only companies seen in training can be answered.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
