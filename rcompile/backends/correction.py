"""What is computed digitally behind the crossbars: signs, zero points, rounded partial sums."""

from itertools import pairwise

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
    merged = total[0] if len(total) == 1 else total.sum(axis=0)
    if len(sums) > 1 and rounding is not None and rounding.merge is not None:
        merged = rounding.merge(merged)
    presented = item.presented
    accumulators = np.rint(merged).astype(np.int64)  # whole, unless a converter was lossy
    accumulators *= presented.step
    accumulators -= (item.matrix.input.zero_point - presented.base) * item.encoding.column_sums
    return accumulators.reshape(len(inputs), item.matrix.groups * item.matrix.columns)


def weighted(item: CrossbarMatrix, sums: NDArray[np.float64], inputs: np.ndarray) -> NDArray[np.float64]:
    """Return sums of x * w (row partitions or 1, vectors, G, N)."""
    encoding = item.encoding
    total = np.array(sums, order="C")
    if (encoding.step != 1).any():
        total *= encoding.step
    if encoding.scheme is SignScheme.XNOR_PAIR:
        total /= 2
    if encoding.offset.any():
        cuts = (0, inputs.shape[2]) if len(sums) == 1 else item.row_cuts
        kind = np.int32 if inputs.dtype.itemsize == 1 else np.int64  # wide sums of narrow numbers are slow
        for partition, (start, stop) in enumerate(pairwise(cuts)):
            total[partition] += inputs[:, :, start:stop].sum(axis=2, dtype=kind)[..., None] * encoding.offset
    return total
