"""Whether a million facts and a million aliases are quick to import, to ask and to find in texts.

Facts are invented: 125,000 entities with eight facts each. English aliases are one to four invented
words; texts are other invented words, of which one in twelve gives way to an alias. Chinese aliases
are published medical terms and a million invented ones, two pieces of real sentences put together;
texts are real sentences. Every part runs in a process of its own on one core; about
three minutes.
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import alone, arguments, data, keep, scratch

from allrounder.knowledge import Fact, Lexicon, Snapshot, Store
from allrounder.knowledge.formats import read_table

NUM = 1_000_000
TEXT = 480
LETTERS = np.array(list("abcdefghijklmnoprstuvwy"))


def seconds(call: Callable[[], Any], *, tries: int = 1) -> float:
    """Return the seconds of one core that a call takes, the least of several tries."""
    taken = []
    for _ in range(tries):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return min(taken)


def peak() -> float:
    """Return the most memory that this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_triples(path: Path) -> None:
    """Write a million triples, a third of them between entities."""
    rng = np.random.default_rng(0)
    objects, kinds = rng.integers(0, 125_000, NUM), rng.integers(0, 3, NUM)
    with path.open("w", encoding="utf-8") as file:
        for i in range(NUM):
            object = f"entity{objects[i]}" if kinds[i] == 0 else f"value {objects[i]}"
            file.write(f"entity{i // 8}\tp{i % 8}\t{object}\n")


def imported(folder: str) -> dict[str, float]:
    """Return what importing a million triples takes, and importing them again."""
    path = Path(folder)
    with Store(path / "kb.sqlite") as store:
        began = time.perf_counter()
        first = seconds(lambda: store.replace(read_table(path / "kb.tsv"), source="kb"))
        clock, memory = time.perf_counter() - began, peak()
        again = seconds(lambda: store.replace(read_table(path / "kb.tsv"), source="kb"))
    return {"first": first, "clock": clock, "again": again, "memory": memory}


def frozen(folder: str) -> dict[str, float]:
    """Return what making the snapshot takes."""
    with Store(Path(folder) / "kb.sqlite") as store:
        return {"seconds": seconds(store.snapshot), "memory": peak()}


def asked(folder: str) -> dict[str, float]:
    """Return what asking for all facts of an entity takes."""
    before = peak()
    with Store(Path(folder) / "kb.sqlite") as store:
        load = seconds(store.snapshot)
        snapshot = store.snapshot()
        entities = np.random.default_rng(1).integers(0, len(snapshot.entities), 20_000).tolist()
        ids = [snapshot.entities[entity] for entity in entities]
        asked = len(ids)
        facts = seconds(lambda: [snapshot.facts_of(i) for i in entities], tries=3) / asked
        number = seconds(lambda: [snapshot.number(id) for id in ids], tries=3) / asked
        memory = peak() - before
        words = "SELECT * FROM facts WHERE subject = ?"
        plain = seconds(lambda: [store._all(words, (id,)) for id in ids], tries=3) / asked
        versioned = seconds(lambda: [store.facts(subject=id) for id in ids[:1000]]) / 1000
    return {"load": load, "facts": facts, "number": number, "memory": memory, "plain": plain,
            "versioned": versioned}  # fmt: skip


def english() -> tuple[list[str], list[str]]:
    """Return a million names, and texts in which some stand."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(LETTERS, size)) for size in rng.integers(3, 10, 80_000)]
    names, others = words[:60_000], words[60_000:]
    sizes = rng.choice([1, 2, 3, 4], NUM, p=[0.04, 0.5, 0.32, 0.14])
    picks = iter(rng.integers(0, len(names), sizes.sum()).tolist())
    aliases = [" ".join(names[next(picks)].title() for _ in range(size)) for size in sizes]
    texts = []
    for _ in range(2000):
        chosen = [
            aliases[rng.integers(NUM)] if rng.random() < 1 / 12 else others[rng.integers(20_000)]
            for _ in range(90)
        ]
        texts.append(" ".join(chosen)[:TEXT])
    return aliases, texts


def chinese() -> tuple[list[str], list[str]]:
    """Return medical terms and a million pieces of sentences, and texts of sentences."""
    rng = np.random.default_rng(0)
    folder = data("medical_ner")
    lines = [
        line.split("\t")[0].replace(" ", "").strip()
        for line in (folder / "train.tsv").read_text(encoding="utf-8").splitlines()[1:]
    ]
    whole = "".join(lines)
    starts, sizes = rng.integers(0, len(whole) - TEXT, NUM * 2), rng.integers(2, 5, NUM * 2)
    pieces = [whole[i : i + size] for i, size in zip(starts, sizes, strict=True)]
    made = [a + b for a, b in zip(pieces[::2], pieces[1::2], strict=True)]
    terms = (folder / "Medical.spo").read_text(encoding="utf-8").splitlines()
    real = [line.split("\t")[0] for line in terms if line]
    return list(dict.fromkeys(real + made)), [whole[i : i + TEXT] for i in starts[:2000]]


def linked(language: str) -> dict[str, float]:
    """Return what building a lexicon and finding mentions takes."""
    aliases, texts = {"english": english, "chinese": chinese}[language]()
    snapshot = Snapshot.of(Fact(f"Q{i}", "name", alias) for i, alias in enumerate(aliases))
    found = len(set(aliases))
    del aliases
    build = seconds(lambda: Lexicon.of(snapshot), tries=3)
    lexicon = Lexicon.of(snapshot)
    held = sum(
        array.nbytes for array in [*lexicon._meanings, lexicon._bounds, lexicon._lengths.table]
    )
    mentions = sum(map(len, lexicon.find_all(texts)))
    one = seconds(lambda: [lexicon.find(text) for text in texts], tries=3)
    all_ = seconds(lambda: lexicon.find_all(texts), tries=3)
    return {
        "aliases": found,
        "build": build,
        "memory": held / 2**20,
        "mentions": mentions / len(texts),
        "one": len(texts) / one,
        "all": len(texts) / all_,
    }


def main() -> None:
    """Measure, print and keep."""
    arguments(__doc__ or "")
    folder = scratch()
    write_triples(folder / "kb.tsv")
    first, made, ask = (alone(part, str(folder)) for part in (imported, frozen, asked))
    size = (folder / "kb.sqlite").stat().st_size / 2**20
    rows = [["a million facts", "takes", "", "MB", "target"],
            ["import of triples", f"{first['first']:.1f}", "s", f"{first['memory']:.0f}", "30 s"],
            ["… by the clock", f"{first['clock']:.1f}", "s", "", ""],
            ["import, nothing new", f"{first['again']:.1f}", "s", "", ""],
            ["store on disk", "", "", f"{size:.0f}", ""],
            ["snapshot, made", f"{made['seconds']:.1f}", "s", f"{made['memory']:.0f}", ""],
            ["snapshot, opened", f"{ask['load'] * 1e3:.1f}", "ms", f"{ask['memory']:.0f}", ""],
            ["facts of an entity", f"{ask['facts'] * 1e6:.1f}", "µs", "", "10 µs"],
            ["number of an id", f"{ask['number'] * 1e6:.1f}", "µs", "", ""],
            ["SQLite, subject's rows", f"{ask['plain'] * 1e6:.1f}", "µs", "", ""],
            ["store, with versions", f"{ask['versioned'] * 1e6:.0f}", "µs", "", ""]]  # fmt: skip
    table = [["aliases", "number", "built s", "MB", "mentions/text", "texts/s", "texts/s, many"]]
    for language in ("english", "chinese"):
        has = alone(linked, language)
        row = [f"{has[name]:,.0f}" for name in ("aliases", "memory", "one", "all")]
        row.insert(1, f"{has['build']:.1f}")
        row.insert(3, f"{has['mentions']:.1f}")
        table.append([language, *row])
    load = f"The machine's load at the end, over five minutes: {os.getloadavg()[1]:.1f}."
    keep("knowledge_store", "A million facts, a million aliases", [rows, table], [*NOTES, load])


NOTES = [
    "Seconds of one core, except by the clock; the least of three tries where a try is short. "
    "125,000 entities with 8 facts each; reading the file is part of the import. MB: the peak of "
    "the process; of the opened snapshot what it adds.",
    "Texts of 480 characters: `find` takes one, `find_all` many at a time. MB of aliases: the "
    "arrays of the lexicon. Targets: a million aliases in 2 s, 5,000 texts a second.",
    "English: invented names of 1–4 words in invented text. Chinese: medical terms, and pieces of "
    "2–4 characters put together in twos, searched in real sentences.",
]

if __name__ == "__main__":
    sys.exit(main())
