"""The fast engine, for programs whose converters lose nothing.

Where no ADC can clip, the column sums of all slices and cycles recombine to one product with the weights that the
cells hold. Those are read back from the programmed crossbars, block by block, so that a mapping error is seen here
as it is by the reference, to which this engine is equal bit for bit (tests/backends).
"""

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.cells import Crossbars, block_flips
from rcompile.backends.reference import copy_of_vector, corrected
from rcompile.errors import InternalError
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.placed import PlacedProgram

FLOAT32_EXACT = 2**24


class Functional:
    """Accumulators of each matrix of a lossless program, one product a matrix, copy and group."""

    name = "functional"

    def __init__(self, placed: PlacedProgram) -> None:
        for item in placed.program.matrices:
            if item.adc is None or not item.adc.lossless:
                raise InternalError(f"{item.matrix.name} has lossy converters: the functional engine cannot run it")
        self.placed = placed
        self.crossbars = Crossbars(placed)
        self._weights: dict[tuple[int, int], np.ndarray] = {}

    def accumulate(self, index: int, vectors: np.ndarray) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K)."""
        item = self.placed.program.matrices[index]
        sums = np.empty((len(vectors), item.matrix.groups, item.matrix.columns))
        copies = copy_of_vector(item, len(vectors), 0)
        for replica in range(item.replicas):
            own = slice(None) if item.replicas == 1 else np.flatnonzero(copies == replica)
            weights = self.effective_weights(index, replica)
            inputs = vectors[own].astype(weights.dtype).transpose(1, 0, 2)
            sums[own] = np.matmul(inputs, weights).transpose(1, 0, 2)
        return corrected(item, sums, vectors)

    def effective_weights(self, index: int, replica: int) -> np.ndarray:
        """Return what the cells of one copy hold, recombined: (G, K, N), codes[0] - codes[1]."""
        if (index, replica) not in self._weights:
            self._weights[index, replica] = self._read_back(index, replica)
        return self._weights[index, replica]

    def _read_back(self, index: int, replica: int) -> np.ndarray:
        item = self.placed.program.matrices[index]
        total = np.zeros(item.matrix.weights.shape)
        for crossbar, blocks in self.crossbars.of(index, replica):
            image = self.crossbars.levels(crossbar)
            for block, place in zip(self.placed.program.blocks[blocks], self.placed.places[blocks], strict=True):
                rows = slice(block["row_start"], block["row_stop"])
                columns = slice(block["column_start"], block["column_stop"])
                height, width = rows.stop - rows.start, columns.stop - columns.start
                cells = image[place["row"] : place["row"] + height, place["column"] : place["column"] + width]
                total[block["group"], rows, columns] += signed(item, block, cells)
        largest = float(np.abs(total).sum(axis=1).max()) * (2**item.matrix.input.bits - 1)
        return total.astype(np.float32) if largest < FLOAT32_EXACT else total


def signed(item: CrossbarMatrix, block: np.void, cells: np.ndarray) -> np.ndarray:
    """Return what a block's cells contribute to the weights."""
    weight_slice = item.weight_slices[block["weight_slice"]]
    flips = block_flips(item, block)
    levels = cells if flips is None else np.where(flips, weight_slice.mask - cells, cells)
    return levels * float((-1 if block["polarity"] else 1) * 2**weight_slice.shift)
