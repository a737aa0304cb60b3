"""What is computed digitally behind the crossbars: signs, zero points, rounded partial sums."""

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import SignScheme


def copy_of_vector(item: CrossbarMatrix, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which copy takes each vector: vector v of a sample goes to copy v mod R."""
    return (positions % item.matrix.vectors) % item.replicas


def corrected(item: CrossbarMatrix, sums: NDArray[np.float64], inputs: np.ndarray) -> NDArray[np.int64]:
    """Return accumulators: input step * (weight step * sums + offset * sum(x)) - zero * sum(weights).

    Args:
        item: the matrix.
        sums: (row partitions or 1, vectors, G, N), sums of x * code; of XNOR pairs twice that.
        inputs: x (vectors, G, K).
    """
    total = weighted(item, sums, inputs)
    rounding = item.partial_sums
    if len(sums) > 1 and rounding is not None and rounding.quantizer is not None:
        total = rounding.quantizer(total)
    merged = total.sum(axis=0)
    if len(sums) > 1 and rounding is not None and rounding.merge is not None:
        merged = rounding.merge(merged)
    presented = item.presented
    accumulators = presented.step * np.rint(merged).astype(np.int64)  # whole, unless a converter was lossy
    accumulators -= (item.matrix.input.zero_point - presented.base) * item.encoding.column_sums
    return accumulators.reshape(len(inputs), -1)


def weighted(item: CrossbarMatrix, sums: NDArray[np.float64], inputs: np.ndarray) -> NDArray[np.float64]:
    """Return sums of x * w (row partitions or 1, vectors, G, N)."""
    encoding = item.encoding
    total = encoding.step * sums
    if encoding.scheme is SignScheme.XNOR_PAIR:
        total = total / 2
    if encoding.offset.any():
        borders = [0] if len(sums) == 1 else list(item.row_cuts[:-1])
        by_partition = np.add.reduceat(inputs, borders, axis=2, dtype=np.int64)  # (vectors, G, partitions)
        total += by_partition.transpose(2, 0, 1)[..., None] * encoding.offset
    return total
