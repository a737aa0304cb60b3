"""Blocks onto crossbars.

The slices and polarities of a row and column partition stand side by side in one crossbar: they read the same
inputs. What SRAM holds, and the polarities of differential_arrays, stand in crossbars of their own (strips).

What else may share a crossbar is the target's choice (ir/placed.py, Sharing): the groups of one copy of a layer, or
strips of all layers. Strips are packed by their sizes (bins.py); crossbars are numbered in the order of the first
strip that they hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

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
"""A strip of a partition: what it may share a crossbar with (a negative kind: nothing), its size, and its place."""

ALONE = -1
"""What nothing may stand beside."""

WIDE = -2
"""What is wider than a crossbar: the crossbars that it fills are left to it, though others might use the rest."""


@dataclass(frozen=True)
class Packing:
    """Where each block is; no packing under the same rules takes fewer crossbars than `bound`."""

    places: NDArray[np.void]
    crossbars: int
    bound: int


def pack(program: CrossbarProgram, sharing: Sharing, effort: Effort) -> Packing:
    """Place each block on a crossbar, numbered in the order of the program."""
    columns = program.crossbar_columns
    table, strip_of_block, shift = strips_of(program, sharing)
    alone = table["kind"] < 0
    bound = used = 0
    for kind in np.unique(table["kind"][~alone]):
        taken, fewest = pack_kind(table, np.flatnonzero(table["kind"] == kind), program, sharing, effort, used)
        used, bound = used + taken, bound + fewest
    each = -(-table["width"][alone] // columns)
    table["crossbar"][alone] = used + np.cumsum(each) - each
    wide = table["kind"] == WIDE
    bound += int(each.sum()) if not wide.any() else 0
    if wide.any():
        bound = least_filled(table, program, sharing)
    in_program_order(table, columns)
    places = np.zeros(len(program.blocks), PLACE)
    own = table[strip_of_block]
    places["crossbar"] = own["crossbar"] + shift // columns
    places["row"] = own["row"]
    places["column"] = own["column"] + shift % columns
    return Packing(frozen(places), int(places["crossbar"].max()) + 1, bound)


def least_filled(table: NDArray[np.void], program: CrossbarProgram, sharing: Sharing) -> int:
    """Return how many crossbars blocks fill at least: by their cells, or by columns where none is used twice."""
    width = table["width"].astype(np.int64)
    if sharing is Sharing.EXCLUSIVE:
        return -(-int((width * table["height"]).sum()) // (program.crossbar_rows * program.crossbar_columns))
    return -(-int(width.sum()) // program.crossbar_columns)


def crossbars_per_copy(program: CrossbarProgram, item: CrossbarMatrix) -> int:
    """Return how many crossbars one copy of a matrix takes, where only its own groups share them."""
    return layout(program, item)[0]


def partitions_per_crossbar(program: CrossbarProgram, item: CrossbarMatrix) -> int:
    """Return how many partitions of one copy stand on one crossbar at most, where only its own groups share them."""
    return layout(program, item)[1]


def layout(program: CrossbarProgram, item: CrossbarMatrix) -> tuple[int, int]:
    """Return the crossbars of one copy, and the most partitions on one of them."""
    rows, columns = program.crossbar_rows, program.crossbar_columns
    heights = np.diff(item.row_cuts) * item.rows_per_weight
    crossbars, most = 0, 1
    for blocks in bundle_sizes(item.encoding.scheme, item.weight_slices):
        widths = np.diff(item.column_cuts) * blocks
        if item.matrix.groups == 1 or widths.max() > columns:
            crossbars += item.matrix.groups * len(heights) * int((-(-widths // columns)).sum())
            continue
        counts: dict[tuple[int, int], int] = {}
        for height in heights.tolist():
            for width in widths.tolist():
                counts[height, width] = counts.get((height, width), 0) + item.matrix.groups
        found = packed(tuple(Size(*size, count) for size, count in sorted(counts.items())), rows, columns, Effort.LOW)
        crossbars += found.crossbars
        most = max(most, *(len(pattern.blocks) for pattern in found.patterns))
    return crossbars, most


@lru_cache(maxsize=1024)
def packed(sizes: tuple[Size, ...], rows: int, columns: int, effort: Effort) -> Packed:
    """Pack blocks that are active together; copies of a layer are all alike."""
    return together(list(sizes), rows, columns, effort)


def strips_of(
    program: CrossbarProgram, sharing: Sharing
) -> tuple[NDArray[np.void], NDArray[np.int64], NDArray[np.int64]]:
    """Return the strips of a program, the strip of each block, and the block's first column within it.

    A strip wider than a crossbar (an output of many slices) has as many as it fills to itself.
    """
    tables, owners, shifts = [], [], []
    kinds: dict[tuple[object, ...], int] = {}
    heights, known, start = program.heights(), 0, 0
    for index, item in enumerate(program.matrices):
        own = strips(item.encoding.scheme, item.weight_slices)
        sizes = np.bincount(own)
        partitions = item.matrix.groups * item.row_partitions * item.column_partitions
        wide = bool((np.diff(item.column_cuts).max() * sizes > program.crossbar_columns).any())
        beside = np.array([int((own[:block] == strip).sum()) for block, strip in enumerate(own)])
        for replica in range(item.replicas):
            count = partitions * len(own)
            blocks = program.blocks[start : start + count]
            partition, member = np.divmod(np.arange(count), len(own))
            width = (blocks["column_stop"] - blocks["column_start"]).astype(np.int64)
            strip = partition * len(sizes) + own[member]
            table = np.zeros(partitions * len(sizes), STRIP)
            if sharing is Sharing.LAYER and item.matrix.groups == 1:
                table["kind"] = ALONE
            elif wide:
                table["kind"] = WIDE
            else:
                copy = (index, replica) if sharing is Sharing.LAYER else ()
                numbers = [kinds.setdefault((*copy, *kind), len(kinds)) for kind in strip_kinds(item)]
                table["kind"][strip] = np.array(numbers)[own[member]]
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


def pack_kind(
    table: NDArray[np.void],
    own: NDArray[np.intp],
    program: CrossbarProgram,
    sharing: Sharing,
    effort: Effort,
    first: int,
) -> tuple[int, int]:
    """Place strips that may stand together on crossbars from `first` on; return how many they take and the bound."""
    rows, columns = program.crossbar_rows, program.crossbar_columns
    key = table["height"][own].astype(np.int64) * (columns + 1) + table["width"][own]
    values, labels, counts = np.unique(key, return_inverse=True, return_counts=True)
    sizes = [Size(*divmod(int(v), columns + 1), int(c)) for v, c in zip(values, counts, strict=True)]
    if sharing is Sharing.EXCLUSIVE:
        found = one_at_a_time(sizes, rows, columns)
    else:  # as `layout` counts the copies of a layer
        found = packed(tuple(sizes), rows, columns, Effort.LOW if sharing is Sharing.LAYER else effort)
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
