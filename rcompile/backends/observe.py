"""Runs calibration samples in integers and looks at the sums that converters would see."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.epilogue import apply
from rcompile.backends.executor import Interpreter
from rcompile.backends.functional import product
from rcompile.backends.im2col import tensor_of, vectors_of
from rcompile.ir.bounds import column_bounds
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.matrix import Matrix, MatrixProgram
from rcompile.ir.observed import BINS, Observed

VECTORS = 4096
"""Input vectors of a matrix that are kept, evenly spaced over a run's."""

CELL_READS = 30e9
"""Work limit of measuring one matrix: vectors x cells x cycles."""


def capture(
    program: MatrixProgram, runs: Iterable[Mapping[str, NDArray[np.generic]]], count: int
) -> list[NDArray[np.unsignedinteger]]:
    """Execute a program's integer arithmetic; return input vectors (vectors, G, K) of each matrix.

    Args:
        program: what is executed, without crossbars.
        runs: what the model is fed, run by run.
        count: how many runs there are.
    """
    kept: list[list[np.ndarray]] = [[] for _ in program.matrices]

    def multiply(index: int, codes: list[np.ndarray]) -> list[np.ndarray]:
        matrix = program.matrices[index]
        outputs = []
        for tensor in codes:
            vectors = vectors_of(matrix, tensor)
            share = max(1, VECTORS // count) if count < VECTORS else 1
            kept[index].append(spread(vectors, share))
            outputs.append(tensor_of(matrix, apply(matrix.epilogue, accumulators(matrix, vectors)), tensor.shape))
        return outputs

    interpreter = Interpreter(program, multiply)
    for run in runs:
        interpreter.run([run])
    return [
        spread(np.concatenate(parts), VECTORS) if parts else empty(matrix)
        for parts, matrix in zip(kept, program.matrices, strict=True)
    ]


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
    total = read.step * product(vectors, matrix.weights, 2**read.bits - 1).astype(np.int64)
    total += (read.minimum - read.zero_point) * matrix.weights.sum(axis=1, dtype=np.int64)
    return total.reshape(len(vectors), -1)


def measure(item: CrossbarMatrix, vectors: np.ndarray) -> Observed:
    """Return what the column sums of a matrix are on unsigned input vectors (vectors, G, K)."""
    inputs, cells = item.presented, item.matrix.weights.size * len(item.weight_slices) * item.encoding.polarities
    affordable = max(16, int(CELL_READS / (cells * len(inputs.slices))))
    x = inputs.inputs_of(spread(vectors, affordable)).transpose(1, 0, 2)  # (G, vectors, K)
    lowest, highest = column_bounds(item)
    top = max(s.top for s in inputs.slices)
    origin = int(lowest.min()) * top
    width = 1
    while (int(highest.max()) * top - origin) // width >= BINS:
        width *= 2
    bins = (int(highest.max()) * top - origin) // width + 1
    shape = (len(inputs.slices), item.converted_polarities, len(item.weight_slices))
    least, largest = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    counts = np.zeros((*shape, bins), np.int64)
    columns = (item.sections, len(item.weight_slices), item.matrix.groups, item.matrix.columns)
    plain, inverted = np.zeros(columns, np.int64), np.zeros(columns, np.int64)
    means, distances = np.zeros(columns), np.zeros(columns)
    for cycle, input_slice in enumerate(inputs.slices):
        digits = input_slice.of(x)
        for s, weight_slice in enumerate(item.weight_slices):
            for z in range(item.sections):
                rows = slice(item.read_cuts[z], item.read_cuts[z + 1])
                for polarity, sums in enumerate(sums_of(item, s, rows, digits[:, :, rows], input_slice.top)):
                    stored = sums
                    total = weight_slice.mask * digits[:, :, rows].sum(axis=2, dtype=np.float32)[:, :, None]
                    if item.flips is not None:
                        stored = np.where(item.flips[:, z, s][:, None, :], total - sums, sums)
                    seen = stored.astype(np.int64).ravel()
                    if not seen.size:
                        continue
                    place = (cycle, polarity, s)
                    counts[place] += np.bincount((seen - origin) // width, minlength=bins)
                    least[place] = min(least[place], int(seen.min())) if z else int(seen.min())
                    largest[place] = max(largest[place], int(seen.max())) if z else int(seen.max())
                    means[z, s] = stored.mean(axis=1)
                    distances[z, s] = np.abs(stored - means[z, s][:, None]).mean(axis=1)
                    if item.encoding.polarities == 1:
                        plain[z, s] = np.maximum(plain[z, s], sums.max(axis=1).astype(np.int64))
                        inverted[z, s] = np.maximum(inverted[z, s], (total - sums).max(axis=1).astype(np.int64))
    return Observed(x.shape[1], least, largest, counts, origin, width, plain, inverted, means, distances)


def largest_partial_sums(item: CrossbarMatrix, vectors: np.ndarray) -> tuple[float, float]:
    """Return the largest magnitude of a partial sum, sum(x * w) of a row partition, and of their totals."""
    x = item.presented.inputs_of(vectors)
    total = np.zeros((len(x), item.matrix.groups, item.matrix.columns))
    largest = 0.0
    for start, stop in zip(item.row_cuts[:-1], item.row_cuts[1:], strict=True):
        part = product(x[:, :, start:stop], item.matrix.weights[:, start:stop], item.presented.largest)
        largest = max(largest, float(np.abs(part).max(initial=0.0)))
        total += part
    return largest, float(np.abs(total).max(initial=0.0))


def sums_of(item: CrossbarMatrix, index: int, rows: slice, digits: np.ndarray, top: int) -> list[np.ndarray]:
    """Return the sums (G, vectors, N) of some rows' cells before any flip, for each polarity that is converted."""
    weight_slice = item.weight_slices[index]
    levels = [weight_slice.of(codes[:, rows]).astype(np.float32) for codes in item.encoding.codes]
    driven = digits.astype(np.float32)
    found = [np.matmul(driven, level) for level in levels]
    if item.analog and item.encoding.polarities == 2:
        return [found[0] - found[1]]
    if item.rows_per_weight == 2:
        return [found[0] + np.matmul(top - driven, weight_slice.mask - levels[0])]
    return found
