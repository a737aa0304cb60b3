"""Finite states: a cell holds one of so many conductances, or of those that are listed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class States(Model):
    """The nearest of `count` evenly spaced conductances from g_min to g_max, or of those listed."""

    count: int = rule(int, "evenly spaced states; 0: those listed", low=0, high=4096, default=0, choice=True)
    listed_s: tuple[float, ...] = rule(
        float, "the states, in any order", unit="S", low=0.0, high=1.0, many=True, default=(), choice=True
    )

    @property
    def draws(self) -> bool:
        """Not at all."""
        return False

    def contradictions(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the number of states."""
        del cell
        if bool(self.count) == bool(self.listed_s):
            yield "count", "or listed_s must be given, and not both"
        elif max(self.count, len(self.listed_s)) < 2:
            yield "count", "must be at least 2"

    def program(self, g: Siemens, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Write the nearest state."""
        del rng
        states = np.sort(self.listed_s) if self.listed_s else np.linspace(cell.g_min_s, cell.g_max_s, self.count)
        upper = np.clip(np.searchsorted(states, g), 1, len(states) - 1)
        low, high = states[upper - 1], states[upper]
        nearest: Siemens = np.where(g - low <= high - g, low, high)
        return nearest
