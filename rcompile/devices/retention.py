"""Retention: cells lose their state in time."""

from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.devices.stretched import stretched
from rcompile.fields import rule


@dataclass(frozen=True)
class Retention(Model):
    """G_end + (G - G_end) exp(-(t / tau)^beta), tau lognormal around `tau_s` from cell to cell."""

    of_cell = True

    tau_s: float = rule(float, "time after which a typical cell has lost 63 %", unit="s", low=1e-9, high=1e20)
    beta: float = rule(float, "stretches the loss over time; 1: exponential", low=0.05, high=5.0)
    sigma: float = rule(float, "standard deviation of the logarithm of tau", low=0.0, high=5.0, default=0.0)
    to: str = rule(str, "where cells end", choices=("g_min", "g_max"), default="g_min", choice=True)

    @property
    def draws(self) -> bool:
        """Where cells differ."""
        return self.sigma > 0

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return what is left after some seconds."""
        end = cell.g_min_s if self.to == "g_min" else cell.g_max_s
        return stretched(g, end, seconds / self.tau_s, self.beta, self.sigma, rng)
