"""How fast pictures are read once a frozen encoder has seen them.

10,000 different pictures of 128 pixels: stamps, turned, cropped and mirrored by chance. The
encoder is EfficientNet-lite0, frozen, as in `examples/stamps`. Measured: the first reading; opening
the kept features again, as a second training does; an epoch of batches in random order out of
them. Default size: about 10 minutes on 2 cores, nearly all of it the first reading; --full: 50,000.
"""

import csv
import sys
import time
from pathlib import Path

import numpy as np
from common import ROOT, arguments, keep, scratch
from PIL import Image, ImageOps
from stamps import prepared as example

sys.path.insert(0, str(ROOT / "examples" / "stamps"))

from encoders import Lite0

from allrounder.model import Model, Prepared, store_frozen
from allrounder.records import Source, load
from allrounder.tasks import Multiclass

EPOCHS = 5


def pictures(folder: Path, n: int) -> None:
    """Write `n` different pictures and the table that names them."""
    rng = np.random.default_rng(0)
    known = sorted((example() / "data" / "pictures").glob("*.png"))
    (folder / "pictures").mkdir()
    with open(folder / "pictures.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "it"])
        for at in range(n):
            name = f"pictures/{at}.png"
            varied(known[at % len(known)], rng).save(folder / name)
            writer.writerow([name, "ab"[at % 2]])


def varied(path: Path, rng: np.random.Generator) -> Image.Image:
    """Return a picture turned, cropped and mirrored by chance."""
    found = Image.open(path).convert("RGBA").rotate(rng.uniform(-20, 20))
    left, top = (rng.uniform(0, 0.2) * side for side in found.size)
    found = found.crop((left, top, left + 0.8 * found.width, top + 0.8 * found.height))
    found = ImageOps.mirror(found) if rng.random() < 0.5 else found
    white = Image.new("RGBA", found.size, "white")
    white.alpha_composite(found)
    return white.convert("RGB").resize((128, 128))


def main() -> None:
    """Read the pictures once, open them again, and draw epochs from what was kept."""
    n = 50_000 if arguments(__doc__).full else 10_000
    folder = scratch()
    pictures(folder, n)
    encoder = Lite0(model=str(example() / "data" / "models" / "lite0"), tune="frozen").named(
        "picture"
    )
    task = Multiclass(labels=["a", "b"])
    model = Model({"picture": encoder}, {"it": task})
    records = load([Source(path="pictures.csv", split="train")], fields={"picture": encoder.field},
                   columns={}, folder=folder, cache=folder / "records", trains=False)  # fmt: skip
    rows, seconds = np.arange(len(records)), []
    for _ in range(2):
        ready = Prepared.of(model, {"picture": records.values("picture")})
        began = time.perf_counter()
        store_frozen(ready, rows, cache=folder / "features", progress=lambda *_: None)
        seconds.append(time.perf_counter() - began)
    table = [["what", "seconds", "pictures a second"],
             ["first reading", f"{seconds[0]:.1f}", f"{n / seconds[0]:,.0f}"],
             ["opening what was kept", f"{seconds[1]:.2f}", f"{n / seconds[1]:,.0f}"]]  # fmt: skip
    for size in (32, 256):
        taken = [epoch(ready, rows, size, seed) for seed in range(EPOCHS)]
        median = float(np.median(taken))
        table.append([f"an epoch in batches of {size}", f"{median:.3f}", f"{n / median:,.0f}"])
    keep("frozen_features", "Frozen pictures are read once", table, [
        f"{n:,} different pictures of 128 × 128, 1280 numbers each; epochs: median of {EPOCHS}, "
        "batches in random order, up to the tensors that heads read.",
        "Decoding and checking when the table of records is made is not in these numbers.",
    ])  # fmt: skip


def epoch(ready: Prepared, rows: np.ndarray, size: int, seed: int) -> float:
    """Return how long it takes to read every row in batches of random order."""
    order = np.random.default_rng(seed).permutation(rows)
    began = time.perf_counter()
    for start in range(0, len(order), size):
        part = order[start : start + size]
        batch = ready.batch(part, {"it": np.ones(len(part), dtype=bool)})
        assert batch.inputs["picture"].features.pooled.shape == (len(part), 1280)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
