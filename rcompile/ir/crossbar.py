"""Level 3, CrossbarProgram: blocks of cells, with slices, signs, flips and converters."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import require
from rcompile.ir.matrix import IntegerArray, Matrix, MatrixProgram

BLOCK = np.dtype(
    [
        ("matrix", "<i4"),
        ("replica", "<i4"),
        ("group", "<i4"),
        ("row_start", "<i4"),
        ("row_stop", "<i4"),
        ("column_start", "<i4"),
        ("column_stop", "<i4"),
        ("polarity", "<i4"),
        ("weight_slice", "<i4"),
    ]
)
"""One row per block: rows and columns of the group's matrix, one weight slice, one polarity."""

VERIFIED_ROWS = 512

BlockTable = NDArray[np.void]


class SignScheme(StrEnum):
    """How signed weights become cell levels.

    OFFSET: level codes w - low, and low * sum(inputs) is added digitally (ISAAC, without its flipping).
    OFFSET_FLIP: as OFFSET, and each column of a block whose levels sum to more than half of the maximum is stored
    inverted (Shafiee et al., ISCA 2016, section V).
    DIFFERENTIAL: positive and negative magnitudes in neighbouring columns of one crossbar.
    """

    OFFSET = "offset"
    OFFSET_FLIP = "offset_flip"
    DIFFERENTIAL = "differential_columns"


@dataclass(frozen=True)
class Slice:
    """Bits shift..shift+bits-1 of a code."""

    shift: int
    bits: int

    @property
    def mask(self) -> int:
        """Largest value of the slice."""
        return 2**self.bits - 1

    def of(self, codes: IntegerArray) -> IntegerArray:
        """Return the slice of unsigned codes."""
        return (codes >> self.shift) & self.mask

    def __str__(self) -> str:
        return f"[{self.shift}:{self.shift + self.bits}]"


def cut_bits(total: int, width: int) -> tuple[Slice, ...]:
    """Cut `total` bits into slices of `width`, least significant first; the last may be narrower."""
    return tuple(Slice(shift, min(width, total - shift)) for shift in range(0, total, width))


@dataclass(frozen=True)
class Encoding:
    """A matrix as unsigned codes: w = offset + step * (codes[0] - codes[1]), codes[1] only where differential.

    codes: (P, G, K, N) with P polarities; offset and step: (G, N).
    """

    scheme: SignScheme
    codes: IntegerArray
    offset: IntegerArray
    step: IntegerArray
    code_bits: int

    @property
    def polarities(self) -> int:
        """Cells columns per slice: 1, or 2 where differential."""
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


@dataclass(frozen=True)
class Adc:
    """Converter resolution of a matrix's columns, in bits, and what losslessness asks for.

    paper: ceil(log2((2^dac - 1)(2^cell - 1) rows)), the survey's formula (section III.1).
    exact: ceil(log2((2^dac - 1)(2^cell - 1) rows + 1)), halved before the + 1 where columns are flipped.
    """

    bits: int
    paper: int
    exact: int

    @property
    def lossless(self) -> bool:
        """Tell whether no column sum can be clipped."""
        return self.bits >= self.exact


def paper_adc_bits(input_bits: int, cell_bits: int, rows: int) -> int:
    """Return the survey's resolution; one bit short where its argument is a power of two."""
    return ceil(log2(max((2**input_bits - 1) * (2**cell_bits - 1) * rows, 1)))


def exact_adc_bits(input_bits: int, cell_bits: int, rows: int, *, flipped: bool) -> int:
    """Return the least resolution that represents every possible column sum (integer arithmetic)."""
    levels = (2**cell_bits - 1) * rows
    return ((2**input_bits - 1) * (levels // 2 if flipped else levels)).bit_length()


@dataclass(frozen=True)
class CrossbarMatrix:
    """One matrix with everything that its blocks share.

    Attributes:
        row_cuts: borders of the row partitions, 0 .. K.
        column_cuts: borders of the column partitions, 0 .. N.
        weight_slices: least significant first.
        input_slices: what each DAC cycle presents; empty until `slice_inputs`.
        flips: (G, row partitions, slices, N) bool: stored inverted; None where the scheme has none.
        adc: None until `assign_adcs`.
        replicas: copies that share the vectors.
    """

    matrix: Matrix
    encoding: Encoding
    row_cuts: tuple[int, ...]
    column_cuts: tuple[int, ...]
    weight_slices: tuple[Slice, ...]
    input_slices: tuple[Slice, ...] = ()
    flips: NDArray[np.bool_] | None = None
    adc: Adc | None = None
    replicas: int = 1

    def verify(self) -> None:
        """Check that codes decode to the weights, and slices and cuts cover each bit once."""
        name, matrix = self.matrix.name, self.matrix
        require(self.encoding.stands_for(matrix.weights), f"{name}: codes do not decode to the weights")
        require(covers(self.weight_slices, self.encoding.code_bits), f"{name}: weight slices miss or repeat a bit")
        if self.input_slices:
            require(covers(self.input_slices, matrix.input.bits), f"{name}: input slices miss or repeat a bit")
        for cuts, total in ((self.row_cuts, matrix.rows), (self.column_cuts, matrix.columns)):
            require(cuts[0] == 0 and cuts[-1] == total and list(cuts) == sorted(set(cuts)), f"{name}: cuts are wrong")


def covers(slices: tuple[Slice, ...], bits: int) -> bool:
    """Tell whether slices hold each bit once."""
    held = [bit for s in slices for bit in range(s.shift, s.shift + s.bits)]
    return sorted(held) == list(range(bits))


@dataclass(frozen=True)
class CrossbarProgram:
    """Matrices cut into blocks for crossbars of one size."""

    source: MatrixProgram
    crossbar_rows: int
    crossbar_columns: int
    cell_bits: int
    matrices: tuple[CrossbarMatrix, ...]
    blocks: BlockTable

    def verify(self) -> None:
        """Check each matrix, and that its blocks cover each replica, slice and polarity exactly once."""
        require(self.widest_slice() <= self.cell_bits, f"a weight slice is wider than {self.cell_bits}-bit cells")
        for index, item in enumerate(self.matrices):
            item.verify()
            own = self.blocks[self.blocks["matrix"] == index]
            height = own["row_stop"] - own["row_start"]
            width = own["column_stop"] - own["column_start"]
            name = item.matrix.name
            require(height.min() > 0 and height.max() <= self.crossbar_rows, f"{name}: a block is too high")
            require(width.min() > 0 and width.max() <= self.crossbar_columns, f"{name}: a block is too wide")
            copies = item.replicas * item.encoding.polarities * len(item.weight_slices)
            area = int((height.astype(np.int64) * width).sum())
            require(area == copies * item.matrix.weights.size, f"{name}: blocks do not cover the matrix")
            require(len(np.unique(own)) == len(own), f"{name}: a block is listed twice")

    def widest_slice(self) -> int:
        """Return the bits of the widest weight slice."""
        return max(s.bits for item in self.matrices for s in item.weight_slices)

    def lines(self) -> Iterator[str]:
        """Yield one line per object."""
        size = f"{self.crossbar_rows} x {self.crossbar_columns}"
        yield f"crossbar program {self.source.name}: {size}, {self.cell_bits}b cells"
        for index, item in enumerate(self.matrices):
            encoding, adc = item.encoding, item.adc
            inputs = " ".join(map(str, item.input_slices)) or "uncut"
            flipped = "" if item.flips is None else f", {int(item.flips.sum())} columns flipped"
            bits = "" if adc is None else f", adc {adc.bits}b (paper {adc.paper}, exact {adc.exact})"
            yield (
                f"  {item.matrix.name}: {encoding.scheme} {encoding.code_bits}b codes, "
                f"slices {' '.join(map(str, item.weight_slices))}, inputs {inputs}, "
                f"{item.replicas} replica{'' if item.replicas == 1 else 's'}{flipped}{bits}"
            )
            for block in self.blocks[self.blocks["matrix"] == index]:
                yield f"    {self.block_text(block)}"

    def block_text(self, block: np.void) -> str:
        """Return a block's line."""
        item = self.matrices[block["matrix"]]
        sign = "-" if block["polarity"] else "+" if item.encoding.polarities == 2 else ""
        group = f" group {block['group']}" if item.matrix.groups > 1 else ""
        copy = f" replica {block['replica']}" if item.replicas > 1 else ""
        return (
            f"block {item.matrix.name}[{block['row_start']}:{block['row_stop']}, "
            f"{block['column_start']}:{block['column_stop']}].bits{item.weight_slices[block['weight_slice']]}{sign}{group}{copy}"
        )

    def __str__(self) -> str:
        return "\n".join(self.lines())
