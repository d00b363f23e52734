"""The whole command line: its parser, and what comes of an error."""

import argparse
import json
import sys
from collections.abc import Sequence

from allrounder.cli import (
    ask,
    check,
    doubts,
    evaluate,
    kinds,
    knowledge,
    label,
    labels,
    predict,
    pretrain,
    rules,
    synthesize,
    train,
    tune,
)
from allrounder.cli.shared import EXIT_BAD_INPUT, EXIT_OK, EXIT_STOPPED
from allrounder.errors import Error

VERBS = (
    check, pretrain, train, evaluate, predict, tune, synthesize, ask, label, doubts, labels,
    knowledge, rules, kinds,
)  # fmt: skip


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
        goes_on = f" It goes on with: allrounder {arguments.verb.__name__} --resume"
        sys.stderr.write(f"\nStopped.{goes_on if hasattr(arguments, 'resume') else ''}\n")
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
    for verb in VERBS:
        verb.add(verbs)
    return top
