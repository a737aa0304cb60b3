"""Cells behind a selector that lets no current pass below a threshold."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.model import Cell, Model, Term, as_it_is
from rcompile.fields import rule


@dataclass(frozen=True)
class Selector(Model):
    """I = G V_read (|V| - v_t) / (V_read - v_t) beyond the threshold v_t, 0 below; G is the conductance at V_read."""

    threshold_v: float = rule(float, "voltage below which nothing passes", unit="V", low=0.0, high=10.0)

    @property
    def draws(self) -> bool:
        """Not at all."""
        return False

    def contradictions(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the threshold."""
        if self.threshold_v >= cell.read_v:
            yield "threshold_v", f"must be below cell.read_v ({cell.read_v:g} V), is {self.threshold_v:g}"

    def terms(self, cell: Cell) -> tuple[Term, ...]:
        """Return the only one."""
        threshold = self.threshold_v / cell.read_v

        def passed(share: NDArray[np.float64]) -> NDArray[np.float64]:
            beyond: NDArray[np.float64] = np.maximum(np.abs(share) - threshold, 0.0) / (1 - threshold)
            return np.sign(share) * beyond

        return (Term(passed, as_it_is),)
