"""Programming with verification: pulses until what is read lies close enough."""

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens, Writing
from rcompile.fields import rule


@dataclass(frozen=True)
class WriteVerify(Model):
    """Each pulse leaves the error N(0, (sigma S)^2), S = g_max - g_min, until it is within the tolerance.

    What is accepted is a normal error cut off at the tolerance; after the last pulse any is. Below zero is zero.
    """

    sigma: float = rule(float, "standard deviation of a pulse's error, relative to the range", low=0.0, high=3.0)
    tolerance: float = rule(float, "error that is accepted, relative to the range", low=1e-6, high=3.0)
    pulses: int = rule(int, "most pulses for a cell", low=1, high=10_000)
    pulse_j: float = rule(
        float, "energy of a pulse; 0: not known", unit="J", low=0.0, high=1.0, default=0.0, choice=True
    )

    pulse_s: float = rule(
        float, "time of a pulse and its read; 0: not known", unit="s", low=0.0, high=1.0, default=0.0, choice=True
    )

    def program(self, g: Siemens, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Write each cell, until it is accepted."""
        error = rng.standard_normal(g.shape)
        limit = self.tolerance / self.sigma if self.sigma else np.inf
        for _ in range(self.pulses - 1):
            again = np.abs(error) > limit
            if not again.any():
                break
            error[again] = rng.standard_normal(int(again.sum()))
        return np.maximum(g + self.sigma * cell.span_s * error, 0.0)

    @property
    def expected_pulses(self) -> float:
        """Mean pulses of a cell: of a geometric law that ends at the most."""
        accepted = erf(self.tolerance / self.sigma / sqrt(2)) if self.sigma else 1.0
        return (1 - (1 - accepted) ** self.pulses) / accepted if accepted else float(self.pulses)

    def writing(self, cell: Cell) -> Writing:
        """Return what writing a cell takes on average."""
        del cell
        pulses = self.expected_pulses
        return Writing(pulses, pulses * self.pulse_j, pulses * self.pulse_s)
