"""Pictures: every format and colour is read, the right way up; what is none is refused in words."""

import io
import struct
import sys

import numpy as np
import pytest
from models import drawing, tone
from PIL import Image

from allrounder.encoders import pictures
from allrounder.encoders.files import in_order
from allrounder.encoders.pictures import PICTURE, WHITE_DOT, check_picture, picture
from allrounder.errors import MissingExtra

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(image: Image.Image, form: str, **options) -> bytes:
    held = io.BytesIO()
    image.save(held, form, **options)
    return held.getvalue()


def halves(mode: str, left, right, size=(40, 20)) -> Image.Image:
    """Return a picture with one colour on the left and another on the right."""
    found = Image.new(mode, size, right)
    found.paste(left, (0, 0, size[0] // 2, size[1]))
    return found


def near(found, wanted, by=3):
    return np.abs(np.subtract(found, wanted)).max() <= by


# ------------------------------------------------------------------ what is refused, word for word

JPEG = drawing(0, form="JPEG")
PNG = drawing(1, 200, 200)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (b"", "expected a picture, found an empty file."),
        (b"hello world\nand", "expected a picture, found text that begins with 'hello world'."),
        (b"%PDF-1.7 ...", "expected a picture, found a PDF."),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>",
         "expected a picture, found an SVG drawing, which has no pixels."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
         "expected a picture, found text that begins with '%!PS-Adobe-3.0 EPSF-3.0'."),
        (tone(0, 0.01), "expected a picture, found a WAV sound."),
        (b"\x00\x01\x02\xff" * 9, "expected a picture, found 36 bytes of no known format."),
        (JPEG[: len(JPEG) // 2],
         "expected a picture, found a JPEG picture that is cut short or damaged."),
        (PNG[: len(PNG) // 2],
         "expected a picture, found a PNG picture that is cut short or damaged."),
        (PNG[:20], "expected a picture, found a PNG picture that is cut short or damaged."),
        (PNG[:60] + b"\x00" * 40 + PNG[100:],
         "expected a picture, found a PNG picture that is cut short or damaged."),
        (JPEG[:30], "expected a picture, found a JPEG picture that is cut short or damaged."),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else None,
)  # fmt: skip
def test_what_is_no_picture_is_refused_in_words(held, words):
    with pytest.raises(ValueError) as caught:
        check_picture(held)
    assert str(caught.value) == words


def bomb(width: int, height: int) -> bytes:
    """Return the head of a PNG that says it is large."""
    from zlib import crc32

    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", crc32(head))


@pytest.mark.parametrize(("side", "found"), [(8_100, "66"), (12_000, "144"), (40_000, "1,600")])
def test_a_picture_that_unpacks_into_more_than_memory_holds_is_refused(side, found):
    words = f"expected a picture of at most 64 megapixels, found {found}."
    for read in (check_picture, picture):
        with pytest.raises(ValueError) as caught:
            read(bomb(side, side) + PNG[33:])
        assert str(caught.value) == words


def test_a_bad_picture_is_set_aside_and_the_others_stay(tmp_path):
    import pyarrow as pa

    (tmp_path / "good.png").write_bytes(WHITE_DOT)
    (tmp_path / "bad.png").write_bytes(b"%PDF")
    read = PICTURE.read(pa.array(["good.png", "bad.png"]), tmp_path)
    assert read.values.is_valid().to_pylist() == [True, False]
    assert read.aside == {1: "expected a picture, found a PDF."}


def test_without_pillow_the_command_is_named(monkeypatch):
    for name in [name for name in sys.modules if name == "PIL" or name.startswith("PIL.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra) as caught:
        check_picture(WHITE_DOT)
    assert str(caught.value) == (
        "Inputs of kind `image` need Pillow. Try: pip install 'allrounder[image]'"
    )


# ------------------------------------------------------------------ what is read


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "ICO", "TGA"])
def test_every_common_format_is_read(form):
    held = saved(halves("RGB", RED, WHITE, (32, 32)), form)
    check_picture(held)
    found = picture(held)
    assert (found.mode, found.size) == ("RGB", (32, 32))
    assert near(found.getpixel((4, 16)), RED, 12)
    assert near(found.getpixel((28, 16)), WHITE, 12)


@pytest.mark.parametrize(
    ("image", "form", "left", "right"),
    [
        (halves("L", 100, 200), "PNG", (100,) * 3, (200,) * 3),
        (halves("1", 0, 1), "PNG", (0,) * 3, WHITE),
        (halves("LA", (0, 255), (0, 0)), "PNG", (0,) * 3, WHITE),
        (halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)), "PNG", RED, WHITE),
        (halves("RGBA", (255, 0, 0, 128), (255, 0, 0, 255)), "PNG", (255, 127, 127), RED),
        (halves("CMYK", (0, 255, 255, 0), (0, 0, 0, 0)), "TIFF", RED, WHITE),
        (halves("CMYK", (0, 255, 255, 0), (0, 0, 0, 0)), "JPEG", RED, WHITE),
        (halves("YCbCr", (76, 85, 255), (255, 128, 128)), "JPEG", RED, WHITE),
        (halves("RGB", RED, WHITE).convert("P", palette=Image.Palette.ADAPTIVE), "PNG", RED, WHITE),
        (halves("I;16", 65535, 257 * 7), "PNG", WHITE, (7,) * 3),
        (halves("I", 65535, 257 * 7), "TIFF", WHITE, (7,) * 3),
        (halves("F", 1.0, 0.2), "TIFF", WHITE, (51,) * 3),
        (halves("LAB", (255, 128, 128), (0, 128, 128)), "TIFF", WHITE, (0,) * 3),
    ],
    ids=lambda value: getattr(value, "mode", None) or (value if isinstance(value, str) else ""),
)
def test_every_colour_becomes_red_green_and_blue(image, form, left, right):
    held = saved(image, form)
    check_picture(held)
    found = picture(held)
    assert found.mode == "RGB"
    assert near(found.getpixel((4, 10)), left, 6)
    assert near(found.getpixel((36, 10)), right, 6)


def test_colours_that_pillow_cannot_turn_are_refused(monkeypatch):
    def convert(self, mode):
        raise ValueError("conversion not supported")

    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(ValueError) as caught:
        check_picture(WHITE_DOT)
    assert str(caught.value) == (
        "expected a picture, found a PNG picture in L, which has no red, green and blue."
    )


def test_a_transparent_colour_of_a_palette_shows_white():
    image = halves("P", 0, 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    found = picture(saved(image, "PNG", transparency=1))
    assert found.getpixel((4, 10)) == RED
    assert found.getpixel((36, 10)) == WHITE


def test_a_picture_is_turned_as_the_camera_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the picture is at the right
    held = saved(halves("RGB", RED, WHITE), "JPEG", exif=exif)
    found = picture(held)
    assert found.size == (20, 40)
    assert near(found.getpixel((10, 4)), RED, 12)
    assert near(found.getpixel((10, 36)), WHITE, 12)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow's own
def test_nonsense_in_exif_turns_nothing():
    exif = b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\x01\x02"
    held = saved(halves("RGB", RED, WHITE), "JPEG", exif=exif)
    check_picture(held)
    assert picture(held).size == (40, 20)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_counts(form):
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, WHITE)]
    held = saved(frames[0], form, save_all=True, append_images=frames[1:])
    check_picture(held)
    assert near(picture(held).getpixel((10, 10)), RED, 12)


def test_the_smallest_picture_is_one_white_pixel():
    found = picture(WHITE_DOT)
    assert (found.size, found.getpixel((0, 0))) == ((1, 1), WHITE)


def test_threads_keep_the_order(monkeypatch):
    import time

    monkeypatch.setattr("allrounder.encoders.files.WORKERS", 4)

    def slow(row):
        time.sleep(0.002 * (10 - row))
        return row

    assert in_order(slow, range(10)) == list(range(10))


def test_most_pixels_is_what_the_docs_say():
    assert pictures.MOST_PIXELS == 64_000_000
