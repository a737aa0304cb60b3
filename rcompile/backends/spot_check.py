"""The functional engine, with some vectors of each matrix read crossbar by crossbar, cycle by cycle.

For programs of which one sample is more work than can be waited for: each accumulator still comes from cells that are
read back from their places, and a share of them from the reference.
"""

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.functional import Functional
from rcompile.backends.reference import Reference
from rcompile.ir.placed import PlacedProgram


class SpotCheck:
    """Accumulators by the functional engine; those of evenly spaced vectors are replaced by the reference's.

    Args:
        placed: a program; converters that are lossy are taken as ideal.
        share: of each matrix's vectors that the reference computes; at least one vector.
    """

    name = "spot check"
    splits = False

    def __init__(self, placed: PlacedProgram, share: float) -> None:
        self.placed = placed
        self._share = share
        self._reference = Reference(placed, ideal_converters=True)
        self._functional = Functional(placed, self._reference.chip, keep=False, ideal_converters=True)

    def prepare(self, index: int) -> None:
        """See Engine; vectors come all at once."""

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K); see Engine."""
        found = self._functional.accumulate(index, vectors, positions, call)
        places = np.arange(len(vectors)) if positions is None else positions
        count = max(1, int(len(vectors) * self._share))
        picked = np.unique(np.linspace(0, len(vectors) - 1, count).astype(np.int64))
        found[picked] = self._reference.accumulate(index, vectors[picked], places[picked], call)
        return found
