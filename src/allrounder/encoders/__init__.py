"""One encoder per modality: raw values in, vectors out."""

from allrounder.encoders.base import Encoder
from allrounder.encoders.hashing import Hashing
from allrounder.encoders.rows import Rows
from allrounder.encoders.text import Text
from allrounder.encoders.tokens import Tokens
from allrounder.kinds import Kinds

ENCODERS = Kinds[Encoder]("encoders", text=Text, hashing=Hashing)

__all__ = ["ENCODERS", "Encoder", "Hashing", "Rows", "Text", "Tokens"]
