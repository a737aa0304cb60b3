"""The crossbars of a program as one die reads them."""

from functools import cached_property, lru_cache
from itertools import pairwise
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.conductances import Conductances
from rcompile.backends.die import Die, Vectors
from rcompile.circuits.converters import Errors, disturbed
from rcompile.devices.faults import HIGH, LOW
from rcompile.devices.streams import Moment, Streams
from rcompile.errors import UsageError
from rcompile.ir.arrays import frozen
from rcompile.ir.cells import Crossbars
from rcompile.ir.converter import Adc
from rcompile.ir.encoding import Memory
from rcompile.ir.placed import PlacedProgram

DOUBLE_BITS = 52
"""Of a float64's fraction."""

DRIVEN_BITS = 16
"""Behind the binary point, of what rows are driven with where that is not whole."""

FEWEST_BITS = 8
"""Behind the binary point, of levels."""

CACHED_BYTES = 2**28

BLOCK = 64
"""Vectors for which noise is drawn together."""

CONVERTERS, DRIVERS, PULSES, AMPLIFIERS, SAMPLES, REFERENCE = (2**20 * (1 + n) for n in range(6))
"""In the keys of streams: what circuits draw, apart from what models draw; converters add their number or column."""

Codes = NDArray[np.integer]
Sums = NDArray[np.float64]


class Chip:
    """What a program's crossbars are when they are read.

    Args:
        placed: the program.
        die: that it runs on; without, one whose cells hold what is written.
        crossbars: of the program, where they are known already.
    """

    def __init__(self, placed: PlacedProgram, die: Die | None = None, crossbars: Crossbars | None = None) -> None:
        self._placed = placed
        self._die = die or Die()
        self._device = self._die.device
        self._streams = Streams(self._die.seed, self._die.trial)
        self.crossbars = crossbars or Crossbars(placed)
        self._cells = Conductances(placed, self._die, self.crossbars, self._streams)
        program = placed.program
        kept = max(CACHED_BYTES // (8 * program.crossbar_rows * program.crossbar_columns), 16)
        self.levels = lru_cache(maxsize=kept)(self._levels)
        self.variance = lru_cache(maxsize=kept)(self._variance)
        self._sensed = lru_cache(maxsize=kept)(self._work_out_sensed)
        self._floating = lru_cache(maxsize=kept)(self._work_out_floating)
        self._ladders = lru_cache(maxsize=kept)(self._work_out_ladders)
        self._drivers = lru_cache(maxsize=kept)(self._draw_drivers)
        self._amplifiers = lru_cache(maxsize=kept)(self._draw_amplifiers)
        widest = max(item.converter.widest for item in program.matrices)
        self._converter = lru_cache(maxsize=max(CACHED_BYTES // (8 * 2**widest), 16))(self._draw_converter)

    @property
    def analog(self) -> bool:
        """Whether cells hold anything but whole levels, or circuits err."""
        return not self._device.ideal

    @property
    def faulty(self) -> bool:
        """Whether cells may hold something else than what is written."""
        return self.analog or self._die.faults is not None

    @property
    def converters_err(self) -> bool:
        """Whether converters are not ideal."""
        return not self._device.converters.none

    @cached_property
    def noisy(self) -> bool:
        """Whether reads of a cell differ."""
        cell = self._device.cell
        ends = np.array([[cell.g_min_s, cell.g_max_s]])
        return any(model.read_sigma(ends, cell) is not None for model in self._device.models.values())

    def sums(self, crossbar: int, digits: np.ndarray, top: int, columns: NDArray[np.intp], which: Vectors) -> Sums:
        """Return what columns of an analog crossbar give to their converters, in levels (columns, vectors).

        Args:
            crossbar: that is read.
            digits: (rows, vectors) that its first rows are driven with; others are not driven.
            top: the largest digit that there is.
            columns: that are converted.
            which: of all vectors these are, and which read of them.
        """
        if not self._in_rram(crossbar):
            return self.levels(crossbar)[: len(digits), columns].T.astype(np.float64) @ digits
        driven = self._driven(crossbar, digits, top, which)
        wires = self._device.wires
        if wires.idle == "floating" and not wires.none:
            found = self._settled(crossbar, driven)[columns]
        elif self._device.gated is None:
            found = self._products(crossbar, driven, top, columns)
        else:
            found = self._switched(crossbar, digits.astype(np.int64), driven, top)[columns]
        if not self._die.reference_column:
            found -= self._level_zero * digits.sum(axis=0)
        self._add_noise(crossbar, found, driven, columns, which)
        return self._amplified(crossbar, found, columns, top, which)

    def converted(
        self, at: tuple[int, slice], sums: Sums, tables: tuple[Codes, Codes], adc: Adc, which: Vectors
    ) -> Sums:
        """Return sums as ideal converters would have to see them to give the codes that the die's converters give.

        Args:
            at: the crossbar, and its columns.
            sums: (columns, vectors).
            tables: lowest sum and step of each column's conversions, or one for all.
            adc: the converters.
            which: of all vectors these are, and which read of them.
        """
        errors = self._device.converters
        crossbar, columns = at
        if errors.none or not self._in_rram(crossbar):
            return sums
        own = np.arange(columns.start, columns.stop)
        low, step = (np.broadcast_to(table, len(own)).astype(np.float64)[:, None] for table in tables)
        noise = np.zeros(sums.shape)
        if errors.noise_lsb:
            noise = self.noise(crossbar, own, which.positions, *which.read, CONVERTERS + columns.start)
            noise *= errors.noise_of((sums - low) / step, adc.kind)
        drawn = [self._converter(*self._converter_of(crossbar, c), adc.widest, adc.kind) for c in own.tolist()]
        return disturbed(sums, low, step, drawn, noise)

    def noise(
        self, crossbar: int, columns: NDArray[np.intp], vectors: NDArray[np.int64], *read: int
    ) -> NDArray[np.float64]:
        """Return standard normal numbers (columns, vectors) for one read of a crossbar.

        Args:
            crossbar: that is read.
            columns: that are converted.
            vectors: numbers of the vectors that it is read for, in any order.
            read: which read of them it is.
        """
        position = self._placed.position_of(crossbar)
        stream = self._streams.blocks(position, Moment.READING, crossbar, *read)
        found = np.empty((len(vectors), len(columns)))
        borders = np.flatnonzero(np.diff(vectors // BLOCK)) + 1  # runs of vectors that lie in one block
        for start, stop in pairwise([0, *borders.tolist(), len(vectors)]):
            own = vectors[start:stop] % BLOCK
            drawn = stream(int(vectors[start]) // BLOCK).standard_normal((int(own.max()) + 1, len(columns)))
            found[start:stop] = drawn[own]
        return found.T

    @cached_property
    def _step_s(self) -> float:
        """From one level to the next as converters are set for them, in siemens."""
        cell = self._device.cell
        low, high = self._device.series(np.array([cell.g_min_s, cell.g_max_s])).tolist()
        return float((high - low) / (2**self._placed.program.cell_bits - 1))

    @cached_property
    def _level_zero(self) -> float:
        """What a cell of level 0 conducts, in levels."""
        return float(self._device.series(np.array([self._device.cell.g_min_s]))[0] / self._step_s)

    def _levels(self, crossbar: int) -> NDArray[np.uint8] | NDArray[np.float64]:
        """Return the levels (rows, columns) that a crossbar's rows and columns meet.

        They are what a column senses for a digit of 1, in steps of a level, without what level 0 gives; of gated rows,
        what a single one of them that is on would give without resistance of lines.
        """
        if self.analog and self._in_rram(crossbar):
            first, *others = self._sensed(crossbar)
            return frozen(np.rint((sum(others, first) - self._taken_off) * self._grid) / self._grid)
        written = self.crossbars.levels(crossbar)
        states = self._cells.states(crossbar)
        if states is None or not self._in_rram(crossbar):
            return written
        states = self._cells.seen(crossbar, states)
        found = np.where(states == LOW, np.uint8(0), written)
        found[states == HIGH] = 2**self._placed.program.cell_bits - 1
        return found

    @property
    def _taken_off(self) -> float:
        """Of what a cell conducts, in levels, is not counted: level 0, unless a reference column took it off."""
        return 0.0 if self._die.reference_column else self._level_zero

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

    def _work_out_sensed(self, crossbar: int) -> list[Sums]:
        """Return what columns sense (rows, columns) for a digit of 1, in levels: one array, or one for each term.

        They are whole multiples of a power of two, so small that every column sum is exact in float64 in any order.
        """
        terms = self._device.terms()
        sensed = [term.conductance(self._cells.of(crossbar)) for term in terms] or [self._network(crossbar)[0]]
        found = [self._without_reference(crossbar, part / self._step_s) for part in sensed]
        dead = self._cells.dead(crossbar)
        if dead is not None:
            silent = self._cells.seen(crossbar, dead)
            found = [np.where(silent, 0.0 if n else self._taken_off, part) for n, part in enumerate(found)]
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
        return frozen(np.rint(sensed / self._step_s * self._grid) / self._grid), ports

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
            found[silent] = self._taken_off * driven.sum(axis=0)
        return found

    def _work_out_ladders(self, crossbar: int) -> Sums:
        """Return the conductances of gated cells line by line; on dead lines, that of level 0."""
        g, dead = self._cells.of(crossbar), self._cells.dead(crossbar)
        if dead is None:
            return g
        return frozen(np.where(dead, g[:, -1:] if self._die.reference_column else self._level_zero * self._step_s, g))

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
        found /= self._step_s
        return found[columns] - found[-1] if self._die.reference_column else found[columns]

    def _driven(self, crossbar: int, digits: np.ndarray, top: int, which: Vectors) -> Sums:
        """Return what rows are really driven with."""
        drivers = self._device.drivers
        driven = digits.astype(np.float64)
        if not drivers.none:
            driven = drivers.driven(self._drivers(crossbar)[: len(digits)], digits.astype(np.int64))
            if drivers.noisy:
                every = np.arange(len(digits))
                noise, jitter = (
                    self.noise(crossbar, every, which.positions, *which.read, key) for key in (DRIVERS, PULSES)
                )
                driven = drivers.blurred(driven, top, noise, jitter, pulses=self._die.pulses)
            driven = whole(driven)
        return driven

    def _draw_drivers(self, crossbar: int) -> Sums:
        """Return what the drivers of a crossbar's rows give for each digit, of those that any cycle has."""
        stream = self._streams.of(self._placed.position_of(crossbar), Moment.PROGRAMMING, DRIVERS)
        top = max(cycle.top for item in self._placed.program.matrices for cycle in item.presented.slices)
        return self._device.drivers.drawn(self._cells.lines[0], top, stream)[self._cells.wires(crossbar)[0]]

    def _variance(self, crossbar: int) -> NDArray[np.float64] | None:
        """Return the variance (rows, columns) of a read in levels squared, for a digit of 1; None: reads are exact.

        The last column is that of the reference column, where there is one.
        """
        if not self.noisy or not self._in_rram(crossbar):
            return None
        device = self._device
        g = self._cells.bare(crossbar)
        softened = device.softening(g) / self._step_s  # what is in series damps the noise of cells
        found = [model.read_sigma(g, device.cell) for model in device.models.values()]
        total = sum((np.square(sigma * softened) for sigma in found if sigma is not None), np.zeros_like(g))
        dead = self._cells.dead(crossbar)
        total = total if dead is None else np.where(dead, 0.0, total)
        rows, _ = self._cells.wires(crossbar)
        seen = self._cells.seen(crossbar, total)
        return frozen(np.column_stack([seen, total[rows, -1]]) if self._die.reference_column else seen)

    def _add_noise(self, crossbar: int, sums: Sums, driven: Sums, columns: NDArray[np.intp], which: Vectors) -> None:
        """Add read noise: that of independent cells, x^2 sigma^2 summed over the rows, is one draw a column."""
        variance = self.variance(crossbar)
        if variance is None:
            return
        squares = np.square(driven)
        variance = variance[: len(driven)]
        spread = np.sqrt(variance[:, columns].T @ squares)
        sums += spread * self.noise(crossbar, columns, which.positions, *which.read)
        if self._die.reference_column:  # all columns see its noise alike
            shared = self.noise(crossbar, np.zeros(1, np.intp), which.positions, *which.read, REFERENCE)
            sums -= np.sqrt(variance[:, -1] @ squares) * shared

    def _amplified(self, crossbar: int, sums: Sums, columns: NDArray[np.intp], top: int, which: Vectors) -> Sums:
        """Return sums behind amplifiers and capacitors."""
        amplifiers = self._device.amplifiers
        if amplifiers.none:
            return sums
        ampere = top / (self._step_s * self._device.cell.read_v)  # in levels, for as long as a read lasts
        gain, offset = self._amplifiers(crossbar)
        sums = sums * gain[columns] + offset[columns] * ampere
        if amplifiers.noise_a:
            drawn = self.noise(crossbar, columns, which.positions, *which.read, SAMPLES)
            sums += amplifiers.noise_a * ampere * drawn
        return sums

    def _draw_amplifiers(self, crossbar: int) -> tuple[Sums, Sums]:
        """Return (gain, offset in A) of a crossbar's columns (columns, 1)."""
        stream = self._streams.of(self._placed.position_of(crossbar), Moment.PROGRAMMING, AMPLIFIERS)
        columns = self._cells.wires(crossbar)[1]
        gain, offset = self._device.amplifiers.drawn(self._cells.data_lines[1], stream)
        return gain[columns][:, None], offset[columns][:, None]

    def _converter_of(self, crossbar: int, column: int) -> tuple[int, int]:
        """Return the position of the converter that reads a column, and its number there."""
        position, line = self._placed.position_of(crossbar), int(self._cells.wires(crossbar)[1][column])
        lines, shared = self._cells.data_lines[1], self._die.converters
        if not shared or shared >= lines:
            return position, line
        return (position, int(line * shared / lines)) if shared >= 1 else (int(position * shared), 0)

    def _draw_converter(self, position: int, number: int, widest: int, kind: str) -> Errors:
        """Return the errors of a converter."""
        own = self._streams.of(position, Moment.PROGRAMMING, number, CONVERTERS)
        shared = self._streams.of(position, Moment.PROGRAMMING, CONVERTERS)
        return self._device.converters.drawn(2**widest, own, kind, shared)

    @cached_property
    def _grid(self) -> float:
        """Analog levels are multiples of one over this."""
        top = 2**self._placed.program.cell_bits - 1
        widest = max(item.sum_bits for item in self._placed.program.matrices)
        widest += ceil(log2(1 + self._level_zero / top))  # the levels' own conductance comes on top
        exact = not self._device.terms() and self._device.drivers.none and self._device.wires.idle == "grounded"
        bits = DOUBLE_BITS - widest - 2 - (0 if exact else DRIVEN_BITS)
        if bits < FEWEST_BITS:
            raise UsageError(
                f"on {self._device.name}, column sums take {widest} bits, and level 0 conducts {self._level_zero:.3g} "
                "levels in each cell: that cannot be added up exactly",
                hint="a larger range of conductances, fewer rows at once, or fewer bits a cell or digit",
            )
        return float(2**bits)

    def _in_rram(self, crossbar: int) -> bool:
        """Tell whether a crossbar's cells are RRAM; no crossbar holds slices of both memories."""
        block = self._placed.program.blocks[self.crossbars.on(crossbar)[0]]
        item = self._placed.program.matrices[block["matrix"]]
        return item.weight_slices[block["weight_slice"]].memory is Memory.RRAM


def whole(driven: Sums) -> Sums:
    """Return what rows are driven with, rounded so that products are exact in any order."""
    found: Sums = np.rint(driven * 2**DRIVEN_BITS) / 2**DRIVEN_BITS
    return found
