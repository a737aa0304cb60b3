"""Where `rcompile` starts: arguments to a verb, what it raises to a message and an exit code."""

import difflib
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from cyclopts import CycloptsError, UnusedCliTokensError

from rcompile.cli.app import app
from rcompile.errors import InternalError, RcompileError, UsageError

INTERRUPTED = 130

REPORT_A_BUG = "this is a bug in rcompile: please report it with the command, this message and `rcompile --version`"


def not_a_verb(word: str) -> str | None:
    """Return what is wrong with a first word that is neither a flag, nor a verb, nor anything like a file."""
    verbs = [name for name in app if not name.startswith("-")]
    if word.startswith("-") or word in verbs or Path(word).suffix or Path(word).exists():
        return None
    if word == "compile":
        return "there is no verb 'compile'\nhint: name the model: rcompile MODEL.onnx"
    close = difflib.get_close_matches(word, verbs, n=1)
    hint = (
        f"did you mean '{close[0]}'?" if close else f"the verbs are {', '.join(verbs)}; to compile, name an .onnx file"
    )
    return f"there is no verb or file '{word}'\nhint: {hint}"


def is_verb(word: str) -> bool:
    """Tell whether a word is a verb."""
    return not word.startswith("-") and word in app


def help_of(word: str) -> str:
    """Return what helps with a command that begins with a word."""
    return (
        f"rcompile {word} --help shows what it takes" if is_verb(word) else "rcompile --help lists the verbs and flags"
    )


def run(call: Callable[[], object], *, debug: bool) -> int:
    """Run a verb; turn what it raises into a message and an exit code."""
    try:
        code = call()
    except KeyboardInterrupt:
        return fail("interrupted; nothing was written", INTERRUPTED)
    except BrokenPipeError:
        return 141
    except RcompileError as error:
        if debug:
            traceback.print_exc()
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        hint = f"\n{REPORT_A_BUG}" if isinstance(error, InternalError) else ""
        return fail(f"{error}{notes}{hint}", error.exit_code)
    except MemoryError:
        return fail("out of memory", InternalError.exit_code)
    except Exception as error:
        if debug:
            traceback.print_exc()
        return fail(f"{type(error).__name__}: {error}\n{REPORT_A_BUG}", InternalError.exit_code)
    return code if isinstance(code, int) else 0


def fail(message: str, code: int) -> int:
    """Print an error to stderr."""
    sys.stderr.write(f"error: {message}\n")
    return code


def interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler
    """Turn a signal into what Ctrl-C raises."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:]
    if not arguments:
        arguments = ["--help"]
    if (problem := not_a_verb(arguments[0])) is not None:
        sys.exit(fail(problem, UsageError.exit_code))
    try:
        command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        extra = " ".join(error.unused_tokens or ())
        rule = f"'{extra}' is too much" if is_verb(arguments[0]) else f"one file at a time; '{extra}' is too much"
        sys.exit(fail(f"{rule}\nhint: {help_of(arguments[0])}", UsageError.exit_code))
    except CycloptsError as error:
        sys.exit(fail(f"{error}\nhint: {help_of(arguments[0])}", UsageError.exit_code))
    warnings.simplefilter("ignore", RuntimeWarning)  # what numpy says of NaN is reported as what it means
    signal.signal(signal.SIGTERM, interrupt)  # so that a batch queue's kill tidies up as Ctrl-C does
    sys.exit(run(lambda: command(*bound.args, **bound.kwargs), debug="--debug" in arguments))
