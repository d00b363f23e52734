import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from allrounder.records.sources import FORMATS, File

cells = st.text(st.sampled_from('ab",\n 中\t;'), min_size=1, max_size=6)


def test_every_cell_is_a_string(reading):
    assert reading.rows("csv", 'a,b\n1,\n"x, ""y""",NULL\n') == [
        {"a": "1", "b": ""},
        {"a": 'x, "y"', "b": "NULL"},
    ]


def test_lines_are_exact_behind_cells_of_several_lines(reading):
    assert reading.lines("csv", 'a,b\n"x\ny\n",1\n\n\nz,2\n"p\r\nq",3\nr,4') == [2, 7, 8, 10]


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=12))
def test_rows_and_lines_agree_with_the_csv_module(pairs):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("x", "y"), *pairs])
    with tempfile.TemporaryDirectory() as folder:
        file = File(Path(folder) / "a.csv", "a.csv")
        file.path.write_text(text.getvalue(), newline="")
        batches = list(FORMATS["csv"].batches(file))
        places = FORMATS["csv"].places(file, range(len(pairs)))
    assert [tuple(row.values()) for batch in batches for row in batch.to_pylist()] == pairs
    line, lines = 2, []
    for pair in pairs:
        lines.append(f"a.csv, line {line}")
        line += 1 + sum(cell.count("\n") for cell in pair)
    assert places == lines


def test_a_quote_in_tsv_is_a_character(reading):
    content = 'a\tb\n"never closed\t1\nx\t"2"\n'
    assert reading.rows("tsv", content) == [
        {"a": '"never closed', "b": "1"},
        {"a": "x", "b": '"2"'},
    ]
    assert reading.lines("tsv", content) == [2, 3]


def test_a_long_cell_is_read(reading):
    content = f"a,b\n{'x' * 200_000},1\ny,2\n"
    assert len(reading.rows("csv", content)[0]["a"]) == 200_000
    assert reading.lines("csv", content) == [2, 3]


def test_a_short_row_is_named(reading):
    assert reading.refused("csv", 'a,b\n"x\ny",1\nz\n') == (
        "a.x, line 4: expected 2 cells (a, b), found 1. Put cells that contain a comma in double "
        "quotes, or complete the row."
    )


def test_a_long_row_is_named(reading):
    assert reading.refused("tsv", "a\tb\nx\t1\t2\n") == (
        "a.x, line 2: expected 2 cells (a, b), found 3. Cells cannot contain a tab: replace it, "
        "or complete the row."
    )


def test_an_open_quote_is_suspected(reading):
    assert reading.refused("csv", 'a,b\n1,2\n"x,1\ny,2\nz,3\nw,4\n') == (
        'a.x, line 3: expected 2 cells (a, b), found 1. The row runs over 5 lines: is a " left '
        "open? Put cells that contain a comma in double quotes, or complete the row."
    )


def test_an_empty_file_is_refused(reading):
    assert reading.refused("csv", "") == (
        "a.x: expected a header and records, found an empty file. Write the names of the columns "
        "in the first line and the records below."
    )


def test_a_header_alone_gives_no_rows(reading):
    assert reading.rows("csv", "a,b\n") == []


def test_a_name_that_stands_twice_is_refused(reading):
    assert reading.refused("csv", "a,b,a\n1,2,3\n") == (
        "a.x, line 1: every column needs its own name, found a more than once. Rename one of them."
    )


def test_bare_carriage_returns_are_refused(reading):
    assert reading.refused("csv", "a,b\r1,2\r").startswith(
        "a.x, line 1: the row cannot be read: new-line character seen in unquoted field"
    )
