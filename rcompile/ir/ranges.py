"""Fit a converter's range to the sums that were seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.observed import Observed


@dataclass(frozen=True)
class Range:
    """Sums from `low` to `high`, both included."""

    low: int
    high: int


@dataclass(frozen=True)
class Choice:
    """A converter's resolution, the sum of its code 0 and its step."""

    bits: int
    low: int
    step: int


def fit(seen: Observed, place: tuple[int, int, int], limits: Range, bits: int, method: str, share: float) -> Choice:
    """Choose a range for the sums of one input slice, polarity and weight slice.

    Args:
        seen: the sums on calibration samples.
        place: (cycle, polarity, slice).
        limits: what no sum can leave.
        bits: of the converter.
        method: 'min_max', 'percentile' or 'least_squares'.
        share: percent of the sums that a percentile range holds.
    """
    counts = seen.counts[place]
    if not counts.any() or (limits.high - limits.low).bit_length() <= bits:
        return covering(limits, limits, bits)
    span = Range(max(int(seen.least[place]), limits.low), min(int(seen.largest[place]), limits.high))
    if method == "least_squares":
        return least_squares(seen, place, span, limits, bits)
    if method == "percentile":
        span = percentile(seen, counts, span, share)
    return covering(span, limits, bits)


def covering(span: Range, limits: Range, bits: int) -> Choice:
    """Return the finest converter that covers a range; codes to spare reach beyond it, first downwards."""
    step = 1
    while (span.high - span.low) // step > 2**bits - 1:
        step *= 2
    codes = min(2**bits, -(-(limits.high - limits.low + 1) // step))
    low = max(limits.low, span.high - step * codes + 1)
    return Choice(max((codes - 1).bit_length(), 1), min(low, span.low), step)


def percentile(seen: Observed, counts: NDArray[np.int64], span: Range, share: float) -> Range:
    """Return the range between the quantiles that leave the same share out at both ends."""
    total = np.cumsum(counts) / counts.sum()
    outside = (1 - share / 100) / 2
    first, last = np.searchsorted(total, [outside, 1 - outside])
    last = min(int(last), len(counts) - 1)
    low = seen.origin + int(first) * seen.width
    high = seen.origin + last * seen.width + seen.width - 1
    return Range(max(low, span.low), min(high, span.high))


def least_squares(seen: Observed, place: tuple[int, int, int], span: Range, limits: Range, bits: int) -> Choice:
    """Return the converter with the least mean squared error on what was seen."""
    widest = covering(span, limits, bits)
    if widest.step == 1:
        return widest
    counts = seen.counts[place]
    filled = np.flatnonzero(counts)
    weights = counts[filled].astype(np.float64)
    sums = seen.origin + filled.astype(np.float64) * seen.width + (seen.width - 1) / 2
    best, found = np.inf, widest
    top = 2**bits - 1
    step = widest.step
    while step >= 1:
        room = span.high - span.low - step * top
        for low in np.unique(np.linspace(span.low, span.low + max(room, 0), 17).astype(np.int64)):
            read = low + step * np.clip(np.floor((sums - low) / step), 0, top) + (step - 1) / 2
            error = float((weights * (read - sums) ** 2).sum())
            if error < best:
                best, found = error, Choice(bits, int(low), step)
        step //= 2
    return found
