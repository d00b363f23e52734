"""Where records, questions, answers and people meet: all that the server does, without HTTP."""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from allrounder.errors import DataError, ProjectError
from allrounder.exchange import FORMATS
from allrounder.labeling import phrases
from allrounder.labeling.agreeing import agreeing
from allrounder.labeling.answering import Refused, answer_of
from allrounder.labeling.board import Board
from allrounder.labeling.chooser import Chooser
from allrounder.labeling.forms import Form
from allrounder.labeling.importing import Choices, imported
from allrounder.labeling.locks import Locks
from allrounder.labeling.looks import Doubts, Kept
from allrounder.labeling.milestones import Milestones
from allrounder.labeling.people import Person
from allrounder.labeling.pool import Pool
from allrounder.labeling.progress import progress
from allrounder.labeling.queue import Asked, Queue
from allrounder.labeling.repeats import ARM, Repeats
from allrounder.ledger import Answer, Answers, Label, Question
from allrounder.plan import Plan
from allrounder.relabeling import add_labels, rename_label

AHEAD = 12
"""Records that a page holds at most."""

LONGEST_GUIDELINES = 200_000


class Desk:
    """One project, open for labelling; it may be used from several threads.

    Args:
        name: of the project.
        pool: its records.
        forms: its tasks, as they are asked.
        left_out: the tasks that are not.
        answers: its ledger.
        settings: how people are asked.
        locks: who is at work on what, and the clock.
    """

    def __init__(
        self,
        name: str,
        pool: Pool,
        forms: Mapping[str, Form],
        *,
        left_out: Sequence[str],
        answers: Answers,
        settings: Label,
        locks: Locks,
    ) -> None:
        self.name, self.pool, self.forms = name, pool, dict(forms)
        self.left_out, self.answers, self.settings = list(left_out), answers, settings
        self.identity = str(answers.mark[0])
        self.board = Board()
        self.board.add(map(self._current, answers.events()))
        self.locks = locks
        self.queue = Queue(pool, self.board, self.locks, list(forms), settings.overlap)
        self.repeats = Repeats(pool, self.board, list(forms), settings.repeat, locks.now)
        self.repeats.heard(self.board.by_id.values())
        self.guidelines: str | None = None
        self.chooser: Chooser | None = None
        self.milestones: Milestones | None = None
        self.doubtful: Doubts | None = None
        self.review: Kept | None = None
        self.plan: Plan | None = None
        self._lock = threading.RLock()
        self._catch_up()

    def session(self, person: Person) -> dict[str, Any]:
        """Return what a page needs to begin."""
        return {
            "project": self.name,
            "ledger": self.identity,
            "who": person.name,
            "role": person.role,
            "tasks": [form.to_dict() for form in self.forms.values()],
            "left_out": self.left_out,
            "guidelines": self.guidelines,
            "blind": self.settings.blind,
            "overlap": self.settings.overlap,
            "target": self.settings.target,
            "records": len(self.pool),
            "formats": list(FORMATS),
        }

    def next(
        self, person: Person, tab: str, *, have: Sequence[str], want: Sequence[str], n: int
    ) -> dict[str, Any]:
        """Return records for a page to ask about, which are kept for it from now on."""
        with self._lock:
            self.locks.refresh()  # first, so that what is free since is known to be answered
            self._catch_up()
            who, n = person.name, max(1, min(n, AHEAD))
            again = self._again(who, tab)
            rest = [key for key in have if key not in again]
            news, drop = self.queue.take(who, tab, have=rest, want=want, n=n)
            self._catch_up()  # once more: a record may have been taken and answered meanwhile
            news = [key for key in news if self.queue.open(key, who)]
            records = [self._record(key, self._with_own(key, who), person) for key in news]
            records += [_repeated(self.pool, again[key]) for key in again if key not in have]
            return {"records": records, "drop": drop, "progress": self._progress(person)}

    def _again(self, who: str, tab: str) -> dict[str, list[Question]]:
        """Return what a page asks a person again; one record more where it is time for that."""
        if due := self.repeats.due(who):
            self.answers.ask(due, batch=f"{ARM} {due[0].key} {who}")
            self._catch_up()
        pending = self.repeats.pending(who)
        return {key: found for key, found in pending.items() if self.locks.take(key, who, tab)}

    def leave(self, person: Person, tab: str) -> None:
        """Say that a page was left."""
        with self._lock:
            self.locks.leave(person.name, tab)
            self.locks.save()

    def disputes(self, person: Person, *, have: Sequence[str], n: int) -> dict[str, Any]:
        """Return records that a reviewer should settle, with what was said of them."""
        with self._lock:
            self._catch_up()
            keys = dict.fromkeys(key for key, _ in self.board.disputed if key not in have)
            known = [key for key in keys if self.pool.place(key) is not None][:n]
            records = [self._record(key, self.queue.disputes(key), person) for key in known]
            gone = [key for key in have if not self.queue.disputes(key)]
            return {"records": records, "drop": gone, "progress": self._progress(person)}

    def doubts(self, person: Person, *, have: Sequence[str], n: int) -> dict[str, Any]:
        """Return records whose labels are likely wrong, with those and what is likelier."""
        with self._lock:
            self._catch_up()
            found = self.doubtful.open() if self.doubtful is not None else {}
            keys = [key for key in found if key not in have][:n]
            return {
                "records": [self._doubted(key, found[key], person) for key in keys],
                "drop": [key for key in have if key not in found],
                "progress": self._progress(person),
            }

    def take_file(self, held: bytes, choices: Choices) -> dict[str, Any]:
        """Look what a file of labels would add, or add it, without keeping anybody waiting."""
        if self.plan is None:
            raise ProjectError("There is no project file to which labels could be added.")
        found = imported(self.plan, held, choices)
        with self._lock:
            self._catch_up()
        return found

    def phrase(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return how often a phrase goes with a label, without keeping anybody waiting."""
        return phrases.measured(self, phrases.read(self, body))

    def keep_phrase(self, person: Person, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a rule of a phrase, in the file of rules."""
        if self.plan is None:
            raise ProjectError("There is no project file that a rule could be added to.")
        soft, key = body.get("soft"), body.get("key")
        if soft is not None and (isinstance(soft, bool) or not isinstance(soft, int | float)):
            raise ProjectError(f"`soft` must be a number, or nothing. Got {soft!r:.80}.")
        found = phrases.read(self, body)
        options = {"soft": soft, "key": key if isinstance(key, str) else "", "person": person}
        with self._lock:
            return phrases.saved(self, self.plan, found, **options)

    def relabel(self, task: str, old: str, new: str, *, dry: bool) -> dict[str, Any]:
        """Rename or merge a label in the project file, or add one where none is named as old."""
        if self.plan is None:
            raise ProjectError("There is no project file whose labels could be changed.")
        options: dict[str, Any] = {"dry_run": dry, "tell": lambda *_: None}
        if old:
            return rename_label(self.plan, task, old, new, **options).to_dict()
        return add_labels(self.plan, task, [new], **options).to_dict()

    def curve(self) -> dict[str, Any]:
        """Return what asking has come to so far, look by look."""
        return {} if self.review is None else self.review.read()

    def answer(self, person: Person, items: Sequence[Any]) -> dict[str, Any]:
        """Keep answers; each that is none is refused alone, with a sentence.

        Raises:
            RunError: the ledger cannot be written; nothing was.
        """
        with self._lock:
            if any(self._speaks_of_news(one) for one in items):
                self._catch_up()
            good, refused = self._read(person, items)
            stored = self.answers.append(good) if good else []
            self._catch_up()
            for key in dict.fromkeys(one.key for one in stored):
                repeated = self.repeats.pending(person.name)
                if not self.queue.open(key, person.name) and key not in repeated:
                    self.locks.release(key, person.name)
            self.locks.save()
            return {
                "saved": [one.id for one in stored],
                "refused": refused,
                "progress": self._progress(person),
            }

    def record(self, person: Person, key: str) -> dict[str, Any] | None:
        """Return a record with all its tasks and what the person said of them."""
        with self._lock:
            if self.pool.place(key) is None:
                return None
            chosen = self.queue.batch.get(key, {})
            return self._record(key, [(task, chosen.get(task)) for task in self.forms], person)

    def history(self, person: Person, n: int) -> list[dict[str, Any]]:
        """Return what a person did, the latest first, without what was undone."""
        with self._lock:
            self._catch_up()
            return [
                {
                    "id": one.id,
                    "key": one.key,
                    "task": one.task,
                    "act": one.act,
                    "value": one.value,
                    "created": one.created,
                    "record": self.pool.excerpt(one.key),
                }
                for one in self.board.history(person.name, n)
            ]

    def progress(self, person: Person) -> dict[str, Any]:
        """Return how far everybody is."""
        with self._lock:
            self._catch_up()
            return self._progress(person)

    def agreement(self, person: Person) -> dict[str, Any]:
        """Return by task how far people agree, and how far suggestions sway them.

        How far people agree with themselves is told to each of herself, and to reviewers of all.
        """
        with self._lock:
            self._catch_up()
            events, gone = list(self.board.by_id.values()), set(self.board.gone)
            questions = dict(self.queue.questions)
        found = {task: agreeing(events, gone, questions, task) for task in self.forms}
        if not person.reviews:
            for one in found.values():
                one["self"] = {who: of for who, of in one["self"].items() if who == person.name}
        return found

    def _progress(self, person: Person) -> dict[str, Any]:
        found = progress(self.board, self.queue, self.forms, person.name, self.settings)
        if self.doubtful is not None and person.reviews:
            found["doubts"] = len(self.doubtful.open())
        beside = {"choosing": self.chooser, "training": self.milestones}
        for name, one in beside.items():
            if one is not None:
                found[name] = {"working": one.is_working, "failure": one.failure}
        return found

    def _catch_up(self) -> None:
        """Take in what this and other programs wrote since."""
        questions = [self._asked_now(one) for one in self.answers.questions(self.queue.latest)]
        self.queue.add(questions)
        self.repeats.add(questions)
        events = self.answers.events(self.board.latest)
        news = self.board.add(map(self._current, events))
        self.queue.reopen(news)
        self.repeats.heard(news)
        labels = sum(self.board.num_labelled.values())
        if self.chooser is not None:
            done, asked = self.queue.num_asked
            self.chooser.nudge(done=done, asked=asked, labels=labels)
        if self.milestones is not None:
            self.milestones.nudge(labels)

    def _current(self, one: Answer) -> Answer:
        """Return an answer by the names that labels have now."""
        form = self.forms.get(one.task)
        now = one.value if form is None else form.now(one.value)
        return one if now == one.value else replace(one, value=now)

    def _asked_now(self, one: Question) -> Question:
        """Return a question whose suggestion goes by the names that labels have now."""
        form, said = self.forms.get(one.task), one.suggestion
        if form is None or not isinstance(said, dict):
            return one
        if (now := form.now(said.get("value"))) == said.get("value"):
            return one
        return replace(one, suggestion={"value": now})

    def _speaks_of_news(self, item: Any) -> bool:
        """Return whether an answer is about something that came by another program, perhaps."""
        if not isinstance(item, Mapping):
            return False
        number = item.get("question")
        is_new = isinstance(number, int) and number not in self.queue.questions
        return is_new or item.get("act") == "undo"

    def _read(
        self, person: Person, items: Sequence[Any]
    ) -> tuple[list[Answer], list[dict[str, str]]]:
        good: dict[str, Answer] = {}
        refused = []
        for item in items:
            try:
                one = answer_of(item, person, self, good)
                good.setdefault(one.id, one)
            except (DataError, Refused) as error:
                id = item.get("id") if isinstance(item, Mapping) else None
                refused.append({"id": str(id)[:200], "why": str(error)})
        return list(good.values()), refused

    def _with_own(self, key: str, who: str) -> list[Asked]:
        """Return what a person can be asked about a record, and what she said of it already."""
        asked, chosen = dict(self.queue.open(key, who)), self.queue.batch.get(key, {})
        own = [task for task in self.forms if self.board.said_by((key, task), who)]
        return [
            (task, asked.get(task, chosen.get(task)))
            for task in self.forms
            if task in asked or task in own
        ]

    def _record(self, key: str, asked: Sequence[Asked], person: Person) -> dict[str, Any]:
        tasks = [self._asked(key, task, one, person) for task, one in asked]
        return {"key": key, "inputs": self.pool.view(key), "tasks": tasks}

    def _doubted(
        self, key: str, doubts: Sequence[Mapping[str, Any]], person: Person
    ) -> dict[str, Any]:
        """Return a record with the tasks whose label is doubted."""
        known = {one["task"]: one for one in doubts if one["task"] in self.forms}
        record = self._record(key, [(task, None) for task in known], person)
        for told in record["tasks"]:
            one = known[told["task"]]
            standing = self.board.standing.get((key, told["task"]))
            told["has"] = {"value": one["given"], "who": standing.who if standing else []}
            told["strategy"], told["score"] = "confident_learning", one["sure"]
            if one["other"] is not None:
                told["suggestion"] = {"value": one["other"]}
        return record

    def _asked(
        self, key: str, task: str, question: Question | None, person: Person
    ) -> dict[str, Any]:
        own = self.board.said_by((key, task), person.name)
        found: dict[str, Any] = {"task": task}
        if own is not None:
            found["own"] = {"act": own.act, "value": own.value, "id": own.id}
        if person.reviews and (key, task) in self.board.disputed:
            said = self.board.answers((key, task))
            found["said"] = [{"who": o.who, "act": o.act, "value": o.value} for o in said]
        if question is None:
            return found
        blind = self.is_blind(key, task, person.name)
        return {
            **found,
            "question": question.number,
            "strategy": question.strategy,
            "arm": question.arm,
            "score": question.score,
            "why": dict(question.why),
            "suggestion": None if blind else question.suggestion,
        }

    def is_blind(self, key: str, task: str, who: str) -> bool:
        """Return whether a person is asked without a suggestion; the same whenever asked."""
        digest = hashlib.blake2b(f"{key}\0{task}\0{who}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64 < self.settings.blind


def _repeated(pool: Pool, asked: Sequence[Question]) -> dict[str, Any]:
    """Return a record that is asked about again, as one that never was."""
    tasks = [{"task": one.task, "question": one.number, "suggestion": None} for one in asked]
    return {"key": asked[0].key, "inputs": pool.view(asked[0].key), "tasks": tasks}


def read_guidelines(path: Path) -> str:
    """Return the text that is shown beside the records.

    Raises:
        ProjectError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"`label.guidelines`: {path} cannot be read: {error}.") from None
    if len(text) > LONGEST_GUIDELINES:
        raise ProjectError(f"`label.guidelines`: {path} is longer than a page can show.")
    return text
