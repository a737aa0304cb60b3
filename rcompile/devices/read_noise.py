"""White read noise: each read of a cell differs from the one before."""

from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class ReadNoise(Model):
    """N(0, (sigma S)^2) at each read with S = G, or g_max."""

    sigma: float = rule(float, "standard deviation, relative", low=0.0, high=1.0)
    of: str = rule(str, "what it is relative to", choices=("value", "g_max"), default="value", choice=True)

    def read_sigma(self, g: Siemens, cell: Cell) -> Siemens | None:
        """Return the standard deviation of each read, in siemens; None where there is none."""
        if not self.sigma:
            return None
        return self.sigma * (g if self.of == "value" else np.full_like(g, cell.g_max_s))
