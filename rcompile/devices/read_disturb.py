"""Read disturb: each read moves a cell a little."""

from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.devices.stretched import stretched
from rcompile.fields import rule


@dataclass(frozen=True)
class ReadDisturb(Model):
    """G_end + (G - G_end) exp(-(n / n0)^beta) after n reads: those since the cell was written, at a steady rate.

    Writing anew, as `[refresh]` says, starts over.
    """

    of_cell = True
    thermal = False

    reads_per_s: float = rule(float, "reads of a cell", unit="1/s", low=0.0, high=1e12)
    reads: float = rule(float, "n0, after which a typical cell has moved by 63 %", low=1.0, high=1e30)
    beta: float = rule(float, "stretches the way over reads; 1: exponential", low=0.05, high=5.0, default=1.0)
    sigma: float = rule(float, "standard deviation of the logarithm of n0", low=0.0, high=5.0, default=0.0)
    to: str = rule(str, "where reads move cells", choices=("g_min", "g_max"), default="g_max", choice=True)

    @property
    def draws(self) -> bool:
        """Where cells differ."""
        return self.sigma > 0

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return conductances after the reads of some seconds."""
        end = cell.g_min_s if self.to == "g_min" else cell.g_max_s
        return stretched(g, end, seconds * self.reads_per_s / self.reads, self.beta, self.sigma, rng)
