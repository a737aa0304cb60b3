"""The crossbars of a program as one die reads them."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.conductances import Conductances
from rcompile.backends.die import Die, Vectors
from rcompile.backends.lines import Lines, whole
from rcompile.circuits.converters import Errors, disturbed
from rcompile.devices.faults import HIGH, LOW
from rcompile.devices.normals import drawn, seeds_of
from rcompile.devices.streams import Moment, Streams
from rcompile.ir.arrays import frozen
from rcompile.ir.cells import Crossbars
from rcompile.ir.converter import Adc
from rcompile.ir.encoding import Memory
from rcompile.ir.placed import PlacedProgram

CELL_STEPS = 2**15 - 1
"""From the least to the largest cell of a crossbar that is read as digits times cells, at most."""

VARIANCE_STEPS = 41
"""Of the variance of reads, up to that of the noisiest cell of a column; with what is carried over, one more."""

EXACT = 2**24
"""Whole numbers up to it are exact in float32."""

CACHED_BYTES = 2**28

CONVERTERS, DRIVERS, PULSES, AMPLIFIERS, SAMPLES, REFERENCE = (2**20 * (1 + n) for n in range(6))
"""In the keys of streams: what circuits draw, apart from what models draw; converters add their number."""

Codes = NDArray[np.integer]
Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Steps:
    """A crossbar's cells as whole numbers.

    Attributes:
        cells: (rows, columns) above level 0, or the reference column.
        size: of a step, in levels: a power of two.
    """

    cells: NDArray[np.int32]
    size: float


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
        self.steps = lru_cache(maxsize=kept)(self._steps)
        self.lines = Lines(placed, self._die, self._cells, kept)
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

    @property
    def has_reference(self) -> bool:
        """Whether each crossbar has a reference column."""
        return self._die.reference_column

    def adds_up(self, top: int) -> bool:
        """Tell whether reads with digits up to `top` are products, and noise, that ideal converters see."""
        return self.lines.are_products(top) and self._device.amplifiers.none and not self.converters_err

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
            return self._products(self.steps(crossbar).cells[: len(digits), columns], digits, top)
        if self.lines.are_products(top):
            steps = self.steps(crossbar)
            found = self._products(steps.cells[: len(digits), columns], digits, top)
            noise = self._read_noise(crossbar, digits, columns, which, steps.size)
            found = (found if noise is None else found + np.rint(noise)) * steps.size
        else:
            driven = self._driven(crossbar, digits, top, which)
            found = self.lines.sums(crossbar, digits, driven, top, columns)
            noise = self._read_noise(crossbar, driven, columns, which, 1.0)
            found = found if noise is None else found + noise
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
            noise = self.noise(crossbar, own, which, CONVERTERS)
            noise *= errors.noise_of((sums - low) / step, adc.kind)
        found = [self._converter(*self._converter_of(crossbar, c), adc.widest, adc.kind) for c in own.tolist()]
        return disturbed(sums, low, step, found, noise)

    def noise(
        self,
        crossbar: int,
        columns: NDArray[np.intp],
        which: Vectors,
        what: int = 0,
        variance: NDArray[np.float32] | None = None,
    ) -> Sums:
        """Return normal numbers (columns, vectors) for one read of a crossbar.

        Args:
            crossbar: that is read.
            columns: that they are for.
            which: of all vectors these are, and which read of them.
            what: they are for.
            variance: (columns, vectors); None: 1.
        """
        cycle = which.read[2]
        seeds = seeds_of(self.key(crossbar, which.read, what), which.positions, cycle // 2)
        return drawn(seeds, columns.astype(np.uint32), cycle % 2, variance).astype(np.float64)

    def key(self, crossbar: int, read: tuple[int, ...], what: int = 0) -> tuple[int, int]:
        """Return two words that name a read of a crossbar, in all its cycles, and what is drawn for it."""
        index, call, _, turn = read
        return self._streams.words(
            self._placed.position_of(crossbar), Moment.READING, crossbar, index, call, turn, what
        )

    def _levels(self, crossbar: int) -> NDArray[np.uint8] | NDArray[np.float64]:
        """Return the levels (rows, columns) that a crossbar's rows and columns meet.

        They are what a column senses for a digit of 1, in steps of a level, without what level 0 gives; of gated rows,
        what a single one of them that is on would give without resistance of lines.
        """
        if self.analog and self._in_rram(crossbar):
            steps = self.steps(crossbar)
            return frozen(steps.cells * steps.size)
        written = self.crossbars.levels(crossbar)
        states = self._cells.states(crossbar)
        if states is None or not self._in_rram(crossbar):
            return written
        states = self._cells.seen(crossbar, states)
        found = np.where(states == LOW, np.uint8(0), written)
        found[states == HIGH] = 2**self._placed.program.cell_bits - 1
        return found

    def _steps(self, crossbar: int) -> Steps:
        """Return the cells of a crossbar in steps: of which 15 bits hold them and a level, one level at most."""
        if not self.analog or not self._in_rram(crossbar):
            return Steps(frozen(self.levels(crossbar).astype(np.int32)), 1.0)
        levels = self.lines.levels(crossbar)
        span = max(float(levels.max()), 0.0) - min(float(levels.min()), 0.0)
        size = 2.0 ** min(ceil(log2(max(span, 1.0) / CELL_STEPS)), 0)
        return Steps(frozen(np.rint(levels / size).astype(np.int32)), size)

    @staticmethod
    def _products(cells: NDArray[np.int32], digits: np.ndarray, top: int) -> Sums:
        """Return digits (rows, vectors) times cells (rows, columns), exactly."""
        most = int(np.abs(cells).sum(axis=0).max(initial=0)) * top
        kind = np.float32 if most <= EXACT else np.float64
        return np.asarray(cells.T.astype(kind) @ digits.astype(kind), np.float64)

    def _driven(self, crossbar: int, digits: np.ndarray, top: int, which: Vectors) -> Sums:
        """Return what rows are really driven with."""
        drivers = self._device.drivers
        driven = digits.astype(np.float64)
        if not drivers.none:
            driven = drivers.driven(self._drivers(crossbar)[: len(digits)], digits.astype(np.int64))
            if drivers.noisy:
                noise, jitter = (self.noise(crossbar, np.arange(len(digits)), which, key) for key in (DRIVERS, PULSES))
                driven = drivers.blurred(driven, top, noise, jitter, pulses=self._die.pulses)
            driven = whole(driven)
        return driven

    def _draw_drivers(self, crossbar: int) -> Sums:
        """Return what the drivers of a crossbar's rows give for each digit, of those that any cycle has."""
        stream = self._streams.of(self._placed.position_of(crossbar), Moment.PROGRAMMING, DRIVERS)
        top = max(cycle.top for item in self._placed.program.matrices for cycle in item.presented.slices)
        return self._device.drivers.drawn(self._cells.lines[0], top, stream)[self._cells.wires(crossbar)[0]]

    def _variance(self, crossbar: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | None:
        """Return the variance of reads for a digit of 1: of cells, and the unit of each column, in levels squared.

        Cells (rows, columns) are rounded so that what is left of one is carried over to the next: whatever a column's
        noisiest cell is, the variances of many add up to what they should. The last column is the reference column,
        where there is one. None: reads are exact.
        """
        if not self.noisy or not self._in_rram(crossbar):
            return None
        device = self._device
        g = self._cells.bare(crossbar)
        softened = device.softening(g) / self.lines.level  # what is in series damps the noise of cells
        found = [model.read_sigma(g, device.cell) for model in device.models.values()]
        total = sum((np.square(sigma * softened) for sigma in found if sigma is not None), np.zeros_like(g))
        dead = self._cells.dead(crossbar)
        total = total if dead is None else np.where(dead, 0.0, total)
        rows, _ = self._cells.wires(crossbar)
        seen = self._cells.seen(crossbar, total)
        if self._die.reference_column:
            seen = np.column_stack([seen, total[rows, -1]])
        unit = np.maximum(seen.max(axis=0), np.finfo(np.float32).tiny) / VARIANCE_STEPS
        whole = np.diff(np.rint(np.cumsum(seen / unit, axis=0)), axis=0, prepend=0)
        return frozen(whole.astype(np.uint8)), frozen(unit)

    def _read_noise(
        self, crossbar: int, driven: np.ndarray, columns: NDArray[np.intp], which: Vectors, step: float
    ) -> Sums | None:
        """Return read noise in steps of so many levels: x^2 sigma^2 of independent cells is one draw a column."""
        found = self.variance(crossbar)
        if found is None:
            return None
        variance, unit = found
        variance = variance[: len(driven)].astype(np.float32)
        squares = np.square(driven, dtype=np.float32)
        own = (variance[:, columns].T @ squares) * (unit[columns] / step**2).astype(np.float32)[:, None]
        noise = self.noise(crossbar, columns, which, 0, own)
        if self._die.reference_column:  # all columns see its noise alike
            shared = (variance[:, -1] @ squares) * np.float32(unit[-1] / step**2)
            noise -= self.noise(crossbar, np.zeros(1, np.intp), which, REFERENCE, shared[None])
        return noise

    def _amplified(self, crossbar: int, sums: Sums, columns: NDArray[np.intp], top: int, which: Vectors) -> Sums:
        """Return sums behind amplifiers and capacitors."""
        amplifiers = self._device.amplifiers
        if amplifiers.none:
            return sums
        ampere = top / (self.lines.level * self._device.cell.read_v)  # in levels, for as long as a read lasts
        gain, offset = self._amplifiers(crossbar)
        sums = sums * gain[columns] + offset[columns] * ampere
        if amplifiers.noise_a:
            sums += amplifiers.noise_a * ampere * self.noise(crossbar, columns, which, SAMPLES)
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

    def _in_rram(self, crossbar: int) -> bool:
        """Tell whether a crossbar's cells are RRAM; no crossbar holds slices of both memories."""
        block = self._placed.program.blocks[self.crossbars.on(crossbar)[0]]
        item = self._placed.program.matrices[block["matrix"]]
        return item.weight_slices[block["weight_slice"]].memory is Memory.RRAM
