"""Reads that are no product of digits and cells: bent cells, floating lines, gated rows, drivers that err."""

from functools import cached_property, lru_cache
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.conductances import Conductances
from rcompile.backends.die import Die
from rcompile.errors import UsageError
from rcompile.ir.arrays import frozen
from rcompile.ir.placed import PlacedProgram

DOUBLE_BITS = 52
"""Of a float64's fraction."""

DRIVEN_BITS = 16
"""Behind the binary point, of what rows are driven with where that is not whole."""

FEWEST_BITS = 8
"""Behind the binary point, of levels."""

Codes = NDArray[np.integer]
Sums = NDArray[np.float64]


class Lines:
    """What columns sense of driven rows, as circuits solve it.

    Levels are multiples of a power of two, so small that every column sum is exact in float64 in any order.

    Args:
        placed: the program.
        die: that it runs on.
        cells: of its crossbars.
        kept: crossbars whose solutions are kept.
    """

    def __init__(self, placed: PlacedProgram, die: Die, cells: Conductances, kept: int) -> None:
        self._placed, self._die, self._cells = placed, die, cells
        self._device = die.device
        self._sensed = lru_cache(maxsize=kept)(self._work_out_sensed)
        self._floating = lru_cache(maxsize=kept)(self._work_out_floating)
        self._ladders = lru_cache(maxsize=kept)(self._work_out_ladders)

    @cached_property
    def level(self) -> float:
        """From one level to the next as converters are set for them, in siemens."""
        cell = self._device.cell
        low, high = self._device.series(np.array([cell.g_min_s, cell.g_max_s])).tolist()
        return float((high - low) / (2**self._placed.program.cell_bits - 1))

    @cached_property
    def level_zero(self) -> float:
        """What a cell of level 0 conducts, in levels."""
        return float(self._device.series(np.array([self._device.cell.g_min_s]))[0] / self.level)

    @property
    def taken_off(self) -> float:
        """Of what a cell conducts, in levels, is not counted: level 0, unless a reference column took it off."""
        return 0.0 if self._die.reference_column else self.level_zero

    def are_products(self, top: int) -> bool:
        """Tell whether reads with digits up to `top` are products of digits and levels."""
        device = self._device
        if not device.drivers.none or device.gated is not None:
            return False
        bent = device.terms() and top > 1 and not self._die.pulses  # of one voltage, all terms add up to G
        return not bent and (device.wires.none or device.wires.idle == "grounded")

    def levels(self, crossbar: int) -> Sums:
        """Return what columns sense (rows, columns) for a digit of 1, in levels above the one that is taken off."""
        sensed = self._terms(crossbar)
        found = sum(sensed[1:], sensed[0]) - self.taken_off
        dead = self._cells.dead(crossbar)
        return found if dead is None else np.where(self._cells.seen(crossbar, dead), 0.0, found)

    def sums(self, crossbar: int, digits: Codes, driven: Sums, top: int, columns: NDArray[np.intp]) -> Sums:
        """Return what columns give (columns, vectors), in levels, less what is taken off.

        Args:
            crossbar: that is read.
            digits: (rows, vectors) that its first rows are driven with; others are not driven.
            driven: what they are really driven with.
            top: the largest digit that there is.
            columns: that are converted.
        """
        wires = self._device.wires
        if wires.idle == "floating" and not wires.none:
            found = self._settled(crossbar, driven)[columns]
        elif self._device.gated is None:
            found = self._products(crossbar, driven, top, columns)
        else:
            found = self._switched(crossbar, digits.astype(np.int64), driven, top)[columns]
        return found - self.taken_off * digits.sum(axis=0)

    def _network(self, crossbar: int) -> tuple[Sums, Sums]:
        """Return what columns sense of rows, in siemens, and the currents into rows, line by line."""
        g, wires = self._cells.of(crossbar), self._device.wires
        return (g, np.zeros((0, 0))) if wires.none else wires.network(g)

    def _without_reference(self, crossbar: int, cells: Sums) -> Sums:
        """Return what rows and columns meet of all cells, less the reference column where there is one."""
        seen = self._cells.seen(crossbar, cells)
        if self._die.reference_column:
            rows, _ = self._cells.wires(crossbar)
            seen = seen - cells[rows, -1][:, None]
        return seen

    def _terms(self, crossbar: int) -> list[Sums]:
        """Return what columns sense (rows, columns) for a digit of 1, in levels: one array, or one for each term."""
        sensed = [term.conductance(self._cells.of(crossbar)) for term in self._device.terms()]
        sensed = sensed or [self._network(crossbar)[0]]
        return [self._without_reference(crossbar, part / self.level) for part in sensed]

    def _work_out_sensed(self, crossbar: int) -> list[Sums]:
        """Return the same on the grid; of dead lines, what level 0 gives."""
        found = self._terms(crossbar)
        dead = self._cells.dead(crossbar)
        if dead is not None:
            silent = self._cells.seen(crossbar, dead)
            found = [np.where(silent, 0.0 if n else self.taken_off, part) for n, part in enumerate(found)]
        return [frozen(np.rint(part * self._grid) / self._grid) for part in found]

    def _products(self, crossbar: int, driven: Sums, top: int, columns: NDArray[np.intp]) -> Sums:
        """Return what columns sense of driven rows, in levels."""
        sensed = [part[: len(driven), columns] for part in self._sensed(crossbar)]
        terms = self._device.terms()
        if not terms or top == 1 or self._die.pulses:  # of one voltage, at which all terms add up to G
            return np.asarray(sum(sensed[1:], sensed[0]).T @ driven)
        parts = [part.T @ whole(top * term.voltage(driven / top)) for term, part in zip(terms, sensed, strict=True)]
        return sum(parts[1:], parts[0])

    def _work_out_floating(self, crossbar: int) -> tuple[Sums, Sums]:
        """Return what columns sense of rows, in levels that add up exactly, and currents into rows, line by line."""
        sensed, ports = self._network(crossbar)
        return frozen(np.rint(sensed / self.level * self._grid) / self._grid), ports

    def _settled(self, crossbar: int, driven: Sums) -> Sums:
        """Return what columns sense where all lines that are not driven float, spare and dead ones too, in levels."""
        sensed, ports = self._floating(crossbar)
        rows, columns = self._cells.wires(crossbar)
        volts = np.zeros((len(sensed), driven.shape[1]))
        volts[rows[: len(driven)]] = driven
        dead = self._cells.dead(crossbar)
        if dead is not None:
            volts[np.flatnonzero(dead.all(axis=1))] = 0.0  # a dead row is not driven
        found: Sums = sensed.T @ whole(self._device.wires.settled(ports, volts))
        found = found[columns] - found[-1] if self._die.reference_column else found[columns]
        if dead is not None:
            silent = np.flatnonzero(dead[:, columns].all(axis=0))
            found[silent] = self.taken_off * driven.sum(axis=0)
        return found

    def _work_out_ladders(self, crossbar: int) -> Sums:
        """Return the conductances of gated cells line by line; on dead lines, that of level 0."""
        g, dead = self._cells.of(crossbar), self._cells.dead(crossbar)
        if dead is None:
            return g
        return frozen(np.where(dead, g[:, -1:] if self._die.reference_column else self.level_zero * self.level, g))

    def _switched(self, crossbar: int, digits: Codes, driven: Sums, top: int) -> Sums:
        """Return what the columns of gated cells give, in levels: pulse by pulse as long as any row is on."""
        gated, g = self._device.gated, self._ladders(crossbar)
        rows, columns = self._cells.wires(crossbar)
        rows = rows[: len(digits)]
        found = np.zeros((g.shape[1], digits.shape[1]))
        assert gated is not None
        for pulse in range(1, top + 1):
            on = np.zeros((g.shape[0], digits.shape[1]))
            # a row whose pulse errs in length or voltage counts as much more, or less
            on[rows] = np.divide(driven, digits, out=np.zeros_like(driven), where=digits >= pulse)
            found += gated.sensed(g, on)
        found /= self.level
        return found[columns] - found[-1] if self._die.reference_column else found[columns]

    @cached_property
    def _grid(self) -> float:
        """Analog levels are multiples of one over this."""
        top = 2**self._placed.program.cell_bits - 1
        widest = max(item.sum_bits for item in self._placed.program.matrices)
        widest += ceil(log2(1 + self.level_zero / top))  # the levels' own conductance comes on top
        bits = DOUBLE_BITS - widest - 2 - DRIVEN_BITS
        if bits < FEWEST_BITS:
            raise UsageError(
                f"on {self._device.name}, column sums take {widest} bits, and level 0 conducts {self.level_zero:.3g} "
                "levels in each cell: that cannot be added up exactly",
                hint="a larger range of conductances, fewer rows at once, or fewer bits a cell or digit",
            )
        return float(2**bits)


def whole(driven: Sums) -> Sums:
    """Return what rows are driven with, rounded so that products are exact in any order."""
    found: Sums = np.rint(driven * 2**DRIVEN_BITS) / 2**DRIVEN_BITS
    return found
