"""Crossbars read by the compiled kernels: bits of inputs look up sums of cells; see docs/kernels.md.

It takes the reads that fused.py lays out, and gives their accumulators bit for bit, noise included: cells are whole
numbers of steps, so that sums are exact, and noise comes from counters. What kernels do not do (converters that err,
amplifiers, voltages on bent cells, and what `can_run` and layout.py name), fused.py does.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.chunks import Chunked
from rcompile.backends.die import Vectors
from rcompile.backends.fused import Numbers, Plans
from rcompile.backends.layout import Digital, Layout, Prepared, digit_bits
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.matrix import IntegerArray
from rcompile.ir.placed import PlacedProgram
from rcompile.kernels import Kernels, Noise, Packed, stride_of

LANES = 2**13
"""Bits of inputs that are looked up at once: their indices stay in a core's second cache."""

KEPT_BYTES = 2**28
"""Of columns that are kept laid out for kernels."""


@dataclass(frozen=True)
class Copy:
    """What is read of one copy of a matrix, reads with the same inputs one after the other, and what is added to it."""

    reads: list[Prepared]
    digital: Digital

    @property
    def nbytes(self) -> int:
        """Of the largest arrays."""
        return sum(one.columns.cells.nbytes + (one.noise[0].nbytes if one.noise else 0) for one in self.reads)


class Lookup(Chunked[Copy]):
    """Accumulators of each matrix of a program, by compiled kernels.

    Args:
        placed: the program.
        kernels: that are used.
        chip: that it runs on; without, one whose cells hold what is written.
        plans: of the program, where there are some already.
    """

    name = "lookup"

    def __init__(
        self, placed: PlacedProgram, kernels: Kernels, chip: Chip | None = None, plans: Plans | None = None
    ) -> None:
        super().__init__(placed, chip)
        self._kernels = kernels
        self._layout = Layout(self.chip, kernels)
        self.plans = plans or Plans(placed, self.chip.crossbars)
        self._kept: OrderedDict[tuple[int, int], Copy | None] = OrderedDict()
        self._bytes = 0

    def can_run(self, index: int) -> bool:
        """Tell whether kernels give what the reference gives."""
        item = self.placed.program.matrices[index]
        width = digit_bits(item)
        if item.converter.kind == "none" or not width:
            return False
        if self.chip.analog and not self.chip.adds_up(2**width - 1):
            return False
        if self.chip.noisy and (width > 1 or self.chip.has_reference or item.analog or item.rows_per_weight > 1):
            return False
        return all(self._of(index, replica) is not None for replica in range(item.replicas))

    def _vectors_at_once(self, item: CrossbarMatrix) -> int:
        return max(1, LANES // stride_of(item.presented.bits))

    def _prepare(self, index: int, replica: int) -> list[Copy]:
        found = self._of(index, replica)
        assert found is not None
        return [found]

    def _of(self, index: int, replica: int) -> Copy | None:
        """Return what is read of one copy of a matrix, as long as it is kept; None: kernels cannot."""
        key = (index, replica)
        if key not in self._kept:
            self._kept[key] = found = self._laid_out(index, replica)
            self._bytes += found.nbytes if found else 0
            while self._bytes > KEPT_BYTES and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped.nbytes if dropped else 0
        self._kept.move_to_end(key)
        return self._kept[key]

    def _laid_out(self, index: int, replica: int) -> Copy | None:
        """Lay out what is read of one copy; None: kernels cannot."""
        item = self.placed.program.matrices[index]
        fusions, found = self.plans.of(index, replica), []
        for fusion in fusions:
            for turn, read in enumerate(fusion.turns):
                prepared = self._layout.prepared(item, fusion, read, turn)
                if prepared is None:
                    return None
                found.append(prepared)
        digital = Digital(item, [read for fusion in fusions for read in fusion.turns])
        return Copy(sorted(found, key=lambda one: one.wires.tobytes()), digital)

    def _run(
        self, item: CrossbarMatrix, groups: list[Copy], inputs: IntegerArray, sums: Numbers, which: Vectors
    ) -> None:
        """Read one copy for some vectors; see Chunked."""
        bits, flat = item.presented.bits, sums.reshape(-1, sums.shape[-1])
        kind = np.uint8 if bits <= 8 else np.uint16
        plain: NDArray[np.unsignedinteger] = inputs.reshape(len(inputs), -1).astype(kind, copy=False)
        packed: Packed | None = None
        wires = np.zeros((0, 2), np.int64)
        (copy,) = groups
        for one in copy.reads:
            if packed is None or not np.array_equal(wires, one.wires):
                wires, packed = one.wires, self._kernels.pack(plain, one.wires, bits)
            self._kernels.read(packed, one.columns, digit_bits(item), flat, self._noise(one, which))
        copy.digital.add(inputs, flat)

    def _noise(self, one: Prepared, which: Vectors) -> Noise | None:
        """Return what read noise is drawn from."""
        if one.noise is None:
            return None
        key = self.chip.key(one.crossbar, (*which.read, 0, one.turn))
        return Noise(*one.noise, one.numbers, np.ascontiguousarray(which.positions, np.int64), key)
