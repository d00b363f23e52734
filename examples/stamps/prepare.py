"""Write the data of the stamps example: pictures with captions in two languages and in speech.

data/pictures/<name>.png   what is to be seen; drawings are rendered 256 pixels wide
data/speech/<name>.ogg     its caption, read out in French, Spanish or Russian
data/stamps.csv            one row a stamp, with category, subject and language of the speech

Source: the stamps of Tux Paint (GPL 2), as Debian packages them. Needs apt-get and dpkg-deb, but
no rights, and resvg-py for drawings. Stamps whose English captions agree share a group, so that
no caption stands in two splits.
"""

import csv
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

sys.path.insert(0, str(Path(__file__).parents[1]))

import kit
import resvg_py

DATA = Path(__file__).parent / "data"
PACKAGE = "tuxpaint-stamps-default"
SHA256 = "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"
SPOKEN = {"fr": "French", "es": "Spanish", "ru": "Russian"}
FEW = 10
"""Stamps that a subject needs to be one."""


@dataclass
class Stamp:
    """One picture, what is said of it, and where it is filed."""

    name: str
    picture: Path
    captions: dict[str, str]
    speech: dict[str, Path] = field(default_factory=dict)

    @property
    def category(self) -> str:
        """The folder it is filed in."""
        return self.name.split("/")[0]

    @property
    def subject(self) -> str | None:
        """The folder within that one, where there is any."""
        return "/".join(self.name.split("/")[:2]) if self.name.count("/") > 1 else None

    @property
    def spoken(self) -> str | None:
        """The language in which it is read out here: one of three, told by its name."""
        known = [language for language in SPOKEN if language in self.speech]
        return known[crc32(self.name.encode()) % len(known)] if known else None


def stamps(root: Path) -> Iterator[Stamp]:
    """Yield every stamp that has a picture and a caption."""
    for path in sorted(root.rglob("*.txt")):
        base = path.with_suffix("")
        picture = next((p for s in (".png", ".svg") if (p := path.with_suffix(s)).exists()), None)
        if picture is not None:
            yield Stamp(str(base.relative_to(root)), picture, captions(path), speech(base))


def captions(path: Path) -> dict[str, str]:
    """Return the captions by language; the first line is English."""
    first, *others = path.read_text("utf-8", errors="replace").splitlines()
    pairs = [re.match(r"([A-Za-z_@]+)\.utf8=(.*)", line) for line in others]
    return {"en": first.strip(), **{found[1]: found[2].strip() for found in pairs if found}}


def speech(base: Path) -> dict[str, Path]:
    """Return the recordings by language."""
    found = {language: base.with_name(f"{base.name}_desc_{language}.ogg") for language in SPOKEN}
    return {language: path for language, path in found.items() if path.exists()}


def copied(stamp: Stamp) -> tuple[str, str]:
    """Write picture and speech; return where they lie."""
    name = stamp.name.replace("/", "-")
    picture, sound = f"pictures/{name}.png", ""
    (DATA / picture).parent.mkdir(parents=True, exist_ok=True)
    if stamp.picture.suffix == ".svg":
        (DATA / picture).write_bytes(rendered(stamp.picture))
    else:
        shutil.copyfile(stamp.picture, DATA / picture)
    if stamp.spoken:
        sound = f"speech/{name}.ogg"
        (DATA / sound).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(stamp.speech[stamp.spoken], DATA / sound)
    return picture, sound


def rendered(drawing: Path) -> bytes:
    """Return a drawing as PNG, 256 pixels wide."""
    text = drawing.read_text("utf-8", errors="replace")
    try:
        return bytes(resvg_py.svg_to_bytes(svg_string=text, width=256, dpi=96))
    except ValueError as error:
        raise ValueError(f"{drawing}: {error}") from error


def write(root: Path) -> None:
    """Write pictures, recordings and the table."""
    found = list(stamps(root))
    sizes = Counter(stamp.subject for stamp in found)
    draft = DATA / ".stamps.csv"
    with open(draft, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stamp", "picture", "caption", "chinese", "speech", "category", "subject",
                         "language"])  # fmt: skip
        for stamp in found:
            picture, sound = copied(stamp)
            subject = stamp.subject if stamp.subject and sizes[stamp.subject] >= FEW else ""
            writer.writerow([stamp.name, picture, stamp.captions["en"],
                             stamp.captions.get("zh_CN", ""), sound, stamp.category, subject,
                             SPOKEN.get(stamp.spoken or "", "")])  # fmt: skip
    draft.replace(DATA / "stamps.csv")


if __name__ == "__main__":
    if not (DATA / "stamps.csv").exists():
        DATA.mkdir(parents=True, exist_ok=True)
        write(kit.unpacked(PACKAGE, SHA256) / "usr" / "share" / "tuxpaint" / "stamps")
        sys.stdout.write("examples/stamps/data is ready.\n")
