"""How fast training is, beside the Hugging Face Trainer.

Same encoder (MiniLM, fully tuned), same 2,000 texts of the newsroom example cut at 128 tokens (most
are single sentences, some are articles), same 32 records a batch, same AdamW, no dropout unless the
row says so. Every row is measured twice, in turns, and the median is shown. Default size: about
7 minutes on 2 cores; --full: three times that.
"""

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import transformers
from common import DEVICE, MINILM, ROOT, arguments, bf16_rate, keep, now, scratch
from torch.nn import functional as F

from allrounder.checking import load_records
from allrounder.encoders import Text
from allrounder.model import Model, Prepared, store_frozen
from allrounder.plan import read_plan
from allrounder.tasks import Multiclass
from allrounder.training import Training
from allrounder.training.loop import Loop

WARM = 3
NEWSROOM = ROOT / "examples" / "newsroom"


def texts(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return training texts of the newsroom example with one label each.

    The label is the topic of an article, the sign of a rated sentence, or whether a sentence names
    anybody.
    """
    subprocess.run([sys.executable, str(NEWSROOM / "prepare.py")], check=True)
    records = load_records(read_plan(NEWSROOM / "newsroom.yaml"))
    rows = np.random.default_rng(seed).permutation(records.indices("train"))[:count]
    topics, moods, names = (records.take(task, rows) for task in ("topic", "mood", "entities"))
    labels = [
        topic or (f"mood {mood > 0}" if mood is not None else f"names {bool(spans)}")
        for topic, mood, spans in zip(topics, moods, names, strict=True)
    ]
    return records.take("text", rows), labels


def model(labels: list[str], tune: str = "full", precision: Any = None) -> Model:
    """Return MiniLM with one head, from the same seed every time."""
    torch.manual_seed(0)
    encoder = Text(model=MINILM, tune=tune, max_tokens=128).named("text").at(Path("."))
    return Model(
        {"text": encoder},
        {"t": Multiclass(labels=sorted(set(labels)))},
        dropout=0.0,
        precision=precision,
    ).to(DEVICE)


def prepared(network: Model, found: list[str], labels: list[str]) -> Prepared:
    """Return the texts as the model reads them."""
    return Prepared.of(
        network, {"text": pa.array(found)}, {"t": pa.chunked_array([pa.array(labels)])}
    )


def ours(found: list[str], labels: list[str], steps: int, precision: torch.dtype | None) -> float:
    """Return real tokens a second of our loop."""
    network = model(labels, precision=precision)
    settings = Training(epochs=100, batch_records=32, batch_tokens=1 << 20, lr=2e-5)
    loop = Loop(network, prepared(network, found, labels), np.arange(len(found)), settings)
    return rate(loop, steps)


def rate(loop: Loop, steps: int) -> float:
    """Return real tokens a second over `steps` steps, after a few to warm up."""
    tokens, began = 0, 0.0
    for number, step in enumerate(loop.steps()):
        if number == WARM:
            began, tokens = now(), 0
        tokens += step.tokens
        if number == WARM + steps:
            break
    return (tokens - step.tokens) / (now() - began - step.seconds)


class Clock(transformers.TrainerCallback):
    """Stops the Trainer after some steps and keeps the time of each."""

    def __init__(self, steps: int) -> None:
        self.steps, self.moments = steps, []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the time."""
        self.moments.append(now())
        control.should_training_stop = len(self.moments) > WARM + self.steps


def trainer(
    found: list[str], labels: list[str], steps: int, *, bf16: bool, group: bool, dropout: bool
) -> float:
    """Return real tokens a second of the Hugging Face Trainer."""
    torch.manual_seed(0)
    folder = Text(model=MINILM).named("text").at(Path(".")).folder
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    kept = {} if dropout else {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    network = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=len(set(labels)), **kept
    )
    names = sorted(set(labels))
    encoded = tokenizer(found, truncation=True, max_length=128)
    rows = [
        {"input_ids": ids, "attention_mask": mask, "labels": names.index(label),
         "length": len(ids)}
        for ids, mask, label in zip(
            encoded["input_ids"], encoded["attention_mask"], labels, strict=True
        )
    ]  # fmt: skip
    seen: list[int] = []
    collate = transformers.DataCollatorWithPadding(tokenizer)

    def counting(batch: list[dict[str, Any]]) -> Any:
        seen.append(sum(row["length"] for row in batch))
        return collate([{k: v for k, v in row.items() if k != "length"} for row in batch])

    clock = Clock(steps)
    options = transformers.TrainingArguments(
        output_dir="/tmp/allrounder-trainer", per_device_train_batch_size=32, learning_rate=2e-5,
        num_train_epochs=100, use_cpu=not torch.cuda.is_available(), bf16=bf16, report_to=[],
        save_strategy="no", logging_strategy="no", disable_tqdm=True, remove_unused_columns=False,
        train_sampling_strategy="group_by_length" if group else "random",
    )  # fmt: skip
    transformers.Trainer(
        network, options, train_dataset=rows, data_collator=counting, callbacks=[clock]
    ).train()
    tokens = sum(seen[WARM + 1 : WARM + 1 + steps])
    return tokens / (clock.moments[WARM + steps] - clock.moments[WARM])


def cached(found: list[str], labels: list[str], steps: int) -> float:
    """Return tokens a second of heads on features that were computed before."""
    network = model(labels, tune="frozen", precision=torch.bfloat16)
    ready = prepared(network, found, labels)
    rows = np.arange(len(found))
    store_frozen(ready, rows, cache=scratch(), progress=lambda done, total: None)
    settings = Training(epochs=1000, batch_records=32, batch_tokens=1 << 20)
    return rate(Loop(network, ready, rows, settings), steps)


def last_losses(found: list[str], labels: list[str], steps: int) -> tuple[float, float]:
    """Return the mean loss of the last ten steps: our path, and the naive one on its batches.

    The naive path is plain fp32 Hugging Face modules, every batch padded to 128 tokens, gradients
    and steps written out; it sees the same records in the same order.
    """
    fast, naive = model(labels, precision=torch.bfloat16), model(labels)
    settings = Training(epochs=100, batch_records=32, batch_tokens=1 << 20, lr=2e-5, clip=1.0)
    ready = prepared(fast, found, labels)
    loop = Loop(fast, ready, np.arange(len(found)), settings)
    mine = [step.losses["t"] for step, _ in zip(loop.steps(), range(steps), strict=False)]
    other = Loop(naive, prepared(naive, found, labels), np.arange(len(found)), settings)
    plain = []
    for rows in other._plan(0)[:steps]:
        plain.append(_naive_step(naive, other, np.sort(rows), len(plain)))
    return float(np.mean(mine[-10:])), float(np.mean(plain[-10:]))


def _naive_step(network: Model, loop: Loop, rows: np.ndarray, number: int) -> float:
    network.train()
    tokens, targets = loop.prepared.tokens["text"], loop.prepared.target("t", rows)
    ids = torch.zeros(len(rows), 128, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, row in enumerate(rows):
        full = [101, *tokens.ids(row)[:126].tolist(), 102]
        ids[line, : len(full)] = torch.tensor(full)
        mask[line, : len(full)] = 1
    bert = network.encoders["text"].network
    ids, mask, targets = ids.to(DEVICE), mask.to(DEVICE), targets.to(DEVICE)
    states = bert(input_ids=ids, attention_mask=mask).last_hidden_state
    pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    loss = F.cross_entropy(network.heads["t"](pooled), targets)
    loop._schedule(number / len(loop._plan(0)))
    loop.optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    loop.optimizer.step()
    return loss.item()


def main() -> None:
    """Measure every row and print the table."""
    full = arguments(__doc__).full
    rounds, steps = (6, 40) if full else (2, 20)
    found, labels = texts(2000)
    rows = {
        "Trainer as it comes (fp32, dropout 0.1)": lambda: trainer(
            found, labels, steps // 2, bf16=False, group=False, dropout=True),
        "Trainer fp32": lambda: trainer(
            found, labels, steps // 2, bf16=False, group=False, dropout=False),
        "Trainer bf16": lambda: trainer(
            found, labels, steps, bf16=True, group=False, dropout=False),
        "Trainer bf16, grouped by length": lambda: trainer(
            found, labels, steps * 2, bf16=True, group=True, dropout=False),
        "Allrounder fp32": lambda: ours(found, labels, steps, None),
        "Allrounder bf16 (default)": lambda: ours(found, labels, steps * 2, torch.bfloat16),
        "Allrounder, heads on cached features": lambda: cached(found, labels, steps * 100),
    }  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in rows}
    peaks = []
    for _ in range(rounds):
        peaks.append(bf16_rate())
        for name, measure in rows.items():
            rates[name].append(measure())
    median = {name: statistics.median(found) for name, found in rates.items()}
    first, fast = "Trainer as it comes (fp32, dropout 0.1)", "Allrounder bf16 (default)"
    head = ["training", "tokens/s", "to Trainer as it comes", "to Trainer fp32"]
    second = median["Trainer fp32"]
    table = [
        [name, f"{value:,.0f}", f"{value / median[first]:.1f}×", f"{value / second:.1f}×"]
        for name, value in median.items()
    ]
    # Six layers of 12·D² weights, each multiplied once forward and twice backward.
    share = median[fast] * 6 * 6 * 12 * 384**2 / statistics.median(peaks)
    mine, plain = last_losses(found, labels, 60)
    keep("train_throughput", "Training throughput", [head, *table], [
        f"Measured bf16 matrix rate: {statistics.median(peaks) / 1e9:,.0f} GFLOP/s; Allrounder "
        f"reaches {share:.0%} of it (matrix products of linear layers only).",
        f"Against the Trainer's bf16 with grouping: "
        f"{median[fast] / median['Trainer bf16, grouped by length']:.2f}×.",
        f"Heads on cached features against full tuning: "
        f"{median['Allrounder, heads on cached features'] / median[fast]:,.0f}×.",
        f"Mean loss of steps 51–60 on the same batches: {mine:.5f} here, {plain:.5f} on the naive "
        f"fp32 path padded to 128: {abs(mine - plain):.1e} apart.",
        f"Medians of {rounds} rounds taken in turns; {steps} steps a round or more, of 32 records.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
