"""Level 3, CrossbarProgram: blocks of cells, with slices, signs, flips and converters."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import InternalError, require
from rcompile.ir.converter import Adc
from rcompile.ir.encoding import Encoding, InputEncoding, Memory, SignScheme, Slice, covers
from rcompile.ir.matrix import Matrix, MatrixProgram
from rcompile.ir.partial_sums import PartialSums

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

BlockTable = NDArray[np.void]


@dataclass(frozen=True)
class CrossbarMatrix:
    """One matrix with everything that its blocks share.

    Attributes:
        row_cuts: borders of the row partitions, 0 .. K.
        read_cuts: borders of the sections, 0 .. K: rows that are read at once (operation unit); every row cut is one.
        column_cuts: borders of the column partitions, 0 .. N.
        weight_slices: least significant first.
        analog: whether the two polarities are subtracted before the converter.
        inputs: how inputs are presented, cycle by cycle; None until `slice_inputs`.
        flips: (G, sections, slices, N) bool: stored inverted; None where the scheme has none.
        adc: None until `assign_adcs`.
        partial_sums: None until `assign_partial_sums`.
        replicas: copies that share the vectors.
    """

    matrix: Matrix
    encoding: Encoding
    row_cuts: tuple[int, ...]
    read_cuts: tuple[int, ...]
    column_cuts: tuple[int, ...]
    weight_slices: tuple[Slice, ...]
    analog: bool = False
    inputs: InputEncoding | None = None
    flips: NDArray[np.bool_] | None = None
    adc: Adc | None = None
    partial_sums: PartialSums | None = None
    replicas: int = 1

    @property
    def presented(self) -> InputEncoding:
        """How inputs are presented; InternalError before `slice_inputs`."""
        return assigned(self.inputs, f"{self.matrix.name} has no input slices yet")

    @property
    def converter(self) -> Adc:
        """The converters; InternalError before `assign_adcs`."""
        return assigned(self.adc, f"{self.matrix.name} has no converters yet")

    @property
    def sent(self) -> PartialSums:
        """What row partitions send to the adder tree; InternalError before `assign_partial_sums`."""
        return assigned(self.partial_sums, f"{self.matrix.name} has no partial sums yet")

    @property
    def rows_per_weight(self) -> int:
        """Rows of a crossbar that a weight takes."""
        return self.encoding.scheme.rows_per_weight

    @property
    def row_partitions(self) -> int:
        """Number of row partitions."""
        return len(self.row_cuts) - 1

    @property
    def column_partitions(self) -> int:
        """Number of column partitions."""
        return len(self.column_cuts) - 1

    @property
    def sections(self) -> int:
        """Number of sections."""
        return len(self.read_cuts) - 1

    @cached_property
    def reads_per_cycle(self) -> int:
        """Reads of a crossbar that one input slice takes: the most sections of a row partition."""
        borders = np.searchsorted(self.read_cuts, self.row_cuts)
        return int(np.diff(borders).max())

    def sections_of(self, row_start: int, row_stop: int) -> range:
        """Return the sections of a row partition."""
        first, last = np.searchsorted(self.read_cuts, (row_start, row_stop))
        return range(int(first), int(last))

    @cached_property
    def sum_bits(self) -> int:
        """Bits of the largest magnitude that a column can sum to, whatever its weights."""
        rows = int(np.diff(self.read_cuts).max())
        digit = max(s.top for s in self.presented.slices)
        return (max(s.mask for s in self.weight_slices) * digit * rows).bit_length()

    @property
    def sums_exactly(self) -> bool:
        """Whether partial sums are kept whole."""
        return self.partial_sums is None or self.partial_sums.exact

    @property
    def lossless(self) -> bool:
        """Whether accumulators equal integer arithmetic whatever the inputs are."""
        return self.converter.lossless and self.sums_exactly

    @property
    def keeps_signs(self) -> bool:
        """Whether each sum is compared once with its threshold, and only the sign matters: it is exact."""
        adc = self.converter
        compared = adc.kind == "sense_amplifier" and adc.widest == 1 and bool((adc.step == 1).all())
        return compared and self.matrix.only_sign and self.sections == 1

    @property
    def converted_polarities(self) -> int:
        """Conversions of a sum: 2 where the polarities are subtracted digitally."""
        return 1 if self.analog else self.encoding.scheme.block_polarities

    @property
    def conversions(self) -> tuple[int, ...]:
        """Sizes of the axes of converter.AXES."""
        return (
            len(self.presented.slices),
            self.sections,
            self.converted_polarities,
            len(self.weight_slices),
            self.matrix.groups,
            self.matrix.columns,
        )

    @property
    def cells(self) -> int:
        """Cells that hold the weights, all copies."""
        per_weight = self.encoding.scheme.block_polarities * self.rows_per_weight
        return self.matrix.weights.size * len(self.weight_slices) * per_weight * self.replicas

    @property
    def needs_input_sums(self) -> bool:
        """Whether what crossbars read is corrected with the sum of the inputs: by a unit column, or digitally."""
        paired = self.encoding.scheme is SignScheme.XNOR_PAIR
        return self.flips is not None or paired or bool(self.encoding.offset.any())

    def verify(self) -> None:
        """Check that codes decode to the weights, and slices and cuts cover each bit once."""
        name, matrix = self.matrix.name, self.matrix
        require(self.encoding.stands_for(matrix.weights), f"{name}: codes do not decode to the weights")
        require(covers(self.weight_slices, self.encoding.code_bits), f"{name}: weight slices miss or repeat a bit")
        if self.inputs is not None:
            require(self.inputs.is_complete(), f"{name}: input slices miss or repeat a bit")
        for cuts, total in (
            (self.row_cuts, matrix.rows),
            (self.read_cuts, matrix.rows),
            (self.column_cuts, matrix.columns),
        ):
            require(cuts[0] == 0 and cuts[-1] == total and list(cuts) == sorted(set(cuts)), f"{name}: cuts are wrong")
        require(set(self.row_cuts) <= set(self.read_cuts), f"{name}: a section crosses a row partition")
        if self.adc is not None:
            self.adc.verify(self.conversions, name)


@dataclass(frozen=True)
class CrossbarProgram:
    """Matrices cut into blocks for crossbars of one size.

    `rows_at_once` is how many rows of a crossbar may be driven together (operation unit).
    """

    source: MatrixProgram
    crossbar_rows: int
    crossbar_columns: int
    rows_at_once: int
    cell_bits: int
    matrices: tuple[CrossbarMatrix, ...]
    blocks: BlockTable

    def heights(self) -> NDArray[np.int64]:
        """Return the rows of a crossbar that each block takes."""
        per_weight = np.array([item.rows_per_weight for item in self.matrices], np.int64)
        return (self.blocks["row_stop"] - self.blocks["row_start"]) * per_weight[self.blocks["matrix"]]

    def verify(self) -> None:
        """Check each matrix, and that its blocks cover each replica, slice and polarity exactly once."""
        require(self.widest_slice() <= self.cell_bits, f"a weight slice is wider than {self.cell_bits}-bit cells")
        heights = self.heights()
        for index, item in enumerate(self.matrices):
            item.verify()
            mine = self.blocks["matrix"] == index
            own = self.blocks[mine]
            height = own["row_stop"] - own["row_start"]
            width = own["column_stop"] - own["column_start"]
            name = item.matrix.name
            require(height.min() > 0 and heights[mine].max() <= self.crossbar_rows, f"{name}: a block is too high")
            require(width.min() > 0 and width.max() <= self.crossbar_columns, f"{name}: a block is too wide")
            copies = item.replicas * item.encoding.scheme.block_polarities * len(item.weight_slices)
            area = int((height.astype(np.int64) * width).sum())
            require(area == copies * item.matrix.weights.size, f"{name}: blocks do not cover the matrix")
            keys = np.sort(block_keys(own))
            require((keys[1:] != keys[:-1]).all(), f"{name}: a block is listed twice")
            at_once = int(np.diff(item.read_cuts).max()) * item.rows_per_weight
            require(at_once <= self.rows_at_once, f"{name}: {at_once} rows are read at once")

    def widest_slice(self) -> int:
        """Return the bits of the widest weight slice."""
        return max(s.bits for item in self.matrices for s in item.weight_slices)

    def lines(self) -> Iterator[str]:
        """Yield one line per object."""
        size = f"{self.crossbar_rows} x {self.crossbar_columns}"
        unit = f", {self.rows_at_once} rows at once" if self.rows_at_once < self.crossbar_rows else ""
        yield f"crossbar program {self.source.name}: {size}, {self.cell_bits}b cells{unit}"
        for index, item in enumerate(self.matrices):
            yield f"  {matrix_line(item)}"
            for block in self.blocks[self.blocks["matrix"] == index]:
                yield f"    {self.block_text(block)}"

    def block_text(self, block: np.void) -> str:
        """Return a block's line."""
        item = self.matrices[block["matrix"]]
        pair = item.encoding.scheme.block_polarities == 2
        sign = "-" if block["polarity"] else "+" if pair else ""
        group = f" group {block['group']}" if item.matrix.groups > 1 else ""
        copy = f" replica {block['replica']}" if item.replicas > 1 else ""
        return (
            f"block {item.matrix.name}[{block['row_start']}:{block['row_stop']}, "
            f"{block['column_start']}:{block['column_stop']}].bits{item.weight_slices[block['weight_slice']]}{sign}{group}{copy}"
        )

    def __str__(self) -> str:
        return "\n".join(self.lines())


def block_keys(blocks: BlockTable) -> NDArray[np.int64]:
    """Return a number for each block of one matrix that says which of its cells it starts with: unique, if it is sound.

    Sorting numbers is far faster than sorting rows of a table.
    """
    key = np.zeros(len(blocks), np.int64)
    for name in ("replica", "group", "row_start", "column_start", "polarity", "weight_slice"):
        key = key * (int(blocks[name].max()) + 1) + blocks[name]
    return key


def strips(scheme: SignScheme, slices: tuple[Slice, ...]) -> NDArray[np.int64]:
    """Return which of the crossbars that an output is spread over holds each of its blocks: polarity, then slice.

    What SRAM holds has crossbars of its own, and so has each polarity of differential_arrays.
    """
    apart = scheme is SignScheme.DIFFERENTIAL_ARRAYS
    homes = [
        (s.memory is Memory.SRAM, polarity if apart else 0)
        for polarity in range(scheme.block_polarities)
        for s in slices
    ]
    return np.asarray(np.unique(homes, axis=0, return_inverse=True)[1].reshape(-1))


def bundle_sizes(scheme: SignScheme, slices: tuple[Slice, ...]) -> list[int]:
    """Return how many columns an output takes in each crossbar that its blocks are spread over."""
    return [int(count) for count in np.bincount(strips(scheme, slices))]


T = TypeVar("T")


def assigned(value: T | None, message: str) -> T:
    """Return what a pass has set; InternalError before."""
    if value is None:
        raise InternalError(message)
    return value


def matrix_line(item: CrossbarMatrix) -> str:
    """Describe a matrix in one line."""
    encoding, adc = item.encoding, item.adc
    scheme = "" if item.inputs is None or item.inputs.scheme == "unsigned" else f"{item.inputs.scheme} "
    inputs = "uncut" if item.inputs is None else " ".join(map(str, item.inputs.slices))
    analog = ", subtracted before conversion" if item.analog else ""
    flipped = "" if item.flips is None else f", {int(item.flips.sum())} columns flipped"
    bits = "" if adc is None else f", {converter_text(adc)}"
    sums = "" if item.partial_sums is None else f", {item.partial_sums}"
    return (
        f"{item.matrix.name}: {encoding.scheme} {encoding.code_bits}b codes, "
        f"slices {' '.join(map(str, item.weight_slices))}{analog}, inputs {scheme}{inputs}, "
        f"{item.replicas} replica{'' if item.replicas == 1 else 's'}{flipped}{bits}{sums}"
    )


def converter_text(adc: Adc) -> str:
    """Describe converters."""
    least = int(adc.bits.min())
    bits = f"{adc.widest}b" if least == adc.widest else f"{least}..{adc.widest}b"
    loss = "" if adc.lossless else " lossy"
    return f"{adc.kind} {bits}{loss} (paper {adc.paper}, exact {adc.exact}, these weights {adc.column.most})"
