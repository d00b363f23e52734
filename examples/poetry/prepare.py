"""Fetch classical Chinese quatrains and write them as the three sources of poetry.yaml.

They come from the npm package chinese-poetry (MIT), 85 MB. A quatrain is kept if it has four lines
of five or of seven characters; of those with the same first line only one is. What a poem is in,
training, validation or test, follows from its first line, in every source alike: none that is
tested on is ever learned from.
"""

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import kit  # noqa: E402

POETRY = (
    "chinese-poetry@2.0.1",
    "chinese-poetry-2.0.1.tgz",
    "25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86",
)
HAN = re.compile("[\u4e00-\u9fff]+")
POEMS, TITLE, POETS, A_POET = 20_000, 16, 8, 400
"""Poems in all, the longest title, poets to be told apart, and the most poems of each."""

Poem = dict[str, Any]


def quatrains() -> Iterator[Poem]:
    """Yield title, author, text and a number that the first line gives, of every quatrain."""
    folder = kit.npm(*POETRY) / "dist" / "quantangshi"
    for path in sorted(folder.glob("poet.*.json")):
        for poem in json.loads(path.read_text(encoding="utf-8")):
            lines = [
                line for line in re.split("[，。？！；,]", "".join(poem["paragraphs"])) if line
            ]
            sizes = {len(line) for line in lines}
            clean = len(lines) == 4 and all(map(HAN.fullmatch, lines))
            if clean and sizes in ({5}, {7}) and 0 < len(poem["title"]) <= TITLE:
                digest = hashlib.sha256(lines[0].encode()).digest()
                yield {
                    "title": poem["title"],
                    "author": poem["author"],
                    "poem": f"{lines[0]}，{lines[1]}。{lines[2]}，{lines[3]}。",
                    "number": int.from_bytes(digest[:8], "big") / 2**64,
                    "split": _split(digest[8]),
                }


def _split(number: int) -> str:
    return "test" if number < 13 else "validation" if number < 26 else "train"


def main() -> None:
    """Write the sources."""
    once = {poem["number"]: poem for poem in quatrains()}
    poems = [once[number] for number in sorted(once)]
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    some = poems[:POEMS]
    write(folder / "poems.jsonl", some, lambda poem: {"text": f"{poem['title']}\n{poem['poem']}"})
    write(folder / "verses.jsonl", some[:6_000],
          lambda poem: {"text": poem["title"], "verse": poem["poem"]})  # fmt: skip
    poets = [name for name, _ in Counter(poem["author"] for poem in poems).most_common(POETS)]
    theirs = [p for name in poets for p in [q for q in poems if q["author"] == name][:A_POET]]
    write(folder / "poets.jsonl", theirs,
          lambda poem: {"text": poem["poem"], "poet": poem["author"]})  # fmt: skip
    print(f"{len(poems):,} quatrains; poets: {'、'.join(poets)}")


def write(path: Path, poems: list[Poem], row: Any) -> None:
    """Write one JSON object a line, with the poem's split."""
    lines = [json.dumps({**row(p), "split": p["split"]}, ensure_ascii=False) for p in poems]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path.name}: {len(lines):,}")


if __name__ == "__main__":
    main()
