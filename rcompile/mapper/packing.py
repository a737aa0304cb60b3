"""Blocks onto crossbars.

The slices and polarities of a row and column partition stand side by side in one crossbar: they read the same
inputs. What SRAM holds, and the polarities of differential_arrays, stand in crossbars of their own (strips).

What else may share a crossbar is the target's choice (ir/placed.py, Sharing). By default the groups of a grouped
convolution do, block-diagonally, and anything else gets a crossbar of its own. Otherwise strips of all layers are
packed by their sizes (bins.py), and crossbars numbered in the order of the first strip that they hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram, bundle_sizes, strips
from rcompile.ir.encoding import SignScheme
from rcompile.ir.placed import PLACE, Sharing
from rcompile.mapper.bins import Packed, Size, one_at_a_time, together
from rcompile.options import Effort

STRIP = np.dtype(
    [("kind", "<i4"), ("height", "<i4"), ("width", "<i4"), ("crossbar", "<i8"), ("row", "<i4"), ("column", "<i4")]
)
"""A strip of a bundle: what it may share a crossbar with, its size, and where it goes."""


@dataclass(frozen=True)
class Packing:
    """Where each block is; no packing under the same rules takes fewer crossbars than `bound`."""

    places: NDArray[np.void]
    crossbars: int
    bound: int


def pack(program: CrossbarProgram, sharing: Sharing, effort: Effort) -> Packing:
    """Place each block on a crossbar, numbered in the order of the program."""
    if sharing is Sharing.LAYER:
        places, used = pack_by_layer(program)
        return Packing(places, used, used)
    table, strip_of_block, shift = strips_of(program)
    bound = pack_strips(table, program.crossbar_rows, program.crossbar_columns, sharing, effort)
    places = np.zeros(len(program.blocks), PLACE)
    own = table[strip_of_block]
    places["crossbar"] = own["crossbar"] + shift // program.crossbar_columns
    places["row"] = own["row"]
    places["column"] = own["column"] + shift % program.crossbar_columns
    return Packing(frozen(places), int(places["crossbar"].max()) + 1, bound)


def strips_of(program: CrossbarProgram) -> tuple[NDArray[np.void], NDArray[np.int64], NDArray[np.int64]]:
    """Return the strips of a program, the strip of each block, and the block's first column within it."""
    tables, owners, shifts = [], [], []
    kinds: dict[tuple[str, int], int] = {}
    heights, known, start = program.heights(), 0, 0
    for item in program.matrices:
        own = strips(item.encoding.scheme, item.weight_slices)
        kind = np.array([kinds.setdefault(key, len(kinds)) for key in strip_kinds(item)])
        count = item.replicas * bundles(item) * len(own)
        blocks = program.blocks[start : start + count]
        bundle, member = np.divmod(np.arange(count), len(own))
        width = (blocks["column_stop"] - blocks["column_start"]).astype(np.int64)
        beside = np.array([int((own[:index] == strip).sum()) for index, strip in enumerate(own)])
        sizes = np.bincount(own)
        strip = bundle * len(sizes) + own[member]
        table = np.zeros(count // len(own) * len(sizes), STRIP)
        table["kind"][strip] = kind[own[member]]
        table["height"][strip] = heights[start : start + count]
        table["width"][strip] = width * sizes[own[member]]
        tables.append(table)
        owners.append(known + strip)
        shifts.append(beside[member] * width)
        known, start = known + len(table), start + count
    return np.concatenate(tables), np.concatenate(owners), np.concatenate(shifts)


def strip_kinds(item: CrossbarMatrix) -> Iterator[tuple[str, int]]:
    """Yield for each strip of a matrix what shares no crossbar with others: the memory, and which of two arrays."""
    apart = item.encoding.scheme is SignScheme.DIFFERENTIAL_ARRAYS
    own = strips(item.encoding.scheme, item.weight_slices)
    for strip in range(int(own.max()) + 1):
        polarity, index = divmod(int(np.flatnonzero(own == strip)[0]), len(item.weight_slices))
        yield (str(item.weight_slices[index].memory), polarity if apart else 0)


def pack_strips(table: NDArray[np.void], rows: int, columns: int, sharing: Sharing, effort: Effort) -> int:
    """Give each strip a crossbar, row and column; return a bound on the crossbars.

    A strip wider than a crossbar (an output of many slices) has as many as it fills to itself.
    """
    wide = table["width"] > columns
    first, bound = 0, 0
    for kind in np.unique(table["kind"]):
        own = np.flatnonzero((table["kind"] == kind) & ~wide)
        if own.size:
            used, fewest = pack_kind(table, own, (rows, columns), sharing, effort, first)
            first, bound = first + used, bound + fewest
    each = -(-table["width"][wide] // columns)
    table["crossbar"][wide] = first + np.cumsum(each) - each
    in_program_order(table, columns)
    return bound + int(each.sum())


def pack_kind(
    table: NDArray[np.void], own: NDArray[np.intp], shape: tuple[int, int], sharing: Sharing, effort: Effort, first: int
) -> tuple[int, int]:
    """Place strips that may stand together on crossbars from `first` on; return how many they take and the bound."""
    key = table["height"][own].astype(np.int64) * (shape[1] + 1) + table["width"][own]
    values, labels, counts = np.unique(key, return_inverse=True, return_counts=True)
    sizes = [Size(*divmod(int(v), shape[1] + 1), int(c)) for v, c in zip(values, counts, strict=True)]
    alike = sharing is Sharing.CONCURRENT
    found: Packed = together(sizes, *shape, effort) if alike else one_at_a_time(sizes, *shape)
    waiting = [own[labels == label] for label in range(len(sizes))]
    taken = [0] * len(sizes)
    start = first
    for pattern in found.patterns:
        for label in {block.size for block in pattern.blocks}:
            corners = [block for block in pattern.blocks if block.size == label]
            count = len(corners) * pattern.times
            chosen = waiting[label][taken[label] : taken[label] + count]
            taken[label] += count
            crossbar, corner = np.divmod(np.arange(count), len(corners))
            table["crossbar"][chosen] = start + crossbar
            table["row"][chosen] = np.array([block.row for block in corners])[corner]
            table["column"][chosen] = np.array([block.column for block in corners])[corner]
        start += pattern.times
    return start - first, found.bound


def in_program_order(table: NDArray[np.void], columns: int) -> None:
    """Number crossbars by the first strip that they hold."""
    numbers, first, label = np.unique(table["crossbar"], return_index=True, return_inverse=True)
    each = np.maximum(-(-table["width"][first] // columns), 1)
    order = np.argsort(first, kind="stable")
    begins = np.zeros(len(numbers), np.int64)
    begins[order] = np.cumsum(each[order]) - each[order]
    table["crossbar"] = begins[label]


def pack_by_layer(program: CrossbarProgram) -> tuple[NDArray[np.void], int]:
    """Return the place of each block and the number of crossbars, where only groups of one layer share any."""
    places = np.zeros(len(program.blocks), PLACE)
    used = 0
    start = 0
    for item in program.matrices:
        for _ in range(item.replicas):
            count = bundles(item) * sum(bundle_sizes(item.encoding.scheme, item.weight_slices))
            own = slice(start, start + count)
            used += place_copy(program, item, program.blocks[own], places[own], used)
            start += count
    return frozen(places), used


def bundles(item: CrossbarMatrix) -> int:
    """Return how many row and column partitions one copy of a matrix has, groups included."""
    return item.matrix.groups * item.row_partitions * item.column_partitions


def crossbars_per_copy(program: CrossbarProgram, item: CrossbarMatrix) -> int:
    """Return how many crossbars one copy of a matrix takes."""
    widths = bundle_sizes(item.encoding.scheme, item.weight_slices)
    return -(-bundles(item) // groups_per_crossbar(program, item)) * sum(
        -(-w // program.crossbar_columns) for w in widths
    )


def groups_per_crossbar(program: CrossbarProgram, item: CrossbarMatrix) -> int:
    """Return how many groups of a matrix fit one crossbar block-diagonally."""
    widest = max(bundle_sizes(item.encoding.scheme, item.weight_slices))
    if item.matrix.groups == 1 or item.row_partitions > 1 or item.column_partitions > 1:
        return 1
    rows = item.matrix.rows * item.rows_per_weight
    return max(1, min(program.crossbar_rows // rows, program.crossbar_columns // (item.matrix.columns * widest)))


def place_copy(
    program: CrossbarProgram, item: CrossbarMatrix, blocks: NDArray[np.void], places: NDArray[np.void], first: int
) -> int:
    """Place the blocks of one copy on crossbars from `first` on; return how many it took."""
    own = strips(item.encoding.scheme, item.weight_slices)
    beside = np.array([int((own[:index] == strip).sum()) for index, strip in enumerate(own)])
    bundle, member = np.divmod(np.arange(len(blocks)), len(own))
    strip, position = own[member], beside[member]
    width = blocks["column_stop"] - blocks["column_start"]
    share = groups_per_crossbar(program, item)
    shelf, diagonal = np.divmod(bundle, share)
    widths = np.bincount(own)
    each = -(-widths // program.crossbar_columns)  # more than one where even one output is too wide
    before = np.cumsum(each) - each
    place = diagonal * width * widths[strip] + position * width
    places["crossbar"] = first + shelf * int(each.sum()) + before[strip] + place // program.crossbar_columns
    places["column"] = place % program.crossbar_columns
    places["row"] = diagonal * item.matrix.rows * item.rows_per_weight if share > 1 else 0
    return crossbars_per_copy(program, item)
