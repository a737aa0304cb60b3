"""What converters make of column sums: resolution, range and step of every conversion."""

from dataclasses import dataclass, replace
from functools import cached_property
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

    A sum y has the code c = clip(floor((y - low) / step), 0, 2^bits - 1) and reads as low + step * c + (step - 1) / 2,
    the mean of the sums of that code: converters truncate, and the constant is part of the digital bias. Tables have
    the axes AXES. Where `bits` is 0 nothing is converted, and the sum counts as zero.

    Attributes:
        kind: of converter, as the target says.
        bits: resolution of each conversion.
        low: the sum that code 0 stands for.
        step: what one code stands for, a power of two.
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
    lossless: bool
    paper: int
    exact: int
    column: Need
    unflipped: Need

    @property
    def widest(self) -> int:
        """Resolution that the converters must have."""
        return int(self.bits.max())

    @cached_property
    def is_plain(self) -> bool:
        """Whether every conversion is of one kind, as one resolution for a whole matrix gives."""
        return self.bits.size == self.low.size == self.step.size == 1

    def verify(self, shape: tuple[int, ...], name: str) -> None:
        """Check that tables fit the conversions (AXES) and hold what converters can do."""
        for table in (self.bits, self.low, self.step):
            fits = table.ndim == len(AXES) and all(a in {1, b} for a, b in zip(table.shape, shape, strict=True))
            require(fits, f"{name}: a converter table of {table.shape} does not fit conversions of {shape}")
        require(((self.step > 0) & (self.step & (self.step - 1) == 0)).all(), f"{name}: a step is no power of two")

    def at_most(self, bits: int) -> "Adc":
        """Return converters that stop after so many bits, the most significant ones (adjusted at run time)."""
        left_out = np.maximum(self.bits.astype(np.int64) - bits, 0)
        if not left_out.any():
            return self
        step = self.step * 2**left_out
        return replace(self, bits=np.minimum(self.bits, np.uint8(bits)), step=step, lossless=False)

    def tables(self, place: tuple[int | slice, ...]) -> tuple[IntegerArray, IntegerArray, IntegerArray]:
        """Return (low, step, top code) of the conversions at an index along AXES, the column last."""
        top = 2 ** at(self.bits, place).astype(np.int64) - 1
        return at(self.low, place), at(self.step, place), top


def at(table: IntegerArray, place: tuple[int | slice, ...]) -> IntegerArray:
    """Return a table's entries at an index; an axis of size 1 stands for all."""
    index: list[int | slice] = []
    for size, position in zip(table.shape, place, strict=True):
        index.append(position if size > 1 else slice(0, 1) if isinstance(position, slice) else 0)
    return np.atleast_1d(table[tuple(index)])


def convert(sums: NDArray[np.floating], low: IntegerArray, step: IntegerArray, top: IntegerArray) -> np.ndarray:
    """Return what converters read of sums (columns, vectors); tables hold a value a column, or one for all."""
    kind = sums.dtype.type
    low, step, top = (table.astype(kind)[:, None] for table in (low, step, top))
    if (step == 1).all():
        return np.clip(sums, low, low + top)
    return low + step * np.clip(np.floor((sums - low) / step), 0, top) + (step - 1) / 2


def paper_adc_bits(input_bits: int, cell_bits: int, rows: int) -> int:
    """Return the survey's resolution; one bit short where its argument is a power of two."""
    return ceil(log2(max((2**input_bits - 1) * (2**cell_bits - 1) * rows, 1)))


def exact_adc_bits(input_bits: int, cell_bits: int, rows: int, *, flipped: bool) -> int:
    """Return the least resolution that represents every possible column sum (integer arithmetic)."""
    levels = (2**cell_bits - 1) * rows
    return ((2**input_bits - 1) * (levels // 2 if flipped else levels)).bit_length()


def kept_bits(position: int, resolution: IntegerArray, low: int, high: int) -> IntegerArray:
    """Return how many of a sample's bits fall into the window low..high-1 of an accumulator.

    A conversion of `resolution` bits at shift `position` covers bits position .. position + resolution - 1
    (adaptive converters: Newton, Nag et al., IEEE Micro 2018).
    """
    return np.maximum(np.minimum(position + resolution.astype(np.int64), high) - max(position, low), 0)
