"""Cells that are stuck, drawn at random; for those of one die, see faults.py."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class Stuck(Model):
    """Each cell independently at g_min or g_max whatever is written, named by conductance: 'SA0' means both."""

    of_cell = True

    at_g_min: float = rule(float, "share of the cells", low=0.0, high=1.0, default=0.0, choice=True)
    at_g_max: float = rule(float, "share of the cells", low=0.0, high=1.0, default=0.0, choice=True)

    def contradictions(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the shares."""
        del cell
        if self.at_g_min + self.at_g_max > 1:
            yield "at_g_max", f"and stuck.at_g_min must add up to at most 1, are {self.at_g_min + self.at_g_max:g}"

    def stick(self, g: Siemens, writes: int, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Overwrite stuck cells."""
        del writes
        drawn = rng.random(g.shape)
        low = np.where(drawn < self.at_g_min, cell.g_min_s, g)
        high = (drawn >= self.at_g_min) & (drawn < self.at_g_min + self.at_g_max)
        found: Siemens = np.where(high, cell.g_max_s, low)
        return found
