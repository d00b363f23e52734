"""The command line: every verb is a method of Project, and stands in a file of its name."""

from allrounder.cli.program import main, parser

__all__ = ["main", "parser"]
