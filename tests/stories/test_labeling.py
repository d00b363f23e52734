"""People label records of several modalities, while nearly everything goes wrong."""

import json

import pytest
from browsers import Served
from desks import png, wav, written

from allrounder.ledger import Answers, remaining

TASKS = {
    "topic": {"kind": "multiclass", "labels": ["sports", "politics", "business"]},
    "tags": {"kind": "multilabel", "labels": ["urgent", "local", "funny"]},
    "mood": {"kind": "regression", "range": [-4, 4]},
    "names": {"kind": "spans", "of": "text", "labels": ["PER", "ORG"]},
}
INPUTS = {
    "text": {"kind": "hashing"},
    "photo": {"kind": "pixels"},
    "call": {"kind": "spectrum"},
    "price": {"kind": "number"},
}
RECORDS = 50

SEEN = """() => {
  const card = document.querySelector(".card.active");
  if (!card) return null;
  return [document.querySelector(".record").dataset.key, card.dataset.task];
}"""


@pytest.fixture
def mixed(tmp_path):
    """Fifty records: texts, pictures, sounds and numbers."""
    rows = []
    for i in range(RECORDS):
        row = {"text": f"𝒜 {i}: Acme met Lin.", "price": i}
        if i % 3 == 0:
            (tmp_path / f"{i}.png").write_bytes(png((i, 90, 200 - i)))
            row["photo"] = f"{i}.png"
        if i % 3 == 1:
            (tmp_path / f"{i}.wav").write_bytes(wav(200 + 10 * i, seconds=0.1))
            row["call"] = f"{i}.wav"
        rows.append(row)
    return written(tmp_path, rows, INPUTS, TASKS)


class Worker:
    """A person at one page, by keyboard alone, who knows what was said.

    Args:
        who: the person.
        page: the page.
        said: (who, key, task) → the label, of all workers.
    """

    def __init__(self, who, page, said):
        self.who, self.page, self.said = who, page, said
        self.acts = []
        self.number = 0

    @property
    def place(self):
        return self.page.evaluate(SEEN)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def label(self):
        """Answer what is asked, and wait for what comes next; False where nothing is left."""
        place = self.place
        if place is None:
            return False
        self.number += 1
        value = getattr(self, place[1])(self.number)
        self.said[self.who, *place] = value
        self.acts.append(tuple(place))
        self.page.wait_for_function(
            f"(old) => JSON.stringify(({SEEN})()) !== old",
            arg=json.dumps(place, separators=(",", ":")),
        )
        return True

    def topic(self, n):
        self.press(str(1 + n % 3))
        return TASKS["topic"]["labels"][n % 3]

    def tags(self, n):
        wanted = [bool(n >> at & 1) for at in range(3)]
        buttons = self.page.locator("[data-task=tags] .label").all()
        pressed = [one.get_attribute("aria-pressed") == "true" for one in buttons]
        self.press(*[str(1 + at) for at in range(3) if wanted[at] != pressed[at]])
        self.press("Enter", *([] if any(wanted) else ["Enter"]))
        return [name for name, on in zip(TASKS["tags"]["labels"], wanted, strict=True) if on]

    def mood(self, n):
        value = n % 9 - 4 + 0.5 * (n % 2) - (n % 9 == 8) * 0.5
        self.page.keyboard.type(f"{value:g}")
        self.press("Enter")
        return value

    def names(self, n):
        text = self.page.text_content(".text")
        self.press("ArrowRight", "ArrowRight", "ArrowRight", "2", "Enter")
        start = text.index("Acme")
        return [{"start": start, "end": start + 4, "label": "ORG"}]

    def label_some(self, n):
        for _ in range(n):
            assert self.label()

    def undo(self, n):
        """Take back as many answers, across records."""
        for _ in range(n):
            self.press("Backspace")
            last = self.acts.pop()
            self.page.wait_for_function(
                f"(old) => JSON.stringify(({SEEN})()) === old",
                arg=json.dumps(list(last), separators=(",", ":")),
            )
            del self.said[self.who, *last]

    def saved(self):
        self.page.wait_for_selector(".sync.saved", timeout=60_000)

    def state(self, word):
        self.page.wait_for_function(
            "(word) => document.querySelector('.sync').textContent.includes(word)", arg=word
        )


def kept(file):
    """Return what stands in the ledger of each person, and how often each thing was said."""
    with Answers(file.parent / "ledger.db", read_only=True) as ledger:
        events = list(ledger.events())
    assert len({one.id for one in events}) == len(events)
    labels = [one for one in remaining(events) if one.act == "label"]
    return {(one.who, one.key, one.task): one.value for one in labels}, len(labels)


def test_fifty_records_by_keyboard_with_everything_going_wrong_and_not_a_label_lost(
    mixed, visit, chrome, say
):
    links = {}
    for name in ("ada", "bob"):
        code, out, err = say("label", mixed, "--add", name, "--json")
        assert code == 0, err
        links[name] = "#" + json.loads(out)["url"].partition("#")[2]
    said = {}
    contexts = {name: chrome.new_context(locale="en-US") for name in links}
    with Served(mixed) as served:
        ada = Worker("ada", visit(served.url + links["ada"], context=contexts["ada"]), said)
        bob = Worker("bob", visit(served.url + links["bob"], context=contexts["bob"]), said)
        assert "#" not in ada.page.url

        # undo across submits, and records that were finished come back
        ada.label_some(22)
        ada.undo(12)
        ada.label_some(15)

        # a reload in the middle of an answer: the same record, the same draft
        while ada.place[1] != "tags":
            ada.label()
        place = ada.place
        ada.press("2")
        ada.page.reload()
        ada.page.wait_for_selector(".card")
        assert ada.place == place
        pressed = ada.page.get_attribute("[data-task=tags] .label:nth-child(2)", "aria-pressed")
        assert pressed == "true"
        ada.press("2")
        ada.label_some(3)
        ada.undo(5)  # also what was said before the reload
        ada.label_some(5)

        # two tabs of one person and two persons, in turn
        other = Worker("ada", visit(served.url, context=contexts["ada"]), said)
        for _ in range(10):
            for worker in (ada, other, bob):
                worker.label()
        assert len({worker.place[0] for worker in (ada, other, bob)}) == 3

        # killed in the middle of an answer; the page goes on with what it has
        ada.label()
        served.kill()
        ada.label_some(9)
        bob.label_some(6)
        ada.state("offline")
        ada.undo(3)
        ada.label_some(3)
        served.start()
        for worker in (ada, other, bob):
            worker.saved()

        # the network goes and comes back; a reload in between keeps what waits
        contexts["ada"].set_offline(True)
        ada.label_some(7)
        other.label_some(5)
        ada.state("waiting")
        contexts["ada"].set_offline(False)
        ada.page.reload()
        ada.page.wait_for_selector(".card")
        for worker in (ada, other):
            worker.saved()

        # all the rest
        going = [ada, other, bob]
        while going:
            going = [worker for worker in going if worker.label()]
        for worker in (ada, other, bob):
            worker.saved()
    for context in contexts.values():
        context.close()
    standing, number = kept(mixed)
    assert standing == said
    assert number == len(said) == RECORDS * len(TASKS)
    assert len({(key, task) for _, key, task in said}) == number
