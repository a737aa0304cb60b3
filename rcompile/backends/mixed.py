"""One product where nothing is rounded, fused reads where converters or partial sums are, else the reference."""

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.functional import Functional
from rcompile.backends.fused import Fused, Plans
from rcompile.backends.reference import Reference
from rcompile.ir.placed import PlacedProgram


class Mixed:
    """Accumulators of each matrix by the fastest engine that gives the reference's.

    Args:
        placed: the program.
        chip: that it runs on; without, one whose cells hold what is written.
        keep: see Functional.
        plans: see Fused.
    """

    name = "mixed"

    def __init__(
        self, placed: PlacedProgram, chip: Chip | None = None, *, keep: bool = True, plans: Plans | None = None
    ) -> None:
        self.placed = placed
        self._reference = Reference(placed, chip)
        self._fused = Fused(placed, self._reference.chip, plans)
        self._functional = Functional(placed, self._reference.chip, keep=keep)

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K); see Engine."""
        engines: tuple[Functional | Fused, ...] = (self._functional, self._fused)
        engine = next((one for one in engines if one.can_run(index)), self._reference)
        return engine.accumulate(index, vectors, positions, call)
