"""The encoder protocol."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from allrounder.encoders.rows import Rows
from allrounder.encoders.vocabulary import Vocabulary
from allrounder.errors import ProjectError
from allrounder.kinds import Kind
from allrounder.records import Field, TextField
from allrounder.spelling import Spelling

if TYPE_CHECKING:
    from allrounder.encoders.modules import Encoding


@dataclass(kw_only=True)
class Encoder(Kind, ABC):
    """How one input of a record becomes vectors.

    An encoder is its settings. It turns raw values into tokens once (`prepare`), tokens into
    tensors per batch (`collate`), and builds the torch module between tensors and features.
    Everything down to `prepare` works without torch.

    Args:
        fields: the columns that the input reads; by default the input's own name.
    """

    learned: ClassVar[tuple[str, ...]] = ()
    """The settings that `learn` fills in where the project file leaves them out."""
    values: ClassVar[str] = "texts"
    """What its values are called in sentences."""

    reads_branches: ClassVar[bool] = False
    """Whether it can read other texts beside one of its own: `branches`, `collate_beside`."""

    needs_all: ClassVar[bool] = False
    """Whether a record that lacks one of several columns lacks the input."""

    fields: list[str] | None = None

    def named(self, name: str) -> Self:
        """Return the encoder with its columns filled in."""
        return replace(self, fields=self.fields or [name])

    @property
    def field(self) -> Field:
        """How the values of each of its columns are read from files."""
        return TextField()

    def glimpse(self, value: Any) -> str | None:
        """Return a small view of one value for a report, as a data URI, where there is any."""
        return None

    @property
    def sample(self) -> Any:
        """One value that each of its columns could hold in a file, the smallest there is."""
        return "a"

    def learn(self, values: Sequence[pa.ChunkedArray]) -> Self:
        """Return the encoder with what only training records can tell, such as a mean.

        Args:
            values: one column per field, training records alone.
        """
        return self

    def at(self, folder: Path) -> Self:
        """Return the encoder with paths resolved against the folder of the project file."""
        return self

    @abstractmethod
    def prepare(self, values: Sequence[pa.Array], *, cache: Path | None = None) -> Rows:
        """Return every row as the encoder reads it; `values` holds one column per field."""

    @abstractmethod
    def collate(self, tokens: Any, rows: Sequence[int], whole: Sequence[bool]) -> Any:
        """Return the tensors of some rows; `whole` marks rows of which every token is wanted."""

    @abstractmethod
    def length(self, tokens: Any, whole: np.ndarray) -> np.ndarray:
        """Return how many tokens of each row the module will read, special ones included.

        Args:
            tokens: the tokens of every row.
            whole: which rows are wanted whole: those too long for one pass are read in windows.
        """

    @abstractmethod
    def module(self) -> "Encoding":
        """Build the module: what `collate` returns → `Features`."""

    def writing(self, task: str) -> "Encoding":
        """Build the module for a task that goes on with what was read: `Features` with a memory.

        Raises:
            ProjectError: the encoder only reads.
        """
        raise ProjectError(
            f"`tasks.{task}` goes on with what was read, and an input of kind "
            f"`{self.kind_name()}` only reads. Choose `light: true`, a decoder that is learned "
            "from nothing, or an input of kind `text` with a model that writes: GPT-2, Llama, "
            "Qwen, Gemma, T5, BART."
        )

    def words(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of texts that are no records', such as those that are written."""
        raise AssertionError(f"{type(self).__name__} has no tokens of words")

    def said(self, tokens: Sequence[int]) -> str:
        """Return the text that some tokens stand for, without special ones."""
        raise AssertionError(f"{type(self).__name__} has no tokens of words")

    def spelling(self) -> Spelling:
        """Return what each token writes."""
        raise AssertionError(f"{type(self).__name__} has no tokens of words")

    @property
    @abstractmethod
    def reach(self) -> int:
        """The most tokens of one record that are read at once."""

    def vocabulary(self, texts: Sequence[str]) -> Vocabulary | None:
        """Return how far `texts` are from the encoder's vocabulary, if it has one."""
        return None

    def save(self, folder: Path) -> None:
        """Write what `module` and `prepare` need besides weights into `folder`."""

    def saved(self, folder: Path) -> Self:
        """Return the encoder as `save` left it in `folder`; weights come from the run."""
        return self
