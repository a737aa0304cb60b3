"""The crossbars of a program as one die reads them."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.faults import HIGH, LOW, FaultMap
from rcompile.ir.cells import Crossbars
from rcompile.ir.encoding import Memory
from rcompile.ir.placed import PlacedProgram


class Chip:
    """What the cells of a program's crossbars hold when they are read.

    Args:
        placed: the program.
        faults: of the die; None: every cell holds what is written.
        lines: (for rows, for columns) that a crossbar has; needed for the faults alone.
    """

    def __init__(self, placed: PlacedProgram, faults: FaultMap | None = None, lines: tuple[int, int] = (0, 0)) -> None:
        self._placed = placed
        self._faults = faults
        self._lines = lines
        self._crossbars = Crossbars(placed)
        self.levels = lru_cache(maxsize=4096)(self._read)

    @property
    def faulty(self) -> bool:
        """Whether cells may hold something else than what is written."""
        return self._faults is not None

    def of(self, matrix: int, replica: int) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Yield each crossbar of a copy with the copy's blocks on it, in order of reduction."""
        return self._crossbars.of(matrix, replica)

    def _read(self, crossbar: int) -> NDArray[np.uint8]:
        """Return the levels (rows, columns) that a crossbar's rows and columns meet."""
        written = self._crossbars.levels(crossbar)
        if self._faults is None or not self._in_rram(crossbar):
            return written
        states = self._faults.states(self._placed.position_of(crossbar), *self._lines)
        wiring = self._placed.wiring
        if wiring is None:
            states = states[: written.shape[0], : written.shape[1]]
        else:
            states = states[wiring.rows[crossbar][:, None], wiring.columns[crossbar][None, :]]
        found = np.where(states == LOW, np.uint8(0), written)
        found[states == HIGH] = 2**self._placed.program.cell_bits - 1
        return found

    def _in_rram(self, crossbar: int) -> bool:
        """Tell whether a crossbar's cells are RRAM; no crossbar holds slices of both memories."""
        block = self._placed.program.blocks[self._crossbars.on(crossbar)[0]]
        item = self._placed.program.matrices[block["matrix"]]
        return item.weight_slices[block["weight_slice"]].memory is Memory.RRAM
