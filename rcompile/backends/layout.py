"""What compiled kernels are called with: effective cells in whole steps, conversions, what is added digitally."""

from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rcompile.backends.chip import Chip
from rcompile.backends.fused import Fusion, Linear, Numbers, Read
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import InputSlice
from rcompile.ir.graph import Array
from rcompile.ir.matrix import IntegerArray
from rcompile.kernels import Columns, Kernels, stride_of

WIDEST_SUM = 2**15 - 1
"""Of a plane of bits: what 16 bits with a sign hold."""

PLANE_BITS = 5
"""Of cells of many bits that are looked up together: lookups of two groups fit a byte."""

FEW_BITS = 5
"""Cells of no more bits are looked up at once."""

CELL_BITS = 16

FACTOR_BITS = 11
"""By so many powers of two may what codes count differ from cycle to cycle."""

INPUT_BITS = 16

LARGEST = 2**30
"""Of sums in 32 bits, with room for noise."""


@dataclass(frozen=True)
class Segment:
    """Inputs first..last-1 of a group, which drive rows one after the other.

    Attributes:
        group: of the matrix.
        first: of the inputs.
        last: of them, plus 1.
        starts: the first of the rows, of each crossbar where they are driven with these inputs.
    """

    group: int
    first: int
    last: int
    starts: dict[int, int]


@dataclass(frozen=True)
class Prepared:
    """A read, as kernels take it.

    Attributes:
        wires: (runs, 2) the first, and the number, of inputs (of G * K) that are driven one after the other.
        columns: that are converted.
        turn: of the read.
        crossbar: that is read.
        noise: variances and spread, see Noise; None: reads are exact.
        numbers: (columns) of the crossbar.
    """

    wires: NDArray[np.int64]
    columns: Columns
    turn: int
    crossbar: int
    noise: tuple[NDArray[np.uint16], NDArray[np.float32]] | None
    numbers: NDArray[np.uint32]


class Digital:
    """What is added to the outputs of a copy beside codes: constants, and what sums of inputs count.

    Args:
        item: the matrix.
        reads: of the copy.
    """

    def __init__(self, item: CrossbarMatrix, reads: list[Read]) -> None:
        partitions = 1 if item.sums_exactly else item.row_partitions
        outputs = partitions * item.matrix.groups * item.matrix.columns
        self._constant = np.zeros((outputs, 1))
        self._sections = list(dict.fromkeys(section for read in reads for section in read.summed))
        number = {section: n for n, section in enumerate(self._sections)}
        entries: dict[InputSlice | None, list[Array]] = {}  # (output, section, count)
        for read in reads:
            cycles = [read.linear(cycle, np.float64) for cycle in range(len(item.presented.slices))]
            for cycle, input_slice in zip(cycles, item.presented.slices, strict=True):
                np.add.at(self._constant, read.outputs, cycle.constant * float(input_slice.weight))
            columns = [number[section] for section in read.summed]
            for presented, totals in totals_of(item, cycles):
                place = np.meshgrid(read.outputs, columns, indexing="ij")
                entries.setdefault(presented, []).append(np.stack([*place, totals]).reshape(3, -1))
        self._matrices = {
            presented: self._matrix(np.concatenate(own, axis=1), outputs) for presented, own in entries.items()
        }

    def _matrix(self, entries: Array, outputs: int) -> sparse.csr_array:
        """Return counts (outputs, sections), those of the same place added up."""
        rows, columns = entries[:2].astype(np.int64)
        return sparse.coo_array((entries[2], (rows, columns)), shape=(outputs, len(self._sections))).tocsr()

    def add(self, inputs: IntegerArray, sums: Numbers) -> None:
        """Add it to sums (outputs, vectors) of inputs (vectors, G, K)."""
        sums += self._constant
        for presented, matrix in self._matrices.items():
            x = inputs if presented is None else presented.of(inputs)
            sections = [x[:, group, start:stop].sum(axis=1, dtype=np.int32) for group, start, stop in self._sections]
            sums += matrix @ np.stack(sections).astype(np.float64)


class Layout:
    """Lays out reads of crossbars for kernels.

    Args:
        chip: that is read.
        kernels: that read it.
    """

    def __init__(self, chip: Chip, kernels: Kernels) -> None:
        self.chip = chip
        self._kernels = kernels

    def prepared(self, item: CrossbarMatrix, fusion: Fusion, read: Read, turn: int) -> Prepared | None:
        """Lay out one read; None: kernels cannot."""
        segments = segments_of(item, read)
        rows = sum(one.last - one.first for one in segments)
        cells, bias, size = self._effective(item, fusion, read, segments)
        cycles = [read.linear(cycle, np.float64) for cycle in range(len(item.presented.slices))]
        order = np.argsort(read.target, kind="stable")
        columns = self._columns(item, cycles, read, order, (cells, bias, size))
        if columns is None or rows * 2**PLANE_BITS > WIDEST_SUM:
            return None
        crossbar = next(iter(fusion.parts))
        numbers = np.concatenate([part.columns for part in fusion.parts.values()])[read.plus][order]
        noise = None
        if (variance := self.chip.variance(crossbar)) is not None:
            whole = variance[0][rows_of(segments, crossbar, 1)][:, numbers]
            if whole.sum(axis=0, dtype=np.int64).max(initial=0) > WIDEST_SUM:
                return None
            spread = (variance[1][numbers] / size**2).astype(np.float32)
            noise = self._padded(whole), spread
        return Prepared(
            wires=np.array([(s.group * item.matrix.rows + s.first, s.last - s.first) for s in segments], np.int64),
            columns=columns,
            turn=turn,
            crossbar=crossbar,
            noise=noise,
            numbers=numbers.astype(np.uint32),
        )

    def _effective(
        self, item: CrossbarMatrix, fusion: Fusion, read: Read, segments: list[Segment]
    ) -> tuple[Array, Array, float]:
        """Return (cells (inputs, columns), what columns always add up to, step in levels) of a read.

        A pair of rows, driven with an input and its negative or complement, acts as one; so do columns that are
        subtracted.
        """
        steps = {crossbar: self.chip.steps(crossbar) for crossbar in fusion.parts}
        size = min(one.size for one in steps.values())
        top = item.presented.slices[0].top
        found, always = [], []
        for crossbar, part in fusion.parts.items():
            own = steps[crossbar].cells[:, part.columns].astype(np.int64) * int(steps[crossbar].size / size)
            lines = rows_of(segments, crossbar, item.rows_per_weight)
            driven = (lines >= 0)[:, None]
            cells, bias = own[lines] * driven, np.zeros(len(part.columns), np.int64)
            if item.rows_per_weight == 2:
                beside = own[lines + 1] * driven
                cells = cells - beside
                bias += 0 if item.encoding.polarities == 2 else top * beside.sum(axis=0)
            found.append(cells)
            always.append(bias)
        cells, bias = np.concatenate(found, axis=1), np.concatenate(always)
        if read.minus is None:
            return cells[:, read.plus], bias[read.plus], size
        return cells[:, read.plus] - cells[:, read.minus], bias[read.plus] - bias[read.minus], size

    def _columns(
        self,
        item: CrossbarMatrix,
        cycles: list[Linear],
        read: Read,
        order: NDArray[np.intp],
        effective: tuple[Array, Array, float],
    ) -> Columns | None:
        """Return the columns of a read in some order, in whole steps; None: their numbers are too large for kernels."""
        cells, bias, size = effective
        target, places = read.target, read.outputs
        fine = -round(log2(size))  # bits behind the point of a level
        offset = max(-int(cells.min(initial=0)), 0)
        bits = (int(cells.max(initial=0)) + offset).bit_length()
        few = bits <= FEW_BITS
        half = 2 ** (fine - 1) if self.chip.analog and fine else 0
        low, step, top, factor = (np.stack(table, axis=1) for table in zip(*map(tables_of, cycles), strict=True))
        low = low * 2**fine - half - bias[:, None]
        shift = np.log2(step).astype(np.int64) + fine
        scale = np.log2(np.maximum(np.abs(factor), 1)).astype(np.int64)
        scale = np.where(factor == 0, scale.max(axis=1, keepdims=True), scale)  # of digits whose code is always 0
        digits = stride_of(item.presented.bits) // digit_bits(item)
        counted = np.bincount(target, (15 * top * 2.0**scale).max(axis=1))
        limits = (
            (2**bits - 1, 2**CELL_BITS - 1),
            (len(cells) * (2 ** (bits if few else PLANE_BITS) - 1), WIDEST_SUM),
            (
                np.abs(cells).sum(axis=0).max(initial=0) * (2 ** digit_bits(item) - 1) + np.abs(low).max(initial=0),
                LARGEST,
            ),
            (counted.max(initial=0), LARGEST),
            (top.max(initial=0), WIDEST_SUM),
            (shift.max(initial=0), 30),
            (-scale.min(initial=0), 0),
            ((scale.max(axis=1) - scale.min(axis=1)).max(initial=0), FACTOR_BITS),
        )
        if any(value > most for value, most in limits):
            return None

        def numbers(table: IntegerArray) -> NDArray[np.int32]:
            """Of all digits in order of columns; those beyond the last bit are as the last, their codes at most 0."""
            beyond = np.zeros_like(table[:, -1:]) if table is top else table[:, -1:]
            padded = np.hstack([table, *[beyond] * (digits - table.shape[1])])
            return padded[order].astype(np.int32)

        planes = 1 if few else -(-bits // PLANE_BITS)
        return Columns(
            cells=self._padded(cells[:, order] + offset),
            offset=offset,
            planes=planes,
            plane_bits=-(-bits // planes),
            low=numbers(low),
            shift=numbers(shift),
            top=numbers(top),
            scale=numbers(scale),
            minus=np.where((factor < 0).any(axis=1), -1, 0)[order].astype(np.int32),
            output=target[order].astype(np.int32),
            places=places.astype(np.int64),
            narrow=few
            and fine == 0
            and offset == 0
            and digit_bits(item) == 1
            and not self.chip.noisy
            and int(shift.max()) <= 15
            and int(low.min()) >= 0
            and int(low.max()) <= WIDEST_SUM,
        )

    def _padded(self, cells: Array) -> NDArray[np.uint16]:
        """Return cells (rows, columns) as (columns, rows), these rounded up to whole groups."""
        rows, columns = cells.shape
        found = np.zeros((columns, self._kernels.groups(rows) * self._kernels.group), np.uint16)
        found[:, :rows] = cells.T
        return found


def digit_bits(item: CrossbarMatrix) -> int:
    """Return how many bits each cycle presents, the least significant ones first; 0: cycles differ otherwise."""
    presented = item.presented
    width = presented.slices[0].bits
    if presented.least or width * len(presented.slices) != presented.bits or presented.bits > INPUT_BITS:
        return 0
    if width not in {1, 2, 4} or (width > 1 and presented.bits % 4):
        return 0
    regular = (s.bits == width and s.shift == width * n for n, s in enumerate(presented.slices))
    return width if all(regular) and not any(s.part or s.negative for s in presented.slices) else 0


def tables_of(linear: Linear) -> tuple[IntegerArray, IntegerArray, IntegerArray, Array]:
    """Return (low, step, top, factor) of a cycle's conversions, all (columns)."""
    low, top = linear.low[:, 0].astype(np.int64), linear.top[:, 0].astype(np.int64)
    step = np.ones_like(low) if linear.step is None else linear.step[:, 0].astype(np.int64)
    return low, step, top, linear.factor


def totals_of(item: CrossbarMatrix, cycles: list[Linear]) -> list[tuple[InputSlice | None, Array]]:
    """Return what sums of digits count in each cycle; of whole inputs where that is the same in all cycles."""
    first = cycles[0].totals
    if first is not None and all(one.totals is not None and np.array_equal(one.totals, first) for one in cycles):
        return [(None, first)]
    pairs = zip(item.presented.slices, cycles, strict=True)
    return [(own, own.weight * one.totals) for own, one in pairs if one.totals is not None]


def segments_of(item: CrossbarMatrix, read: Read) -> list[Segment]:
    """Return what drives rows in a read, by inputs."""
    starts: dict[tuple[int, int, int], dict[int, list[int]]] = {}
    for readout, section in read.read:
        for reading in (readout.reading, readout.minus):
            if reading is not None:
                first, last = item.read_cuts[section], item.read_cuts[section + 1]
                start = reading.rows.start + (first - reading.inputs.start) * item.rows_per_weight
                own = starts.setdefault((reading.group, first, last), {}).setdefault(reading.crossbar, [])
                if start not in own:
                    own.append(start)
    return [
        Segment(*inputs, {crossbar: own[n] for crossbar, own in places.items() if n < len(own)})
        for inputs, places in sorted(starts.items())
        for n in range(max(map(len, places.values())))
    ]


def rows_of(segments: list[Segment], crossbar: int, apart: int) -> NDArray[np.intp]:
    """Return the row of a crossbar that each input drives, the first of `apart` rows; -1: none."""
    return np.concatenate(
        [
            np.arange(one.last - one.first) * apart + one.starts[crossbar]
            if crossbar in one.starts
            else np.full(one.last - one.first, -1)
            for one in segments
        ]
    )
