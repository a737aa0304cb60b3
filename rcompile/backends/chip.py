"""The crossbars of a program as one die reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from rcompile.circuits.converters import Errors, disturbed
from rcompile.devices import IDEAL, Device
from rcompile.devices.faults import HIGH, LOW, FaultMap
from rcompile.devices.model import Model
from rcompile.devices.streams import Moment, Streams
from rcompile.ir.arrays import frozen
from rcompile.ir.cells import Crossbars
from rcompile.ir.encoding import Memory
from rcompile.ir.placed import PlacedProgram

DOUBLE_BITS = 52
"""Of a float64's fraction."""

RESPONSE_BITS = 12
"""Behind the binary point, of what digits count for on cells that are not ohmic."""

CACHED_BYTES = 2**28

BLOCK = 64
"""Vectors for which read noise is drawn together."""

CONVERSION = 2**20
"""In the key of a stream: what converters draw, apart from what models draw."""

Codes = NDArray[np.integer]


@dataclass(frozen=True)
class Vectors:
    """Which of all vectors some are, and which read of them this is.

    Attributes:
        positions: of the vectors among all.
        read: the matrix, how often it was read for them before (in a loop), then the cycle and the turn.
    """

    positions: NDArray[np.int64]
    read: tuple[int, ...]


@dataclass(frozen=True)
class Die:
    """What a program runs on.

    Attributes:
        device: its cells and wires.
        faults: what does not work; None: everything works.
        lines: (for rows, for columns) that a crossbar has, spare ones included; (0, 0): as many as the program uses.
        seed: of its random draws.
        trial: number of the die.
        pulses: whether inputs are pulses, all of the same voltage.
        converters: of a crossbar, whose columns they share out among them; 0: one for each column.
    """

    device: Device = IDEAL
    faults: FaultMap | None = None
    lines: tuple[int, int] = (0, 0)
    seed: int = 0
    trial: int = 0
    pulses: bool = False
    converters: float = 0.0


class Chip:
    """What the cells of a program's crossbars are when they are read.

    Args:
        placed: the program.
        die: that it runs on; without, one whose cells hold what is written.
    """

    def __init__(self, placed: PlacedProgram, die: Die | None = None) -> None:
        self._placed = placed
        self._die = die or Die()
        self._streams = Streams(self._die.seed, self._die.trial)
        self._crossbars = Crossbars(placed)
        program = placed.program
        size = 8 * program.crossbar_rows * program.crossbar_columns
        self.levels = lru_cache(maxsize=max(CACHED_BYTES // size, 16))(self._levels)
        widest = max(item.converter.widest for item in program.matrices)
        self._converter = lru_cache(maxsize=max(CACHED_BYTES // (8 * 2**widest), 16))(self._draw_converter)
        self._conductances = lru_cache(maxsize=16)(self._written_and_aged)
        self.variance = lru_cache(maxsize=max(CACHED_BYTES // size, 16))(self._variance)

    @property
    def analog(self) -> bool:
        """Whether cells hold anything but whole levels."""
        return not self._die.device.ideal

    @property
    def faulty(self) -> bool:
        """Whether cells may hold something else than what is written."""
        return self.analog or self._die.faults is not None

    @cached_property
    def noisy(self) -> bool:
        """Whether reads of a cell differ."""
        cell = self._die.device.cell
        ends = np.array([[cell.g_min_s, cell.g_max_s]])
        return any(model.read_sigma(ends, cell) is not None for model in self._die.device.models.values())

    @property
    def _step_s(self) -> float:
        """From one level to the next, in siemens."""
        return self._die.device.cell.span_s / (2**self._placed.program.cell_bits - 1)

    @property
    def level_zero(self) -> float:
        """What a cell of level 0 conducts, in levels."""
        return self._die.device.cell.g_min_s / self._step_s

    def driven(self, crossbar: int, digits: np.ndarray, top: int) -> np.ndarray:
        """Return what rows that are driven with digits (up to `top`) count for, where cells are not ohmic."""
        device = self._die.device
        if self._die.pulses or top == 1 or not self._bent or not self._in_rram(crossbar):
            return digits
        for model in device.models.values():
            found = model.response(digits / top, device.cell)
            digits = digits if found is None else top * found
        return np.rint(digits * 2**RESPONSE_BITS) / 2**RESPONSE_BITS

    @cached_property
    def _bent(self) -> bool:
        """Whether cells are not ohmic."""
        device = self._die.device
        return any(model.response(np.ones(1), device.cell) is not None for model in device.models.values())

    def of(self, matrix: int, replica: int) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Yield each crossbar of a copy with the copy's blocks on it, in order of reduction."""
        return self._crossbars.of(matrix, replica)

    def noise(
        self, crossbar: int, columns: NDArray[np.intp], vectors: NDArray[np.int64], *read: int
    ) -> NDArray[np.float64]:
        """Return standard normal numbers (columns, vectors) for one read of a crossbar.

        Args:
            crossbar: that is read.
            columns: that are converted.
            vectors: numbers of the vectors that it is read for.
            read: which read of them it is.
        """
        position = self._placed.position_of(crossbar)
        found = np.empty((len(vectors), len(columns)))
        blocks = vectors // BLOCK
        for block in np.unique(blocks).tolist():
            own = np.flatnonzero(blocks == block)
            stream = self._streams.of(position, Moment.READING, crossbar, *read, block)
            found[own] = stream.standard_normal((BLOCK, len(columns)))[vectors[own] % BLOCK]
        return found.T

    def converted(
        self, at: tuple[int, slice], sums: NDArray[np.float64], tables: tuple[Codes, Codes], widest: int, which: Vectors
    ) -> NDArray[np.float64]:
        """Return sums as ideal converters would have to see them to give the codes that the die's converters give.

        Args:
            at: the crossbar, and its columns.
            sums: (columns, vectors).
            tables: lowest sum and step of each column's conversions, or one for all.
            widest: resolution of the converters.
            which: of all vectors these are, and which read of them.
        """
        errors = self._die.device.converters
        if errors.none:
            return sums
        crossbar, columns = at
        own = np.arange(columns.start, columns.stop)
        noise = np.zeros(sums.shape)
        if errors.noise_lsb:
            noise = self.noise(crossbar, own, which.positions, *which.read, CONVERSION + columns.start)
            noise *= errors.noise_lsb
        low, step = (np.broadcast_to(table, len(own)).astype(np.float64)[:, None] for table in tables)
        drawn = [self._converter(*self._converter_of(crossbar, column), widest) for column in own.tolist()]
        return disturbed(sums, low, step, drawn, noise)

    def _converter_of(self, crossbar: int, column: int) -> tuple[int, int]:
        """Return the position of the converter that reads a column, and its number there."""
        position, line = self._placed.position_of(crossbar), int(self._wires(crossbar)[1][column])
        lines, shared = max(self._die.lines[1], self._placed.program.crossbar_columns), self._die.converters
        if not shared or shared >= lines:
            return position, line
        return (position, int(line * shared / lines)) if shared >= 1 else (int(position * shared), 0)

    def _draw_converter(self, position: int, number: int, widest: int) -> Errors:
        """Return the errors of a converter."""
        stream = self._streams.of(position, Moment.PROGRAMMING, number, CONVERSION)
        return self._die.device.converters.drawn(2**widest, stream)

    def _levels(self, crossbar: int) -> NDArray[np.uint8] | NDArray[np.float64]:
        """Return the levels (rows, columns) that a crossbar's rows and columns meet.

        They are what a column senses for a digit of 1, in steps of a level, without what level 0 gives. Analog ones
        are whole multiples of a power of two, so small that every column sum is exact in float64 in any order.
        """
        if self.analog and self._in_rram(crossbar):
            cell = self._die.device.cell
            sensed = self._die.device.wires.sensed(self._conductances(crossbar))
            levels = self._sounding(crossbar, (self._seen(crossbar, sensed) - cell.g_min_s) / self._step_s)
            return frozen(np.rint(levels * self._grid) / self._grid)
        written = self._crossbars.levels(crossbar)
        if self._die.faults is None or not self._in_rram(crossbar):
            return written
        states = self._seen(crossbar, self._die.faults.states(self._placed.position_of(crossbar), *self._lines))
        found = np.where(states == LOW, np.uint8(0), written)
        found[states == HIGH] = 2**self._placed.program.cell_bits - 1
        return found

    def _variance(self, crossbar: int) -> NDArray[np.float64] | None:
        """Return the variance (rows, columns) of a read in levels squared, for a digit of 1; None: reads are exact."""
        if not self.noisy or not self._in_rram(crossbar):
            return None
        device = self._die.device
        g = self._conductances(crossbar)
        found = [model.read_sigma(g, device.cell) for model in device.models.values()]
        total = sum((np.square(sigma / self._step_s) for sigma in found if sigma is not None), np.zeros_like(g))
        return frozen(self._sounding(crossbar, self._seen(crossbar, total)))

    def _sounding(self, crossbar: int, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what rows and columns meet, 0 on dead lines."""
        if self._die.faults is None:
            return cells
        dead = self._die.faults.dead(self._placed.position_of(crossbar), *self._lines)
        return np.where(self._seen(crossbar, dead), 0.0, cells)

    def _written_and_aged(self, crossbar: int) -> NDArray[np.float64]:
        """Return the conductances of all cells of a crossbar, line by line, at the time at which it is read."""
        device, position = self._die.device, self._placed.position_of(crossbar)
        written = self._crossbars.levels(crossbar)
        lines = self._lines
        levels = np.zeros(lines)
        rows, columns = self._wires(crossbar)
        levels[rows[:, None], columns] = written
        g = device.cell.g_min_s + levels * self._step_s
        for number, model in device.numbered():
            g = model.program(g, device.cell, self._stream(crossbar, Moment.PROGRAMMING, number, model))
        for number, model in device.numbered():
            g = model.drift(g, device.age_s, device.cell, self._stream(crossbar, Moment.DRIFT, number, model))
        for number, model in device.numbered():
            g = model.stick(g, device.cell, self._stream(crossbar, Moment.STICKING, number, model))
        if self._die.faults is not None:
            states = self._die.faults.states(position, *lines)
            g = np.where(states == LOW, device.cell.g_min_s, np.where(states == HIGH, device.cell.g_max_s, g))
        return frozen(g)

    def _stream(self, crossbar: int, moment: Moment, number: int, model: Model) -> np.random.Generator:
        """Return a model's stream: that of the cells at a position, or of what is written there in one round."""
        written = 0 if model.of_cell else 1 + crossbar
        return self._streams.of(self._placed.position_of(crossbar), moment, written, number)

    @property
    def _lines(self) -> tuple[int, int]:
        """Lines for rows, and for columns, of a crossbar."""
        program = self._placed.program
        have = self._die.lines
        return max(have[0], program.crossbar_rows), max(have[1], program.crossbar_columns)

    def _seen(self, crossbar: int, cells: np.ndarray) -> np.ndarray:
        """Return what of all cells, line by line, the rows and columns of a place meet."""
        rows, columns = self._wires(crossbar)
        return cells[rows[:, None], columns]

    def _wires(self, crossbar: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Return the lines of a crossbar's rows and columns."""
        wiring, program = self._placed.wiring, self._placed.program
        if wiring is None:
            return np.arange(program.crossbar_rows), np.arange(program.crossbar_columns)
        return wiring.rows[crossbar], wiring.columns[crossbar]

    @cached_property
    def _grid(self) -> float:
        """Analog levels are multiples of one over this."""
        widest = max(item.sum_bits for item in self._placed.program.matrices)
        return float(2 ** (DOUBLE_BITS - widest - 2 - (RESPONSE_BITS if self._bent else 0)))

    def _in_rram(self, crossbar: int) -> bool:
        """Tell whether a crossbar's cells are RRAM; no crossbar holds slices of both memories."""
        block = self._placed.program.blocks[self._crossbars.on(crossbar)[0]]
        item = self._placed.program.matrices[block["matrix"]]
        return item.weight_slices[block["weight_slice"]].memory is Memory.RRAM
