"""The fast engine, for programs whose converters lose nothing.

Where no ADC can clip (range_analysis.py), the column sums of all slices and cycles recombine to one product with the
weights that the cells hold. Those are read back from the programmed crossbars, block by block, so that a mapping error
is seen here as it is by the reference, to which this engine is equal bit for bit (tests/backends).
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.correction import copy_of_vector
from rcompile.backends.range_analysis import is_one_product
from rcompile.errors import InternalError
from rcompile.frontend.byte_product import ByteProduct, fits
from rcompile.ir.cells import block_flips, cuts_within
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import Encoding
from rcompile.ir.matrix import IntegerArray
from rcompile.ir.placed import PlacedProgram

FLOAT32_EXACT = 2**24

MANY_WEIGHTS = 2**11
"""With fewer, a session takes longer to begin than bytes save."""

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
    splits = True

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
        self._ready: dict[tuple[int, int], Product | Bytes] = {}

    def prepare(self, index: int) -> None:
        """Read back all copies of a matrix; see Engine."""
        for replica in range(self.placed.program.matrices[index].replicas):
            self._product(index, replica)

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K); see Engine."""
        item = self.placed.program.matrices[index]
        if not self.can_run(index):
            raise InternalError(f"{item.matrix.name} rounds its sums: the functional engine cannot run it")
        del call  # nothing is drawn
        inputs = item.presented.inputs_of(vectors)
        copies = copy_of_vector(item, np.arange(len(vectors)) if positions is None else positions)
        found = np.empty((len(vectors), item.matrix.groups, item.matrix.columns), np.int64)
        for replica in range(item.replicas):
            own = slice(None) if item.replicas == 1 else np.flatnonzero(copies == replica)
            found[own] = self._product(index, replica)(inputs[own])
        found *= item.presented.step
        found -= (item.matrix.input.zero_point - item.presented.base) * item.encoding.column_sums
        return found.reshape(len(vectors), item.matrix.groups * item.matrix.columns)

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

    def _product(self, index: int, replica: int) -> "Product | Bytes":
        """Return the product with one copy's weights, offsets included; that of one matrix is kept."""
        key = (index, replica)
        if key not in self._ready:
            item = self.placed.program.matrices[index]
            codes, encoding = self.effective_weights(index, replica), item.encoding
            weights = folded(codes, encoding)
            others = {other: ready for other, ready in self._ready.items() if other[0] == index}
            self._ready = {**others, key: self._ready_for(weights, item)}
        return self._ready[key]

    @staticmethod
    def _ready_for(weights: IntegerArray, item: CrossbarMatrix) -> "Product | Bytes":
        """Return the fastest exact product."""
        many = weights.shape[0] == 1 and weights.size >= MANY_WEIGHTS and item.presented.least == 0
        if many and fits(weights[0], item.presented.largest):
            return Bytes(weights[0])
        return Product(weights, item.presented.largest)

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


def folded(codes: np.ndarray, encoding: Encoding) -> IntegerArray:
    """Return weights step * code + offset (G, K, N), no wider than need be: there may be many."""
    widest = max(int(codes.max(initial=0)), -int(codes.min(initial=0)))
    most = int(encoding.step.max()) * widest + int(np.abs(encoding.offset).max())
    kind = np.int16 if most < 2**15 else np.int32
    weights: IntegerArray = codes.astype(kind)
    np.multiply(weights, encoding.step[:, None, :].astype(kind), out=weights)
    return np.add(weights, encoding.offset[:, None, :].astype(kind), out=weights)


class Product:
    """An exact product of whole numbers in floats: of as many rows at once as no sum of them can exceed.

    Args:
        weights: (G, K, N).
        largest: magnitude of what they are multiplied with.
    """

    def __init__(self, weights: IntegerArray, largest: int) -> None:
        magnitudes = np.abs(weights)
        kind: type[np.float32 | np.float64] = np.float32
        if int(magnitudes.max(initial=0)) * largest * FEWEST_ROWS > FLOAT32_EXACT:
            kind = np.float64
        cuts = [0, weights.shape[1]]
        if kind is np.float32 and magnitudes.sum(axis=1, dtype=np.int64).max(initial=0) * largest > FLOAT32_EXACT:
            cuts = self._cuts(magnitudes.max(axis=(0, 2)).astype(np.int64) * largest)
        self._parts = [
            (slice(start, stop), np.ascontiguousarray(weights[:, start:stop].astype(kind)))
            for start, stop in pairwise(cuts)
        ]

    @staticmethod
    def _cuts(rows: IntegerArray) -> list[int]:
        """Return the borders of parts whose rows, of so large products each, float32 adds up exactly in any order."""
        cuts, total = [0], 0
        for number, most in enumerate(rows.tolist()):
            if total + most > FLOAT32_EXACT:
                cuts.append(number)
                total = 0
            total += most
        return [*cuts, len(rows)]

    def __call__(self, vectors: np.ndarray) -> NDArray[np.float32] | NDArray[np.float64]:
        """Return vectors (V, G, K) times weights, as (V, G, N)."""
        parts = [
            np.matmul(vectors[:, :, rows].transpose(1, 0, 2).astype(weights.dtype), weights)
            for rows, weights in self._parts
        ]
        total = parts[0] if len(parts) == 1 else sum((part.astype(np.float64) for part in parts), np.float64(0))
        return np.asarray(total).transpose(1, 0, 2)


class Bytes:
    """An exact product of bytes.

    Args:
        weights: (K, N).
    """

    def __init__(self, weights: IntegerArray) -> None:
        self._product = ByteProduct(weights)

    def __call__(self, vectors: np.ndarray) -> NDArray[np.int32]:
        """Return vectors (V, 1, K) times weights, as (V, 1, N)."""
        return self._product(vectors[:, 0].astype(np.uint8, copy=False))[:, None]


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
