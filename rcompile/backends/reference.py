"""The reference: what a program means, crossbar by crossbar, cycle by cycle.

It reads nothing but the placed program: cells are programmed from the block table and the places, rows are driven
with input slices, column sums pass the ADC, and the shift-and-add follows the reduction list. Plain numpy; every
number is an integer below 2^24 held in float32 (products) or float64 (accumulators), so that sums are exact in
any order. docs/semantics.md gives the formulas, in the same order.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.cells import Crossbars
from rcompile.ir.crossbar import CrossbarMatrix, Slice, exact_adc_bits
from rcompile.ir.placed import PlacedProgram

FLOAT32_BITS = 24
"""Integers up to 2^24 are exact in float32."""

CHUNK_ELEMENTS = 2**19
"""Input elements handled at once: the working set stays in a core's cache."""


class Reference:
    """Accumulators of each matrix of a program, computed by its crossbars."""

    name = "reference"

    def __init__(self, placed: PlacedProgram) -> None:
        self.placed = placed
        self.crossbars = Crossbars(placed)

    def accumulate(self, index: int, vectors: np.ndarray) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K)."""
        item = self.placed.program.matrices[index]
        count = max(1, CHUNK_ELEMENTS // (item.matrix.groups * item.matrix.rows))
        chunks = [self._chunk(index, vectors[start : start + count], start) for start in range(0, len(vectors), count)]
        return np.concatenate(chunks)

    def _chunk(self, index: int, vectors: np.ndarray, first: int) -> NDArray[np.int64]:
        item = self.placed.program.matrices[index]
        columns = item.matrix.columns
        sums = np.zeros((len(vectors), item.matrix.groups, columns))
        for replica in range(item.replicas):
            own = slice((replica - first) % item.replicas, None, item.replicas)  # vector v goes to copy v mod R
            for crossbar, blocks in self.crossbars.of(index, replica):
                self._read(item, crossbar, blocks, vectors[own], sums[own])
        return corrected(item, sums, vectors)

    def _read(self, item: CrossbarMatrix, crossbar: int, blocks: NDArray[np.intp], vectors: np.ndarray, sums: np.ndarray) -> None:
        """Drive one crossbar with all input slices; shift and add each block's columns into `sums`."""
        levels = self.crossbars.levels(crossbar)
        table, places = self.placed.program.blocks[blocks], self.placed.places[blocks]
        kind = np.float32 if max_sum_bits(item) <= FLOAT32_BITS else np.float64
        bottom = int((places["row"] + table["row_stop"] - table["row_start"]).max())
        right = int((places["column"] + table["column_stop"] - table["column_start"]).max())
        driven = np.zeros((len(vectors), bottom), vectors.dtype)  # rows below carry no input
        for block, place in zip(table, places, strict=True):
            rows = slice(place["row"], place["row"] + block["row_stop"] - block["row_start"])
            driven[:, rows] = vectors[:, block["group"], block["row_start"] : block["row_stop"]]
        used = levels[:bottom, :right].astype(kind)
        for cycle in item.input_slices:
            rows_now = cycle.of(driven).astype(kind)
            codes = convert(item, rows_now @ used)
            for block, place in zip(table, places, strict=True):
                width = block["column_stop"] - block["column_start"]
                value = codes[:, place["column"] : place["column"] + width]
                value = unflipped(item, block, value, rows_now, int(place["row"]))
                columns = slice(block["column_start"], block["column_stop"])
                sums[:, block["group"], columns] += value * weight_of(item, block, cycle)


def max_sum_bits(item: CrossbarMatrix) -> int:
    """Return the bits of the largest possible column sum."""
    rows = max(np.diff(item.row_cuts))
    return exact_adc_bits(max(s.bits for s in item.input_slices), max(s.bits for s in item.weight_slices), int(rows), flipped=False)


def convert(item: CrossbarMatrix, sums: np.ndarray) -> np.ndarray:
    """Return ADC codes of column sums: one code a level, clipped at 2^bits - 1."""
    assert item.adc is not None
    return np.minimum(sums, sums.dtype.type(2**item.adc.bits - 1))


def unflipped(item: CrossbarMatrix, block: np.void, codes: np.ndarray, rows: np.ndarray, row: int) -> np.ndarray:
    """Return the true sums of columns that are stored inverted: top * sum(inputs) - code."""
    if item.flips is None:
        return codes
    flips = block_flips(item, block)
    if not flips.any():
        return codes
    height = int(block["row_stop"] - block["row_start"])
    inputs = rows[:, row : row + height].sum(axis=1, keepdims=True)
    top = codes.dtype.type(item.weight_slices[block["weight_slice"]].mask)
    return np.where(flips, top * inputs - codes, codes)


def block_flips(item: CrossbarMatrix, block: np.void) -> NDArray[np.bool_]:
    """Return which columns of a block are stored inverted."""
    assert item.flips is not None
    part = item.row_cuts.index(int(block["row_start"]))
    return item.flips[block["group"], part, block["weight_slice"], block["column_start"] : block["column_stop"]]


def weight_of(item: CrossbarMatrix, block: np.void, cycle: Slice) -> float:
    """Return what one code of a block counts in the accumulator, sign included."""
    sign = -1 if block["polarity"] else 1
    return float(sign * 2 ** (item.weight_slices[block["weight_slice"]].shift + cycle.shift))


def corrected(item: CrossbarMatrix, sums: np.ndarray, vectors: np.ndarray) -> NDArray[np.int64]:
    """Add what crossbars do not compute: accumulator = step * sums + offset * sum(inputs) - zero * sum(weights)."""
    encoding, matrix = item.encoding, item.matrix
    inputs = vectors.sum(axis=2, dtype=np.int64)
    zero = matrix.input.zero_point - matrix.input.minimum
    total = encoding.step * sums.astype(np.int64) + inputs[:, :, None] * encoding.offset
    total -= zero * encoding.decode().sum(axis=1)
    return total.reshape(len(vectors), -1)


def conversions(placed: PlacedProgram) -> Iterator[tuple[int, int]]:
    """Yield (matrix, cell reads of one inference): rows x columns x cycles of all its blocks."""
    table = placed.program.blocks
    area = (table["row_stop"] - table["row_start"]).astype(np.int64) * (table["column_stop"] - table["column_start"])
    for index, item in enumerate(placed.program.matrices):
        cells = int(area[(table["matrix"] == index) & (table["replica"] == 0)].sum())
        yield index, cells * len(item.input_slices) * item.matrix.vectors
