"""The page and the card: whole, self-contained, and harmless whatever they quote."""

import re
from copy import deepcopy
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import yaml

from allrounder.evaluation import Report, judge, plots, render_card, render_html
from allrounder.evaluation.report import WrongAnswer
from allrounder.evaluation.views import Scale, pieces, sections

EVIL = "<script>alert('x')</script>|`*_[a](b)"


@pytest.fixture(scope="module")
def html(whole_report) -> str:
    return render_html(whole_report)


def test_the_page_loads_nothing_from_anywhere(html):
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', html)
    assert "url(http" not in html and "@import" not in html


def test_missing_inputs_have_a_table_and_a_curve(missing_report, html):
    found = render_html(missing_report)
    assert "What it knows without some inputs" not in html
    section = found[found.index("What it knows without some inputs") :]
    assert '<th scope="row">text + image</th>' in section
    assert "accuracy by inputs, from 0.470; 0.870 with text and image and audio" in found
    reader = _Balance()
    reader.feed(found)
    assert reader.open == []


def test_inputs_whose_names_the_drawing_cannot_write_are_numbered(missing_report):
    found = deepcopy(missing_report.tasks["topic"].robustness)
    for one in found.subsets:
        one.inputs = ["标题" if name == "text" else name for name in one.inputs]
    drawn = plots.robustness(found, "accuracy", higher_is_better=True)
    written = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert [word for word in written if len(word) == 1] == list("1234567")
    assert "标题" not in "".join(written)


def test_every_element_is_closed(html):
    reader = _Balance()
    reader.feed(html)
    assert reader.open == []


class _Balance(HTMLParser):
    """Keeps the elements that are open; those without content never are."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_figure_says_what_it_shows(html):
    figures = re.findall(r"<svg[^>]*>", html)
    assert len(figures) > 8
    assert all("aria-label=" in figure or "aria-hidden=" in figure for figure in figures)


def test_plots_are_well_formed_and_take_the_colours_of_the_page(html):
    drawings = re.findall(r'<svg role="img".*?</svg>', html, flags=re.DOTALL)
    for drawing in drawings:
        ElementTree.fromstring(drawing)
    assert "var(--after)" in drawings[0]
    assert "#0101" not in html


def test_chinese_labels_are_shown(html):
    assert "文化" in html and "北京" in html


def test_the_page_names_what_a_reader_looks_for(html, whole_report):
    for words in ("Reliability", "Learning", "Label by label", "Truth and answer", "were promised"):
        assert words in html
    for sentence in whole_report.sentences:
        assert sentence in html


def test_hostile_texts_and_labels_are_escaped_everywhere(make):
    kinds = {}
    for kind in ("multiclass", "spans", "regression", "multilabel"):
        judged = make(kind, n=30)
        judged.texts = [EVIL * 3] * 30
        judged.wheres = [EVIL] * 30
        kinds[f"{kind} {EVIL}"] = judge(judged, resamples=10)
    kinds[EVIL] = judge(make("multiclass", n=30, labels=[EVIL, "b"]), resamples=10)
    report = Report(
        tasks=kinds,
        notes=[EVIL],
        project={"name": EVIL, "inputs": {EVIL: {"model": EVIL}}},
        environment={EVIL: EVIL},
        speed={EVIL: EVIL},
        data={"records": {EVIL: {EVIL: 1}}, "coverage": {EVIL: {EVIL: {EVIL: 1}}}},
        split=EVIL,
        created=EVIL,
    )
    page = render_html(report)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    card = render_card(report, "runs/1").split("---\n", 2)[2]
    assert "<script" not in card


def test_a_report_of_nothing_but_tasks_is_a_page(make):
    report = Report(tasks={"a": judge(make("ordinal", n=20), resamples=10)})
    assert 'id="data"' not in render_html(report)
    assert "were not kept" in render_card(report, "runs/1")


def test_a_task_without_probe_is_a_page(make):
    judged = make("regression", n=20)
    judged.before = judged.raw = None
    report = Report(tasks={"a": judge(judged, resamples=10)})
    assert "Truth and answer" in render_html(report)
    assert "| – |" in render_card(report, "runs/1")


def test_many_labels_turn_their_heads(make):
    labels = [f"label {i}" for i in range(25)]
    report = Report(tasks={"a": judge(make("multiclass", n=300, labels=labels), resamples=10)})
    assert 'class="matrix slanted"' in render_html(report)


def test_a_curve_with_gaps_is_drawn(whole_report):
    changed = deepcopy(whole_report)
    changed.history[0]["losses"] = {}
    changed.history[1]["losses"]["topic"] = None
    changed.history[2]["losses"]["topic"] = float("nan")
    changed.snapshots = {}
    assert "Learning" in render_html(changed)


def test_one_report_gives_one_page(whole_report, html):
    assert render_html(whole_report) == html


def test_pieces_of_a_text_say_what_is_true_and_what_was_said():
    error = WrongAnswer(
        text="Dr. Lin met Acme",
        where="",
        truth=[{"start": 0, "end": 7, "label": "PER"}, {"start": 12, "end": 16, "label": "ORG"}],
        answer=[{"start": 4, "end": 7, "label": "PER"}, {"start": 12, "end": 16, "label": "ORG"}],
        probability=0.9,
    )
    assert [(p.text, p.style, p.tags) for p in pieces(error)] == [
        ("Dr. ", "true", []),
        ("Lin", "wrong true", [("wrong", "PER"), ("true", "PER")]),
        (" met ", "", []),
        ("Acme", "right true", [("right", "ORG")]),
    ]


def test_one_hopeless_metric_does_not_squeeze_the_others(make):
    judged = make("regression", n=50)
    judged.before = [-9.0 * truth for truth in judged.truths]
    scale = sections(Report(tasks={"a": judge(judged, resamples=10)}))[0].scale
    assert (scale.low, scale.ticks) == (-0.5, [-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0])


def test_what_lies_beyond_a_scale_is_drawn_at_its_end():
    assert [Scale(0.0, 2.0).at(x) for x in (-1, 0, 0.5, 3)] == [0.0, 0.0, 25.0, 100.0]


def test_the_card_has_a_head_that_hubs_can_read(whole_report):
    card = render_card(whole_report, "runs/1")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["library_name"] == "allrounder"
    assert front["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    results = front["model-index"][0]["results"]
    assert [result["task"]["type"] for result in results][-1] == "token-classification"
    assert results[0]["metrics"][0]["type"] == "accuracy"


def test_the_card_names_weak_labels(make):
    judged = make("multiclass", n=60, right=0.3)
    card = render_card(Report(tasks={"topic": judge(judged, resamples=10)}), "runs/1")
    assert re.search(r"- topic: the label \w+ is weak \(F1 0\.\d+, \d+ true of it", card)
