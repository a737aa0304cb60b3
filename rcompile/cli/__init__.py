"""The command line. Heavy modules are imported when a verb runs, so that --help stays quick."""

from rcompile.cli.main import main

__all__ = ["main"]
