"""`allrounder predict`."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import (
    add_project,
    add_reading,
    add_verb,
    escaped,
    harmless,
    load,
    renamed,
)
from allrounder.errors import ProjectError, did_you_mean, listed
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import prediction, progress
else:
    prediction = lazy("allrounder.prediction")
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(verbs, "predict", predict, "Answer every task for texts, files or a stream.")
    add_project(verb, text="run folder, or project file for its latest run")
    verb.add_argument(
        "text",
        nargs="*",
        help="texts, or files of an input that reads files; none: JSON lines from stdin",
    )
    verb.add_argument("--input", metavar="FIELD", help="the field that the texts or files fill")
    verb.add_argument("--data", help="a file of any source format to answer instead")
    verb.add_argument(
        "--among", metavar="FILE",
        help="records that a match task chooses from; default: those of the run",
    )  # fmt: skip
    verb.add_argument(
        "--as-of", metavar="DAY", help="with the facts and rules of this day; default: today"
    )
    verb.add_argument(
        "--explain", action="store_true",
        help="say what each answer would be without each fact and rule",
    )  # fmt: skip
    verb.add_argument(
        "--shadow", type=int, metavar="VERSION",
        help="only the records of --data that this version of the facts would answer otherwise",
    )  # fmt: skip
    verb.add_argument(
        "--replay", metavar="FILE",
        help="explain again what such lines say, with the facts and rules of then",
    )  # fmt: skip
    verb.add_argument("--out", help="write to .jsonl, .csv, .tsv or .parquet; default: stdout")
    verb.add_argument(
        "--stream", action="store_true",
        help="write texts as they come; with --json a line for every piece",
    )  # fmt: skip
    verb.add_argument("--top", type=int, metavar="N", help="only the N likeliest labels or matches")
    add_reading(verb)


def predict(arguments: argparse.Namespace) -> None:
    """Answer texts, a file, or JSON lines from stdin."""
    names = renamed(arguments)
    _check_asked(arguments)
    with progress.shown(arguments.quiet) as tell:
        project = load(arguments, tell)
        if arguments.replay:
            _write_replayed(project, arguments.replay)
            return
        if arguments.text:
            _write_answers(project, arguments)
            return
        source = arguments.data or sys.stdin.buffer
        options = {"format": arguments.format, "map": names, "among": arguments.among}
        options["as_of"] = arguments.as_of
        if arguments.shadow is not None:
            _write_shadow(project, source, arguments)
            return
        if arguments.out:
            count = project.predict_file(
                source, arguments.out, **options,
                progress=lambda done: tell("predict", done, 0, ""),
            )  # fmt: skip
            sys.stderr.write(f"{count:,} records answered: {arguments.out}\n")
            return
        for part, answers in project.predict_stream(source, **options):
            for row, answer in zip(part.to_pylist(), answers, strict=True):
                _write_line({**row, "answers": prediction.topped(answer, arguments.top)})


def _check_asked(arguments: argparse.Namespace) -> None:
    """Refuse options of predict that do not go together."""
    if arguments.text and arguments.data:
        raise ProjectError("Give either texts or --data, not both.")
    if arguments.shadow is not None and (arguments.text or not arguments.data):
        raise ProjectError("--shadow looks at the records of a file: name it with --data.")
    if arguments.explain and not arguments.text:
        raise ProjectError("--explain is for texts on the command line: give one, or use Python.")
    if arguments.stream and not arguments.text:
        raise ProjectError("--stream is for texts on the command line: give one, or use Python.")
    if arguments.input and not arguments.text:
        raise ProjectError("--input says which field texts fill, and there are none: use --map.")


def _write_answers(project: Any, arguments: argparse.Namespace) -> None:
    field = _field(list(project.plan.fields), arguments.input)
    records = [{field: text} for text in arguments.text]
    if arguments.explain:
        for record in records:
            _write_line(project.explain(record, as_of=arguments.as_of))
        return
    if arguments.stream:
        for record in records:
            _stream(project.predict_pieces(record, as_of=arguments.as_of), arguments)
        return
    for answer in project.predict(records, among=arguments.among, as_of=arguments.as_of):
        _write_line(prediction.topped(answer, arguments.top))


def _stream(pieces: Iterable[dict[str, Any]], arguments: argparse.Namespace) -> None:
    """Write what is known at once as one line, then every text as it comes."""
    last = None
    for piece in pieces:
        if arguments.json:
            _write_line(piece)
        elif "answers" in piece:
            if piece["answers"]:
                _write_line(prediction.topped(piece["answers"], arguments.top))
        else:
            name = piece["task"]
            lead = "" if name == last else f"{'' if last is None else chr(10)}{name}: "
            sys.stdout.write(lead + harmless(piece["text"]))
            last = name
        sys.stdout.flush()
    sys.stdout.write("" if last is None else "\n")


def _write_shadow(project: Any, source: Any, arguments: argparse.Namespace) -> None:
    options = {"format": arguments.format, "map": renamed(arguments), "as_of": arguments.as_of}
    count = 0
    for flip in project.shadow(arguments.shadow, source, **options):
        _write_line(flip)
        count += 1
    were = "record would be" if count == 1 else "records would be"
    sys.stderr.write(f"{count:,} {were} answered otherwise by version {arguments.shadow}.\n")


def _write_replayed(project: Any, path: str) -> None:
    for number, line in enumerate(_lines(path), start=1):
        try:
            told = json.loads(line)
        except ValueError as error:
            raise ProjectError(f"{path}, line {number} is not JSON: {error}.") from None
        _write_line(project.replay(told))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"--replay {path} cannot be read: {error}.") from None


def _field(fields: list[str], wanted: str | None) -> str:
    """Return the field that texts on the command line fill."""
    if wanted in fields:
        return wanted
    if wanted is not None:
        hint = did_you_mean(wanted, fields)
        raise ProjectError(
            f"--input {wanted!r}: the model has no such field.{hint} Fields: {listed(fields)}."
        )
    if len(fields) != 1:
        raise ProjectError(
            f"This model reads several fields ({', '.join(fields)}): say with --input which one "
            "the texts fill, or give JSON lines on standard input, or --data."
        )
    return fields[0]


def _write_line(data: Any) -> None:
    sys.stdout.write(escaped(prediction.as_json(data)) + "\n")
