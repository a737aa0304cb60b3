"""Which sums a column can take: exact bounds from the levels that its cells hold."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import Slice
from rcompile.ir.matrix import IntegerArray


def column_bounds(item: CrossbarMatrix, *, flips: bool = True) -> tuple[IntegerArray, IntegerArray]:
    """Return the least and largest sum of each column for digits up to 1: (sections, polarity, slice, G, N) int64.

    Digits up to d give d times as much. `flips` tells whether inverted columns count as they are stored.
    """
    shape = (item.sections, item.converted_polarities, len(item.weight_slices), item.matrix.groups, item.matrix.columns)
    lowest, highest = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for index, weight_slice in enumerate(item.weight_slices):
        for sections, rows in partitions(item):
            starts = np.array(item.read_cuts[sections.start : sections.stop]) - rows.start
            for polarity, (low, high) in enumerate(cell_sums(item, weight_slice, rows, starts)):
                lowest[sections, polarity, index] = low.transpose(1, 0, 2)
                highest[sections, polarity, index] = high.transpose(1, 0, 2)
    return lowest, stored(item, highest) if flips else highest


def stored(item: CrossbarMatrix, highest: IntegerArray) -> IntegerArray:
    """Return the largest sums of columns as they are stored, inverted or not; shape as in `column_bounds`."""
    if item.flips is None:
        return highest
    sizes = np.diff(item.read_cuts)[:, None, None, None]
    tops = np.array([s.mask for s in item.weight_slices])[None, :, None, None]
    flipped: IntegerArray = np.where(item.flips.transpose(1, 2, 0, 3), tops * sizes - highest[:, 0], highest[:, 0])
    return flipped[:, None]


def partitions(item: CrossbarMatrix) -> Iterator[tuple[slice, slice]]:
    """Yield the sections and the rows of each row partition."""
    for start, stop in pairwise(item.row_cuts):
        found = item.sections_of(start, stop)
        yield slice(found.start, found.stop), slice(start, stop)


def cell_sums(
    item: CrossbarMatrix, weight_slice: Slice, rows: slice, starts: IntegerArray
) -> list[tuple[IntegerArray, IntegerArray]]:
    """Return (least, largest) sums (G, sections, N) of some rows, for each polarity that is converted."""
    levels = [weight_slice.of(codes[:, rows]) for codes in item.encoding.codes]
    kind = np.int16 if weight_slice.mask * (rows.stop - rows.start) < 2**15 else np.int64
    borders = [*starts.tolist(), rows.stop - rows.start]

    def total(values: IntegerArray) -> IntegerArray:
        # thirty times as fast as add.reduceat
        values = values.astype(kind, copy=False)
        sums = [values[:, start:stop].sum(axis=1, dtype=kind) for start, stop in pairwise(borders)]
        return np.stack(sums, axis=1).astype(np.int64)

    if item.analog and item.encoding.polarities == 2:
        difference = levels[0].astype(np.int16) - levels[1]
        return [(total(np.minimum(difference, 0)), total(np.maximum(difference, 0)))]
    if item.rows_per_weight == 2:  # a level or its complement adds up, whichever the input selects
        other = weight_slice.mask - levels[0]
        return [(total(np.minimum(levels[0], other)), total(np.maximum(levels[0], other)))]
    sums = [total(level) for level in levels]
    return [(np.zeros_like(found), found) for found in sums]
