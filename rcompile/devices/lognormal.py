"""Device-to-device variation, lognormal: cells that are written alike spread by a factor."""

from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class Lognormal(Model):
    """G exp(N(0, sigma^2) - sigma^2 / 2), drawn once per cell: the mean stays G."""

    of_cell = True

    sigma: float = rule(float, "standard deviation of the logarithm", low=0.0, high=3.0)

    def program(self, g: Siemens, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Multiply each conductance by a factor of mean 1."""
        del cell
        return g * np.exp(self.sigma * rng.standard_normal(g.shape) - self.sigma**2 / 2)
