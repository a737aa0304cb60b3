"""Weights as unsigned codes, by each sign scheme."""

from collections.abc import Iterator

import numpy as np

from rcompile.ir.arrays import frozen, unsigned
from rcompile.ir.encoding import Encoding, SignScheme
from rcompile.ir.matrix import LOW_BITS, IntegerArray, Matrix, common_step

SLAB_ROWS = 512

CENTRED_BITS = 8
"""Up to so many bits the best centre is found among all; wider codes are centred on their mean."""


def encode(matrix: Matrix, scheme: SignScheme) -> Encoding:
    """Return a matrix's weights as unsigned codes."""
    if scheme is SignScheme.CENTER_OFFSET:
        return around_centre(matrix, scheme)
    if scheme.polarities == 2:
        return differential(matrix, scheme)
    low = matrix.weight_low
    if scheme is SignScheme.ZERO_OFFSET:
        low = matrix.weights.min(axis=1).astype(low.dtype)
    return above(matrix, scheme, low)


def above(matrix: Matrix, scheme: SignScheme, low: IntegerArray) -> Encoding:
    """Count the steps of each weight above `low` (G, N)."""
    step = matrix.weight_step
    bits = matrix.weight_bits
    if scheme is SignScheme.ZERO_OFFSET:
        bits = max(int(((matrix.weights.max(axis=1) - low) // step).max()).bit_length(), 1)
    codes = np.empty((1, *matrix.weights.shape), unsigned(bits))
    for rows in slabs(matrix.rows):
        codes[0, :, rows] = counted(matrix.weights[:, rows], low, step)
    return Encoding(scheme, frozen(codes), frozen(low), step, bits)


def differential(matrix: Matrix, scheme: SignScheme) -> Encoding:
    """Put positive and negative magnitudes apart."""
    low = matrix.weight_low
    # few levels: count in their common step, -1 and +1 for a binary matrix
    few = matrix.weight_bits <= LOW_BITS
    step = common_step(matrix.weights) if few else np.ones_like(low)
    ends = [int(np.abs(end // step).max()) for end in (matrix.weights.min(axis=1), matrix.weights.max(axis=1))]
    # symmetric weights spare the sign bit; -2^(b-1), or an asymmetric zero point, needs more
    bits = max(1 if few else matrix.weight_bits - 1, max(ends).bit_length(), 1)
    return apart(matrix, scheme, np.zeros_like(low), step, bits)


def apart(matrix: Matrix, scheme: SignScheme, centre: IntegerArray, step: IntegerArray, bits: int) -> Encoding:
    """Count the steps of each weight above and below a centre (G, N) of its column."""
    codes = np.empty((2, *matrix.weights.shape), unsigned(bits))
    for rows in slabs(matrix.rows):
        counts = counted(matrix.weights[:, rows], centre, step)
        codes[0, :, rows], codes[1, :, rows] = np.maximum(counts, 0), np.maximum(-counts, 0)
    return Encoding(scheme, frozen(codes), frozen(centre), step, bits)


def around_centre(matrix: Matrix, scheme: SignScheme) -> Encoding:
    """Choose of each column the centre around which its slices sum to least (RAELLA, section 4.1).

    The cost of a centre is the largest net sum of a bit's digits; among centres that need no more bits than the best.
    """
    low, step = matrix.weight_low, matrix.weight_step
    most = (matrix.weights.max(axis=1) - low) // step
    fewest = (matrix.weights.min(axis=1) - low) // step
    bits = max(int(((most - fewest + 1) // 2).max()).bit_length(), 1)
    centre = np.empty_like(low)
    for group in range(matrix.groups):
        counts = counted(matrix.weights[group : group + 1], low[group : group + 1], step[group : group + 1])[0]
        least, largest = most[group] - (2**bits - 1), fewest[group] + 2**bits - 1  # centres within the bits
        if matrix.weight_bits <= CENTRED_BITS:
            best = best_centres(counts, matrix.weight_bits, bits, least, largest)
        else:
            best = np.rint(counts.mean(axis=0)).astype(np.int64)
        centre[group] = low[group] + step[group] * np.clip(best, least, largest)
    return apart(matrix, scheme, centre, step, bits)


def best_centres(
    counts: IntegerArray, count_bits: int, bits: int, least: IntegerArray, largest: IntegerArray
) -> IntegerArray:
    """Return for each column of counts (K, N) the centre least..largest with the smallest largest net sum of a bit."""
    levels = np.arange(2**count_bits)
    occurrences = np.stack([np.bincount(column, minlength=len(levels)) for column in counts.T])
    distance = levels[:, None] - levels[None, :]  # of a level from a centre
    cost = np.zeros((counts.shape[1], len(levels)))
    for bit in range(bits):
        digit = np.sign(distance) * ((np.abs(distance) >> bit) & 1)
        cost = np.maximum(cost, np.abs(occurrences.astype(np.float64) @ digit))
    allowed = (levels >= least[:, None]) & (levels <= largest[:, None])
    return np.asarray(np.where(allowed, cost, np.inf).argmin(axis=1))


def slabs(rows: int) -> Iterator[slice]:
    """Yield the rows of a matrix in parts: large layers would fill the memory with wide integers."""
    yield from (slice(start, start + SLAB_ROWS) for start in range(0, rows, SLAB_ROWS))


def counted(weights: IntegerArray, low: IntegerArray, step: IntegerArray) -> IntegerArray:
    """Return how many steps weights (G, K, N) lie above their columns' least value (G, N)."""
    above = weights.astype(np.int32) - low[:, None, :].astype(np.int32)
    return above if (step == 1).all() else above // step[:, None, :].astype(np.int32)
