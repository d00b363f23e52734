"""Chance from one seed, one thread, no network, and small things that many tests need."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from browsers import chrome, visit
from hypothesis import settings
from making import save_tiny_decoder, save_tiny_encoder, write_newsroom
from models import save_tiny_model
from postgres import database, postgres, schema

__all__ = ["chrome", "database", "postgres", "schema", "visit"]

settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("quick")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a random Hugging Face encoder of three layers."""
    return save_tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a random Hugging Face decoder of three layers."""
    return save_tiny_decoder(tmp_path_factory.mktemp("decoders") / "tiny")


@pytest.fixture(scope="session")
def teller(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a random Hugging Face model that tells hidden words."""
    folder = tmp_path_factory.mktemp("encoders") / "teller"
    return save_tiny_encoder(folder, layers=1, tells=True)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return the folder of a random model of an architecture: ``models("vit")``."""
    folder = tmp_path_factory.mktemp("models")
    made = cache(lambda name: save_tiny_model(folder / name, name))
    return lambda name: made(name)


@pytest.fixture
def newsroom(tmp_path: Path) -> Callable[..., Path]:
    """Write the small project into the test's folder: ``newsroom(size=10, training={...})``."""
    return lambda **options: write_newsroom(tmp_path / "newsroom", **options)
