"""Endurance: cells fail with the number of writes, and stay where they fail."""

from dataclasses import dataclass
from math import exp, expm1, log

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule

ALL = 10
"""Exponent at which all cells have failed: one in e^22,000 has not."""


@dataclass(frozen=True)
class Wear(Model):
    """A cell has failed after w writes with probability 1 - exp(-(w / endurance)^shape) (Weibull).

    Writes are those before this program (`writes`), its installation, and those of `[refresh]`.
    """

    of_cell = True

    endurance: float = rule(float, "writes after which 63 % of cells have failed", low=1.0, high=1e15)
    shape: float = rule(float, "of the Weibull law", low=0.1, high=50.0)
    writes: float = rule(float, "writes of each cell before this program", low=0.0, high=1e15, default=0.0, choice=True)
    at_g_max: float = rule(float, "share of failed cells at g_max; others are at g_min", low=0.0, high=1.0, default=0.5)

    @property
    def draws(self) -> bool:
        """Which cells fail."""
        return True

    def failed(self, writes: int) -> float:
        """Return the share of failed cells after so many writes of this program."""
        exponent = self.shape * log((self.writes + writes) / self.endurance)
        return -expm1(-exp(min(exponent, ALL)))

    def stick(self, g: Siemens, writes: int, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Overwrite failed cells: those that fail first have failed for ever."""
        life = rng.random(g.shape)
        end = np.where(rng.random(g.shape) < self.at_g_max, cell.g_max_s, cell.g_min_s)
        found: Siemens = np.where(life < self.failed(writes), end, g)
        return found
