"""Store a column inverted where its levels sum to more than half of the maximum (offset_flip).

A level v becomes top - v, so the column sums to at most top * rows / 2, which saves one ADC bit. The true sum is
top * sum(inputs) - read, computed digitally (Shafiee et al., ISCA 2016, section V).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram, SignScheme


def flip_weights(program: CrossbarProgram) -> CrossbarProgram:
    """Decide for each column of each block of an offset_flip matrix."""
    return replace(program, matrices=tuple(with_flips(item) for item in program.matrices))


def with_flips(item: CrossbarMatrix) -> CrossbarMatrix:
    """Return a matrix with its flips, or unchanged where its scheme has none."""
    if item.encoding.scheme is not SignScheme.OFFSET_FLIP:
        return item
    return replace(item, flips=column_flips(item))


def column_flips(item: CrossbarMatrix) -> NDArray[np.bool_]:
    """Return (G, row partitions, slices, N): whether the levels of a column exceed half of their maximum."""
    codes = item.encoding.codes[0]
    flips = np.zeros((codes.shape[0], len(item.row_cuts) - 1, len(item.weight_slices), codes.shape[2]), np.bool_)
    for part, (start, stop) in enumerate(zip(item.row_cuts[:-1], item.row_cuts[1:], strict=True)):
        for index, weight_slice in enumerate(item.weight_slices):
            sums = weight_slice.of(codes[:, start:stop]).sum(axis=1, dtype=np.int64)
            flips[:, part, index] = 2 * sums > weight_slice.mask * (stop - start)
    return frozen(flips)
