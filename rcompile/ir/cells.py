"""What is programmed into the cells of each crossbar."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.placed import PlacedProgram


class Crossbars:
    """The crossbars of a program, programmed when they are first read.

    A crossbar is programmed block by block in the order of the reduction, whoever the blocks belong to, so that
    blocks that wrongly share cells disturb each other here as they would on the chip.
    """

    def __init__(self, placed: PlacedProgram) -> None:
        self._placed = placed
        reduced = placed.reduction
        order = reduced[np.argsort(placed.places["crossbar"][reduced], kind="stable")]
        numbers = placed.places["crossbar"][order]
        self._order = order
        self._first = np.searchsorted(numbers, np.arange(placed.crossbars + 1))
        self._owners: dict[tuple[int, int], list[int]] = {}
        blocks = placed.program.blocks
        keys = np.stack([blocks["matrix"][order], blocks["replica"][order], numbers], axis=1)
        for matrix, replica, crossbar in np.unique(keys, axis=0):
            self._owners.setdefault((int(matrix), int(replica)), []).append(int(crossbar))
        self.levels = lru_cache(maxsize=4096)(self._program)

    def of(self, matrix: int, replica: int) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Yield each crossbar of a copy with the copy's blocks on it, in order of reduction."""
        table = self._placed.program.blocks
        for crossbar in self._owners.get((matrix, replica), []):
            blocks = self.on(crossbar)
            yield crossbar, blocks[(table["matrix"][blocks] == matrix) & (table["replica"][blocks] == replica)]

    def on(self, crossbar: int) -> NDArray[np.int32]:
        """Return the blocks on a crossbar, in order of reduction."""
        return self._order[self._first[crossbar] : self._first[crossbar + 1]]

    def _program(self, crossbar: int) -> NDArray[np.uint8]:
        """Return the levels (rows, columns) of a crossbar."""
        program = self._placed.program
        image = np.zeros((program.crossbar_rows, program.crossbar_columns), np.uint8)
        for block in self.on(crossbar):
            entry, place = program.blocks[block], self._placed.places[block]
            levels = block_levels(program.matrices[entry["matrix"]], entry)
            height, width = levels.shape
            image[place["row"] : place["row"] + height, place["column"] : place["column"] + width] = levels
        return frozen(image)


def block_levels(item: CrossbarMatrix, block: np.void) -> NDArray[np.integer]:
    """Return the levels of a block's cells: its slice of the codes, inverted in flipped columns.

    Where a weight's pair of cells stands in one column, rows alternate: the level, then its partner.
    """
    rows = slice(block["row_start"], block["row_stop"])
    columns = slice(block["column_start"], block["column_stop"])
    weight_slice = item.weight_slices[block["weight_slice"]]
    levels = weight_slice.of(item.encoding.codes[block["polarity"], block["group"], rows, columns])
    if item.rows_per_weight == 2:
        negative = item.encoding.polarities == 2
        other = weight_slice.of(item.encoding.codes[1, block["group"], rows, columns]) if negative else None
        pair = [levels, weight_slice.mask - levels if other is None else other]
        return np.stack(pair, axis=1).reshape(-1, levels.shape[1])
    flips = block_flips(item, block)
    if flips is None:
        return levels
    by_row = np.repeat(flips, np.diff(cuts_within(item, block)), axis=0)
    return np.where(by_row, weight_slice.mask - levels, levels)


def cuts_within(item: CrossbarMatrix, block: np.void) -> NDArray[np.int64]:
    """Return the borders of a block's sections."""
    sections = item.sections_of(int(block["row_start"]), int(block["row_stop"]))
    return np.array(item.read_cuts[sections.start : sections.stop + 1])


def block_flips(item: CrossbarMatrix, block: np.void) -> NDArray[np.bool_] | None:
    """Return (sections, columns): which columns of a block are stored inverted; None where the scheme inverts none."""
    if item.flips is None:
        return None
    sections = item.sections_of(int(block["row_start"]), int(block["row_stop"]))
    own = slice(sections.start, sections.stop)
    return item.flips[block["group"], own, block["weight_slice"], block["column_start"] : block["column_stop"]]
