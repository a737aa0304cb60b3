"""Runs calibration samples in integers and looks at the sums that converters would see."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.epilogue import apply
from rcompile.backends.executor import Interpreter
from rcompile.backends.functional import Product
from rcompile.backends.im2col import tensor_of, vectors_of
from rcompile.encodings.bounds import column_bounds
from rcompile.encodings.observed import BINS, Observed
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.matrix import Matrix, MatrixProgram

VECTORS = 4096
"""Input vectors of a matrix that are kept, evenly spaced over a run's."""

VECTOR_BYTES = 2**23
"""What the kept vectors of one matrix may take."""

CELL_READS = 30e9
"""Work limit of measuring one matrix: vectors x cells x cycles."""

CONVERSION = 64
"""Cells whose reads take as long as looking at one sum: what counts where few rows are read at once."""


def capture(
    program: MatrixProgram, runs: Sequence[Mapping[str, NDArray[np.generic]]]
) -> list[NDArray[np.unsignedinteger]]:
    """Execute a program's integer arithmetic; return input vectors (vectors, G, K) of each matrix.

    Args:
        program: what is executed, without crossbars.
        runs: what the model is fed, run by run.
    """
    kept: list[list[np.ndarray]] = [[] for _ in program.matrices]
    counts = [kept_vectors(matrix) for matrix in program.matrices]

    def multiply(index: int, codes: list[np.ndarray]) -> list[np.ndarray]:
        matrix = program.matrices[index]
        outputs = []
        for tensor in codes:
            vectors = vectors_of(matrix, tensor)
            kept[index].append(spread(vectors, -(-counts[index] // len(runs))))
            outputs.append(tensor_of(matrix, apply(matrix.epilogue, accumulators(matrix, vectors)), tensor.shape))
        return outputs

    interpreter = Interpreter(program, multiply)
    for run in runs:
        interpreter.run([run])
    return [
        spread(np.concatenate(parts), count) if parts else empty(matrix)
        for parts, count, matrix in zip(kept, counts, program.matrices, strict=True)
    ]


def kept_vectors(matrix: Matrix) -> int:
    """Return how many input vectors of a matrix are kept."""
    each = matrix.groups * matrix.rows * -(-matrix.input.bits // 8)
    return max(1, min(VECTORS, VECTOR_BYTES // each))


def empty(matrix: Matrix) -> np.ndarray:
    """Return no vectors, for a matrix that was never reached."""
    return np.zeros((0, matrix.groups, matrix.rows), np.uint8)


def spread(vectors: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` vectors, evenly spaced."""
    if len(vectors) <= count:
        return vectors
    return vectors[np.linspace(0, len(vectors) - 1, count).astype(np.int64)]


def accumulators(matrix: Matrix, vectors: np.ndarray) -> NDArray[np.int64]:
    """Return sum((q - zero) * w) (vectors, G * N) of unsigned input vectors."""
    read = matrix.input
    total = read.step * Product(matrix.weights, 2**read.bits - 1)(vectors).astype(np.int64)
    total += (read.minimum - read.zero_point) * matrix.weights.sum(axis=1, dtype=np.int64)
    return total.reshape(len(vectors), -1)


def measure(item: CrossbarMatrix, vectors: np.ndarray) -> Observed:
    """Return what the column sums of a matrix are on unsigned input vectors (vectors, G, K)."""
    inputs = item.presented
    cells = item.matrix.weights.size * len(item.weight_slices) * item.encoding.polarities
    reads = len(inputs.slices) * max(cells, CONVERSION * prod(item.conversions[1:]))  # of one vector
    x = inputs.inputs_of(spread(vectors, max(16, int(CELL_READS / reads))))
    lowest, highest = column_bounds(item)
    top = max(s.top for s in inputs.slices)
    base, width = int(lowest.min()) * top, 1
    while (int(highest.max()) * top - base) // width >= BINS:
        width *= 2
    bins = (int(highest.max()) * top - base) // width + 1
    counts = np.zeros((len(inputs.slices), item.converted_polarities, len(item.weight_slices), bins), np.int64)
    columns = (item.sections, len(item.weight_slices), item.matrix.groups, item.matrix.columns)
    plain, inverted = np.zeros(columns, np.int64), np.zeros(columns, np.int64)
    total, squares = np.zeros(columns), np.zeros(columns)
    for conversion in conversions(item, x.transpose(1, 0, 2)) if len(x) else ():
        section, index = conversion.section, conversion.weight_slice
        stored = conversion.stored(item)
        codes = (stored.astype(np.int64).ravel() - base) // width
        counts[conversion.cycle, conversion.polarity, index] += np.bincount(codes, minlength=bins)
        column = (section, index)
        total[column] += stored.sum(axis=1, dtype=np.float64)
        squares[column] += (stored.astype(np.float64) ** 2).sum(axis=1)
        largest, other = conversion.sums.max(axis=1), (conversion.ones - conversion.sums).max(axis=1)
        plain[column] = np.maximum(plain[column], largest.astype(np.int64))
        inverted[column] = np.maximum(inverted[column], other.astype(np.int64))
    seen = max(len(x) * len(inputs.slices) * item.converted_polarities, 1)
    mean = total / seen
    deviation = np.sqrt(np.maximum(squares / seen - mean**2, 0))
    return Observed(counts, base, width, plain, inverted, mean, deviation)


@dataclass(frozen=True)
class Conversion:
    """The sums of one cycle, section, polarity and slice.

    Attributes:
        sums: (G, vectors, N) before any flip.
        ones: (G, vectors, 1) what a column of the largest levels sums to.
    """

    cycle: int
    section: int
    polarity: int
    weight_slice: int
    sums: NDArray[np.float32]
    ones: NDArray[np.float32]

    def stored(self, item: CrossbarMatrix) -> NDArray[np.float32]:
        """Return the sums of columns as they are stored."""
        if item.flips is None:
            return self.sums
        flips = item.flips[:, self.section, self.weight_slice][:, None, :]
        return np.where(flips, self.ones - self.sums, self.sums)


def conversions(item: CrossbarMatrix, inputs: np.ndarray) -> Iterator[Conversion]:
    """Yield all conversions of inputs x (G, vectors, K)."""
    for cycle, input_slice in enumerate(item.presented.slices):
        digits = input_slice.of(inputs).astype(np.float32)
        for section, (start, stop) in enumerate(pairwise(item.read_cuts)):
            driven = digits[:, :, start:stop]
            total = driven.sum(axis=2, keepdims=True)
            for index, weight_slice in enumerate(item.weight_slices):
                ones = weight_slice.mask * total
                for polarity, sums in enumerate(sums_of(item, index, slice(start, stop), driven, input_slice.top)):
                    yield Conversion(cycle, section, polarity, index, sums, ones)


def largest_partial_sums(item: CrossbarMatrix, vectors: np.ndarray) -> tuple[float, float]:
    """Return the largest magnitude of a partial sum, sum(x * w) of a row partition, and of their totals."""
    x = item.presented.inputs_of(vectors)
    total = np.zeros((len(x), item.matrix.groups, item.matrix.columns))
    largest = 0.0
    for start, stop in pairwise(item.row_cuts):
        part = Product(item.matrix.weights[:, start:stop], item.presented.largest)(x[:, :, start:stop])
        largest = max(largest, float(np.abs(part).max(initial=0.0)))
        total += part
    return largest, float(np.abs(total).max(initial=0.0))


def sums_of(
    item: CrossbarMatrix, index: int, rows: slice, driven: NDArray[np.float32], top: int
) -> list[NDArray[np.float32]]:
    """Return the sums (G, vectors, N) of some rows' cells before any flip, for each polarity that is converted."""
    weight_slice = item.weight_slices[index]
    levels = [weight_slice.of(codes[:, rows]).astype(np.float32) for codes in item.encoding.codes]
    found = [np.matmul(driven, level) for level in levels]
    if item.analog and item.encoding.polarities == 2:
        return [found[0] - found[1]]
    if item.rows_per_weight == 2:
        return [found[0] + np.matmul(top - driven, weight_slice.mask - levels[0])]
    return found
