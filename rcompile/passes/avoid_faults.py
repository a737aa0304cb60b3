"""Put blocks where a die's faults harm them least: crossbars within their tiles, and lines within their crossbars.

Crossbars with the most at stake take the soundest of their tile, so that dead ones stay empty where there are spare
ones. Where lines go is said in mapper/faults.py. What SRAM holds is not concerned.
"""

from dataclasses import replace

import numpy as np

from rcompile.devices.faults import FaultMap
from rcompile.ir.arrays import frozen
from rcompile.ir.cells import Crossbars
from rcompile.ir.placed import PlacedProgram, Wiring
from rcompile.mapper.faults import least_harm, on_sound_crossbars, rram_crossbars
from rcompile.targets import Target


def avoid_faults(placed: PlacedProgram, faults: FaultMap, target: Target) -> PlacedProgram:
    """Return the program with a crossbar and lines for everything, chosen for one die.

    Args:
        placed: with places.
        faults: of the die.
        target: says how many lines a crossbar has.
    """
    placed = on_sound_crossbars(placed, faults, target.lines)
    rows, columns = (
        np.tile(np.arange(count, dtype=np.uint16), (placed.crossbars, 1))
        for count in (placed.program.crossbar_rows, placed.program.crossbar_columns)
    )
    for crossbar, wanted in rram_crossbars(placed, Crossbars(placed)):
        states = faults.states(placed.position_of(crossbar), *target.lines)
        rows[crossbar], columns[crossbar] = least_harm(wanted, states)
    return replace(placed, wiring=Wiring(frozen(rows), frozen(columns)))
