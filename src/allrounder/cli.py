"""The command line: every verb is a method of Project."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import allrounder
from allrounder.errors import Error, ProjectError, did_you_mean, listed
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import catalogue, prediction, progress
    from allrounder.knowledge import desk
else:
    desk = lazy("allrounder.knowledge.desk")
    prediction = lazy("allrounder.prediction")
    catalogue, progress = lazy("allrounder.catalogue"), lazy("allrounder.progress")

EXIT_OK, EXIT_BAD_INPUT, EXIT_STOPPED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return its exit code.

    0: done. 2: the project, the records or the run are not as they must be; the message says
    where and what to do, and nothing was changed. 130: stopped by Ctrl+C.
    """
    arguments = _parsed(argv)
    try:
        return arguments.verb(arguments) or EXIT_OK
    except Error as error:
        return _refuse(str(error), arguments)
    except KeyboardInterrupt:
        verb = "tune" if arguments.verb is tune else "train"
        goes_on = f" It goes on with: allrounder {verb} --resume"
        sys.stderr.write(f"\nStopped.{goes_on if hasattr(arguments, 'project') else ''}\n")
        return EXIT_STOPPED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as `head` does
        return EXIT_OK


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments; texts to answer may also stand behind options."""
    top = parser()
    arguments, rest = top.parse_known_args(argv)
    if rest and (not hasattr(arguments, "text") or any(word.startswith("-") for word in rest)):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        arguments.text += rest
    return arguments


def _refuse(message: str, arguments: argparse.Namespace) -> int:
    if getattr(arguments, "json", False):
        sys.stdout.write(json.dumps({"error": message}, ensure_ascii=False) + "\n")
    sys.stderr.write(f"allrounder: {message}\n")
    return EXIT_BAD_INPUT


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="allrounder",
        description="One language model, many jobs.",
        epilog="Every verb is a method of allrounder.Project. Exit codes: 0 done, 2 bad input.",
    )
    verbs = top.add_subparsers(metavar="VERB", required=True)
    _check(verbs)
    _train(verbs)
    _evaluate(verbs)
    _predict(verbs)
    _tune(verbs)
    _knowledge(verbs)
    _rules(verbs)
    _kinds(verbs)
    return top


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text.split(".")[0].lower(), description=text)
    verb.set_defaults(verb=run)
    verb.add_argument("--json", action="store_true", help="print JSON for machines")
    return verb


def _project(verb: argparse.ArgumentParser, *, text: str) -> None:
    verb.add_argument("project", help=text)
    verb.add_argument("--quiet", action="store_true", help="no progress bars")


def _sets(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="change one key of the project file, as in training.lr=1e-4",
    )  # fmt: skip


def _check(verbs: Any) -> None:
    verb = _verb(verbs, "check", check, "Read every source and say what is there, untrained.")
    _project(verb, text="project file")
    _sets(verb)
    verb.add_argument(
        "--sharing", action="store_true",
        help="train the shared model for a minute, and say whether and how to share it",
    )  # fmt: skip


def _train(verbs: Any) -> None:
    verb = _verb(verbs, "train", train, "Train one model for all tasks and judge it.")
    _project(verb, text="project file")
    _sets(verb)
    verb.add_argument("--resume", action="store_true", help="go on with the interrupted run")


def _evaluate(verbs: Any) -> None:
    verb = _verb(verbs, "evaluate", evaluate, "Judge a run on labelled records.")
    _project(verb, text="run folder, or project file for its latest run")
    verb.add_argument("--split", default="test", choices=["train", "validation", "test"])
    verb.add_argument("--data", help="judge on all records of this file instead")
    verb.add_argument(
        "--twins",
        action="store_true",
        help="train each task alone too, and tell what sharing did to it",
    )
    verb.add_argument("--seeds", type=int, default=1, help="seeds of shared model and twins")
    verb.add_argument(
        "--budget",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="share of the epochs that shared model and twins are trained for",
    )
    _reading(verb)


def _predict(verbs: Any) -> None:
    verb = _verb(verbs, "predict", predict, "Answer every task for texts, files or a stream.")
    _project(verb, text="run folder, or project file for its latest run")
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
    verb.add_argument("--top", type=int, metavar="N", help="only the N likeliest labels or matches")
    _reading(verb)


def _reading(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--format", help="format of the data, where its suffix does not tell")
    verb.add_argument(
        "--map", action="append", default=[], metavar="COLUMN=NAME",
        help="read a field or a task from a column of another name",
    )  # fmt: skip


def _tune(verbs: Any) -> None:
    verb = _verb(verbs, "tune", tune, "Search keys of the project file for better values.")
    _project(verb, text="project file")
    _sets(verb)
    verb.add_argument(
        "--search", action="append", default=[], metavar="KEY=KIND(…)",
        help="where to search one key: training.lr=log(1e-5,1e-3), tasks.topic.weight="
        "uniform(0.5,2), training.epochs=int(2,8), inputs.text.tune=choice(full,lora)",
    )  # fmt: skip
    verb.add_argument("--trials", type=int, metavar="N", help="trials in all; default: 20")
    verb.add_argument(
        "--workers", type=int, default=1, metavar="N",
        help="trials trained at a time, which share the cores; default: 1",
    )  # fmt: skip
    verb.add_argument("--resume", action="store_true", help="go on with the latest search")
    verb.add_argument(
        "--out", metavar="NAME", help="name of the best project file; default: PROJECT.best.yaml"
    )


def _rules(verbs: Any) -> None:
    verb = _verb(verbs, "rules", rules, "Check the rules of a project, or try them on their tests.")
    verb.add_argument(
        "action", choices=["check", "test"],
        help="check: conflicts, dead and redundant rules; test: every rule on its own cases",
    )  # fmt: skip
    _project(verb, text="project file")
    _sets(verb)


def _kinds(verbs: Any) -> None:
    verb = _verb(verbs, "kinds", kinds, "List every kind and its settings.")
    verb.add_argument("family", nargs="?", help="only this family, such as tasks")


def _knowledge(verbs: Any) -> None:
    text = "Keep what is known: facts with sources, dates and versions."
    verbs = verbs.add_parser("knowledge", help=text.split(":")[0].lower(), description=text)
    verbs = verbs.add_subparsers(metavar="VERB", required=True)
    _knowledge_import(verbs)
    _knowledge_query(verbs)
    _knowledge_retract(verbs)
    verb = _store(verbs, "stats", stats, "Count what is known, and name what is odd about it.")
    _version(verb)
    verb = _store(verbs, "diff", diff, "List the facts that changed between two versions.")
    verb.add_argument("old", type=int, help="version")
    verb.add_argument("new", type=int, nargs="?", help="version; default: the active one")
    verb = _store(verbs, "export", export, "Write what is known into a file.")
    verb.add_argument("file", type=Path, help="a .csv, .tsv or .jsonl file")
    verb.add_argument("--format", help="format of the file, where its suffix does not tell")
    _version(verb)
    _store(verbs, "versions", versions, "List all versions; the one that answers has a star.")
    verb = _store(verbs, "activate", activate, "Let a version answer from now on.")
    verb.add_argument("version", type=int, help="version")
    _store(verbs, "rollback", rollback, "Let the version answer that did before.")


def _store(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    verb = _verb(verbs, name, run, text)
    verb.add_argument("store", type=Path, help="file of the store")
    return verb


def _version(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--version", type=int, metavar="N", help="default: the active one")


def _stage(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--stage", action="store_true", help="make the version without letting it answer yet"
    )


def _knowledge_import(verbs: Any) -> None:
    verb = _store(
        verbs, "import", import_files,
        "Read files of facts. What a file said before and no longer says is retracted.",
    )  # fmt: skip
    verb.add_argument("files", type=Path, nargs="+", help="triples, entities or RDF")
    verb.add_argument("--format", help="format of the files, where their suffix does not tell")
    verb.add_argument("--source", help="who says so; default: the name of the file")
    verb.add_argument(
        "--map", action="append", default=[], metavar="PREDICATE=NAME",
        help="what a predicate of the files is called here, such as 类别=type",
    )  # fmt: skip
    verb.add_argument("--language", help="names in other languages are aliases, in RDF")
    verb.add_argument("--encoding", default="utf-8", help="encoding of the text; default: utf-8")
    verb.add_argument("--quiet", action="store_true", help="no progress bars")
    _stage(verb)


def _knowledge_query(verbs: Any) -> None:
    verb = _store(verbs, "query", query, "List all facts of an entity.")
    verb.add_argument("words", help="its id, name or alias")
    verb.add_argument(
        "--on", type=date.fromisoformat, metavar="DATE", help="only what is valid on that day"
    )
    _version(verb)


def _knowledge_retract(verbs: Any) -> None:
    verb = _store(verbs, "retract", retract, "Take back what is said of an entity.")
    verb.add_argument("subject", help="its id")
    verb.add_argument("predicate", nargs="?", help="only facts with this predicate")
    verb.add_argument("object", nargs="?", help="only facts with this object")
    verb.add_argument("--source", help="only what this source says; default: what anyone says")
    _stage(verb)


def _load(arguments: argparse.Namespace, tell: Any) -> "allrounder.Project":
    changes = getattr(arguments, "changes", [])
    return allrounder.Project.load(arguments.project, changes=changes, tell=tell)


def _print(thing: Any, arguments: argparse.Namespace) -> None:
    text = json.dumps(thing.to_dict(), ensure_ascii=False) if arguments.json else str(thing)
    sys.stdout.write(text + "\n")


def check(arguments: argparse.Namespace) -> None:
    """Print what the sources hold."""
    with progress.shown(arguments.quiet) as tell:
        report = _load(arguments, tell).check(sharing=arguments.sharing)
    _print(report, arguments)


def train(arguments: argparse.Namespace) -> None:
    """Train, then print the table of the report."""
    if arguments.resume and arguments.changes:
        raise ProjectError(
            "--set cannot go with --resume: an interrupted run goes on as it began. Start anew "
            "without --resume."
        )
    with progress.shown(arguments.quiet) as tell:
        project = _load(arguments, tell)
        report = project.train(resume=arguments.resume)
    _print(report, arguments)
    if not arguments.json:
        sys.stdout.write(f"\nReport: {_short(project.run.path / 'report.html')}\n")


def evaluate(arguments: argparse.Namespace) -> None:
    """Print the table of the report."""
    with progress.shown(arguments.quiet) as tell:
        project = _load(arguments, tell)
        if arguments.twins:
            report = _with_twins(project, arguments)
        else:
            report = project.evaluate(
                split=arguments.split,
                data=arguments.data,
                format=arguments.format,
                map=_renamed(arguments),
            )
    _print(report, arguments)


def _with_twins(project: Any, arguments: argparse.Namespace) -> Any:
    if arguments.data or arguments.split != "test":
        raise ProjectError(
            "--twins are judged on the test records of the project: leave --data and --split out."
        )
    return project.evaluate_twins(seeds=arguments.seeds, budget=arguments.budget)


def predict(arguments: argparse.Namespace) -> None:
    """Answer texts, a file, or JSON lines from stdin."""
    renamed = _renamed(arguments)
    _check_asked(arguments)
    with progress.shown(arguments.quiet) as tell:
        project = _load(arguments, tell)
        if arguments.replay:
            _write_replayed(project, arguments.replay)
            return
        if arguments.text:
            _write_answers(project, arguments)
            return
        source = arguments.data or sys.stdin.buffer
        options = {"format": arguments.format, "map": renamed, "among": arguments.among}
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
    if arguments.input and not arguments.text:
        raise ProjectError("--input says which field texts fill, and there are none: use --map.")


def _write_answers(project: Any, arguments: argparse.Namespace) -> None:
    field = _field(list(project.plan.fields), arguments.input)
    records = [{field: text} for text in arguments.text]
    if arguments.explain:
        for record in records:
            _write_line(project.explain(record, as_of=arguments.as_of))
        return
    for answer in project.predict(records, among=arguments.among, as_of=arguments.as_of):
        _write_line(prediction.topped(answer, arguments.top))


def _write_shadow(project: Any, source: Any, arguments: argparse.Namespace) -> None:
    options = {"format": arguments.format, "map": _renamed(arguments), "as_of": arguments.as_of}
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
    sys.stdout.write(prediction.as_json(data) + "\n")


def _renamed(arguments: argparse.Namespace) -> dict[str, str]:
    return dict(_pair(pair) for pair in arguments.map)


def _pair(text: str) -> tuple[str, str]:
    column, equals, field = text.partition("=")
    if not equals:
        raise ProjectError(f"--map {text!r}: expected COLUMN=NAME.")
    return column, field


def tune(arguments: argparse.Namespace) -> None:
    """Search, then print the best trials and where the best project file lies."""
    with progress.shown(arguments.quiet) as tell:
        report = _load(arguments, tell).tune(
            arguments.search,
            trials=arguments.trials,
            workers=arguments.workers,
            out=arguments.out,
            resume=arguments.resume,
        )
    _print(report, arguments)
    if not arguments.json:
        best = _short(report.best_file)
        sys.stdout.write(
            f"\nReport: {_short(report.folder / 'report.html')}\n"
            f"Judge the best on test records: allrounder train {best}\n"
        )


def import_files(arguments: argparse.Namespace) -> None:
    """Print what importing files changed, and what is known then."""
    with progress.shown(arguments.quiet) as tell:
        found = desk.import_files(
            arguments.store,
            arguments.files,
            stage=arguments.stage,
            source=arguments.source,
            tell=tell,
            format=arguments.format,
            predicates=_renamed(arguments),
            encoding=arguments.encoding,
            language=arguments.language,
        )
    _print(found, arguments)


def stats(arguments: argparse.Namespace) -> None:
    """Print what is known in numbers."""
    _print(desk.stats(arguments.store, version=arguments.version), arguments)


def query(arguments: argparse.Namespace) -> None:
    """Print all facts of an entity."""
    found = desk.query(arguments.store, arguments.words, version=arguments.version, on=arguments.on)
    _print(found, arguments)


def diff(arguments: argparse.Namespace) -> None:
    """Print the facts that changed between two versions."""
    _print(desk.diff(arguments.store, arguments.old, arguments.new), arguments)


def export(arguments: argparse.Namespace) -> None:
    """Write what is known into a file."""
    found = desk.export(
        arguments.store, arguments.file, format=arguments.format, version=arguments.version
    )
    _print(found, arguments)


def versions(arguments: argparse.Namespace) -> None:
    """Print all versions."""
    _print(desk.versions(arguments.store), arguments)


def activate(arguments: argparse.Namespace) -> None:
    """Let a version answer."""
    _print(desk.activate(arguments.store, arguments.version), arguments)


def rollback(arguments: argparse.Namespace) -> None:
    """Let the version answer that did before."""
    _print(desk.rollback(arguments.store), arguments)


def retract(arguments: argparse.Namespace) -> None:
    """Take back what is said of an entity."""
    found = desk.retract(
        arguments.store,
        arguments.subject,
        arguments.predicate,
        arguments.object,
        source=arguments.source,
        stage=arguments.stage,
    )
    _print(found, arguments)


def rules(arguments: argparse.Namespace) -> int:
    """Print what is wrong with rules; exit code 2 where they conflict or a test fails."""
    with progress.shown(arguments.quiet) as tell:
        project = _load(arguments, tell)
        report = project.check_rules() if arguments.action == "check" else project.test_rules()
    _print(report, arguments)
    return EXIT_BAD_INPUT if report.failed else EXIT_OK


def kinds(arguments: argparse.Namespace) -> None:
    """Print every kind with its settings."""
    found = catalogue.kinds(arguments.family)
    text = json.dumps(found, ensure_ascii=False) if arguments.json else catalogue.shown(found)
    sys.stdout.write(text + "\n")


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    sys.exit(main())
