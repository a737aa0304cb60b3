"""The functional engine where nothing is rounded, the reference for the layers where converters or partial sums are."""

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.functional import Functional
from rcompile.backends.reference import Reference
from rcompile.ir.placed import PlacedProgram


class Mixed:
    """Accumulators of each matrix by the fastest engine that gives the reference's.

    Args:
        placed: the program.
        chip: that it runs on; without, one whose cells hold what is written.
        keep: see Functional.
    """

    name = "mixed"

    def __init__(self, placed: PlacedProgram, chip: Chip | None = None, *, keep: bool = True) -> None:
        self.placed = placed
        self._reference = Reference(placed, chip)
        self._functional = Functional(placed, self._reference.chip, keep=keep)

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K); see Engine."""
        fast = self._functional.can_run(index)
        return (self._functional if fast else self._reference).accumulate(index, vectors, positions, call)
