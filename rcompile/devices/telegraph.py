"""Random telegraph noise: some cells jump between two conductances, slowly against a read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class Telegraph(Model):
    """A share of the cells is found at G (1 + amplitude) with some probability, else at G; anew at each time.

    Jumps are slow against an inference: a cell keeps its state while it is read.
    """

    of_cell = True
    thermal = False
    momentary = True

    share: float = rule(float, "of the cells that jump", low=0.0, high=1.0)
    amplitude: float = rule(float, "of a jump, relative to G", low=-1.0, high=10.0)
    high: float = rule(float, "probability of the second state", low=0.0, high=1.0, default=0.5, choice=True)

    def on_cells(self, shape: tuple[int, int], rng: np.random.Generator) -> Model:
        """Return the noise of those cells that jump."""
        return Jumps(self, rng.random(shape) < self.share)


class Jumps(Model):
    """Telegraph noise of an array's cells.

    Args:
        law: of the noise.
        jumping: (rows, columns), which cells do.
    """

    of_cell = True
    thermal = False
    momentary = True

    def __init__(self, law: Telegraph, jumping: NDArray[np.bool_]) -> None:
        self._law, self._jumping = law, jumping

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return conductances as they are found at some time."""
        del seconds, cell
        second = self._jumping & (rng.random(g.shape) < self._law.high)
        found: Siemens = np.where(second, g * (1 + self._law.amplitude), g)
        return found
