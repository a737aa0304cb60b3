"""Blocks onto crossbars.

The slices and polarities of a row and column partition stand side by side in one crossbar: they read the same
inputs. What SRAM holds, and the polarities of differential_arrays, stand in crossbars of their own (strips). Small
groups of a grouped convolution share a crossbar block-diagonally: rows and columns of their own, so that they may be
active together. Anything else gets a crossbar of its own.
"""

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram, bundle_sizes, strips
from rcompile.ir.placed import PLACE


def pack(program: CrossbarProgram) -> tuple[NDArray[np.void], int]:
    """Return the place of each block and the number of crossbars, numbered in the order of the program."""
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
    return -(-bundles(item) // sharing(program, item)) * sum(-(-w // program.crossbar_columns) for w in widths)


def sharing(program: CrossbarProgram, item: CrossbarMatrix) -> int:
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
    share = sharing(program, item)
    shelf, diagonal = np.divmod(bundle, share)
    widths = np.bincount(own)
    each = -(-widths // program.crossbar_columns)  # more than one where even one output is too wide
    before = np.cumsum(each) - each
    place = diagonal * width * widths[strip] + position * width
    places["crossbar"] = first + shelf * int(each.sum()) + before[strip] + place // program.crossbar_columns
    places["column"] = place % program.crossbar_columns
    places["row"] = diagonal * item.matrix.rows * item.rows_per_weight if share > 1 else 0
    return crossbars_per_copy(program, item)
