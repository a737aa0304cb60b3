"""Fit a converter's range to the sums that were seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.encodings.observed import Observed, Range

ORIGIN_STEPS = 16
"""Of a sum, in which origins are given: sums of readings stay exact in float64."""


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
    span = seen.span(place)
    if span is None or (limits.high - limits.low).bit_length() <= bits:
        return covering(limits, limits, bits)
    span = Range(max(span.low, limits.low), min(span.high, limits.high))
    if method == "percentile":
        span = percentile(seen, place, span, share)
    widest = covering(span, limits, bits)
    candidates = narrower(widest, span) if method == "least_squares" and widest.step > 1 else [widest]
    fitted = [reading(seen, place, choice) for choice in candidates]
    return min(fitted, key=lambda found: found[1])[0]


def covering(span: Range, limits: Range, bits: int) -> Choice:
    """Return the finest converter that covers a range; codes to spare reach beyond it, first downwards."""
    step = 1
    while (span.high - span.low) // step > 2**bits - 1:
        step *= 2
    codes = min(2**bits, -(-(limits.high - limits.low + 1) // step))
    low = min(max(limits.low, span.high - step * codes + 1), span.low)
    return Choice(max((codes - 1).bit_length(), 1), low, step, low + (step - 1) / 2)


def narrower(widest: Choice, span: Range) -> list[Choice]:
    """Return a converter and finer ones, which leave out parts of a range at either end."""
    found = [widest]
    step = widest.step
    while step >= 1:
        room = max(span.high - span.low - step * (2**widest.bits - 1), 0)
        lows = np.unique(np.linspace(span.low, span.low + room, 17).astype(np.int64))
        found += [Choice(widest.bits, int(low), step, low + (step - 1) / 2) for low in lows]
        step //= 2
    return found


def reading(seen: Observed, place: tuple[int, int, int], choice: Choice) -> tuple[Choice, float]:
    """Return a converter that reads right on average of what was seen, and the variance of its readings' errors.

    Sums are small and often zero, so that the middle of a code is not their mean; thousands of conversions add up.
    """
    counts = seen.counts[place]
    filled = np.flatnonzero(counts)
    sums = seen.base + filled * float(seen.width) + (seen.width - 1) / 2
    codes = np.clip(np.floor((sums - choice.low) / choice.step), 0, 2**choice.bits - 1)
    rest: NDArray[np.float64] = sums - choice.step * codes
    origin = float(np.average(rest, weights=counts[filled]))
    variance = float(np.average((rest - origin) ** 2, weights=counts[filled]))
    if seen.width > 1 and choice.step <= seen.width:  # bins are too coarse to tell
        return choice, variance
    return Choice(choice.bits, choice.low, choice.step, round(origin * ORIGIN_STEPS) / ORIGIN_STEPS), variance


def percentile(seen: Observed, place: tuple[int, int, int], span: Range, share: float) -> Range:
    """Return the range between the quantiles that leave the same share out at both ends."""
    counts = seen.counts[place]
    total = np.cumsum(counts) / counts.sum()
    outside = (1 - share / 100) / 2
    first, last = np.searchsorted(total, [outside, 1 - outside])
    last = min(int(last), len(counts) - 1)
    low, high = seen.base + int(first) * seen.width, seen.base + (last + 1) * seen.width - 1
    return Range(max(low, span.low), min(high, span.high))
