"""One product where nothing is rounded; else compiled lookups, fused reads, or the reference, whichever can first."""

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.functional import Functional
from rcompile.backends.fused import Fused, Plans
from rcompile.backends.lookup import Lookup
from rcompile.backends.reference import Reference
from rcompile.ir.placed import PlacedProgram
from rcompile.kernels import chosen


class Mixed:
    """Accumulators of each matrix by the fastest engine that gives the reference's.

    Args:
        placed: the program.
        chip: that it runs on; without, one whose cells hold what is written.
        keep: see Functional.
        plans: see Fused.
    """

    name = "mixed"
    splits = True

    def __init__(
        self, placed: PlacedProgram, chip: Chip | None = None, *, keep: bool = True, plans: Plans | None = None
    ) -> None:
        self.placed = placed
        self._reference = Reference(placed, chip)
        self._fused = Fused(placed, self._reference.chip, plans)
        self._functional = Functional(placed, self._reference.chip, keep=keep)
        kernels = chosen()
        lookup = [] if kernels is None else [Lookup(placed, kernels, self._reference.chip, self._fused.plans)]
        self._chosen: dict[int, Functional | Lookup | Fused | Reference] = {}
        self._engines: tuple[Functional | Lookup | Fused, ...] = (self._functional, *lookup, self._fused)

    def prepare(self, index: int) -> None:
        """See Engine."""
        self.engine_of(index).prepare(index)

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K); see Engine."""
        return self.engine_of(index).accumulate(index, vectors, positions, call)

    def engine_of(self, index: int) -> Functional | Lookup | Fused | Reference:
        """Return the engine that computes a matrix."""
        if index not in self._chosen:
            self._chosen[index] = next((one for one in self._engines if one.can_run(index)), self._reference)
        return self._chosen[index]
