"""Blocks onto crossbars.

The slices and polarities of a row and column partition stand side by side in one crossbar: they read the same
inputs. What SRAM holds, and the polarities of differential_arrays, stand in crossbars of their own (strips). Small
groups of a grouped convolution share a crossbar block-diagonally: rows and columns of their own, so that they may be
active together. Anything else gets a crossbar of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram, bundle_sizes
from rcompile.ir.encoding import Memory, SignScheme
from rcompile.ir.placed import PLACE


@dataclass(frozen=True)
class Strips:
    """Which blocks of an output stand side by side: for each block of a bundle, its strip and its place there."""

    strip: NDArray[np.int64]
    position: NDArray[np.int64]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, item: CrossbarMatrix) -> "Strips":
        """Return the strips of a matrix; the blocks of a bundle are numbered polarity, then slice (fastest)."""
        scheme = item.encoding.scheme
        memories = [[s.memory for s in item.weight_slices].count(memory) > 0 for memory in Memory]
        numbers = np.cumsum(memories) - 1
        apart = scheme is SignScheme.DIFFERENTIAL_ARRAYS
        strip = np.array(
            [
                numbers[list(Memory).index(s.memory)] * (2 if apart else 1) + (polarity if apart else 0)
                for polarity in range(scheme.block_polarities)
                for s in item.weight_slices
            ]
        )
        position = np.array([int((strip[:index] == own).sum()) for index, own in enumerate(strip)])
        return cls(strip, position, tuple(bundle_sizes(scheme, item.weight_slices)))


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
    return sum(strip_crossbars(program, item))


def strip_crossbars(program: CrossbarProgram, item: CrossbarMatrix) -> list[int]:
    """Return how many crossbars each strip of one copy takes."""
    count = -(-bundles(item) // sharing(program, item))
    widths = bundle_sizes(item.encoding.scheme, item.weight_slices)
    return [count * max(1, -(-width // program.crossbar_columns)) for width in widths]


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
    strips = Strips.of(item)
    bundle, member = np.divmod(np.arange(len(blocks)), len(strips.strip))
    strip, position = strips.strip[member], strips.position[member]
    width = blocks["column_stop"] - blocks["column_start"]
    share = sharing(program, item)
    shelf, diagonal = np.divmod(bundle, share)
    counts = strip_crossbars(program, item)
    each = np.array([-(-w // program.crossbar_columns) for w in strips.widths])  # where even one output is too wide
    before = np.concatenate([[0], np.cumsum(each)[:-1]])
    place = diagonal * width * np.array(strips.widths)[strip] + position * width
    places["crossbar"] = first + shelf * int(each.sum()) + before[strip] + place // program.crossbar_columns
    places["column"] = place % program.crossbar_columns
    places["row"] = diagonal * item.matrix.rows * item.rows_per_weight if share > 1 else 0
    return sum(counts)
