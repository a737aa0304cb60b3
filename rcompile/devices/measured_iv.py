"""Cells whose current is a measured polynomial of the voltage, other at each conductance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import polynomial

from rcompile.devices.model import Cell, Model, Siemens, Term
from rcompile.fields import rule


@dataclass(frozen=True)
class MeasuredIv(Model):
    """I = (G - A2 V_read - A3 V_read^2) V + A2 V^2 + A3 V^3: G is the conductance at V_read.

    A2 and A3, in S/V and S/V^2, are polynomials of log10(G), G in S, the highest degree first (CrossSim's form);
    outside of the measured range they are those of its nearer end. Negative voltages give the negative current.
    """

    a2: tuple[float, ...] = rule(float, "coefficients of A2, the highest degree first", unit="S/V", many=True)
    a3: tuple[float, ...] = rule(float, "coefficients of A3, the highest degree first", unit="S/V^2", many=True)
    from_s: float = rule(float, "least conductance measured", unit="S", low=1e-12, high=1.0)
    to_s: float = rule(float, "largest conductance measured", unit="S", low=1e-12, high=1.0)

    @property
    def draws(self) -> bool:
        """Not at all."""
        return False

    def contradictions(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the range."""
        del cell
        if self.to_s <= self.from_s:
            yield "to_s", f"must be larger than measured_iv.from_s ({self.from_s:g} S), is {self.to_s:g}"
        for name in ("a2", "a3"):
            if not getattr(self, name):
                yield name, "must list at least one"

    def terms(self, cell: Cell) -> tuple[Term, ...]:
        """Return those of V, V^2 and V^3."""
        volts = cell.read_v

        def second(g: Siemens) -> Siemens:
            return self._at(self.a2, g) * volts

        def third(g: Siemens) -> Siemens:
            return self._at(self.a3, g) * volts**2

        return (
            Term(lambda share: share, lambda g: g - second(g) - third(g)),
            Term(lambda share: share * np.abs(share), second),  # measured upwards; downwards it is the same
            Term(lambda share: share**3, third),
        )

    def _at(self, coefficients: tuple[float, ...], g: Siemens) -> Siemens:
        exponent = np.log10(np.clip(g, self.from_s, self.to_s))
        return np.asarray(polynomial.polyval(exponent, coefficients[::-1]), np.float64)
