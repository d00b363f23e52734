"""What a file holds that does not hold what was expected."""

SIGNATURES = {
    b"%PDF": "a PDF",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"fLaC": "a FLAC sound",
    b"OggS": "an Ogg sound",
    b"ID3": "an MP3 sound",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
}


def what_it_is(held: bytes, wanted: str) -> str:
    """Return words for a file that cannot be read as what was `wanted`, such as a picture."""
    words = _named(held)
    return f"{words} that is cut short or damaged" if words.endswith(wanted) else words


def _named(held: bytes) -> str:
    if not held:
        return "an empty file"
    for start, words in SIGNATURES.items():
        if held.startswith(start):
            return words
    if held.startswith(b"RIFF"):
        return "a WAV sound" if held[8:12] == b"WAVE" else "a RIFF file of another kind"
    if held[4:8] == b"ftyp":
        return "an MP4 or HEIF file"
    if b"<svg" in held[:1000]:
        return "an SVG drawing, which has no pixels"
    return _text(held)


def _text(held: bytes) -> str:
    try:
        words = held[:64].decode("utf-8", "strict" if len(held) <= 64 else "ignore")
    except UnicodeDecodeError:
        return f"{len(held):,} bytes of no known format"
    if not words.isprintable() and any(c < " " and c not in "\r\n\t" for c in words):
        return f"{len(held):,} bytes of no known format"
    return f"text that begins with {words.split(chr(10))[0][:24]!r}"
