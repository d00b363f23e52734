"""`allrounder knowledge`: every verb is a function of `knowledge.desk`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allrounder.cli.shared import add_verb, renamed, show
from allrounder.lazy import lazy

if TYPE_CHECKING:
    from allrounder import progress
    from allrounder.knowledge import desk
else:
    desk = lazy("allrounder.knowledge.desk")
    progress = lazy("allrounder.progress")


def add(verbs: Any) -> None:
    """Add the verbs to the command line."""
    text = "Keep what is known: facts with sources, dates and versions."
    verbs = verbs.add_parser("knowledge", help=text.split(":")[0].lower(), description=text)
    verbs = verbs.add_subparsers(metavar="VERB", required=True)
    _knowledge_import(verbs)
    _knowledge_query(verbs)
    _knowledge_add(verbs)
    _knowledge_retract(verbs)
    verb = _store(verbs, "stats", stats, "Count what is known, and name what is odd about it.")
    _version(verb)
    verb = _store(verbs, "diff", diff, "List the facts that changed between two versions.")
    verb.add_argument("old", type=int, help="version")
    verb.add_argument("new", type=int, nargs="?", help="version; default: the active one")
    verb = _store(verbs, "export", export, "Write what is known into a file.")
    verb.add_argument("file", type=Path, help=".csv, .tsv, .jsonl, .ttl, .nt, .rdf or .jsonld")
    verb.add_argument("--format", help="format of the file, where its suffix does not tell")
    verb.add_argument(
        "--as-of", metavar="DAY", help="only what holds on that day; default: all, in RDF today's"
    )
    _version(verb)
    _store(verbs, "versions", versions, "List all versions; the one that answers has a star.")
    verb = _store(verbs, "activate", activate, "Let a version answer from now on.")
    verb.add_argument("version", type=int, help="version")
    _store(verbs, "rollback", rollback, "Let the version answer that did before.")


def _store(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    verb = add_verb(verbs, name, run, text)
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
    verb.add_argument("--on", metavar="DATE", help="only what is valid on that day")
    _version(verb)


def _knowledge_add(verbs: Any) -> None:
    verb = _store(verbs, "add", add_fact, "Add one fact, or change what is said.")
    verb.add_argument("subject", help="the id of an entity")
    verb.add_argument("predicate", help="what is said of it")
    verb.add_argument("object", help="another entity if something is known of it, else a text")
    kind = verb.add_mutually_exclusive_group()
    kind.add_argument(
        "--entity", action="store_const", const="entity", dest="kind",
        help="the object is an entity, known or not",
    )  # fmt: skip
    kind.add_argument(
        "--text", action="store_const", const="text", dest="kind", help="the object is a text"
    )
    verb.add_argument("--from", metavar="DAY", dest="since", help="the first day on which it holds")
    verb.add_argument("--until", metavar="DAY", help="the first day on which it no longer holds")
    verb.add_argument("--confidence", metavar="P", help="how sure it is, from 0 to 1; default: 1")
    verb.add_argument("--source", help="who says so; default: hand")
    verb.add_argument(
        "--replace", action="store_true",
        help="take back what is said with this subject and predicate, whoever says so",
    )  # fmt: skip
    _stage(verb)


def _knowledge_retract(verbs: Any) -> None:
    verb = _store(verbs, "retract", retract, "Take back what is said of an entity.")
    verb.add_argument("subject", help="its id")
    verb.add_argument("predicate", nargs="?", help="only facts with this predicate")
    verb.add_argument("object", nargs="?", help="only facts with this object")
    verb.add_argument("--source", help="only what this source says; default: what anyone says")
    _stage(verb)


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
            predicates=renamed(arguments),
            encoding=arguments.encoding,
            language=arguments.language,
        )
    show(found, arguments)


def stats(arguments: argparse.Namespace) -> None:
    """Print what is known in numbers."""
    show(desk.stats(arguments.store, version=arguments.version), arguments)


def query(arguments: argparse.Namespace) -> None:
    """Print all facts of an entity."""
    found = desk.query(arguments.store, arguments.words, version=arguments.version, on=arguments.on)
    show(found, arguments)


def diff(arguments: argparse.Namespace) -> None:
    """Print the facts that changed between two versions."""
    show(desk.diff(arguments.store, arguments.old, arguments.new), arguments)


def export(arguments: argparse.Namespace) -> None:
    """Write what is known into a file."""
    found = desk.export(
        arguments.store,
        arguments.file,
        format=arguments.format,
        version=arguments.version,
        as_of=arguments.as_of,
    )
    show(found, arguments)


def versions(arguments: argparse.Namespace) -> None:
    """Print all versions."""
    show(desk.versions(arguments.store), arguments)


def activate(arguments: argparse.Namespace) -> None:
    """Let a version answer."""
    show(desk.activate(arguments.store, arguments.version), arguments)


def rollback(arguments: argparse.Namespace) -> None:
    """Let the version answer that did before."""
    show(desk.rollback(arguments.store), arguments)


def add_fact(arguments: argparse.Namespace) -> None:
    """Add one fact."""
    fact = desk.Stated(
        subject=arguments.subject,
        predicate=arguments.predicate,
        object=arguments.object,
        kind=arguments.kind,
        since=arguments.since,
        until=arguments.until,
        confidence=arguments.confidence,
    )
    found = desk.add(
        arguments.store,
        fact,
        source=arguments.source,
        stage=arguments.stage,
        instead=arguments.replace,
    )
    show(found, arguments)


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
    show(found, arguments)
