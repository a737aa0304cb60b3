"""Random telegraph noise: some cells jump between two conductances, slowly against a read."""

from dataclasses import dataclass

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class Telegraph(Model):
    """A share of the cells is found at G (1 + amplitude) with some probability, else at G; anew at each time.

    Jumps are slow against an inference: a cell keeps its state while it is read.
    """

    of_cell = True

    share: float = rule(float, "of the cells that jump", low=0.0, high=1.0)
    amplitude: float = rule(float, "of a jump, relative to G", low=-1.0, high=10.0)
    high: float = rule(float, "probability of the second state", low=0.0, high=1.0, default=0.5, choice=True)

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return conductances as they are found at some time; which cells jump does not depend on it."""
        del cell
        jumps = rng.random(g.shape) < self.share
        now = np.random.default_rng([int(rng.integers(2**32)), int(seconds)])
        found: Siemens = np.where(jumps & (now.random(g.shape) < self.high), g * (1 + self.amplitude), g)
        return found
