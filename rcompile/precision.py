"""Bits of weights, inputs and converters, for the whole model and layer by layer: precision.toml as data.

[default]
weight_bits = 8

[layers."conv*"]            # a name, or a pattern with * and ?; later tables win
weight_bits = 4
adc_bits = 6
"""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path

from rcompile.errors import Origin, UsageError

LIMITS = {"weight_bits": (1, 24), "input_bits": (1, 24), "adc_bits": (1, 24)}


def whole_number_problem(value: object, limits: tuple[int, int]) -> str:
    """Return what is wrong with a value that must be a whole number within limits, or ''."""
    low, high = limits
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return ""
    return f"must be a whole number from {low} to {high}, is {value!r}"


@dataclass(frozen=True)
class LayerBits:
    """What a rule says of a layer; None leaves it as it is. UsageError where a value is out of its range."""

    weight_bits: int | None = None
    input_bits: int | None = None
    adc_bits: int | None = None

    def __post_init__(self) -> None:
        for name, limits in LIMITS.items():
            value = getattr(self, name)
            if value is not None and (problem := whole_number_problem(value, limits)):
                raise UsageError(f"{name} of a layer {problem}")


@dataclass(frozen=True)
class Bits:
    """Bits of one layer; `adc_bits` None where its converters are the target's."""

    weight_bits: int
    input_bits: int
    adc_bits: int | None


@dataclass(frozen=True)
class Precision:
    """Bits of weights and inputs, 1 to 24 each, and rules (pattern, bits) for single layers, of which the last wins."""

    weight_bits: int = 8
    input_bits: int = 8
    layers: tuple[tuple[str, LayerBits], ...] = ()

    def of(self, layer: str) -> Bits:
        """Return the bits of a layer, by its ONNX node's name."""
        found = Bits(self.weight_bits, self.input_bits, None)
        for pattern, bits in self.layers:
            if fnmatchcase(layer, pattern):
                given = {f.name: value for f in fields(bits) if (value := getattr(bits, f.name)) is not None}
                found = replace(found, **given)
        return found

    def require_matches(self, layers: Iterable[str], file: str) -> None:
        """Refuse a rule that no layer on crossbars matches.

        Raises:
            UsageError: naming the pattern and the layers there are.
        """
        names = list(layers)
        for pattern, _ in self.layers:
            if not any(fnmatchcase(name, pattern) for name in names):
                close = difflib.get_close_matches(pattern, names, n=1)
                more = f" and {len(names) - 8} more" if len(names) > 8 else ""
                raise UsageError(
                    f"layers.{pattern!r} matches none of the layers on crossbars: {', '.join(names[:8])}{more}",
                    at=Origin(file),
                    hint=f"did you mean '{close[0]}'?"
                    if close
                    else "`rcompile inspect MODEL.onnx` shows the operators",
                )


def load_precision(path: Path, default: Precision) -> Precision:
    """Read a precision file; report every mistake of it at once.

    Args:
        path: the TOML file.
        default: what holds where the file says nothing.

    Raises:
        UsageError: with all mistakes.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"the precision file cannot be read: {error.strerror}", at=Origin(str(path))) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"this is not valid TOML: {error}", at=Origin(str(path))) from error
    mistakes: list[str] = []
    for name in data:
        if name not in {"default", "layers"}:
            mistakes.append(f"[{name}] is not a section; there are [default] and [layers.NAME]")
    general = bits_of("default", data.get("default", {}), mistakes)
    layers = data.get("layers", {})
    if not isinstance(layers, dict):
        mistakes.append('layers must hold one table a layer: [layers."conv*"]')
        layers = {}
    rules = tuple((pattern, bits_of(f"layers.{pattern!r}", table, mistakes)) for pattern, table in layers.items())
    if mistakes:
        listed = "\n".join(f"  {text}" for text in mistakes)
        raise UsageError(
            f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''} in the precision file\n{listed}",
            at=Origin(str(path)),
        )
    every = (("*", LayerBits(adc_bits=general.adc_bits)),) if general.adc_bits is not None else ()
    return Precision(
        general.weight_bits if general.weight_bits is not None else default.weight_bits,
        general.input_bits if general.input_bits is not None else default.input_bits,
        (*every, *rules),
    )


def bits_of(where: str, table: object, mistakes: list[str]) -> LayerBits:
    """Return the bits that a table gives; note its mistakes."""
    if not isinstance(table, dict):
        mistakes.append(f"{where} must be a table of {', '.join(LIMITS)}, is {table!r}")
        return LayerBits()
    found = {}
    for name, value in table.items():
        if name not in LIMITS:
            close = difflib.get_close_matches(name, LIMITS, n=1)
            meant = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(LIMITS)}"
            mistakes.append(f"{where}: {name} is not a field{meant}")
            continue
        if problem := whole_number_problem(value, LIMITS[name]):
            mistakes.append(f"{where}: {name} {problem}")
            continue
        found[name] = value
    return LayerBits(**found)
