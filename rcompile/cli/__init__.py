"""The command line. Heavy modules are imported when a verb runs, so that --help stays quick."""

from rcompile.cli.app import main

__all__ = ["main"]
