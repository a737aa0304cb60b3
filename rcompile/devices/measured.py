"""Conductances as measured: a table of what cells hold that were written to certain targets, at certain times."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule

COLUMNS = ("target_s", "measured_s", "time_s")
"""Of the table: siemens, siemens, seconds after writing."""

QUANTILES = 1025


@dataclass(frozen=True)
class Table:
    """Distributions of conductances.

    Attributes:
        times_s: ascending, when they were measured.
        targets_s: at each time, ascending.
        quantiles_s: at each time (targets, QUANTILES), the inverse of each distribution at even steps.
    """

    times_s: NDArray[np.float64]
    targets_s: tuple[NDArray[np.float64], ...]
    quantiles_s: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Measured(Model):
    """Cells take conductances as measured for their target: linear between targets, and in ln(t) between times.

    The file is a CSV with the columns target_s, measured_s (S) and time_s (s after writing), a line for each
    measurement. A cell keeps its rank among all from one time to the next, and from one target to another.
    """

    of_cell = True

    file: str = rule(str, "CSV file, from the folder of the device file")

    def contradictions(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the file."""
        del cell
        try:
            table(self.file)
        except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
            yield "file", f"cannot be read: {getattr(error, 'strerror', None) or error}"

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return what cells written to conductances hold after some seconds."""
        del cell
        known = table(self.file)
        rank = rng.random(g.shape)
        at = np.log(np.maximum(seconds, known.times_s[0]) if known.times_s[0] > 0 else seconds + 1e-9)
        times = np.log(known.times_s if known.times_s[0] > 0 else known.times_s + 1e-9)
        place = float(np.interp(at, times, np.arange(len(times))))
        first = int(place)
        found = self._at(known, first, g, rank)
        if place > first:
            found = found + (place - first) * (self._at(known, first + 1, g, rank) - found)
        return found

    def _at(self, known: Table, time: int, g: Siemens, rank: NDArray[np.float64]) -> Siemens:
        """Return conductances at one of the measured times."""
        targets, quantiles = known.targets_s[time], known.quantiles_s[time]
        place = np.interp(g, targets, np.arange(len(targets)))
        low = np.minimum(place.astype(np.int64), max(len(targets) - 2, 0))
        high = np.minimum(low + 1, len(targets) - 1)
        column = rank * (QUANTILES - 1)
        left = np.minimum(column.astype(np.int64), QUANTILES - 2)

        def value(row: NDArray[np.int64]) -> Siemens:
            own: Siemens = quantiles[row, left]
            return own + (column - left) * (quantiles[row, left + 1] - own)

        return value(low) + (place - low) * (value(high) - value(low))


@lru_cache(maxsize=16)
def table(file: str) -> Table:
    """Return a table.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no such table; says what is wrong with which line.
    """
    found: dict[float, dict[float, list[float]]] = {}
    with Path(file).open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"it has no column {' and no column '.join(missing)}")
        for row in reader:
            try:
                target, measured, time = (float(row[name]) for name in COLUMNS)
            except (TypeError, ValueError):
                raise ValueError(f"line {reader.line_num} is not three numbers") from None
            if not (0 <= target <= 1 and 0 <= measured <= 1 and 0 <= time < np.inf):
                raise ValueError(f"line {reader.line_num}: conductances lie between 0 and 1 S, times are not negative")
            found.setdefault(time, {}).setdefault(target, []).append(measured)
    if not found:
        raise ValueError("it has no measurement")
    times = sorted(found)
    steps = np.linspace(0, 1, QUANTILES)
    targets = tuple(np.array(sorted(found[time])) for time in times)
    quantiles = tuple(np.stack([np.quantile(found[time][own], steps) for own in sorted(found[time])]) for time in times)
    return Table(np.array(times), targets, quantiles)
