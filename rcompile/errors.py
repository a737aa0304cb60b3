"""The errors that rcompile reports, each with the exit code of the command line.

RcompileError
├── UsageError          2   a flag, a target or a configuration is wrong
├── InputError          3   a file cannot be read or is not valid
├── UnsupportedError    4   nothing to map, or an operator that no unit can execute
├── DoesNotFit          5   the chip is too small
├── VerificationFailed  6   the mapped program computes something else than the model
└── InternalError      70   rcompile contradicts itself: a bug to report
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Where in the user's input something comes from."""

    file: str = ""
    node: str = ""
    op_type: str = ""

    def __str__(self) -> str:
        node = f"{self.op_type} '{self.node}'" if self.node else ""
        return ": ".join(part for part in (self.file, node) if part)


class RcompileError(Exception):
    """A problem with one clear message.

    Args:
        message: what is wrong, with the value found and the rule it breaks.
        at: the file and node concerned.
        hint: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, at: Origin | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint

    def __str__(self) -> str:
        place = str(self.at) if self.at else ""
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}\nhint: {self.hint}" if self.hint else text


class UsageError(RcompileError):
    """A flag, a target or a configuration is wrong."""

    exit_code = 2


class InputError(RcompileError):
    """A file cannot be read or is not valid."""

    exit_code = 3


class UnsupportedError(RcompileError):
    """The model has nothing to map, or needs what no unit can do."""

    exit_code = 4


class DoesNotFit(RcompileError):  # noqa: N818 - the name of the verdict, not of a malfunction
    """The model needs more than the target has."""

    exit_code = 5


class VerificationFailed(RcompileError):  # noqa: N818 - the name of the verdict, not of a malfunction
    """The mapped program computes something else than the model."""

    exit_code = 6


class InternalError(RcompileError):
    """An invariant of rcompile itself is broken."""

    exit_code = 70


def require(condition: object, message: str) -> None:
    """Raise InternalError unless an invariant of the program representation holds."""
    if not condition:
        raise InternalError(message)
