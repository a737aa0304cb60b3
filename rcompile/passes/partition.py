"""Cut matrices into blocks: sign scheme, weight slices, row and column partitions.

    matrix conv2 [1 x 150 x 16], 8-bit weights, 128 x 128 crossbars of 2-bit cells
    -> block conv2[0:128, 0:16].bits[0:2], ..[2:4], ..[4:6], ..[6:8], block conv2[128:150, 0:16].bits[0:2], ...

All slices and polarities of an output stand side by side in one crossbar (Shafiee et al., ISCA 2016), so a
crossbar takes floor(columns / (slices * polarities)) outputs.
"""

from collections.abc import Iterator

import numpy as np

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import (
    BLOCK,
    BlockTable,
    CrossbarMatrix,
    CrossbarProgram,
    Encoding,
    SignScheme,
    cut_bits,
)
from rcompile.ir.matrix import LOW_BITS, IntegerArray, Matrix, MatrixProgram, common_step
from rcompile.targets import Target

SLAB_ROWS = 512


def partition(program: MatrixProgram, target: Target) -> CrossbarProgram:
    """Encode each matrix's weights and cut it to the target's crossbars."""
    crossbar = target.crossbar
    scheme = SignScheme(target.weights.sign)
    matrices, tables = [], []
    for index, matrix in enumerate(program.matrices):
        encoding = encode(matrix, scheme)
        slices = cut_bits(encoding.code_bits, crossbar.cell_bits)
        outputs = max(1, crossbar.columns // (len(slices) * encoding.polarities))
        item = CrossbarMatrix(
            matrix=matrix,
            encoding=encoding,
            row_cuts=cuts(matrix.rows, crossbar.rows),
            column_cuts=cuts(matrix.columns, outputs),
            weight_slices=slices,
        )
        matrices.append(item)
        tables.append(block_table(index, item))
    blocks = frozen(np.concatenate(tables))
    return CrossbarProgram(program, crossbar.rows, crossbar.columns, crossbar.cell_bits, tuple(matrices), blocks)


def encode(matrix: Matrix, scheme: SignScheme) -> Encoding:
    """Return a matrix's weights as unsigned codes."""
    low, step = matrix.weight_low, matrix.weight_step
    if scheme is not SignScheme.DIFFERENTIAL:
        codes = np.empty((1, *matrix.weights.shape), unsigned(matrix.weight_bits))
        for rows in slabs(matrix.rows):
            codes[0, :, rows] = counted(matrix.weights[:, rows], low, step)
        return Encoding(scheme, frozen(codes), low, step, matrix.weight_bits)
    # few levels: count in their common step, -1 and +1 for a binary matrix
    few = matrix.weight_bits <= LOW_BITS
    step = common_step(matrix.weights) if few else np.ones_like(low)
    ends = [int(np.abs(end // step).max()) for end in (matrix.weights.min(axis=1), matrix.weights.max(axis=1))]
    # symmetric weights spare the sign bit; -2^(b-1), or an asymmetric zero point, needs more
    bits = max(1 if few else matrix.weight_bits - 1, max(ends).bit_length(), 1)
    codes = np.empty((2, *matrix.weights.shape), unsigned(bits))
    for rows in slabs(matrix.rows):
        counts = counted(matrix.weights[:, rows], np.zeros_like(low), step)
        codes[0, :, rows], codes[1, :, rows] = np.maximum(counts, 0), np.maximum(-counts, 0)
    return Encoding(scheme, frozen(codes), np.zeros_like(low), step, bits)


def slabs(rows: int) -> Iterator[slice]:
    """Yield the rows of a matrix in parts: large layers would fill the memory with wide integers."""
    yield from (slice(start, start + SLAB_ROWS) for start in range(0, rows, SLAB_ROWS))


def counted(weights: IntegerArray, low: IntegerArray, step: IntegerArray) -> IntegerArray:
    """Return how many steps weights (G, K, N) lie above their columns' least value (G, N)."""
    above = weights.astype(np.int32) - low[:, None, :].astype(np.int32)
    return above if (step == 1).all() else above // step[:, None, :].astype(np.int32)


def unsigned(bits: int) -> type[np.unsignedinteger]:
    """Return the smallest type that holds codes of some bits."""
    return np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32


def cuts(total: int, width: int) -> tuple[int, ...]:
    """Return the borders of pieces of at most `width`."""
    return (*range(0, total, width), total)


def block_table(index: int, item: CrossbarMatrix) -> BlockTable:
    """Return the blocks of one copy of a matrix: group, row and column partition, polarity, slice (fastest)."""
    rows, columns = np.array(item.row_cuts), np.array(item.column_cuts)
    counts = (item.matrix.groups, len(rows) - 1, len(columns) - 1, item.encoding.polarities, len(item.weight_slices))
    group, row, column, polarity, weight_slice = (axis.reshape(-1) for axis in np.indices(counts))
    table = np.zeros(group.size, BLOCK)
    table["matrix"], table["group"] = index, group
    table["row_start"], table["row_stop"] = rows[row], rows[row + 1]
    table["column_start"], table["column_stop"] = columns[column], columns[column + 1]
    table["polarity"], table["weight_slice"] = polarity, weight_slice
    return table
