"""Relaxation with the logarithm of time: a common shift, and a spread that grows."""

from dataclasses import dataclass
from math import log

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class LogRelaxation(Model):
    """G + a ln(t) + N(0, (b ln(t) + c)^2) from t = 1 s on (aihwkit's form for CMO/HfOx cells); below zero is zero."""

    shift_s: float = rule(float, "a, per unit of ln(t)", unit="S", low=-1.0, high=1.0)
    spread_s: float = rule(float, "b, per unit of ln(t)", unit="S", low=0.0, high=1.0)
    spread_at_1_s: float = rule(float, "c, at one second", unit="S", low=0.0, high=1.0)

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return conductances after some seconds; a cell keeps its own direction."""
        del cell
        if seconds < 1:
            return g
        passed = log(seconds)
        spread = self.spread_s * passed + self.spread_at_1_s
        return np.maximum(g + self.shift_s * passed + spread * rng.standard_normal(g.shape), 0.0)
