import pytest
from hypothesis import given
from hypothesis import strategies as st

from allrounder.records.sources.conll import decoded, joined_text


def spans(reading, tags: str) -> list[tuple]:
    content = "".join(f"{'abcdefgh'[i]} {tag}\n" for i, tag in enumerate(tags.split()))
    (row,) = reading.rows("conll", content)
    return [(row["text"][s["start"] : s["end"]], s["label"]) for s in row["spans"]]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-X I-X O B-X B-X", [("b c", "X"), ("e", "X"), ("f", "X")]),  # IOB2
        ("I-X I-X B-X I-Y O I-X", [("a b", "X"), ("c", "X"), ("d", "Y"), ("f", "X")]),  # IOB1
        ("B-X I-X E-X S-X S-X O", [("a b c", "X"), ("d", "X"), ("e", "X")]),  # BIOES
        ("B-X L-X U-X U-Y", [("a b", "X"), ("c", "X"), ("d", "Y")]),  # BILOU
        ("B-X M-X E-X B-X E-X", [("a b c", "X"), ("d e", "X")]),  # BMES
        ("B-a-b I-a-b O", [("a b", "a-b")]),
        ("O O", []),
    ],
)
def test_tags_of_every_scheme_become_spans(reading, tags, expected):
    assert spans(reading, tags) == expected


def test_sentences_end_at_blank_lines_and_documents(reading):
    content = "-DOCSTART- -X- O O\n\nA NN x B-P\nb NN x I-P\n\n \n# NN x O\n# a comment\nc NN x O"
    assert reading.rows("conll", content) == [
        {"text": "A b", "spans": [{"start": 0, "end": 3, "label": "P"}]},
        {"text": "# c", "spans": []},
    ]
    assert reading.lines("conll", content) == [3, 7]


def test_chinese_is_joined_without_spaces_and_counted_in_code_points(reading):
    content = "我\tO\n爱\tO\n北\tB-LOC\n京\tI-LOC\n𠮷\tB-LOC\n。\tO\nUSA\tB-LOC\n한국\tO\n어\tO\n"
    (row,) = reading.rows("conll", content)
    assert row["text"] == "我爱北京𠮷。 USA 한국 어"
    cut = [row["text"][span["start"] : span["end"]] for span in row["spans"]]
    assert cut == ["北京", "𠮷", "USA"]


@given(st.lists(st.text(st.sampled_from("ab中ひ 한").filter(str.strip), min_size=1), min_size=1))
def test_every_token_stands_where_it_is_said_to(tokens):
    text, offsets = joined_text(tokens)
    assert [text[start:end] for start, end in offsets] == tokens


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "E-X", "S-X", "I-Y", "B-Y"]), max_size=12))
def test_spans_rise_and_never_overlap(tags):
    spans = decoded(tags, [(i, i + 1) for i in range(len(tags))])
    bounds = [bound for span in spans for bound in (span["start"], span["end"])]
    assert bounds == sorted(bounds)
    assert sum(s["end"] - s["start"] for s in spans) == sum(tag != "O" for tag in tags)


def test_a_file_without_tags_has_no_labels(reading):
    assert reading.rows("conll", "a\nb\n\nc\n") == [
        {"text": "a b", "spans": None},
        {"text": "c", "spans": None},
    ]


def test_a_malformed_tag_is_named(reading):
    assert reading.refused("conll", "a O\nb PER\n") == (
        "a.x, line 2: expected a tag such as O, B-PER, I-PER, E-PER or S-PER in the last column, "
        "found 'PER'. Correct the tag."
    )


def test_a_missing_tag_is_named(reading):
    assert reading.refused("conll", "a O\n\nb\n") == (
        "a.x, line 3: expected a token and its tag, found only 'b'. Write the tag behind the "
        "token, or O where it is outside every span."
    )
