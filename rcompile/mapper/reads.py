"""What the crossbars of a placed program read for one input vector, and how long that takes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.placed import PlacedProgram
from rcompile.mapper.timing import Layer
from rcompile.mapper.traffic import firsts, numbered

PARTITION = ("matrix", "replica", "group", "row_start", "column_start")

READ = np.dtype([("crossbar", "<i4"), ("matrix", "<i4"), ("replica", "<i4"), ("ps", "<f8")])
"""One row per crossbar and copy of a matrix: picoseconds for one vector."""


def columns_converted(placed: PlacedProgram) -> list[int]:
    """Return how many columns the busiest crossbar of each matrix converts at once: all, or those of a partition."""
    blocks, program = placed.program.blocks, placed.program
    names = PARTITION if placed.takes_turns else ()
    read = numbered(placed.places["crossbar"], *(blocks[name] for name in names))
    analog = np.array([item.analog for item in program.matrices])[blocks["matrix"]]
    subtracted = analog & (blocks["polarity"] == 1)  # before the converter of the other polarity's column
    width = np.bincount(read, (blocks["column_stop"] - blocks["column_start"]) * ~subtracted).astype(np.int64)
    return [int(width[read[blocks["matrix"] == index]].max()) for index in range(len(program.matrices))]


def reads_of(placed: PlacedProgram, layers: Sequence[Layer]) -> NDArray[np.void]:
    """Return what each crossbar reads of each copy of a matrix for a vector, as a table of READ.

    Args:
        placed: the program.
        layers: its matrices in the pipeline, in picoseconds.
    """
    blocks, program = placed.program.blocks, placed.program
    chosen = firsts(placed.places["crossbar"], *(blocks[name] for name in PARTITION))
    each = np.empty(len(blocks))
    for index, item in enumerate(program.matrices):
        own = blocks["matrix"] == index
        each[own] = layers[index].cycles
        if placed.takes_turns:  # partition by partition, section by section
            sections = np.searchsorted(item.read_cuts, [blocks["row_start"][own], blocks["row_stop"][own]])
            one_read = layers[index].cycles / item.reads_per_cycle / layers[index].in_turn
            each[own] = (sections[1] - sections[0]) * one_read
    keys = placed.places["crossbar"][chosen], blocks["matrix"][chosen], blocks["replica"][chosen]
    number, which = np.unique(numbered(*keys), return_index=True, return_inverse=True)[1:]
    found = np.zeros(len(number), READ)
    for name, values in zip(("crossbar", "matrix", "replica"), keys, strict=True):
        found[name] = values[number]
    if placed.takes_turns:
        found["ps"] = np.bincount(which, each[chosen])
    else:
        found["ps"] = each[chosen][number]  # all partitions at once
    return found
