"""Made-up runs whose answers are known: what tests judge, and what the pages are drawn from."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from allrounder.evaluation import Judged, Report, Score, judge
from allrounder.evaluation.report import Robustness, SubsetReport
from allrounder.tasks import Multiclass, Multilabel, Ordinal, Regression, Spans

TOPICS = ["markets", "politics", "technology", "sport", "文化"]
TEXTS = [
    "Shares of Acme fell 4% after the recall of its newest line of kettles.",
    "The parliament in Ruritania voted late on Tuesday to delay the budget.",
    "Globex shows a chip that draws half the power of the last one, says Dr. Lin.",
    "北京的一家公司周三宣布收购上海的竞争对手,股价随即上涨百分之四。",
    "The home side won by two goals in the last minute of extra time.",
]


def multiclass(n: int = 300, seed: int = 0, right: float = 0.85, labels: Any = None) -> Judged:
    """Answers that are right as often as `right` says."""
    task = Multiclass(labels=labels or TOPICS)
    return _one_label(task, n, seed, right)


def ordinal(n: int = 300, seed: int = 0, right: float = 0.8) -> Judged:
    """Answers on a scale of four."""
    return _one_label(Ordinal(labels=["poor", "fair", "good", "superb"]), n, seed, right)


def _one_label(task: Any, n: int, seed: int, right: float) -> Judged:
    draw = np.random.default_rng(seed)
    labels = task.labels
    truths = [labels[i] for i in draw.integers(0, len(labels), n)]
    decoded, before = _guess(draw, truths, labels, right), _guess(draw, truths, labels, right - 0.1)
    sure = draw.uniform(0.5, 1.0, n)
    return Judged(
        task=task,
        truths=truths,
        decoded=decoded,
        answers=[_probabilities(labels, d, p) for d, p in zip(decoded, sure, strict=True)],
        raw=[_probabilities(labels, d, p**0.3) for d, p in zip(decoded, sure, strict=True)],
        before=before,
        baseline=[task.baseline(task.array(truths))] * n,
        **_sources(n),
    )


def _guess(draw: Any, truths: list[str], labels: list[str], right: float) -> list[str]:
    wrong = draw.random(len(truths)) > right
    other = draw.integers(0, len(labels), len(truths))
    return [labels[o] if w else t for t, w, o in zip(truths, wrong, other, strict=True)]


def _probabilities(labels: list[str], said: str, sure: float) -> dict[str, Any]:
    rest = (1 - sure) / (len(labels) - 1)
    every = {name: float(sure if name == said else rest) for name in labels}
    return {"label": said, "probability": float(sure), "probabilities": every}


def multilabel(n: int = 300, seed: int = 0) -> Judged:
    """Six labels, one decision in ten wrong."""
    draw = np.random.default_rng(seed)
    task = Multilabel(labels=list("abcdef"))
    true = draw.random((n, 6)) < 0.3
    likely = np.clip(true * 0.6 + draw.normal(0.2, 0.2, (n, 6)), 0.01, 0.99)
    names = [[x for x, on in zip("abcdef", row, strict=True) if on] for row in true]
    decoded = [[x for x, p in zip("abcdef", row, strict=True) if p > 0.5] for row in likely]
    answers = [
        {"labels": d, "probabilities": dict(zip("abcdef", map(float, row), strict=True))}
        for d, row in zip(decoded, likely, strict=True)
    ]
    return Judged(
        task=task,
        truths=names,
        decoded=decoded,
        answers=answers,
        raw=None,
        before=[["a"]] * n,
        baseline=[[]] * n,
        **_sources(n),
    )


def regression(n: int = 300, seed: int = 0) -> Judged:
    """Numbers with noise, and intervals that hold nine in ten."""
    draw = np.random.default_rng(seed)
    truths = draw.normal(0, 1.5, n).clip(-4, 4)
    said = truths * 0.8 + draw.normal(0, 0.6, n)
    reach = float(np.quantile(np.abs(truths - said), 0.88))
    answers = [{"value": float(v), "interval": [float(v) - reach, float(v) + reach]} for v in said]
    return Judged(
        task=Regression(range=(-4, 4), center=0.0, scale=1.5),
        truths=truths.tolist(),
        decoded=said.tolist(),
        answers=answers,
        raw=answers,
        before=(truths * 0.6 + draw.normal(0, 0.9, n)).tolist(),
        baseline=[float(truths.mean())] * n,
        **_sources(n),
    )


def spans(n: int = 300, seed: int = 0) -> Judged:
    """Companies, people and places; some missed, some invented."""
    draw = np.random.default_rng(seed)
    truths = [_true_spans(text) for text in _sources(n)["texts"]]
    decoded = [_shaken(draw, spans) for spans in truths]
    answers = [
        {"spans": [{**s, "probability": float(draw.uniform(0.5, 1))} for s in ss]} for ss in decoded
    ]
    return Judged(
        task=Spans(labels=["PER", "ORG", "LOC"]),
        truths=truths,
        decoded=decoded,
        answers=answers,
        raw=None,
        before=[_shaken(draw, spans) for spans in truths],
        baseline=[[]] * n,
        **_sources(n),
    )


NAMES = {"Acme": "ORG", "Ruritania": "LOC", "Globex": "ORG", "Dr. Lin": "PER"} | {
    "北京": "LOC",
    "上海": "LOC",
}


def _true_spans(text: str) -> list[dict[str, Any]]:
    found = [(text.find(name), name, label) for name, label in NAMES.items() if name in text]
    return [{"start": at, "end": at + len(w), "label": label} for at, w, label in sorted(found)]


def _shaken(draw: Any, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [dict(span) for span in spans if draw.random() > 0.12]
    for span in kept:
        if draw.random() < 0.1:
            span["label"] = str(draw.choice(["PER", "ORG", "LOC"]))
        if draw.random() < 0.05:
            span["end"] -= 1
    return kept


def _sources(n: int) -> dict[str, list[str]]:
    return {
        "texts": [TEXTS[i % len(TEXTS)] for i in range(n)],
        "wheres": [f"data/news.csv, line {i + 2}" for i in range(n)],
    }


def history() -> list[dict[str, Any]]:
    """Twelve epochs of thirty steps; validation once an epoch."""
    draw = np.random.default_rng(1)
    return [_history_row(draw, step) for step in range(10, 361, 10)]


def _history_row(draw: Any, step: int) -> dict[str, Any]:
    fall = float(np.exp(-step / 90))
    scores = {
        "topic": {"accuracy": 0.86 - 0.5 * fall, "macro_f1": 0.84 - 0.5 * fall},
        "mood": {"r2": 0.78 - 0.9 * fall - 0.0004 * max(0, step - 200)},
        "entities": {"span_f1": 0.83 - 0.8 * fall},
    }
    noise = float(draw.normal(0, 0.03))
    return {
        "step": step,
        "epoch": step / 30,
        "losses": {"topic": 1.6 * fall + 0.2 + noise, "mood": fall + 0.2, "entities": fall + noise},
        "validation": scores if step % 30 == 0 else None,
        "lr": 2e-5 * (1 - step / 400),
        "seconds": step * 0.4,
    }


def report(n: int = 300) -> Report:
    """Three tasks of one run."""
    return Report(
        tasks={
            "topic": judge(multiclass(n)),
            "mood": judge(regression(n)),
            "entities": judge(spans(n)),
        },
        history=history(),
        snapshots={
            "topic": {"best_step": 330, "best": 0.848, "shipped_step": 330, "shipped": 0.848},
            "mood": {"best_step": 210, "best": 0.689, "shipped_step": 210, "shipped": 0.689},
            "entities": {"best_step": 360, "best": 0.815, "shipped_step": 330, "shipped": 0.81},
        },
        speed={
            "train_tokens_per_second": 3715.2,
            "train_seconds": 812.4,
            "predict_records_per_second": 240.7,
            "num_parameters": 22713600,
            "num_trained": 22713600,
        },
        data=_data(),
        notes=["Two records of data/news.csv say the same text with different labels."],
        project=_project(),
        environment={"allrounder": "0.1.0", "torch": "2.9.0", "device": "cpu (2 cores)"},
        split="test",
        created="2025-11-03 14:20",
    )


def _data() -> dict[str, Any]:
    news = {"train": 2100, "validation": 300, "test": 600}
    tagged = {"train": 800, "validation": 100, "test": 200}
    return {
        "records": {"data/news.csv": news, "data/tagged.conll": tagged},
        "coverage": {
            "data/news.csv": {
                "topic": news,
                "mood": {"train": 900, "validation": 120, "test": 250},
            },
            "data/tagged.conll": {"entities": tagged},
        },
    }


def _project() -> dict[str, Any]:
    model = "sentence-transformers/all-MiniLM-L6-v2"
    return {
        "name": "market",
        "sources": [{"path": "data/news.csv", "map": {"headline": "text"}}],
        "inputs": {"text": {"kind": "text", "model": model, "tune": "full", "max_tokens": 128}},
        "tasks": {
            "topic": {"kind": "multiclass", "labels": TOPICS},
            "mood": {"kind": "regression", "range": [-4, 4]},
            "entities": {"kind": "spans", "of": "text", "labels": ["PER", "ORG", "LOC"]},
        },
        "training": {"epochs": 12, "batch_tokens": 4096, "lr": 2e-05, "seed": 0},
    }


MAKERS = {
    "multiclass": multiclass,
    "ordinal": ordinal,
    "multilabel": multilabel,
    "regression": regression,
    "spans": spans,
}


@pytest.fixture
def make() -> Callable[..., Judged]:
    """What makes answers of a kind: ``make("spans", n=50)``."""
    return lambda kind, **options: MAKERS[kind](**options)


@pytest.fixture(scope="session")
def whole_report() -> Report:
    return report()


@pytest.fixture(scope="session")
def missing_report() -> Report:
    """The report of a run whose topics come from three inputs, any of which may be missing."""
    found = report()
    found.tasks["topic"].robustness = robust()
    return found


def robust() -> Robustness:
    """Seven subsets of three inputs: the more there are, the better and the surer."""
    inputs = ["text", "image", "audio"]
    every = [list(some) for n in (1, 2, 3) for some in combinations(inputs, n)]
    return Robustness(num_records=240, subsets=[_subset(some) for some in every])


def _subset(inputs: list[str]) -> SubsetReport:
    worth = {"text": 0.25, "image": 0.15, "audio": 0.05}
    value = 0.42 + sum(worth[name] for name in inputs)
    metrics = {
        name: Score(value=value - less, low=value - less - 0.05, high=value - less + 0.045)
        for name, less in (("accuracy", 0.0), ("macro_f1", 0.03))
    }
    return SubsetReport(inputs=inputs, metrics=metrics, confidence=value + 0.02, ece=0.024)
