"""Cells whose current grows faster than the voltage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.model import Cell, Model
from rcompile.fields import rule


@dataclass(frozen=True)
class Sinh(Model):
    """I = G V_read sinh(V / v0) / sinh(V_read / v0): G is the conductance at V_read; ohmic for large v0.

    Inputs of several bits as voltages are then read unevenly; one bit at a time, or as pulses, they are not.
    """

    v0_v: float = rule(float, "voltage at which the current bends", unit="V", low=1e-3, high=1e6)

    @property
    def draws(self) -> bool:
        """Not at all."""
        return False

    def response(self, share: NDArray[np.float64], cell: Cell) -> NDArray[np.float64]:
        """Return the current at shares of V_read, relative to that at V_read."""
        found: NDArray[np.float64] = np.sinh(share * cell.read_v / self.v0_v) / np.sinh(cell.read_v / self.v0_v)
        return found
