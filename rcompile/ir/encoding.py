"""How numbers become cells and cycles: sign schemes, weight slices, input slices."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from rcompile.ir.matrix import InputCode, IntegerArray

VERIFIED_ROWS = 512


class SignScheme(StrEnum):
    """How signed weights become unsigned cell levels.

    OFFSET: codes w - low, and low * sum(inputs) is added digitally.
    OFFSET_FLIP: as OFFSET; a column is stored inverted where that lowers its sums (ISAAC: Shafiee et al., ISCA 2016).
    ZERO_OFFSET: as OFFSET, but from each column's own least weight instead of the least representable one.
    DIFFERENTIAL_COLUMNS, _ROWS, _ARRAYS: positive and negative magnitudes apart, in columns side by side, in
    neighbouring rows of one column, or in two crossbars.
    CENTER_OFFSET: as DIFFERENTIAL_COLUMNS, around a centre of each column (RAELLA: Andrulis et al., ISCA 2023).
    XNOR_PAIR: a level and its complement in neighbouring rows that are driven with an input and its complement
    (XNOR-RRAM: Sun et al., DATE 2018).
    TERNARY_PAIR: as DIFFERENTIAL_COLUMNS in pairs of one-bit cells that are read as one (Liu et al., ISSCC 2020).
    """

    OFFSET = "offset"
    OFFSET_FLIP = "offset_flip"
    ZERO_OFFSET = "zero_offset"
    DIFFERENTIAL_COLUMNS = "differential_columns"
    DIFFERENTIAL_ROWS = "differential_rows"
    DIFFERENTIAL_ARRAYS = "differential_arrays"
    CENTER_OFFSET = "center_offset"
    XNOR_PAIR = "xnor_pair"
    TERNARY_PAIR = "ternary_pair"

    @property
    def polarities(self) -> int:
        """Codes of a weight: 2 where positive and negative magnitudes are apart."""
        one = {SignScheme.OFFSET, SignScheme.OFFSET_FLIP, SignScheme.ZERO_OFFSET, SignScheme.XNOR_PAIR}
        return 1 if self in one else 2

    @property
    def rows_per_weight(self) -> int:
        """Rows of a crossbar that a weight takes: 2 where its pair of cells stands in one column."""
        return 2 if self in {SignScheme.DIFFERENTIAL_ROWS, SignScheme.XNOR_PAIR} else 1

    @property
    def block_polarities(self) -> int:
        """Blocks of a slice: one for each polarity, unless these share their columns."""
        return self.polarities if self.rows_per_weight == 1 else 1

    @property
    def always_analog(self) -> bool:
        """Whether the two polarities can only be subtracted before the converter."""
        return self in {SignScheme.DIFFERENTIAL_ROWS, SignScheme.CENTER_OFFSET, SignScheme.TERNARY_PAIR}


class Memory(StrEnum):
    """What holds a weight slice."""

    RRAM = "rram"
    SRAM = "sram"


@dataclass(frozen=True)
class Slice:
    """Bits shift..shift+bits-1 of a weight code."""

    shift: int
    bits: int
    memory: Memory = Memory.RRAM

    @property
    def mask(self) -> int:
        """Largest value of the slice."""
        return 2**self.bits - 1

    def of(self, codes: IntegerArray) -> IntegerArray:
        """Return the slice of unsigned codes."""
        return (codes >> self.shift) & self.mask

    def __str__(self) -> str:
        return f"[{self.shift}:{self.shift + self.bits}]{'sram' if self.memory is Memory.SRAM else ''}"


def cut_bits(total: int, width: int) -> tuple[Slice, ...]:
    """Cut `total` bits into slices of `width`, least significant first; the last may be narrower."""
    return tuple(Slice(shift, min(width, total - shift)) for shift in range(0, total, width))


def cut_list(total: int, widths: tuple[int, ...]) -> tuple[Slice, ...]:
    """Cut `total` bits into slices of the given widths, least significant first, as many as it takes.

    The last may be narrower. ValueError where the widths hold fewer bits.
    """
    found, shift = [], 0
    for width in widths:
        if shift < total:
            found.append(Slice(shift, min(width, total - shift)))
            shift += width
    if shift < total:
        raise ValueError(f"slices of {sum(widths)} bits cannot hold {total}")
    return tuple(found)


def covers(slices: tuple[Slice, ...], bits: int) -> bool:
    """Tell whether slices hold each bit once."""
    held = [bit for s in slices for bit in range(s.shift, s.shift + s.bits)]
    return sorted(held) == list(range(bits))


@dataclass(frozen=True)
class Encoding:
    """A matrix as unsigned codes: w = offset + step * (codes[0] - codes[1]), codes[1] only where there are two.

    codes: (P, G, K, N) with P polarities; offset and step: (G, N).
    """

    scheme: SignScheme
    codes: IntegerArray
    offset: IntegerArray
    step: IntegerArray
    code_bits: int

    @property
    def polarities(self) -> int:
        """Codes of a weight, 1 or 2."""
        return int(self.codes.shape[0])

    def decode(self, rows: slice = slice(None)) -> IntegerArray:
        """Return the weights (G, rows, N) that the codes stand for."""
        codes = self.codes[:, :, rows].astype(np.int64)
        difference = codes[0] - codes[1] if self.polarities == 2 else codes[0]
        return self.offset[:, None, :] + self.step[:, None, :] * difference

    def stands_for(self, weights: IntegerArray) -> bool:
        """Tell whether the codes are within their bits and decode to weights; looked at once, since both are frozen."""
        if all(known is not weights for known in self._decoded):
            if int(self.codes.max()) >= 2**self.code_bits:
                return False
            for start in range(0, weights.shape[1], VERIFIED_ROWS):  # in slabs: large layers would fill the memory
                rows = slice(start, start + VERIFIED_ROWS)
                if not np.array_equal(self.decode(rows), weights[:, rows]):
                    return False
            self._decoded.append(weights)
        return True

    @cached_property
    def _decoded(self) -> list[IntegerArray]:
        """Return the weights that the codes were seen to stand for."""
        return []

    @cached_property
    def column_sums(self) -> IntegerArray:
        """Sums of the weights over rows, (G, N)."""
        sums = self.codes.sum(axis=2, dtype=np.int64)
        difference = sums[0] - sums[1] if self.polarities == 2 else sums[0]
        return self.codes.shape[2] * self.offset + self.step * difference


class InputScheme(StrEnum):
    """How signed inputs are presented.

    UNSIGNED: codes above their least value; the zero point is corrected digitally.
    TWOS_COMPLEMENT: the top bit counts negative (ISAAC).
    TWO_PHASE: positive, then negative magnitudes (NeuRRAM: Wan et al., Nature 2022).
    """

    UNSIGNED = "unsigned"
    TWOS_COMPLEMENT = "twos_complement"
    TWO_PHASE = "two_phase"


@dataclass(frozen=True)
class InputSlice:
    """What rows are driven with in one cycle: bits shift..shift+bits-1 of an input x.

    `part` +1 takes them of max(x, 0), -1 of max(-x, 0), 0 of x itself (in two's complement, where negative).
    `negative` says that the digit counts -2^shift instead of 2^shift.
    """

    shift: int
    bits: int
    part: int = 0
    negative: bool = False

    @property
    def top(self) -> int:
        """Largest digit."""
        return 2**self.bits - 1

    @property
    def weight(self) -> int:
        """What a digit of 1 stands for."""
        return -(2**self.shift) if self.negative else 2**self.shift

    def of(self, inputs: IntegerArray) -> IntegerArray:
        """Return the digits of integer inputs."""
        if self.part:
            inputs = np.maximum(inputs if self.part > 0 else -inputs, 0)
        return (inputs >> self.shift) & self.top

    def __str__(self) -> str:
        sign = "-" if self.negative else ""
        phase = {1: "positive", 0: "", -1: "negative"}[self.part]
        return f"{sign}[{self.shift}:{self.shift + self.bits}]{phase}"


@dataclass(frozen=True)
class InputEncoding:
    """An input code q as what is sliced: q = base + step * x, least <= x < least + 2^bits.

    x is the sum over the slices of weight * digit.
    """

    scheme: InputScheme
    base: int
    step: int
    least: int
    bits: int
    slices: tuple[InputSlice, ...]

    def inputs_of(self, unsigned: IntegerArray) -> IntegerArray:
        """Return x of the matrix's unsigned input vectors; see InputCode."""
        return unsigned if self.least == 0 else unsigned.astype(np.int32) + np.int32(self.least)

    @property
    def largest(self) -> int:
        """Largest magnitude of x."""
        return max(self.least + 2**self.bits - 1, -self.least)

    def is_complete(self) -> bool:
        """Tell whether the slices add up to each x; looked at on its bits and ends."""
        ends = [self.least, -1, 0, 1, self.least + 2**self.bits - 1]
        ends += [sign * 2**bit for bit in range(self.bits) for sign in (-1, 1)]
        x = np.array([v for v in ends if self.least <= v < self.least + 2**self.bits], np.int64)
        total = np.zeros_like(x)
        for item in self.slices:
            total += item.weight * item.of(x)
        return bool((total == x).all())


def encode_inputs(code: InputCode, scheme: InputScheme, width: int) -> InputEncoding:
    """Return how a matrix's input is presented by DACs of `width` bits, least significant slices first."""
    if scheme is InputScheme.UNSIGNED:
        plain = tuple(InputSlice(s.shift, s.bits) for s in cut_bits(code.bits, width))
        return InputEncoding(scheme, code.minimum, code.step, 0, code.bits, plain)
    signed = code.step == 1
    base = (0 if scheme is InputScheme.TWOS_COMPLEMENT else code.zero_point) if signed else code.minimum
    least = code.minimum - base if signed else 0
    largest = least + 2**code.bits - 1
    if scheme is InputScheme.TWO_PHASE:
        slices = [
            InputSlice(s.shift, s.bits, part, part < 0)
            for part, size in ((1, max(largest, 0)), (-1, max(-least, 0)))
            for s in cut_bits(size.bit_length(), width)
        ]
    else:
        # the sign has a cycle of its own: its digit counts negative
        magnitude = max(largest.bit_length() if largest > 0 else 0, (-1 - least).bit_length() if least < 0 else 0)
        slices = [InputSlice(s.shift, s.bits) for s in cut_bits(magnitude, width)]
        slices += [InputSlice(magnitude, 1, 0, True)] if least < 0 else []
    return InputEncoding(scheme, base, code.step, least, code.bits, tuple(slices))
