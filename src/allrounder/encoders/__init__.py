"""One encoder per modality: raw values in, vectors out."""

from allrounder.encoders.audio import Audio
from allrounder.encoders.base import Encoder
from allrounder.encoders.category import Category
from allrounder.encoders.hashing import Hashing
from allrounder.encoders.image import Image
from allrounder.encoders.number import Number
from allrounder.encoders.pixels import Pixels
from allrounder.encoders.rows import Rows
from allrounder.encoders.spectrum import Spectrum
from allrounder.encoders.text import Text
from allrounder.encoders.tokens import Tokens
from allrounder.kinds import Kinds

ENCODERS = Kinds[Encoder](
    "encoders",
    text=Text,
    hashing=Hashing,
    image=Image,
    pixels=Pixels,
    audio=Audio,
    spectrum=Spectrum,
    number=Number,
    category=Category,
)

__all__ = [
    "ENCODERS",
    "Audio",
    "Category",
    "Encoder",
    "Hashing",
    "Image",
    "Number",
    "Pixels",
    "Rows",
    "Spectrum",
    "Text",
    "Tokens",
]
