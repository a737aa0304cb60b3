"""What a chip is made of: each component with where it is, how many there are, and what it takes."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from itertools import pairwise
from pathlib import Path

from rcompile.errors import Origin, UsageError
from rcompile.fields import rule
from rcompile.targets.actions import ACTIONS

FIGURES = ("energy_j", "power_w", "leakage_w", "rate_per_s", "area_m2")
COLUMNS = ("name", "bits", *FIGURES, "source")
SHIPPED = "components.csv"


@dataclass(frozen=True)
class Entry:
    """A component, as a file gives it; figures are those of one."""

    at: str = rule(str, "what has it: crossbar, one of hierarchy.levels, or chip")
    count: float = rule(float, "how many that has: 0.25 where four share one, 0 for none", low=0.0, high=1e9)
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
        """Return the figures at a resolution: between points on a line, beyond them in the ratio of the last two.

        A single point scales with the bits or with the levels; one of no resolution does not.
        """
        first = self.points[0]
        if not bits or not first.bits:
            return first
        if len(self.points) == 1:
            scale = bits / first.bits if self.scaling == "bits" else (2**bits - 1) / (2**first.bits - 1)
            known = {name: getattr(first, name) for name in FIGURES}
            scaled = {name: v if v is None or name == "rate_per_s" else v * scale for name, v in known.items()}
            return Point(bits, **scaled)
        after = next((n for n, p in enumerate(self.points) if p.bits >= bits), len(self.points) - 1)
        low, high = self.points[max(after, 1) - 1], self.points[max(after, 1)]
        return Point(bits, **{name: between(low, high, bits, name) for name in FIGURES})


def between(low: Point, high: Point, bits: int, name: str) -> float | None:
    """Return a figure at a resolution, given two points."""
    start, stop = getattr(low, name), getattr(high, name)
    if start is None or stop is None:
        return None
    place = (bits - low.bits) / (high.bits - low.bits)
    if 0 <= place <= 1 or not start or not stop:
        return float(start + (stop - start) * min(max(place, 0), 1))
    return float(start * (stop / start) ** place)


def component(name: str, entry: Entry, folder: Path) -> Component:
    """Return a component with the figures that its entry or its table gives.

    Args:
        name: of the component.
        entry: of the target file.
        folder: that tables are relative to.

    Raises:
        UsageError: there is no such table, or a mistake in it.
    """
    own = Point(entry.bits, **{figure: getattr(entry, figure) for figure in FIGURES})
    points = table_points(entry.model, folder) if entry.model else (own,)
    return Component(name, entry.at, entry.count, entry.per, entry.covers, entry.scaling, entry.model, points)


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
    if file:
        try:
            text = (folder / file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise UsageError(
                f"the table of components cannot be read: {reason}", at=Origin(str(folder / file))
            ) from error
    else:
        text = (resources.files("rcompile.targets") / SHIPPED).read_text("utf-8")
    at = Origin(str(folder / file) if file else SHIPPED)
    rows = list(csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#")))
    missing = [column for column in COLUMNS if not rows or column not in rows[0]]
    if missing:
        raise UsageError(
            f"the table of components has no column {missing[0]}", at=at, hint=f"it has {','.join(COLUMNS)}"
        )
    chosen = [row for row in rows if row["name"] == name]
    if not chosen:
        names = ", ".join(sorted({str(row["name"]) for row in rows}))
        raise UsageError(f"the table of components has no '{name}'; it has {names}", at=at)
    points = tuple(sorted((point_of(row, at) for row in chosen), key=lambda point: point.bits))
    for low, high in pairwise(points):
        for figure in ("bits", "energy_j", "power_w", "area_m2"):
            less, more = getattr(low, figure), getattr(high, figure)
            if less is not None and more is not None and (less > more or (figure == "bits" and less == more)):
                raise UsageError(f"{name}: {figure} must rise with bits, is {less:g} and then {more:g}", at=at)
    return points


def point_of(row: dict[str, str], at: Origin) -> Point:
    """Return the figures of a row; empty ones are not stated."""
    if not row["source"]:
        raise UsageError(f"{row['name']} at {row['bits'] or 0} bits has no source", at=at)
    rules = {item.name: item.metadata["rule"] for item in fields(Entry)}
    found: dict[str, float] = {}
    for column in ("bits", *FIGURES):
        text = (row[column] or "").strip()
        try:
            value = (int(text) if column == "bits" else float(text)) if text else None
        except ValueError:
            value = math.nan
        if value is not None:
            if problem := rules[column].broken_by(value):
                raise UsageError(
                    f"{row['name']}: {column} {f'is no number: {text}' if math.isnan(value) else problem}", at=at
                )
            found[column] = value
    return Point(int(found.pop("bits", 0)), **found)
