"""The reference: what a program means, crossbar by crossbar, cycle by cycle.

It reads nothing but the placed program: cells are programmed from the block table and the places, rows are driven
with input slices, column sums pass the ADC, and the shift-and-add follows the reduction list. Plain numpy; every
number is an integer below 2^24 held in float32 (products) or float64 (accumulators), so that sums are exact in
any order. docs/semantics.md gives the formulas, in the same order.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rcompile.backends.cells import Crossbars, block_flips
from rcompile.ir.crossbar import CrossbarMatrix, exact_adc_bits
from rcompile.ir.graph import Array
from rcompile.ir.placed import PlacedProgram

FLOAT32_BITS = 24
"""Integers up to 2^24 are exact in float32."""

CHUNK_ELEMENTS = 2**20
"""Inputs and column sums handled at once: the working set stays near a core's cache."""


class Reference:
    """Accumulators of each matrix of a program, computed by its crossbars."""

    name = "reference"

    def __init__(self, placed: PlacedProgram) -> None:
        self.placed = placed
        self.crossbars = Crossbars(placed)

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K).

        Args:
            index: of the matrix.
            vectors: what its rows are driven with.
            positions: which of all vectors these are, which says what copy takes each; without, they are all.
        """
        positions = np.arange(len(vectors)) if positions is None else positions
        item = self.placed.program.matrices[index]
        width = item.matrix.columns * len(item.weight_slices) * item.encoding.polarities
        count = max(1, CHUNK_ELEMENTS // (item.matrix.groups * (item.matrix.rows + width)))
        starts = range(0, len(vectors), count)
        # narrow products gain nothing from threads inside BLAS; chunks are independent and their sums exact
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
            chunks = (slice(start, start + count) for start in starts)
            return np.concatenate(list(pool.map(lambda s: self._chunk(index, vectors[s], positions[s]), chunks)))

    def _chunk(self, index: int, vectors: np.ndarray, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        item = self.placed.program.matrices[index]
        # vectors last, so that what is done to a column runs along memory
        columns = np.ascontiguousarray(vectors.transpose(1, 2, 0))
        sums = np.zeros((item.matrix.groups, item.matrix.columns, len(vectors)))
        copies = copy_of_vector(item, positions)
        for replica in range(item.replicas):
            own = slice(None) if item.replicas == 1 else np.flatnonzero(copies == replica)
            part = np.zeros_like(sums[:, :, own])
            for crossbar, blocks in self.crossbars.of(index, replica):
                self._read(item, crossbar, blocks, columns[:, :, own], part)
            sums[:, :, own] += part
        return corrected(item, sums.transpose(2, 0, 1), vectors)

    def _read(self, item: CrossbarMatrix, crossbar: int, blocks: NDArray[np.int32], inputs: Array, sums: Array) -> None:
        """Drive one crossbar with all input slices; shift and add each block's columns into `sums`.

        Args:
            item: the matrix that is computed.
            crossbar: which one.
            blocks: the matrix's blocks on it.
            inputs: (G, K, vectors) unsigned.
            sums: (G, N, vectors), added to.
        """
        levels = self.crossbars.levels(crossbar)
        table, places = self.placed.program.blocks[blocks], self.placed.places[blocks]
        kind: type[np.float32 | np.float64] = np.float32 if max_sum_bits(item) <= FLOAT32_BITS else np.float64
        readings = [Reading.of(item, block, place) for block, place in zip(table, places, strict=True)]
        bottom = max(reading.rows.stop for reading in readings)
        right = max(reading.columns.stop for reading in readings)
        driven = np.zeros((bottom, inputs.shape[2]), inputs.dtype)  # rows without input stay at zero
        for reading in readings:
            driven[reading.rows] = inputs[reading.group, reading.inputs]
        cells: Array = levels[:bottom, :right].astype(kind).T
        for cycle in item.input_slices:
            rows: Array = cycle.of(driven).astype(kind)
            codes = convert(item, cells @ rows)
            totals: dict[tuple[int, int], Array] = {}
            for reading in readings:
                span = (reading.rows.start, reading.rows.stop)
                if reading.flips is not None and span not in totals:
                    totals[span] = np.ones(span[1] - span[0], kind) @ rows[reading.rows]
                value = reading.true_sums(codes, totals.get(span))
                sums[reading.group, reading.outputs] += value * float(reading.weight * 2**cycle.shift)


def copy_of_vector(item: CrossbarMatrix, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which copy takes each vector: vector v of a sample goes to copy v mod R."""
    return (positions % item.matrix.vectors) % item.replicas


@dataclass(frozen=True)
class Reading:
    """One block as it is read: where its columns stand, and what their codes count.

    Attributes:
        group: of the matrix.
        inputs: rows of the group's matrix.
        outputs: columns of the group's matrix.
        rows: of the crossbar.
        columns: of the crossbar.
        weight: what one code counts: 2^shift of the weight slice, negative for the second polarity.
        flips: columns stored inverted; None where there are none.
        top: the largest level of the slice.
    """

    group: int
    inputs: slice
    outputs: slice
    rows: slice
    columns: slice
    weight: int
    flips: NDArray[np.bool_] | None
    top: int

    @classmethod
    def of(cls, item: CrossbarMatrix, block: np.void, place: np.void) -> "Reading":
        """Read a row of the block table and its place."""
        inputs = slice(int(block["row_start"]), int(block["row_stop"]))
        outputs = slice(int(block["column_start"]), int(block["column_stop"]))
        row, column = int(place["row"]), int(place["column"])
        weight_slice = item.weight_slices[block["weight_slice"]]
        flips = block_flips(item, block)
        return cls(
            group=int(block["group"]),
            inputs=inputs,
            outputs=outputs,
            rows=slice(row, row + inputs.stop - inputs.start),
            columns=slice(column, column + outputs.stop - outputs.start),
            weight=(-1 if block["polarity"] else 1) * 2**weight_slice.shift,
            flips=flips if flips is not None and flips.any() else None,
            top=weight_slice.mask,
        )

    def true_sums(self, codes: Array, total: Array | None) -> Array:
        """Return the column sums that codes (columns, vectors) stand for.

        Of columns stored inverted: top * sum(inputs) - code, with the sum `total` (vectors,) computed digitally.
        """
        own = codes[self.columns]
        if self.flips is None or total is None:
            return own
        return np.where(self.flips[:, None], codes.dtype.type(self.top) * total - own, own)


def max_sum_bits(item: CrossbarMatrix) -> int:
    """Return the bits of the largest possible column sum."""
    rows = max(np.diff(item.row_cuts))
    return exact_adc_bits(
        max(s.bits for s in item.input_slices), max(s.bits for s in item.weight_slices), int(rows), flipped=False
    )


def convert(item: CrossbarMatrix, sums: np.ndarray) -> np.ndarray:
    """Return ADC codes of column sums: one code a level, clipped at 2^bits - 1."""
    assert item.adc is not None
    return np.minimum(sums, sums.dtype.type(2**item.adc.bits - 1))


def corrected(item: CrossbarMatrix, sums: np.ndarray, vectors: np.ndarray) -> NDArray[np.int64]:
    """Add what crossbars do not compute: accumulator = step * sums + offset * sum(inputs) - zero * sum(weights)."""
    encoding, matrix = item.encoding, item.matrix
    inputs = vectors.sum(axis=2, dtype=np.int64)
    zero = matrix.input.zero_point - matrix.input.minimum
    total = encoding.step * sums.astype(np.int64)
    total += inputs[:, :, None] * encoding.offset
    total -= zero * encoding.column_sums
    return total.reshape(len(vectors), -1)


def cell_reads(placed: PlacedProgram) -> int:
    """Return the cell reads of one inference: rows x columns x cycles of all blocks, times their vectors."""
    table = placed.program.blocks
    area = (table["row_stop"] - table["row_start"]).astype(np.int64) * (table["column_stop"] - table["column_start"])
    total = 0
    for index, item in enumerate(placed.program.matrices):
        cells = int(area[(table["matrix"] == index) & (table["replica"] == 0)].sum())
        total += cells * len(item.input_slices) * item.matrix.vectors
    return total
