"""Blocks onto crossbars.

The slices and polarities of a row and column partition stand side by side in one crossbar: they read the same
inputs. Small groups of a grouped convolution share a crossbar block-diagonally: rows and columns of their own, so
that they may be active together. Anything else gets a crossbar of its own.
"""

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram
from rcompile.ir.placed import PLACE


def pack(program: CrossbarProgram) -> tuple[NDArray[np.void], int]:
    """Return the place of each block and the number of crossbars, numbered in the order of the program."""
    places = np.zeros(len(program.blocks), PLACE)
    used = 0
    start = 0
    for item in program.matrices:
        for _ in range(item.replicas):
            count = item.matrix.groups * (len(item.row_cuts) - 1) * (len(item.column_cuts) - 1) * per_bundle(item)
            own = slice(start, start + count)
            used += place_copy(program, item, program.blocks[own], places[own], used)
            start += count
    return frozen(places), used


def crossbars_per_copy(program: CrossbarProgram, item: CrossbarMatrix) -> int:
    """Return how many crossbars one copy of a matrix takes."""
    bundles = item.matrix.groups * (len(item.row_cuts) - 1) * (len(item.column_cuts) - 1)
    if spread(program, item):
        return bundles * -(-per_bundle(item) // program.crossbar_columns)
    return -(-bundles // sharing(program, item))


def per_bundle(item: CrossbarMatrix) -> int:
    """Return how many blocks stand side by side."""
    return item.encoding.polarities * len(item.weight_slices)


def spread(program: CrossbarProgram, item: CrossbarMatrix) -> bool:
    """Tell whether the slices of even one output are more than a crossbar's columns."""
    return per_bundle(item) > program.crossbar_columns


def sharing(program: CrossbarProgram, item: CrossbarMatrix) -> int:
    """Return how many groups of a matrix fit one crossbar block-diagonally."""
    if item.matrix.groups == 1 or len(item.row_cuts) > 2 or len(item.column_cuts) > 2 or spread(program, item):
        return 1
    width = item.matrix.columns * per_bundle(item)
    return min(program.crossbar_rows // item.matrix.rows, program.crossbar_columns // width)


def place_copy(
    program: CrossbarProgram, item: CrossbarMatrix, blocks: NDArray[np.void], places: NDArray[np.void], first: int
) -> int:
    """Place the blocks of one copy on crossbars from `first` on; return how many it took."""
    side = per_bundle(item)
    bundle, position = np.divmod(np.arange(len(blocks)), side)
    width = blocks["column_stop"] - blocks["column_start"]
    if spread(program, item):  # one column a block, as many crossbars as it takes
        each = -(-side // program.crossbar_columns)
        places["crossbar"] = first + bundle * each + position // program.crossbar_columns
        places["column"] = position % program.crossbar_columns
    else:
        share = sharing(program, item)
        diagonal = bundle % share
        places["crossbar"] = first + bundle // share
        places["row"] = diagonal * item.matrix.rows if share > 1 else 0
        places["column"] = diagonal * width * side + position * width
    return crossbars_per_copy(program, item)
