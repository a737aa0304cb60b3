"""The reference: what a program means, crossbar by crossbar, cycle by cycle.

It reads nothing but the placed program: cells are programmed from the block table and the places, rows are driven
with input slices, a section at a time, column sums pass the converters, and the shift-and-add follows the reduction
list. Plain numpy; every number is an integer below 2^24 held in float32 (products) or float64 (accumulators), so that
sums are exact in any order. docs/semantics.md gives the formulas, in the same order.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.chunks import OneByOne
from rcompile.backends.die import Vectors
from rcompile.backends.reading import Reading, Readout, readouts
from rcompile.ir.converter import convert
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import InputSlice
from rcompile.ir.graph import Array
from rcompile.ir.placed import PlacedProgram

FLOAT32_BITS = 24
"""Integers up to 2^24 are exact in float32."""

BEGINNING = 500_000
"""Cells that are read in the time that it takes to begin with a block."""


class Reference(OneByOne[list[Readout]]):
    """Accumulators of each matrix of a program, computed by its crossbars.

    Args:
        placed: the program.
        chip: that it runs on; without, one whose cells hold what is written.
        ideal_converters: take the sums of layers that round them as they are: what the mapping alone computes.
    """

    name = "reference"

    def __init__(self, placed: PlacedProgram, chip: Chip | None = None, *, ideal_converters: bool = False) -> None:
        super().__init__(placed, chip)
        self._ideal = ideal_converters

    def _takes_as_ideal(self, item: CrossbarMatrix) -> bool:
        """Tell whether a matrix's rounding is left out; what claims to lose nothing must show it."""
        return self._ideal and not item.lossless

    def _prepare(self, index: int, replica: int) -> list[list[Readout]]:
        """Return the readouts of one copy of a matrix, crossbar by crossbar."""
        item = self.placed.program.matrices[index]
        return list(readouts(item, self.placed, self.chip.crossbars, index, replica))

    def _read(self, item: CrossbarMatrix, group: list[Readout], inputs: Array, sums: Array, which: Vectors) -> None:
        """Drive one crossbar, or a pair of them, with inputs (G, K, vectors); see OneByOne."""
        analog = self.chip.analog
        kind = np.float64 if analog else exact_float(item)
        parts = parts_of(group)
        cells = {} if analog else {c: part.cells(self.chip, c, kind) for c, part in parts.items()}
        for cycle, input_slice in enumerate(item.presented.slices):
            digits = input_slice.of(inputs)
            for turn, read in enumerate(reads(group, one_at_a_time=self.placed.takes_turns)):
                this = Vectors(which.positions, (*which.read, cycle, turn))
                found: dict[int, Array] = {}
                for crossbar, part in parts.items():
                    driven = driven_rows(item, read, crossbar, digits, input_slice, part.height).astype(kind)
                    if analog:
                        found[crossbar] = self.chip.sums(crossbar, driven, input_slice.top, part.columns, this)
                    else:
                        found[crossbar] = cells[crossbar] @ driven
                for readout, section in read:
                    reading = readout.reading
                    plain = found[reading.crossbar][parts[reading.crossbar].place(reading.columns)]
                    if (minus := readout.minus) is not None:
                        plain = plain - found[minus.crossbar][parts[minus.crossbar].place(minus.columns)]
                    value = self._true_sums(item, readout, plain, digits, (cycle, section), this)
                    partition = readout.partition if len(sums) > 1 else 0
                    weight = float(reading.weight * input_slice.weight)
                    sums[partition, reading.group, reading.outputs] += value * weight

    def _true_sums(
        self,
        item: CrossbarMatrix,
        readout: Readout,
        plain: Array,
        digits: Array,
        at: tuple[int, int],
        which: Vectors,
    ) -> Array:
        """Return the sums that the converters of a readout stand for, polarities subtracted where that is analog."""
        reading = readout.reading
        cycle, section = at
        top_digit = item.presented.slices[cycle].top
        if self._takes_as_ideal(item):
            return reading.true_sums(plain, digits, section, top_digit)
        low, step, origin, top = reading.tables(item, cycle, section)
        analog = self.chip.analog
        if item.converter.kind == "none":
            return reading.true_sums(plain, digits, section, top_digit)
        if analog:
            own = reading.crossbar, reading.columns
            plain = self.chip.converted(own, plain, (low, step), item.converter, which)
        value = reading.true_sums(convert(plain, low, step, origin, top, analog=analog), digits, section, top_digit)
        skipped = top == 0
        return np.where(skipped[:, None], value.dtype.type(0), value) if skipped.any() else value


@dataclass(frozen=True)
class Part:
    """What some readouts need of a crossbar.

    Attributes:
        height: its first so many rows.
        columns: that are converted, ascending.
    """

    height: int
    columns: NDArray[np.intp]

    def cells(self, chip: Chip, crossbar: int, kind: type[np.floating]) -> Array:
        """Return the levels (columns, rows) of this part of a crossbar."""
        return np.ascontiguousarray(chip.levels(crossbar)[: self.height, self.columns].T.astype(kind))

    def place(self, columns: slice) -> slice:
        """Return where columns of the crossbar, all of them converted, lie among those of this part."""
        start = int(np.searchsorted(self.columns, columns.start))
        return slice(start, start + columns.stop - columns.start)


def parts_of(group: list[Readout]) -> dict[int, Part]:
    """Return what some readouts need of each of their crossbars."""
    found: dict[int, list[Reading]] = {}
    for readout in group:
        for reading in (readout.reading, readout.minus):
            if reading is not None:
                found.setdefault(reading.crossbar, []).append(reading)
    return {
        crossbar: Part(
            height=max(reading.rows.stop for reading in own),
            columns=np.unique(np.concatenate([np.arange(r.columns.start, r.columns.stop) for r in own])),
        )
        for crossbar, own in found.items()
    }


def exact_float(item: CrossbarMatrix) -> type[np.float32 | np.float64]:
    """Return the narrowest float that holds every column sum."""
    return np.float32 if item.sum_bits <= FLOAT32_BITS else np.float64


def reads(group: list[Readout], *, one_at_a_time: bool) -> Iterator[list[tuple[Readout, int]]]:
    """Yield what is read together: everything at once, or partition by partition, and each section by section."""
    if not one_at_a_time:
        yield [(readout, readout.reading.sections.start) for readout in group]
        return
    parts: dict[tuple[int, ...], list[tuple[Readout, int]]] = {}
    for readout in group:
        reading = readout.reading
        for section in reading.sections:
            parts.setdefault((reading.group, section, reading.outputs.start), []).append((readout, section))
    yield from parts.values()


def driven_rows(
    item: CrossbarMatrix, read: list[tuple[Readout, int]], crossbar: int, digits: Array, cycle: InputSlice, height: int
) -> Array:
    """Return what the rows of a crossbar are driven with, (rows, vectors); rows that are not read stay at zero.

    A pair of rows takes an input and what its scheme says for the second: the negative, or the complement.
    """
    kind = exact_float(item)
    driven = np.zeros((height, digits.shape[2]), kind)
    pair = item.rows_per_weight
    for readout, section in read:
        reading = readout.reading if readout.reading.crossbar == crossbar else readout.minus
        if reading is None or reading.crossbar != crossbar:
            continue
        first, last = item.read_cuts[section], item.read_cuts[section + 1]
        start = reading.rows.start + (first - reading.inputs.start) * pair
        own: Array = digits[reading.group, first:last].astype(kind)
        driven[start : start + (last - first) * pair : pair] = own
        if pair == 2:
            other = -own if item.encoding.polarities == 2 else cycle.top - own
            driven[start + 1 : start + (last - first) * 2 : 2] = other
    return driven


def cell_reads(placed: PlacedProgram) -> int:
    """Return the cell reads of one inference: rows x columns x cycles of all blocks, times their vectors.

    Each block counts some more per cycle: many small ones take longer to begin than to read.
    """
    table = placed.program.blocks
    area = placed.program.heights() * (table["column_stop"] - table["column_start"])
    total = 0
    for index, item in enumerate(placed.program.matrices):
        cells = int(area[(table["matrix"] == index) & (table["replica"] == 0)].sum())
        begun = item.replicas * int(((table["matrix"] == index) & (table["replica"] == 0)).sum())
        total += len(item.presented.slices) * (cells * item.matrix.vectors + begun * BEGINNING)
    return total
