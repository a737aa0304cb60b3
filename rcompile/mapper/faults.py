"""Which line of a faulty crossbar carries which row and column, so that stuck cells harm weights least.

A crossbar's rows may be driven in any order and its columns be read in any, spare lines among them. The harm of a
stuck cell is the square of what it changes in the weight whose slice it holds. For a fixed order of the columns the
best order of the rows is a linear assignment, and the other way round; the two take turns until neither gains.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.faults import HIGH, LOW, FaultMap
from rcompile.errors import DoesNotFit, Origin
from rcompile.ir.arrays import frozen
from rcompile.ir.cells import Crossbars
from rcompile.ir.encoding import Memory, SignScheme
from rcompile.ir.placed import PlacedProgram
from rcompile.targets import Target

Lines = NDArray[np.uint16]
Harm = NDArray[np.float32]

TURNS = 8
"""Most turns of rows and columns."""


@dataclass(frozen=True)
class Wanted:
    """What the cells of a crossbar should hold.

    Attributes:
        levels: (R, C).
        worth: (R, C), what an error of one level costs in a weight, squared; 0 where nothing is held.
        beside: (R, C), the same where nothing is held, but what is stuck adds to a column that is read.
        top: the highest level of a cell.
    """

    levels: NDArray[np.uint8]
    worth: Harm
    beside: Harm
    top: int

    @property
    def harm_low(self) -> Harm:
        """What each cell would cost on a cell that is stuck at level 0."""
        return (self.worth + self.beside) * self.levels.astype(np.float32) ** 2

    @property
    def harm_high(self) -> Harm:
        """What each cell would cost on a cell that is stuck at the highest level."""
        return (self.worth + self.beside) * (np.float32(self.top) - self.levels) ** 2


def rram_crossbars(placed: PlacedProgram, crossbars: Crossbars) -> Iterator[tuple[int, Wanted]]:
    """Yield each crossbar that holds slices in RRAM, and what its cells should hold."""
    program = placed.program
    for crossbar in np.unique(placed.places["crossbar"]).tolist():
        own = crossbars.on(crossbar)
        worth = np.zeros((program.crossbar_rows, program.crossbar_columns), np.float32)
        for block, place, height in zip(program.blocks[own], placed.places[own], program.heights()[own], strict=True):
            item = program.matrices[block["matrix"]]
            weight_slice = item.weight_slices[block["weight_slice"]]
            if weight_slice.memory is not Memory.RRAM:
                break
            columns = slice(block["column_start"], block["column_stop"])
            width = columns.stop - columns.start
            counts = item.encoding.step[block["group"], columns] * 2.0**weight_slice.shift
            if item.encoding.scheme is SignScheme.XNOR_PAIR:
                counts = counts / 2  # of a level and its complement
            worth[place["row"] : place["row"] + height, place["column"] : place["column"] + width] = counts**2
        else:
            beside = np.zeros_like(worth)
            if not placed.takes_turns:  # what is stuck beside the blocks adds to columns whose other rows are driven
                crossed = (worth > 0).any(axis=1, keepdims=True) * worth.max(axis=0)
                beside = np.where(worth > 0, beside, crossed)
            yield crossbar, Wanted(crossbars.levels(crossbar), worth, beside, 2**program.cell_bits - 1)


def in_order(wanted: Wanted) -> tuple[Lines, Lines]:
    """Return each row and column on the line of its number."""
    rows, columns = wanted.levels.shape
    return np.arange(rows, dtype=np.uint16), np.arange(columns, dtype=np.uint16)


def harm(wanted: Wanted, states: NDArray[np.int8], rows: Lines, columns: Lines) -> float:
    """Return the sum of squared weight errors that a crossbar's stuck cells cause."""
    seen = states[rows[:, None], columns[None, :]]
    return float(wanted.harm_low[seen == LOW].sum() + wanted.harm_high[seen == HIGH].sum())


def least_harm(wanted: Wanted, states: NDArray[np.int8]) -> tuple[Lines, Lines]:
    """Return lines for rows and columns that harm weights least, as far as taking turns finds them.

    Args:
        wanted: what the crossbar should hold.
        states: (lines for rows, lines for columns) of its cells.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = in_order(wanted)
    low, high = wanted.harm_low, wanted.harm_high
    is_low, is_high = ((states == state).astype(np.float32) for state in (LOW, HIGH))
    least = harm(wanted, states, rows, columns)
    for turn in range(TURNS):
        if least == 0:
            break
        if turn % 2 == 0:
            cost = low.T @ is_low[rows] + high.T @ is_high[rows]
            columns = linear_sum_assignment(cost)[1].astype(np.uint16)
        else:
            cost = low @ is_low[:, columns].T + high @ is_high[:, columns].T
            rows = linear_sum_assignment(cost)[1].astype(np.uint16)
        found = harm(wanted, states, rows, columns)
        if turn and found >= least:
            break
        least = found
    return rows, columns


def with_spares(target: Target, faults: FaultMap) -> Target:
    """Return the target with as many spare crossbars in each tile as its worst tile has dead ones.

    Raises:
        DoesNotFit: a tile has no crossbar that works.
    """
    dead = np.bincount(np.unique(faults.dead_crossbars[:, 0]) // target.crossbars_per_tile, minlength=1)
    most = int(dead.max())
    if most >= target.crossbars_per_tile:
        raise DoesNotFit(
            f"none of the {target.crossbars_per_tile} crossbars of the tile in slot {dead.argmax()} works",
            at=Origin(faults.origin),
            hint="compile for a chip without this tile (--set hierarchy.mesh_rows=..., hierarchy.mesh_columns=...)",
        )
    hierarchy = replace(target.hierarchy, spare_crossbars=max(most, target.hierarchy.spare_crossbars))
    return replace(target, hierarchy=hierarchy)


def weight_error(placed: PlacedProgram, faults: FaultMap, lines: tuple[int, int]) -> float:
    """Return the sum of squared errors that a die's faults cause in a program's weights, in integer units."""
    total = 0.0
    for crossbar, wanted in rram_crossbars(placed, Crossbars(placed)):
        own = in_order(wanted)
        if placed.wiring is not None:
            own = placed.wiring.rows[crossbar], placed.wiring.columns[crossbar]
        held = replace(wanted, beside=np.zeros_like(wanted.worth))
        total += harm(held, faults.states(placed.position_of(crossbar), *lines), *own)
    return total


def on_sound_crossbars(placed: PlacedProgram, faults: FaultMap, lines: tuple[int, int]) -> PlacedProgram:
    """Return the program with crossbars changed within their tiles: what has most at stake takes the soundest."""
    at_stake = {crossbar: float(wanted.worth.sum()) for crossbar, wanted in rram_crossbars(placed, Crossbars(placed))}
    per_tile = placed.floorplan.crossbars_per_tile
    moved = np.arange(len(placed.floorplan.slots) * per_tile)
    for tile in range(len(placed.floorplan.slots)):
        own = np.arange(tile * per_tile, (tile + 1) * per_tile)
        broken = [np.count_nonzero(faults.states(placed.position_of(crossbar), *lines)) for crossbar in own.tolist()]
        worth = [at_stake.get(crossbar, 0.0) for crossbar in own.tolist()]
        moved[own[np.argsort(np.negative(worth), kind="stable")]] = own[np.argsort(broken, kind="stable")]
    places = placed.places.copy()
    places["crossbar"] = moved[places["crossbar"]]
    used = int(places["crossbar"].max()) + 1
    return replace(placed, places=frozen(places), floorplan=replace(placed.floorplan, crossbars_used=used))
