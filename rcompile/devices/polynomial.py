"""Programming error whose size depends on the conductance, as measurements give it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import polynomial

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule

MICRO = 1e-6


@dataclass(frozen=True)
class Polynomial(Model):
    """G + N(0, s^2), s = max(sum_k c_k G^k, 0) with G and s in uS (CrossSim's form); below zero is zero.

    Outside of the measured range, s is that of its nearer end.
    """

    coefficients: tuple[float, ...] = rule(
        float, "c_0, c_1, ..., for G in uS", unit="uS", low=-1e6, high=1e6, many=True
    )
    from_s: float = rule(float, "least conductance measured", unit="S", low=0.0, high=1.0, default=0.0, choice=True)
    to_s: float = rule(float, "largest conductance measured", unit="S", low=0.0, high=1.0, default=1.0, choice=True)

    def contradictions(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the range."""
        del cell
        if self.to_s <= self.from_s:
            yield "to_s", f"must be larger than polynomial.from_s ({self.from_s:g} S), is {self.to_s:g}"
        if not self.coefficients:
            yield "coefficients", "must list at least one"

    def sigma_s(self, g: Siemens) -> Siemens:
        """Return the standard deviation at a conductance, in siemens."""
        measured = np.clip(g, self.from_s, self.to_s) / MICRO
        found: Siemens = np.maximum(polynomial.polyval(measured, self.coefficients), 0.0) * MICRO
        return found

    def program(self, g: Siemens, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Add an error to each conductance."""
        del cell
        return np.maximum(g + self.sigma_s(g) * rng.standard_normal(g.shape), 0.0)
