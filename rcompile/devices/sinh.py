"""Cells whose current grows faster than the voltage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.model import Cell, Model, Term, as_it_is
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

    def terms(self, cell: Cell) -> tuple[Term, ...]:
        """Return the only one."""
        top = cell.read_v / self.v0_v

        def relative(share: NDArray[np.float64]) -> NDArray[np.float64]:
            size = np.abs(share)  # sinh(s top) / sinh(top), without the overflow of either
            grown = np.exp((size - 1) * top) * np.expm1(-2 * size * top) / np.expm1(-2 * top)
            return np.asarray(np.sign(share) * grown)

        return (Term(relative, as_it_is),)
