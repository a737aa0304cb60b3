"""Layers of which only the sign is read: their BatchNorm and sign as a threshold of one comparison.

A sense amplifier tells whether a column's sum reaches a threshold. What it reads is then one of two sums, just below
and at the threshold, which the epilogue and the Sign behind it turn into the right sign. Where a column is read in
several sections, each is compared with its share of the threshold and the comparisons are added up (input splitting:
Kim et al., 2018, [5] of the survey), which costs accuracy.
"""

from collections.abc import Callable

import numpy as np

from rcompile.encodings.observed import Observed
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import SignScheme
from rcompile.ir.matrix import Epilogue, IntegerArray

NEAR = np.arange(-3, 4)[:, None]
"""Sums around the estimated threshold that are looked at."""

NORMAL_READING = 0.798
"""Standard deviations from the mean that one bit of a normal value is best read as (Max, 1960)."""


def compared(
    item: CrossbarMatrix, seen: Callable[[], Observed]
) -> tuple[IntegerArray, IntegerArray, IntegerArray] | None:
    """Return (bits, low, step) of one comparison a sum, with the axes of converter.AXES; None where that is impossible.

    It takes a layer of which only the sign is read, one input cycle and one weight slice, polarities subtracted before
    the converter, and no correction that depends on the inputs.
    """
    matrix, presented = item.matrix, item.presented
    single = len(presented.slices) == len(item.weight_slices) == item.converted_polarities == 1
    if not (matrix.only_sign and single and matrix.epilogue.requantize is None):
        return None
    slope, constant = affine(item)
    if slope is None:
        return None
    threshold = thresholds(matrix.epilogue, slope, constant)
    if threshold is None:
        return None
    by_group = threshold.reshape(matrix.groups, matrix.columns)
    shape = (1, item.sections, 1, 1, matrix.groups, matrix.columns)
    if item.sections == 1:
        return np.ones((1,) * 6, np.int64), by_group.reshape(shape) - 1, np.ones((1,) * 6, np.int64)
    sums = seen()
    share = sums.column_mean[:, 0] + (by_group - sums.column_mean[:, 0].sum(axis=0)) / item.sections
    distance = max(2 * NORMAL_READING * float(sums.column_deviation[:, 0].mean()), 1.0)
    step = 2 ** int(np.rint(np.log2(distance)))
    low = np.rint(share).astype(np.int64) - step
    return np.ones((1,) * 6, np.int64), low.reshape(shape), np.full((1,) * 6, step)


def affine(item: CrossbarMatrix) -> tuple[IntegerArray | None, IntegerArray]:
    """Return (slope, constant), (G * N,) each, of accumulator = slope * sum + constant; None where inputs add to it."""
    encoding, presented = item.encoding, item.presented
    constant = -(item.matrix.input.zero_point - presented.base) * encoding.column_sums
    slope = presented.step * encoding.step * presented.slices[0].weight
    if encoding.scheme is SignScheme.XNOR_PAIR:
        # twice the sum of x * code is y + top sum(x) - X (top rows - sum(codes)); see backends/reading.py
        top, largest = item.weight_slices[0].mask, presented.slices[0].top
        if ((encoding.step * top + 2 * encoding.offset) != 0).any() or (slope % 2 != 0).any():
            return None, constant
        slope = slope // 2
        rest = top * item.matrix.rows - encoding.codes[0].sum(axis=1, dtype=np.int64)
        return slope.reshape(-1), (constant - slope * largest * rest).reshape(-1)
    if encoding.offset.any() or item.flips is not None or encoding.polarities == 1:
        return None, constant
    return slope.reshape(-1), constant.reshape(-1)


def thresholds(epilogue: Epilogue, slope: IntegerArray, constant: IntegerArray) -> IntegerArray | None:
    """Return the least sum of each column whose output has the sign of large sums; None where an output may be zero."""
    if (epilogue.scale == 0).any():
        return None
    sums = epilogue.nearest_to_zero(slope, constant) + NEAR
    real = epilogue.real(slope * sums + constant)
    upper = real * np.sign(epilogue.scale * slope) > 0
    if (real == 0).any() or upper[0].any() or not upper[-1].all():
        return None
    return np.asarray(sums[upper.argmax(axis=0), np.arange(sums.shape[1])])
