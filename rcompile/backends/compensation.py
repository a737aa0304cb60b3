"""Digital correction of a die's columns: one multiply-add for each output, fitted on calibration samples.

Each output n of each copy is read as gain_n * (acc - d) + d + offset_n, but for those that sense amplifiers compare;
d is what is computed from the inputs alone, with cells that conduct nothing: offsets of codes, columns that are stored
inverted, zero points. Gain and offset follow by least squares from what the die gives and what it should give for the
same inputs, layer after layer, each with its inputs as the corrected layers before leave them. So wires, drift and
column offsets are corrected as far as they act alike on all inputs.
"""

from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.correction import copy_of_vector
from rcompile.backends.die import Die
from rcompile.backends.executor import Executor, Tensors
from rcompile.backends.functional import Functional
from rcompile.backends.fused import Plans
from rcompile.backends.mixed import Mixed
from rcompile.backends.reference import Reference
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import SignScheme
from rcompile.ir.placed import PlacedProgram

CALIBRATION_CALLS = 2**20
"""Added to the number of a call, so that calibration reads draw noise of their own."""


class Correction(StrEnum):
    """What is corrected: nothing, a gain of each copy, an offset of each output, or gain and offset of each."""

    NONE = "none"
    DRIFT = "drift"
    OFFSET = "offset"
    AFFINE = "affine"


class Fit:
    """Least squares of an output over all its readings, copy by copy.

    Args:
        shape: (copies, outputs).
        kind: of the correction.
    """

    def __init__(self, shape: tuple[int, int], kind: Correction) -> None:
        self._kind = kind
        self._count = np.zeros((shape[0], 1))
        self._found, self._wanted, self._square, self._product = np.zeros((4, *shape))

    def add(self, copies: NDArray[np.int64], found: NDArray[np.int64], wanted: NDArray[np.int64]) -> None:
        """Take readings (vectors, outputs), each of a copy, and what they should be."""
        for copy in np.unique(copies):
            own = copies == copy
            x, y = found[own].astype(np.float64), wanted[own].astype(np.float64)
            self._count[copy] += len(x)
            self._found[copy] += x.sum(axis=0)
            self._wanted[copy] += y.sum(axis=0)
            self._square[copy] += (x * x).sum(axis=0)
            self._product[copy] += (x * y).sum(axis=0)

    def line(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return gains and offsets (copies, outputs); gain 1 where only the offset is corrected or nothing varies.

        Against drift all outputs of a copy have one gain, no offset (Joshi et al., Nature Communications 2020).
        """
        if self._kind is Correction.DRIFT:
            square, product = self._square.sum(axis=1, keepdims=True), self._product.sum(axis=1, keepdims=True)
            gain = np.ones_like(square)
            np.divide(product, square, out=gain, where=square > 0)
            return np.broadcast_to(gain, self._square.shape), np.zeros_like(self._square)
        count = np.maximum(self._count, 1)
        x, y = self._found / count, self._wanted / count
        gain = np.ones_like(x)
        if self._kind is Correction.AFFINE:
            spread = self._square / count - x * x
            varies = spread > 1e-9 * np.maximum(self._square / count, 1)
            np.divide(self._product / count - x * y, spread, out=gain, where=varies)
        return gain, y - gain * x


class Blank(Chip):
    """Crossbars whose cells are all at level 0."""

    def __init__(self, placed: PlacedProgram) -> None:
        super().__init__(placed)
        size = placed.program.crossbar_rows, placed.program.crossbar_columns
        self.levels = lru_cache(lambda _: np.zeros(size, np.uint8))


class Unclipped(Reference):
    """The reference with sums taken as they are, whatever converters can tell apart."""

    def _takes_as_ideal(self, item: CrossbarMatrix) -> bool:
        del item
        return True


class Compensated:
    """A die's engine with corrected outputs.

    Args:
        placed: the program.
        die: that it runs on.
        kind: what is corrected.
        plans: see Fused.
    """

    name = "compensated"

    def __init__(self, placed: PlacedProgram, die: Die, kind: Correction, plans: Plans | None = None) -> None:
        self.placed = placed
        self._die = Mixed(placed, chip_of(placed, die, plans), plans=plans)
        blank = Blank(placed)
        self._digital = Functional(placed, blank, ideal_converters=True)
        self._pairs = Unclipped(placed, blank)
        self._kind = kind
        self._fits: dict[int, Fit] = {}
        self._ideal: Functional | None = None

    @property
    def splits(self) -> bool:
        """Whether vectors may be handed over in parts: not those that corrections are fitted on."""
        return self._ideal is None

    def fit(self, inputs: Tensors) -> None:
        """Fit the corrections on calibration samples."""
        self._ideal = Functional(self.placed, keep=False, ideal_converters=True)
        Executor(self).run(inputs, together=True)  # a layer is fitted on all of them before the next one sees any
        self._ideal = None

    def prepare(self, index: int) -> None:
        """See Engine."""
        self._die.prepare(index)
        self._beside(index).prepare(index)

    def _beside(self, index: int) -> Functional | Reference:
        """Return what computes the part of a matrix that cells do not."""
        # XNOR pairs read cells as complements of each other
        pairs = self.placed.program.matrices[index].encoding.scheme is SignScheme.XNOR_PAIR
        return self._pairs if pairs else self._digital

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the corrected accumulators; see Engine."""
        item = self.placed.program.matrices[index]
        if item.converter.kind == "sense_amplifier":  # a reading of two values says where a threshold is, not how large
            return self._die.accumulate(index, vectors, positions, call)
        digital = self._beside(index).accumulate(index, vectors, positions)
        copies = copy_of_vector(item, np.arange(len(vectors)) if positions is None else positions)
        if self._ideal is None:
            found = self._die.accumulate(index, vectors, positions, call) - digital
        else:
            found = self._die.accumulate(index, vectors, positions, call + CALIBRATION_CALLS) - digital
            wanted = self._ideal.accumulate(index, vectors, positions, call) - digital
            if index not in self._fits:
                self._fits[index] = Fit((item.replicas, found.shape[1]), self._kind)
            self._fits[index].add(copies, found, wanted)
        gain, offset = self._fits[index].line()
        return digital + np.rint(gain[copies] * found + offset[copies]).astype(np.int64)


def chip_of(placed: PlacedProgram, die: Die, plans: Plans | None) -> Chip:
    """Return a die's chip, whose crossbars the plans may know already."""
    return Chip(placed, die, plans.crossbars if plans else None)


def engine_on(
    placed: PlacedProgram, die: Die, kind: Correction, calibration: Tensors | None, plans: Plans | None = None
) -> Mixed | Compensated:
    """Return the engine of a die, corrected where that is asked for."""
    if kind is Correction.NONE or calibration is None:
        return Mixed(placed, chip_of(placed, die, plans), plans=plans)
    engine = Compensated(placed, die, kind, plans)
    engine.fit(calibration)
    return engine
