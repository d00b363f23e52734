"""Train AutoGluon-MultiModal on a job and write what it answers; runs in an environment of its own.

`python autogluon_peer.py JOB.json THREADS`: the job names the folder of the text encoder, the
weights of EfficientNet-lite0 as efficientnet-lite-pytorch names them, numbers to check them by,
rows to train on, to select by and to be asked with, a seed, and `settings`, which are AutoGluon's
own `hyperparameters` on top of its default preset. Prints one line of JSON: answers by what is
asked, seconds of training (`cpu`: of the processor) and of each asking,
version.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas
import torch
from safetensors.torch import load_file

# torchvision from PyPI is built for CUDA and finds no operators of its own beside torch for CPUs.
# On import it asks for these two, which nothing here calls.
OPERATORS = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm  # noqa: E402
from autogluon.multimodal import MultiModalPredictor, __version__  # noqa: E402

KINDS = {"picture": "image_path", "caption": "text", "category": "categorical"}
PARTS = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""The parts of a block that does not expand: timm's depthwise separable one."""
ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}


def lite0(weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """Return timm's EfficientNet-lite0 with the weights that another package names otherwise."""
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    blocks = [
        f"blocks.{s}.{b}" for s, stage in enumerate(network.blocks) for b in range(len(stage))
    ]
    named = {}
    for name, weight in weights.items():
        first, *rest = name.split(".")
        if first == "_blocks":
            at, part, leaf = rest
            parts = PARTS if f"_blocks.{at}._expand_conv.weight" in weights else FIRST
            named[f"{blocks[int(at)]}.{parts[part]}.{leaf}"] = weight
        elif first in ENDS:
            named[".".join([ENDS[first], *rest])] = weight
    network.load_state_dict(named)
    return network.eval()


def write_lite0(job: dict[str, Any], folder: Path) -> None:
    """Write EfficientNet-lite0 as AutoGluon reads a local model of timm's."""
    network = lite0(load_file(job["lite0"]))
    check = load_file(job["check"])
    with torch.no_grad():
        gap = (network(check["pixels"]) - check["vectors"]).abs().max()
    if gap > 1e-4:
        raise ValueError(f"EfficientNet-lite0 says other things here: {gap:.2g} apart.")
    folder.mkdir()
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    seen = {**network.default_cfg, "mean": job["mean"], "std": job["std"]}
    about = {"architecture": "tf_efficientnet_lite0", "num_classes": 0, "num_features": 1280}
    (folder / "config.json").write_text(json.dumps({**about, "pretrained_cfg": seen}))


def answers(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return AutoGluon's answers to every table it is asked with, and seconds."""
    write_lite0(job, folder / "lite0")
    predictor = MultiModalPredictor(label="category", problem_type="multiclass", verbosity=1)
    settings = {
        "model.names": ["timm_image", "hf_text", "fusion_mlp"],
        "model.timm_image.checkpoint_name": str(folder / "lite0"),
        "model.hf_text.checkpoint_name": job["minilm"],
        "model.hf_text.pooling_mode": "mean",
        "env.num_gpus": 0,
        "env.num_workers": 0,
        "env.num_workers_inference": 0,
        **job["settings"],
    }
    train, validation = (pandas.DataFrame(job[split]) for split in ("train", "validation"))
    began, busy = time.perf_counter(), time.process_time()
    predictor.fit(
        train,
        tuning_data=validation,
        column_types=KINDS,
        hyperparameters=settings,
        save_path=str(folder / "run"),
        seed=job["seed"],
    )
    spent = {"training": time.perf_counter() - began, "cpu": time.process_time() - busy}
    said, seconds = {}, {}
    for name, rows in job["asked"].items():
        began = time.perf_counter()
        said[name] = predictor.predict(pandas.DataFrame(rows)).tolist()
        seconds[name] = time.perf_counter() - began
    return {"answers": said, "asking": seconds, **spent, "version": __version__}


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    with tempfile.TemporaryDirectory() as scratch:
        job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
        found = answers(job, Path(scratch))
    sys.stdout.write(json.dumps(found) + "\n")
