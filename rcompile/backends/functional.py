"""The fast engine, for programs whose converters lose nothing.

Where no ADC can clip (range_analysis.py), the column sums of all slices and cycles recombine to one product with the
weights that the cells hold. Those are read back from the programmed crossbars, block by block, so that a mapping error
is seen here as it is by the reference, to which this engine is equal bit for bit (tests/backends).
"""

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.correction import copy_of_vector, corrected
from rcompile.backends.range_analysis import is_one_product
from rcompile.errors import InternalError
from rcompile.ir.cells import block_flips, cuts_within
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import SignScheme
from rcompile.ir.placed import PlacedProgram

FLOAT32_EXACT = 2**24

FEWEST_ROWS = 32
"""Fewer at once would be slower in float32 than all in float64."""


class Functional:
    """Accumulators of each matrix of a lossless program, one product a matrix, copy and group.

    Args:
        placed: the program.
        chip: that it runs on; without, one whose cells hold what is written.
        keep: keep what was read back for the next vectors; else only one matrix is held at a time.
        ideal_converters: take sums as they are, whatever converters the program has.
    """

    name = "functional"

    def __init__(
        self,
        placed: PlacedProgram,
        chip: Chip | None = None,
        *,
        keep: bool = True,
        ideal_converters: bool = False,
    ) -> None:
        self._keep = keep
        self._ideal = ideal_converters
        self.placed = placed
        self.chip = chip or Chip(placed)
        self._products: dict[int, bool] = {}
        self._weights: dict[tuple[int, int], np.ndarray] = {}

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K); see Engine."""
        item = self.placed.program.matrices[index]
        if not self.can_run(index):
            raise InternalError(f"{item.matrix.name} rounds its sums: the functional engine cannot run it")
        inputs = item.presented.inputs_of(vectors)
        sums = np.empty((len(vectors), item.matrix.groups, item.matrix.columns))
        del call  # nothing is drawn
        copies = copy_of_vector(item, np.arange(len(vectors)) if positions is None else positions)
        for replica in range(item.replicas):
            own = slice(None) if item.replicas == 1 else np.flatnonzero(copies == replica)
            sums[own] = product(inputs[own], self.effective_weights(index, replica), item.presented.largest)
        if item.encoding.scheme is SignScheme.XNOR_PAIR:
            sums *= 2  # as its pairs of cells add up
        return corrected(item, sums[None], inputs)

    def can_run(self, index: int) -> bool:
        """Tell whether a matrix computes one product with what its cells hold."""
        if self._ideal:
            return True
        if index not in self._products:
            self._products[index] = is_one_product(self.placed, self.chip, index)
        return self._products[index]

    def effective_weights(self, index: int, replica: int) -> np.ndarray:
        """Return what the cells of one copy hold, recombined: (G, K, N), codes[0] - codes[1]."""
        if (index, replica) not in self._weights:
            if not self._keep:
                self._weights.clear()
            self._weights[index, replica] = self._read_back(index, replica)
        return self._weights[index, replica]

    def _read_back(self, index: int, replica: int) -> np.ndarray:
        item = self.placed.program.matrices[index]
        # with a sign; a cell that is stuck may hold more than its slice
        width = item.encoding.code_bits + 1 if not self.chip.faulty else item.encoding.code_bits + 8
        total = np.zeros(item.matrix.weights.shape, np.int8 if width <= 8 else np.int16 if width <= 16 else np.int32)
        for crossbar, blocks in self.chip.crossbars.of(index, replica):
            image = self.chip.levels(crossbar)
            for block, place in zip(self.placed.program.blocks[blocks], self.placed.places[blocks], strict=True):
                rows = slice(block["row_start"], block["row_stop"])
                columns = slice(block["column_start"], block["column_stop"])
                height = (rows.stop - rows.start) * item.rows_per_weight
                width = columns.stop - columns.start
                cells = image[place["row"] : place["row"] + height, place["column"] : place["column"] + width]
                total[block["group"], rows, columns] += signed(item, block, cells).astype(total.dtype)
        return total


def product(vectors: np.ndarray, weights: np.ndarray, largest_input: int) -> NDArray[np.float64]:
    """Return vectors (V, G, K) times weights (G, K, N) as (V, G, N), exactly; no input is larger than stated.

    In float32 as many rows at once as cannot exceed 2^24, in float64 where that are too few.
    """
    largest = max(int(weights.max(initial=0)), -int(weights.min(initial=0)), 1) * largest_input
    rows = FLOAT32_EXACT // max(largest, 1)
    kind: type[np.float32 | np.float64] = np.float32 if rows >= FEWEST_ROWS else np.float64
    step = rows if kind is np.float32 else weights.shape[1]
    total = np.zeros((vectors.shape[1], len(vectors), weights.shape[2]))
    for start in range(0, weights.shape[1], step):
        part = slice(start, start + step)
        total += np.matmul(vectors[:, :, part].transpose(1, 0, 2).astype(kind), weights[:, part].astype(kind))
    return total.transpose(1, 0, 2)


def signed(item: CrossbarMatrix, block: np.void, cells: np.ndarray) -> np.ndarray:
    """Return what a block's cells contribute to the weights, (K, N) of its rows and columns."""
    weight_slice = item.weight_slices[block["weight_slice"]]
    levels = cells.astype(np.int32)
    if item.rows_per_weight == 2:
        levels = levels[::2] - levels[1::2]
        if item.encoding.polarities == 1:  # a level and its complement
            levels = (levels + weight_slice.mask) // 2
    flips = block_flips(item, block)
    if flips is not None:
        by_row = np.repeat(flips, np.diff(cuts_within(item, block)), axis=0)
        levels = np.where(by_row, weight_slice.mask - levels, levels)
    return levels * ((-1 if block["polarity"] else 1) * 2**weight_slice.shift)
