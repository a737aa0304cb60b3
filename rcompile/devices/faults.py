"""Fault maps: what of a die does not work, as its test found it."""

import difflib
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import InputError, Origin

LOW, HIGH = -1, 1
"""States of a cell that cannot be written; 0 is sound."""

COLUMNS = {
    "stuck_at_g_min": ("crossbar", "row", "column"),
    "stuck_at_g_max": ("crossbar", "row", "column"),
    "dead_rows": ("crossbar", "row"),
    "dead_columns": ("crossbar", "column"),
    "dead_crossbars": ("crossbar",),
}
"""The arrays of a fault map, and what their columns count."""

HINT = "a fault map holds, each optional: " + ", ".join(
    f"{name} [n, {len(columns)}] ({', '.join(columns)})" for name, columns in COLUMNS.items()
)


@dataclass(frozen=True)
class FaultMap:
    """What of a die does not work, by position; each array (n, columns) as COLUMNS says, all counted from 0.

    A crossbar's position is its tile's mesh slot times the crossbars of a tile, plus its place in the tile; slots are
    counted row by row, chip after chip. A dead row is not driven, a dead column or crossbar reads as zero: their
    cells add nothing, as those that are stuck at a g_min of zero.

    Attributes:
        origin: the file, for messages.
    """

    stuck_at_g_min: NDArray[np.int64]
    stuck_at_g_max: NDArray[np.int64]
    dead_rows: NDArray[np.int64]
    dead_columns: NDArray[np.int64]
    dead_crossbars: NDArray[np.int64]
    origin: str = ""

    def states(self, position: int, rows: int, columns: int) -> NDArray[np.int8]:
        """Return the state of each cell (rows, columns) of a crossbar: LOW, HIGH, or 0 where it is sound."""
        found = np.zeros((rows, columns), np.int8)
        for name, state in (("stuck_at_g_max", HIGH), ("stuck_at_g_min", LOW)):
            _, row, column = self._of(name, position).T
            found[row, column] = state
        found[self.dead(position, rows, columns)] = LOW
        return found

    def dead(self, position: int, rows: int, columns: int) -> NDArray[np.bool_]:
        """Tell which cells (rows, columns) of a crossbar are on a dead line."""
        found = np.zeros((rows, columns), bool)
        found[self._of("dead_rows", position)[:, 1]] = True
        found[:, self._of("dead_columns", position)[:, 1]] = True
        found[:] |= bool(len(self._of("dead_crossbars", position)))
        return found

    def _of(self, name: str, position: int) -> NDArray[np.int64]:
        entries = self._sorted[name]
        first, last = np.searchsorted(entries[:, 0], (position, position + 1))
        return entries[first:last]

    @cached_property
    def _sorted(self) -> dict[str, NDArray[np.int64]]:
        """The arrays by crossbar."""
        arrays = {name: getattr(self, name) for name in COLUMNS}
        return {name: array[np.argsort(array[:, 0], kind="stable")] for name, array in arrays.items()}

    def require_on(self, crossbars: int, rows: int, columns: int) -> None:
        """Refuse a map that names what a target does not have; every mistake is reported at once.

        Args:
            crossbars: of the target.
            rows: of a crossbar.
            columns: of a crossbar.

        Raises:
            InputError: a crossbar, row or column does not exist.
        """
        limits = {"crossbar": crossbars, "row": rows, "column": columns}
        mistakes = []
        for name, what in COLUMNS.items():
            for axis, kind in enumerate(what):
                values = getattr(self, name)[:, axis]
                wrong = values[(values < 0) | (values >= limits[kind])]
                if len(wrong):
                    mistakes.append(
                        f"{name}: {kind} {wrong[0]} is not one of 0..{limits[kind] - 1} ({len(wrong)} such)"
                    )
        if mistakes:
            raise InputError(
                "the fault map does not fit the target\n" + "\n".join(f"  {m}" for m in mistakes),
                at=Origin(self.origin),
                hint="make the map for this target, or name the target that it is for (--target)",
            )


def load_faults(path: Path) -> FaultMap:
    """Read a fault map: .npz with the arrays that COLUMNS names; one that is missing is empty.

    Raises:
        InputError: unreadable, or an array is unknown or has another shape; every mistake is reported at once.
    """
    at = Origin(str(path))
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError("there is no such fault map", at=at, hint=HINT) from None
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"this is not an .npz file: {error}", at=at, hint=HINT) from error
    mistakes = []
    found = {}
    for name, columns in COLUMNS.items():
        array = arrays.pop(name, np.zeros((0, len(columns)), np.int64))
        if array.ndim == 1 and len(columns) == 1:
            array = array[:, None]
        if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != len(columns):
            wanted = f"whole numbers [n, {len(columns)}] ({', '.join(columns)})"
            mistakes.append(f"{name} must be {wanted}; it is {array.dtype} {list(array.shape)}")
        else:
            found[name] = array.astype(np.int64)
    for name in arrays:
        close = difflib.get_close_matches(name, COLUMNS, n=1)
        mistakes.append(f"there is no '{name}' in a fault map" + (f"; did you mean '{close[0]}'?" if close else ""))
    if mistakes:
        raise InputError("the fault map is not valid\n" + "\n".join(f"  {m}" for m in mistakes), at=at, hint=HINT)
    return FaultMap(**found, origin=str(path))
