"""What converters cannot change: layers whose column sums they resolve whatever the inputs are, on a faulty die too."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.reading import Readout, readouts
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import SignScheme
from rcompile.ir.placed import PlacedProgram


def is_one_product(placed: PlacedProgram, chip: Chip, index: int) -> bool:
    """Tell whether a matrix computes one product with the weights that its cells hold.

    Of a sound die's program its converters were proven to lose nothing, or not. On a faulty one, each column's sums are
    bounded by what its cells hold; where a stuck cell beside a block joins its sums, there is no such product. Neither
    is there for XNOR pairs, whose cells are read as complements, nor for analog levels, whose sums are rounded.
    """
    item = placed.program.matrices[index]
    if chip.analog:
        return False
    if not item.lossless or not chip.faulty:
        return item.lossless
    if item.encoding.scheme is SignScheme.XNOR_PAIR:
        return False
    for replica in range(item.replicas):
        for group in readouts(item, placed, chip.crossbars, index, replica):
            if not placed.takes_turns and joined_by_others(chip, group):
                return False
            if not all(resolved(item, chip, readout) for readout in group):
                return False
    return True


def joined_by_others(chip: Chip, group: list[Readout]) -> bool:
    """Tell whether cells that no block holds add to columns that are read while their rows are driven."""
    readings = [r for readout in group for r in (readout.reading, readout.minus) if r is not None]
    for crossbar in {reading.crossbar for reading in readings}:
        levels = chip.levels(crossbar)
        driven, read = np.zeros(len(levels), bool), np.zeros(levels.shape[1], bool)
        outside = np.ones(levels.shape, bool)
        for reading in readings:
            if reading.crossbar == crossbar:
                driven[reading.rows], read[reading.columns] = True, True
                outside[reading.rows, reading.columns] = False
        if levels[outside & driven[:, None] & read].any():
            return True
    return False


def resolved(item: CrossbarMatrix, chip: Chip, readout: Readout) -> bool:
    """Tell whether converters resolve every sum that a readout's cells can cause."""
    reading = readout.reading
    if item.converter.kind == "none":
        return True
    cells = cells_of(item, chip, readout)
    negative, positive = np.minimum(cells, 0), np.maximum(cells, 0)
    borders = np.array(item.read_cuts[reading.sections.start : reading.sections.stop + 1]) - reading.inputs.start
    for section, (start, stop) in zip(reading.sections, pairwise(borders.tolist()), strict=True):
        least, most = negative[start:stop].sum(axis=0), positive[start:stop].sum(axis=0)
        for cycle, input_slice in enumerate(item.presented.slices):
            low, _, _, top = reading.tables(item, cycle, section)
            if (low > input_slice.top * least).any() or (low + top < input_slice.top * most).any():
                return False
    return True


def cells_of(item: CrossbarMatrix, chip: Chip, readout: Readout) -> NDArray[np.int64]:
    """Return what each input counts in each column (rows of the matrix, columns): levels, or a pair's difference."""
    reading, minus = readout.reading, readout.minus
    cells = chip.levels(reading.crossbar)[reading.rows, reading.columns].astype(np.int64)
    if minus is not None:
        return cells - chip.levels(minus.crossbar)[minus.rows, minus.columns].astype(np.int64)
    return cells[::2] - cells[1::2] if item.rows_per_weight == 2 else cells
