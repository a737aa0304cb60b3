"""What a chip is made of: each component with where it is, how many there are, and what it takes."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path

from rcompile.errors import Origin, UsageError
from rcompile.fields import rule
from rcompile.targets.actions import ACTIONS

FIGURES = ("energy_j", "power_w", "leakage_w", "rate_per_s", "area_m2")
COLUMNS = ("name", "bits", *FIGURES, "source")
RISING = ("energy_j", "power_w", "area_m2")
SHIPPED = "components.csv"


@dataclass(frozen=True)
class Entry:
    """A component, as a file gives it; figures are those of one."""

    at: str = rule(str, "what has it: crossbar, one of hierarchy.levels, or chip")
    count: float | None = rule(
        float,
        "how many that has: 0.25 where four share one, 0 for none; left out, of conversions: as many as "
        "adc.per_crossbar says",
        low=0.0, high=1e9, default=None, optional=True,
    )  # fmt: skip
    per: str = rule(str, "what energy_j is the energy of", choices=tuple(ACTIONS), default="time", optional=True)
    covers: tuple[str, ...] = rule(
        str, "other actions whose energy is in energy_j", choices=tuple(ACTIONS), many=True, default=(), optional=True
    )
    energy_j: float | None = rule(
        float, "of one action; left out: power_w over rate_per_s", unit="J", low=0.0, high=1.0, default=None,
        optional=True,
    )  # fmt: skip
    power_w: float | None = rule(
        float, "at full work; left out: energy_j times rate_per_s", unit="W", low=0.0, high=1e6, default=None,
        optional=True,
    )  # fmt: skip
    leakage_w: float | None = rule(
        float, "power whenever it is switched on", unit="W", low=0.0, high=1e6, default=None, optional=True
    )
    rate_per_s: float | None = rule(
        float,
        "actions at full work; left out: adc.rate_per_s of conversions, one a read cycle of reads, rows and samples",
        unit="1/s", low=1e-3, high=1e18, default=None, optional=True,
    )  # fmt: skip
    area_m2: float | None = rule(float, "of one", unit="m2", low=0.0, high=1.0, default=None, optional=True)
    bits: int = rule(
        int, "resolution that the figures are of; 0: they do not depend on one", unit="bit", low=0, high=24, default=0,
        optional=True,
    )  # fmt: skip
    scaling: str = rule(
        str,
        "how energy, power and area follow the resolution: with the bits (successive approximation), or with the "
        "levels, 2^bits - 1 (flash, ramps, counters)",
        choices=("bits", "levels"),
        default="bits",
        choice=True,
    )
    model: str = rule(
        str,
        "rows of a table that give the figures, for one or more resolutions: NAME of rcompile's own, or FILE.csv#NAME",
        default="",
        optional=True,
    )


@dataclass(frozen=True)
class Point:
    """Figures of a component at a resolution; None where they are not stated."""

    bits: int
    energy_j: float | None = None
    power_w: float | None = None
    leakage_w: float | None = None
    rate_per_s: float | None = None
    area_m2: float | None = None


@dataclass(frozen=True)
class Component:
    """A component with all that is known of it.

    Attributes:
        name: of the component.
        at: the level that has it.
        count: of them that each of that level has.
        per: action that its energy is of.
        covers: other actions whose energy is in it.
        scaling: how figures of a single point follow the resolution.
        model: of the table that the points are from; '' where the target gives them itself.
        points: figures by resolution, in rising order.
    """

    name: str
    at: str
    count: float
    per: str
    covers: tuple[str, ...]
    scaling: str
    model: str
    points: tuple[Point, ...]

    @property
    def entry(self) -> Entry:
        """What a target file says of it."""
        figures = {} if self.model else {name: getattr(self.points[0], name) for name in ("bits", *FIGURES)}
        return Entry(self.at, self.count, self.per, self.covers, scaling=self.scaling, model=self.model, **figures)

    def at_bits(self, bits: int) -> Point:
        """Return the figures at a resolution: between points on a line, beyond them with the bits or the levels.

        A point of no resolution does not scale.
        """
        first = self.points[0]
        if not bits or not first.bits:
            return first
        low = max((point for point in self.points if point.bits <= bits), key=lambda p: p.bits, default=first)
        high = next((point for point in self.points if point.bits >= bits), self.points[-1])
        if low.bits < bits < high.bits:
            return Point(bits, **{name: between(low, high, bits, name) for name in FIGURES})
        end = low if low.bits == bits or high.bits < bits else high
        scale = bits / end.bits if self.scaling == "bits" else (2**bits - 1) / (2**end.bits - 1)
        known = {name: getattr(end, name) for name in FIGURES}
        return Point(bits, **{name: v if v is None or name == "rate_per_s" else v * scale for name, v in known.items()})


def between(low: Point, high: Point, bits: int, name: str) -> float | None:
    """Return a figure at a resolution on the line between two points."""
    start, stop = getattr(low, name), getattr(high, name)
    if start is None:
        return None
    return float(start + (stop - start) * (bits - low.bits) / (high.bits - low.bits))


def component(name: str, entry: Entry, count: float, folder: Path) -> Component:
    """Return a component with the figures that its entry or its table gives.

    Args:
        name: of the component.
        entry: of the target file.
        count: how many of them the level has.
        folder: that tables are relative to.

    Raises:
        UsageError: there is no such table, or a mistake in it.
    """
    own = Point(entry.bits, **{figure: getattr(entry, figure) for figure in FIGURES})
    points = table_points(entry.model, folder) if entry.model else (own,)
    if entry.per == "time" and points[0].energy_j is not None:
        raise UsageError(
            f"components.{name}: {entry.model} gives the energy of an action: name it (per)", at=Origin(entry.model)
        )
    return Component(name, entry.at, count, entry.per, entry.covers, entry.scaling, entry.model, points)


def contradictions(name: str, entry: Entry, levels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (field, what is wrong) of a component whose single fields are right."""
    known = ("crossbar", *levels, "chip")
    if entry.at not in known:
        yield f"components.{name}.at", f"must be one of {', '.join(known)}, is {entry.at!r}"
    given = [figure for figure in FIGURES if getattr(entry, figure) is not None]
    if entry.model and given:
        yield f"components.{name}.{given[0]}", f"is given by {entry.model} already: leave it or model out"
    if entry.per == "time" and entry.energy_j is not None:
        yield f"components.{name}.energy_j", "is of an action: name it (per), or give power_w"


def table_points(model: str, folder: Path) -> tuple[Point, ...]:
    """Return the rows of a table with a name, by resolution."""
    file, _, name = model.rpartition("#")
    at = Origin(str(folder / file) if file else SHIPPED)
    rows = table_rows(folder / file if file else resources.files("rcompile.targets") / SHIPPED, at)
    chosen = [row for row in rows if row["name"] == name]
    if not chosen:
        names = ", ".join(sorted({str(row["name"]) for row in rows}))
        hint = f"rows of a file: {name}#NAME" if name.endswith(".csv") else ""
        raise UsageError(f"the table of components has no '{name}'; it has {names}", at=at, hint=hint)
    points = tuple(sorted((point_of(row, at) for row in chosen), key=lambda point: point.bits))
    for problem in odd_points(points):
        raise UsageError(f"{name}: {problem}", at=at)
    return points


def table_rows(path: Traversable, at: Origin) -> list[dict[str, str]]:
    """Return the rows of a table."""
    try:
        text = path.read_text("utf-8-sig")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        rows = list(csv.DictReader(lines, skipinitialspace=True))
    except csv.Error as error:
        raise UsageError(f"this is no table of components: {error}", at=at) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"the table of components cannot be read: {reason}", at=at) from error
    missing = [column for column in COLUMNS if not rows or column not in rows[0]]
    if missing:
        hint = f"its first line is {','.join(COLUMNS)}"
        raise UsageError(f"the table of components has no column {missing[0]}", at=at, hint=hint)
    return rows


def odd_points(points: Sequence[Point]) -> Iterator[str]:
    """Yield what is wrong with the points of a component."""
    if len(points) > 1 and not points[0].bits:
        yield "a row of no resolution stands beside others: give its bits"
    for low, high in pairwise(points):
        if low.bits == high.bits:
            yield f"there are two rows of {low.bits} bits"
        for figure in FIGURES:
            less, more = getattr(low, figure), getattr(high, figure)
            if (less is None) != (more is None):
                yield f"{figure} is given at some resolutions only: give it in all rows or in none"
            elif less is not None and less > more and figure in RISING:
                yield f"{figure} must rise with bits, is {less:g} and then {more:g}"


def point_of(row: dict[str, str], at: Origin) -> Point:
    """Return the figures of a row; empty ones are not stated."""
    if not row["source"]:
        raise UsageError(f"{row['name']} at {row['bits'] or 0} bits has no source", at=at)
    rules = {item.name: item.metadata["rule"] for item in fields(Entry)}
    found: dict[str, float] = {}
    for column in ("bits", *FIGURES):
        text = (row[column] or "").strip()
        try:
            value = float(text) if text else None
            if column == "bits" and value is not None and value.is_integer():
                value = int(value)
        except ValueError:
            value = math.nan
        if value is not None:
            if problem := rules[column].broken_by(value):
                raise UsageError(
                    f"{row['name']}: {column} {f'is no number: {text}' if math.isnan(value) else problem}", at=at
                )
            found[column] = value
    return Point(int(found.pop("bits", 0)), **found)
