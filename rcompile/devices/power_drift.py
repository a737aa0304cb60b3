"""Drift by a power law of time, with an exponent of its own for each cell."""

from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class PowerDrift(Model):
    """G (t / t0)^-nu with nu ~ N(mean, sigma^2) per cell; before t0 nothing has changed."""

    of_cell = True

    mean: float = rule(float, "mean exponent nu", low=-1.0, high=1.0)
    sigma: float = rule(
        float, "standard deviation of nu from cell to cell", low=0.0, high=1.0, default=0.0, choice=True
    )
    t0_s: float = rule(float, "time after writing at which G is known", unit="s", low=1e-9, high=1e9, default=1.0)

    @property
    def draws(self) -> bool:
        """Where exponents differ."""
        return self.sigma > 0

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return what is left after some seconds."""
        del cell
        exponent = self.mean + self.sigma * rng.standard_normal(g.shape)
        found: Siemens = g * max(seconds / self.t0_s, 1.0) ** -exponent
        return found
