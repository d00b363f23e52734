"""Where words begin and end, in scripts with spaces between words and without."""

import unicodedata


def is_inside_word(text: str, at: int) -> bool:
    """Return whether position `at` lies between two characters of one word."""
    return 0 < at < len(text) and _letter(text[at - 1]) and _letter(text[at])


def _letter(char: str) -> bool:
    """Letters, their marks, and digits of scripts that put spaces between words."""
    if not (char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"):
        return False
    code = ord(char)
    return not (
        0x0E00 <= code <= 0x0EFF  # Thai, Lao
        or 0x1000 <= code <= 0x109F  # Myanmar
        or 0x1780 <= code <= 0x17FF  # Khmer
        or 0x2E80 <= code <= 0x31FF  # CJK radicals, kana, bopomofo
        or 0x3400 <= code <= 0x9FFF  # Han
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
    )
