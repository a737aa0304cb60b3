"""Normal random numbers of reads: made from counters, the same bit for bit in numpy and in the compiled kernels.

A read draws one number for each column, vector and cycle. Each pair of cycles of a vector has two 32-bit seeds, made
from the read's key and the vector's number by multiplications and shifts (a finalizer as MurmurHash3's); a column adds
its own to them. Two such words become two normal numbers (Box and Muller 1958), one for each cycle of the pair.
All steps are operations on integers and float32 that IEEE 754 rounds in one way.
"""

import numpy as np
from numpy.typing import NDArray

from rcompile.kernels import chosen

Words = NDArray[np.uint32]
Floats = NDArray[np.float32]

LOG = (
    0.04514900594949722,
    -0.419320672750473,
    1.6413986682891846,
    -3.5688583850860596,
    5.106975555419922,
    -2.8053441047668457,
)
"""log2(m) on [1, 2), highest power first; kernels/common.hpp holds the same numbers."""
COS = (0.015371935442090034, -0.3082452416419983, 0.9999900460243225)
"""cos(t pi / 4) of t^2, t in [0, 1]."""
SIN = (0.0024360583629459143, -0.08072520047426224, 0.7853970527648926)
"""sin(t pi / 4) / t of t^2."""

TWO_LOG_2 = np.float32(1.38629436)
UNIT = np.float32(2.0**-24)


def seeds_of(key: tuple[int, int], vectors: NDArray[np.int64], pairs: NDArray[np.int64] | int) -> Words:
    """Return the seeds (2, ...) of pairs of cycles of some vectors.

    Args:
        key: two words that name a read.
        vectors: their numbers.
        pairs: of cycles, of the shape of `vectors`, or one for all.
    """
    number = vectors.astype(np.uint64)
    low, high = number.astype(np.uint32), (number >> np.uint64(32)).astype(np.uint32)
    first = low * np.uint32(0x9E3779B1) + np.asarray(pairs, np.uint32) * np.uint32(0x85EBCA77) + np.uint32(key[0])
    first = _mixed(first)
    first = _mixed(first ^ (high * np.uint32(0xC2B2AE3D) + np.uint32(key[1])))
    return np.stack([first, _mixed(first + np.uint32(0x7F4A7C15))])


def drawn(seeds: Words, columns: Words, which: int, variance: Floats | None = None) -> Floats:
    """Return normal numbers (columns, pairs), by the compiled kernels where there are some; see `normals`."""
    kernels = chosen()
    if kernels is None:
        return normals(seeds, columns, which, variance)
    return kernels.normals(seeds, columns, which, variance)


def normals(seeds: Words, columns: Words, which: int, variance: Floats | None = None) -> Floats:
    """Return normal numbers (columns, pairs).

    Args:
        seeds: (2, pairs).
        columns: that they are for.
        which: cycle of each pair, 0 or 1.
        variance: (columns, pairs); None: 1.
    """
    square, first, second = factors(seeds, columns)
    return np.sqrt(square if variance is None else square * variance) * (second if which else first)


def factors(seeds: Words, columns: Words) -> tuple[Floats, Floats, Floats]:
    """Return (squared radius, cosine, sine) that the two numbers of each pair are made of, all (columns, pairs)."""
    x, y = _words(seeds, columns)
    # -2 ln(x / 2^32): exponent and polynomial of the fraction
    u = np.maximum((x >> np.uint32(1)).astype(np.int32).astype(np.float32), np.float32(0.5))
    bits = u.view(np.uint32)
    exponent = ((bits >> np.uint32(23)) - np.uint32(127)).astype(np.int32).astype(np.float32)
    fraction = (bits & np.uint32(0x007FFFFF) | np.uint32(0x3F800000)).view(np.float32)
    square = np.float32(31) - exponent - _polynomial(LOG, fraction)
    square = np.maximum(square, np.float32(0)) * TWO_LOG_2
    # the upper three bits of y say which eighth of the circle, the lower ones where in it
    t = (y & np.uint32(0x00FFFFFF)).astype(np.int32).astype(np.float32) * UNIT
    cosine, sine = _polynomial(COS, t * t), _polynomial(SIN, t * t) * t
    swapped = (y & np.uint32(0x20000000)).astype(bool)
    return (
        square,
        _signed(np.where(swapped, sine, cosine), y),
        _signed(np.where(swapped, cosine, sine), y << np.uint32(1)),
    )


def _words(seeds: Words, columns: Words) -> tuple[Words, Words]:
    """Return two random words (columns, pairs)."""
    own, other = seeds
    x = own + columns[:, None] * np.uint32(0x9E3779B9)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD) ^ other
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    x ^= x >> np.uint32(15)
    return x, _mixed(x + other)


def _mixed(x: Words) -> Words:
    """Return words in which each bit depends on all (finalizer of MurmurHash3, Appleby 2008)."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    found = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        found = found * x + np.float32(coefficient)
    return found


def _signed(x: Floats, sign: Words) -> Floats:
    """Return x with its sign turned where the highest bit is set."""
    return (x.view(np.uint32) ^ (sign & np.uint32(0x80000000))).view(np.float32)
