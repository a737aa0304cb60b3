"""Fit a converter's range to the sums that were seen."""

from dataclasses import dataclass, replace

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
    """A converter's resolution, the sum of its code 0, its step, and what code 0 reads as."""

    bits: int
    low: int
    step: int
    origin: float


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
        return unbiased(least_squares(seen, place, span, limits, bits), seen, counts)
    if method == "percentile":
        span = percentile(seen, counts, span, share)
    return unbiased(covering(span, limits, bits), seen, counts)


def unbiased(choice: Choice, seen: Observed, counts: NDArray[np.int64]) -> Choice:
    """Return a converter that reads right on average of what was seen, in steps of 1/16.

    Sums are small and often zero, so that the middle of a code is not their mean; thousands of conversions add up.
    """
    if seen.width > 1:
        return choice
    sums = seen.origin + np.arange(len(counts), dtype=np.float64)
    codes = np.clip(np.floor((sums - choice.low) / choice.step), 0, 2**choice.bits - 1)
    origin = float(np.average(sums - choice.step * codes, weights=counts))
    return replace(choice, origin=round(origin * 16) / 16)


def covering(span: Range, limits: Range, bits: int) -> Choice:
    """Return the finest converter that covers a range; codes to spare reach beyond it, first downwards."""
    step = 1
    while (span.high - span.low) // step > 2**bits - 1:
        step *= 2
    codes = min(2**bits, -(-(limits.high - limits.low + 1) // step))
    low = max(limits.low, span.high - step * codes + 1)
    low = min(low, span.low)
    return Choice(max((codes - 1).bit_length(), 1), low, step, low + (step - 1) / 2)


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
                best, found = error, Choice(bits, int(low), step, low + (step - 1) / 2)
        step //= 2
    return found
