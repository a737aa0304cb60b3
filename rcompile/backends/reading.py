"""Blocks as they are read: where their columns stand, what their sums count."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.cells import Crossbars, block_flips
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import SignScheme
from rcompile.ir.graph import Array
from rcompile.ir.matrix import IntegerArray
from rcompile.ir.placed import PlacedProgram


@dataclass(frozen=True)
class Reading:
    """One block as it is read.

    Attributes:
        crossbar: that holds it.
        group: of the matrix.
        inputs: rows of the group's matrix.
        outputs: columns of the group's matrix.
        rows: of the crossbar.
        columns: of the crossbar.
        polarity: of the block.
        weight_slice: index of the slice.
        weight: what a sum of 1 counts: 2^shift of the weight slice, negative for the second polarity.
        top: the largest level of the slice.
        flips: (sections, columns) stored inverted; None where the scheme inverts none.
        complement: (sections, columns) sums of the levels of an XNOR pair's first cells; None for other schemes.
        sections: those of its rows.
        read_cuts: of the matrix.
    """

    crossbar: int
    group: int
    inputs: slice
    outputs: slice
    rows: slice
    columns: slice
    polarity: int
    weight_slice: int
    weight: int
    top: int
    flips: NDArray[np.bool_] | None
    complement: IntegerArray | None
    sections: range
    read_cuts: tuple[int, ...]

    @classmethod
    def of(cls, item: CrossbarMatrix, block: np.void, place: np.void) -> "Reading":
        """Read a row of the block table and its place."""
        inputs = slice(int(block["row_start"]), int(block["row_stop"]))
        outputs = slice(int(block["column_start"]), int(block["column_stop"]))
        row, column = int(place["row"]), int(place["column"])
        weight_slice = item.weight_slices[block["weight_slice"]]
        sections = item.sections_of(inputs.start, inputs.stop)
        complement = None
        if item.encoding.scheme is SignScheme.XNOR_PAIR:
            levels = weight_slice.of(item.encoding.codes[0, int(block["group"]), inputs, outputs])
            starts = np.array(item.read_cuts[sections.start : sections.stop]) - inputs.start
            complement = np.add.reduceat(levels, starts, axis=0, dtype=np.int64)
        return cls(
            crossbar=int(place["crossbar"]),
            group=int(block["group"]),
            inputs=inputs,
            outputs=outputs,
            rows=slice(row, row + (inputs.stop - inputs.start) * item.rows_per_weight),
            columns=slice(column, column + outputs.stop - outputs.start),
            polarity=int(block["polarity"]),
            weight_slice=int(block["weight_slice"]),
            weight=(-1 if block["polarity"] else 1) * 2**weight_slice.shift,
            top=weight_slice.mask,
            flips=block_flips(item, block),
            complement=complement,
            sections=sections,
            read_cuts=item.read_cuts,
        )

    def true_sums(self, sums: Array, digits: Array, section: int, top_digit: int) -> Array:
        """Return the sums of digits times levels that converted sums (columns, vectors) of a section stand for.

        Args:
            sums: as converted.
            digits: (G, K, vectors) of the inputs.
            section: of the matrix.
            top_digit: the largest digit.

        Of columns stored inverted: top * sum(digits) - sum. Of XNOR pairs twice the sum, so that it stays whole:
        a cell pair (c, top - c) driven with (u, top_digit - u) adds up 2 c u + top top_digit - top u - top_digit c.
        """
        rows = slice(self.read_cuts[section], self.read_cuts[section + 1])
        if self.complement is not None:
            total = digits[self.group, rows].sum(axis=0, dtype=np.float64)
            return np.asarray(sums + self.top * total - self.constant_of(section, top_digit)[:, None])
        flips = self.flips_of(section)
        if not flips.any():
            return sums
        total = digits[self.group, rows].sum(axis=0, dtype=sums.dtype)
        return np.where(flips[:, None], sums.dtype.type(self.top) * total - sums, sums)

    def tables(self, item: CrossbarMatrix, cycle: int, section: int) -> tuple[IntegerArray, ...]:
        """Return (low, step, origin, top code) of the conversions of its columns."""
        polarity = 0 if item.analog else self.polarity
        return item.converter.tables((cycle, section, polarity, self.weight_slice, self.group, self.outputs))

    def flips_of(self, section: int) -> NDArray[np.bool_]:
        """Return which columns (columns,) store a section inverted."""
        if self.flips is None:
            return np.zeros(self.outputs.stop - self.outputs.start, bool)
        return self.flips[section - self.sections.start]

    def constant_of(self, section: int, top_digit: int) -> NDArray[np.float64]:
        """Return what XNOR pairs (columns,) add up to whatever the inputs are, 0 for other schemes."""
        if self.complement is None:
            return np.zeros(self.outputs.stop - self.outputs.start)
        rows = self.read_cuts[section + 1] - self.read_cuts[section]
        return np.asarray(top_digit * (self.top * rows - self.complement[section - self.sections.start]), np.float64)


@dataclass(frozen=True)
class Readout:
    """A conversion's columns: of one block, or of two whose sums are subtracted before the converter."""

    reading: Reading
    minus: Reading | None
    partition: int


def readouts(
    item: CrossbarMatrix, placed: PlacedProgram, crossbars: Crossbars, index: int, replica: int
) -> Iterator[list[Readout]]:
    """Yield what is read together of one copy of a matrix: a crossbar, or two whose columns are subtracted."""
    table, places = placed.program.blocks, placed.places
    found = list(crossbars.of(index, replica))
    read = {crossbar: [Reading.of(item, table[b], places[b]) for b in blocks] for crossbar, blocks in found}
    minus: dict[tuple[int, int, int, int], Reading] = {}
    if item.analog and item.encoding.scheme.block_polarities == 2:
        minus = {key(r): r for group in read.values() for r in group if r.polarity}
    for group in read.values():
        own = [
            Readout(r, minus.get(key(r)), item.row_cuts.index(r.inputs.start))
            for r in group
            if not (minus and r.polarity)
        ]
        if own:
            yield own


def key(reading: Reading) -> tuple[int, int, int, int]:
    """Return what a block of the other polarity has in common."""
    return (reading.group, reading.inputs.start, reading.outputs.start, reading.weight_slice)
