"""Fields of files that people write: each carries its unit, its range and its meaning."""

from dataclasses import MISSING, dataclass, field
from math import isfinite
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What values a field takes: `kind` int, float, str or bool; bounds inclusive; choices where it is a name.

    `many` takes a list of such values; `choice` marks a field that says what the compiler is to do rather than what
    the hardware is, `optional` one that says nothing where it is left out: neither assumes anything then.
    """

    kind: type
    doc: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    many: bool = False
    choice: bool = False
    optional: bool = False

    def broken_by(self, value: object) -> str:
        """Return what is wrong with a value, or ''."""
        if not self.many:
            return self.broken_by_one(value)
        if not isinstance(value, list | tuple):
            return f"must be a list in brackets, is {value!r}"
        return next((problem for item in value if (problem := self.broken_by_one(item))), "")

    def broken_by_one(self, value: object) -> str:
        """Return what is wrong with a single value, or ''."""
        unit = f" {self.unit}" if self.unit else ""
        if isinstance(value, bool) or self.kind is bool:
            matches = isinstance(value, bool) and self.kind is bool
        else:
            matches = isinstance(value, (int, float) if self.kind is float else self.kind)
        if not matches:
            names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
            return f"must be {names[self.kind]}{f' ({self.unit})' if self.unit else ''}, is {value!r}"
        problem = ""
        if self.choices and value not in self.choices:
            problem = f"one of {', '.join(self.choices)}"
        elif isinstance(value, float) and not isfinite(value):
            problem = "a finite number"
        elif isinstance(value, int | float) and self.low is not None and value < self.low:
            problem = f"at least {self.low:g}{unit}"
        elif isinstance(value, int | float) and self.high is not None and value > self.high:
            problem = f"at most {self.high:g}{unit}"
        return f"must be {problem}, is {value!r}" if problem else ""


def rule(kind: type, doc: str, *, default: object = MISSING, **limits: Any) -> Any:  # noqa: ANN401 - a field
    """Declare a field with its rule."""
    return field(default=default, metadata={"rule": Rule(kind, doc, **limits)})
