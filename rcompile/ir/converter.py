"""What converters make of column sums: resolution, range and step of every conversion."""

from dataclasses import dataclass, replace
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import require
from rcompile.ir.matrix import IntegerArray

AXES = ("cycle", "section", "polarity", "slice", "group", "column")
"""Axes of a converter's tables; one that makes no difference has the size 1."""


@dataclass(frozen=True)
class Need:
    """Resolutions that columns need: the largest, and the mean over columns, cycles, sections and slices."""

    most: int
    mean: float


@dataclass(frozen=True)
class Adc:
    """Converters of a matrix.

    A sum y has the code c = clip(floor((y - low) / step), 0, 2^bits - 1) and reads as origin + step * c: converters
    truncate, and the origin, which is part of the digital bias, makes a reading the mean of its sums. Tables have the
    axes AXES. Where `bits` is 0 nothing is converted, and the sum counts as zero.

    Attributes:
        kind: of converter, as the target says.
        bits: resolution of each conversion.
        low: the sum that code 0 stands for.
        step: what one code stands for, a power of two.
        origin: what code 0 reads as, a multiple of 1/16.
        lossless: whether no conversion can change a sum.
        paper: the resolution by the survey's formula (section III.1).
        exact: the least resolution that no weights can exceed.
        column: the least that each column's own weights cannot exceed.
        unflipped: the same, were no column stored inverted.
    """

    kind: str
    bits: NDArray[np.uint8]
    low: IntegerArray
    step: IntegerArray
    origin: NDArray[np.float64]
    lossless: bool
    paper: int
    exact: int
    column: Need
    unflipped: Need

    @property
    def widest(self) -> int:
        """Resolution that the converters must have."""
        return int(self.bits.max())

    @property
    def alike_in_cycles(self) -> bool:
        """Whether converters are the same in all cycles."""
        return all(len(table) == 1 for table in (self.bits, self.low, self.step, self.origin))

    def verify(self, shape: tuple[int, ...], name: str) -> None:
        """Check that tables fit the conversions (AXES) and hold what converters can do."""
        for table in (self.bits, self.low, self.step, self.origin):
            fits = table.ndim == len(AXES) and all(a in {1, b} for a, b in zip(table.shape, shape, strict=True))
            require(fits, f"{name}: a converter table of {table.shape} does not fit conversions of {shape}")
        require(((self.step > 0) & (self.step & (self.step - 1) == 0)).all(), f"{name}: a step is no power of two")

    def at_most(self, bits: int) -> "Adc":
        """Return converters that stop after so many bits, the most significant ones (adjusted at run time)."""
        left_out = np.maximum(self.bits.astype(np.int64) - bits, 0)
        if not left_out.any():
            return self
        step = self.step * 2**left_out
        origin = self.origin + (step - self.step) / 2
        return replace(self, bits=np.minimum(self.bits, np.uint8(bits)), step=step, origin=origin, lossless=False)

    def tables(self, place: tuple[int | slice, ...]) -> tuple[IntegerArray, IntegerArray, IntegerArray, IntegerArray]:
        """Return (low, step, origin, top code) of the conversions at an index along AXES, the column last."""
        top = 2 ** at(self.bits, place).astype(np.int64) - 1
        return at(self.low, place), at(self.step, place), at(self.origin, place), top


def at(table: IntegerArray, place: tuple[int | slice, ...]) -> IntegerArray:
    """Return a table's entries at an index; an axis of size 1 stands for all."""
    index: list[int | slice] = []
    for size, position in zip(table.shape, place, strict=True):
        index.append(position if size > 1 else slice(0, 1) if isinstance(position, slice) else 0)
    return np.atleast_1d(table[tuple(index)])


def convert(
    sums: NDArray[np.floating],
    low: IntegerArray,
    step: IntegerArray,
    origin: IntegerArray,
    top: IntegerArray,
    *,
    analog: bool = False,
) -> np.ndarray:
    """Return what converters read of sums (columns, vectors); tables hold a value a column, or one for all.

    Thresholds lie half a level below the least whole sum of a code, so that a sum that is not whole (`analog`) reads
    as the nearest one where a code stands for a single sum.
    """
    kind = sums.dtype.type
    if (step == 1).all() and (origin == low).all():
        first, last = (table.astype(kind)[:, None] for table in (low, low + top))
        return np.clip(np.floor(sums + kind(0.5)) if analog else sums, first, last)
    codes = floored(sums.astype(np.float64), low[:, None], step[:, None], top[:, None], analog=analog)
    return origin[:, None] + step[:, None] * codes


def floored(sums: np.ndarray, low: np.ndarray, step: np.ndarray | None, top: np.ndarray, *, analog: bool) -> np.ndarray:
    """Return the codes of sums (columns, vectors), given tables (columns, 1); a step of None is 1 for all."""
    sums = np.floor(sums + sums.dtype.type(0.5)) if analog else sums
    codes = sums - low
    if step is not None:
        codes = np.floor(np.divide(codes, step, out=codes), out=codes)
    found: np.ndarray = np.clip(codes, 0, top, out=codes)
    return found


def paper_adc_bits(input_bits: int, cell_bits: int, rows: int) -> int:
    """Return the survey's resolution; one bit short where its argument is a power of two."""
    return ceil(log2(max((2**input_bits - 1) * (2**cell_bits - 1) * rows, 1)))


def exact_adc_bits(input_bits: int, cell_bits: int, rows: int, *, flipped: bool = False, signed: bool = False) -> int:
    """Return the least resolution that represents every possible column sum (integer arithmetic).

    Flipped columns sum to half as much at most; where polarities are subtracted first, sums have a sign.
    """
    levels = (2**cell_bits - 1) * rows
    levels = levels // 2 if flipped else 2 * levels if signed else levels
    return ((2**input_bits - 1) * levels).bit_length()


def kept_bits(position: IntegerArray, resolution: IntegerArray, low: int, high: int) -> IntegerArray:
    """Return how many of a sample's bits fall into the window low..high-1 of an accumulator.

    A conversion of `resolution` bits at shift `position` covers bits position .. position + resolution - 1
    (adaptive converters: Newton, Nag et al., IEEE Micro 2018).
    """
    return np.maximum(np.minimum(position + resolution, high) - np.maximum(position, low), 0)
