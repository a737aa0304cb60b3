"""What a die's faults do to a program's weights, for the report."""

from dataclasses import replace
from math import sqrt

import numpy as np

from rcompile.devices.faults import FaultMap
from rcompile.ir.placed import PlacedProgram
from rcompile.mapper.faults import weight_error
from rcompile.report.mapping_schema import FaultInfo


def fault_info(placed: PlacedProgram, faults: FaultMap, lines: tuple[int, int]) -> FaultInfo:
    """Describe the faults of the crossbars that a program uses.

    Args:
        placed: with lines chosen.
        faults: of the die.
        lines: (for rows, for columns) of a crossbar.
    """
    used = np.unique(placed.places["crossbar"]).tolist()
    weights = sum(
        item.replicas * float(np.square(item.matrix.weights, dtype=np.float64).sum())
        for item in placed.program.matrices
    )

    def relative(squares: float) -> float:
        return sqrt(squares / weights) if weights else 0.0

    return FaultInfo(
        file=faults.origin,
        stuck_cells=sum(int(np.count_nonzero(faults.states(placed.position_of(c), *lines))) for c in used),
        weight_error=relative(weight_error(placed, faults, lines)),
        in_order_error=relative(weight_error(replace(placed, wiring=None), faults, lines)),
    )
