"""The functional engine where nothing is rounded, the reference for the layers where converters or partial sums are."""

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.functional import Functional
from rcompile.backends.reference import Reference
from rcompile.ir.placed import PlacedProgram


class Mixed:
    """Accumulators of each matrix by the fastest engine that gives the reference's.

    Args:
        placed: the program.
        keep: see Functional.
    """

    name = "mixed"

    def __init__(self, placed: PlacedProgram, *, keep: bool = True) -> None:
        self.placed = placed
        self._reference = Reference(placed)
        self._functional = Functional(placed, self._reference.crossbars, keep=keep)

    def accumulate(self, index: int, vectors: np.ndarray) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K)."""
        lossless = self.placed.program.matrices[index].lossless
        return (self._functional if lossless else self._reference).accumulate(index, vectors)
