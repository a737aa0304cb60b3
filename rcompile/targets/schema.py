"""What a target file may say. Each field carries its unit, its range and its meaning."""

from dataclasses import MISSING, asdict, dataclass, field, fields
from math import isfinite
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What values a field takes: `kind` int, float or str; bounds inclusive; choices where it is a name."""

    kind: type
    doc: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def broken_by(self, value: object) -> str:
        """Return what is wrong with a value, or ''."""
        allowed = (int, float) if self.kind is float else self.kind
        if isinstance(value, bool) or not isinstance(value, allowed):
            names = {int: "a whole number", float: "a number", str: "a text"}
            return f"must be {names[self.kind]}{f' ({self.unit})' if self.unit else ''}, is {value!r}"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}, is {value!r}"
        if isinstance(value, int | float):
            if not isfinite(value):
                return f"must be a finite number, is {value!r}"
            unit = f" {self.unit}" if self.unit else ""
            if self.low is not None and value < self.low:
                return f"must be at least {self.low:g}{unit}, is {value!r}"
            if self.high is not None and value > self.high:
                return f"must be at most {self.high:g}{unit}, is {value!r}"
        return ""


def rule(kind: type, doc: str, *, default: object = MISSING, **limits: Any) -> Any:  # noqa: ANN401 - a field
    """Declare a field with its rule."""
    return field(default=default, metadata={"rule": Rule(kind, doc, **limits)})


@dataclass(frozen=True)
class Crossbar:
    """The array of cells."""

    rows: int = rule(int, "inputs of a crossbar", low=1, high=4096)
    columns: int = rule(int, "outputs of a crossbar", low=1, high=4096)
    cell_bits: int = rule(int, "bits that one cell holds", unit="bit", low=1, high=6)


@dataclass(frozen=True)
class Weights:
    """How weights become cell levels."""

    sign: str = rule(str, "sign scheme", choices=("offset", "offset_flip", "differential_columns"))


@dataclass(frozen=True)
class Inputs:
    """How inputs reach the rows."""

    dac_bits: int = rule(int, "bits that a row presents in one cycle", unit="bit", low=1, high=8)


@dataclass(frozen=True)
class Adcs:
    """How column sums are read."""

    bits: int = rule(int, "resolution of the converters", unit="bit", low=1, high=24)


@dataclass(frozen=True)
class Hierarchy:
    """What contains what."""

    crossbars_per_core: int = rule(int, "crossbars of a core (IMA, MCU)", low=1, high=65536)
    cores_per_tile: int = rule(int, "cores of a tile", low=1, high=65536)
    mesh_rows: int = rule(int, "rows of the mesh of tiles of a chip", low=1, high=1024)
    mesh_columns: int = rule(int, "columns of the mesh of tiles of a chip", low=1, high=1024)
    chips: int = rule(int, "chips that may be used", low=1, high=4096, default=1)


@dataclass(frozen=True)
class Timing:
    """How long operations take."""

    read_cycle_s: float = rule(
        float, "one input cycle of a crossbar, conversion of all columns included", unit="s", low=1e-12, high=1.0
    )


@dataclass(frozen=True)
class Target:
    """An architecture. `sources` says for each field, or for a section, where its value comes from."""

    name: str
    summary: str
    crossbar: Crossbar
    weights: Weights
    inputs: Inputs
    adc: Adcs
    hierarchy: Hierarchy
    timing: Timing
    sources: dict[str, str]
    assumed_fields: tuple[str, ...] = ()
    """Fields that the file leaves out and rcompile assumes."""

    @property
    def crossbars_per_tile(self) -> int:
        """Crossbars of one tile."""
        return self.hierarchy.crossbars_per_core * self.hierarchy.cores_per_tile

    @property
    def crossbars_per_chip(self) -> int:
        """Crossbars of one chip."""
        return self.hierarchy.mesh_rows * self.hierarchy.mesh_columns * self.crossbars_per_tile

    @property
    def crossbars_available(self) -> int:
        """Crossbars of all chips."""
        return self.hierarchy.chips * self.crossbars_per_chip


SECTIONS: dict[str, type] = {
    "crossbar": Crossbar,
    "weights": Weights,
    "inputs": Inputs,
    "adc": Adcs,
    "hierarchy": Hierarchy,
    "timing": Timing,
}
"""The sections of a target file, in order."""


def field_names(section: type) -> list[str]:
    """Return the fields of a section."""
    return [item.name for item in fields(section)]


def as_dict(target: Target) -> dict[str, Any]:
    """Return a target as plain data, as reports hold it."""
    return asdict(target) | {"assumed_fields": list(target.assumed_fields)}


def rules() -> dict[str, Rule]:
    """Return the rule of each field, by its dotted name."""
    return {
        f"{section}.{item.name}": item.metadata["rule"] for section, kind in SECTIONS.items() for item in fields(kind)
    }


def defaults() -> dict[str, object]:
    """Return the fields that may be left out, and what is assumed then."""
    return {
        f"{section}.{item.name}": item.default
        for section, kind in SECTIONS.items()
        for item in fields(kind)
        if item.default is not MISSING
    }
