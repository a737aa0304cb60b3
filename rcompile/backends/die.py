"""What a program runs on, and what of it one read is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.devices import IDEAL, Device
from rcompile.devices.faults import FaultMap


@dataclass(frozen=True)
class Vectors:
    """Which of all vectors some are, and which read of them this is.

    Attributes:
        positions: of the vectors among all.
        read: the matrix, how often it was read for them before (in a loop), then the cycle and the turn.
    """

    positions: NDArray[np.int64]
    read: tuple[int, ...]


@dataclass(frozen=True)
class Die:
    """What a program runs on.

    Attributes:
        device: its cells and circuits.
        faults: what does not work; None: everything works.
        lines: (for rows, for columns) that a crossbar has, spare ones included; (0, 0): as many as the program uses.
        seed: of its random draws.
        trial: number of the die.
        pulses: whether inputs are pulses, all of the same voltage.
        converters: of a crossbar, whose columns they share out among them; 0: one for each column.
        reference_column: whether each crossbar has one more column, of cells at level 0, that is read with the others.
    """

    device: Device = IDEAL
    faults: FaultMap | None = None
    lines: tuple[int, int] = (0, 0)
    seed: int = 0
    trial: int = 0
    pulses: bool = False
    converters: float = 0.0
    reference_column: bool = False
