"""Programming error, normal: relative to each conductance, or to the whole range."""

from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class Normal(Model):
    """G + N(0, (sigma S)^2) with S = G or g_max - g_min; below zero is zero."""

    sigma: float = rule(float, "standard deviation, relative", low=0.0, high=3.0)
    of: str = rule(str, "what it is relative to", choices=("value", "range"), default="range", choice=True)

    def program(self, g: Siemens, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Add an error to each conductance."""
        size = g if self.of == "value" else cell.span_s
        return np.maximum(g + self.sigma * size * rng.standard_normal(g.shape), 0.0)
