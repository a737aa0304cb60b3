"""How long digital units and links are busy with an inference, matrix by matrix and in all.

The outputs of a matrix pass the digital units of the tiles that make them once. Bytes go the way that the
fabric of the tiles has; what leaves a chip passes its gate. What a target does not state keeps pace.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.placed import PlacedProgram
from rcompile.mapper.clock import picoseconds
from rcompile.mapper.fabric import link_loads
from rcompile.mapper.topology import fabric_of
from rcompile.mapper.traffic import PARTS, Spread, add_outputs, add_sent, add_sums, in_parts, spreads
from rcompile.targets import Target

Adding = Callable[[NDArray[np.float64], CrossbarProgram, list[Spread], int], None]
"""Adds to (tiles, tiles) the bytes of a matrix."""


@dataclass(frozen=True)
class Busy:
    """Picoseconds per inference of the busiest digital unit, link between tiles and link between chips."""

    units: int
    links: int
    chips: int

    @property
    def most(self) -> int:
        """Of the busiest of them."""
        return max(self.units, self.links, self.chips)


@dataclass(frozen=True)
class Journey:
    """What becomes of a matrix's vectors when they are read, in picoseconds.

    Attributes:
        busy: units and links with all of them.
        finishing: until a vector's partial sums have met and its outputs are made.
        travelling: until the farthest of its outputs have arrived, on links that are free.
        burst: how long the busiest link carries what all copies send at the same time.
    """

    busy: Busy
    finishing: int
    travelling: int
    burst: int

    def arrival(self, reading: int, cycles: int) -> int:
        """Return when the last vector has arrived, after a stage whose crossbars read for some time.

        Links that take longer than the crossbars make the stage last; they began when the first vector was read.
        """
        links = max(self.busy.links, self.busy.chips)
        return self.finishing + self.travelling + (self.burst if reading >= links else min(self.burst, cycles))


class Movement:
    """What the matrices of a placed program move, and for how long that keeps units and links busy.

    Args:
        placed: with places and slots.
        target: says how fast units and links are.
    """

    def __init__(self, placed: PlacedProgram, target: Target) -> None:
        plan = placed.floorplan
        self._placed, self._target = placed, target
        self._tiles = len(plan.slots)
        self._fabric = fabric_of(plan)
        rounds = np.array(plan.rounds)
        self._together = rounds[:, None] == rounds
        self.spreads: list[Spread] = spreads(placed.program, placed.places, plan.crossbars_per_tile)

    def busy(self, matrices: list[int]) -> Busy:
        """Return how long some matrices keep units and links busy, together."""
        return self._busy(matrices, self._flows(matrices, add_sent))

    def of_one(self, matrix: int) -> Journey:
        """Return how long a matrix keeps units and links busy, and what one of its vectors goes through."""
        item = self._placed.program.matrices[matrix]
        slots = -(-item.matrix.vectors // item.replicas)
        busy = self.busy([matrix])
        sums, outputs = (self._flows([matrix], add) for add in (add_sums, add_outputs))
        return Journey(
            busy=busy,
            finishing=self._travel(sums) + busy.units // slots,
            travelling=self._travel(outputs),
            burst=max(busy.links, busy.chips) // slots,
        )

    def _travel(self, flows: NDArray[np.int64]) -> int:
        """Return how many picoseconds the farthest bytes travel."""
        if not self._target.noc.hop_s or not flows.any():
            return 0
        slots = np.array(self._placed.floorplan.slots)
        source, destination = np.nonzero(flows)
        hops = int(self._fabric.hops(slots[source], slots[destination]).max())
        return picoseconds(hops * self._target.noc.hop_s)

    def _flows(self, matrices: list[int], add: Adding) -> NDArray[np.int64]:
        flows = np.zeros((self._tiles, self._tiles))
        if self._target.noc.link_bytes_per_s or self._target.noc.chip_link_bytes_per_s or self._target.noc.hop_s:
            for index in matrices:
                add(flows, self._placed.program, self.spreads, index)
            np.fill_diagonal(flows, 0)
        return in_parts(np.where(self._together, flows, 0))

    def _busy(self, matrices: list[int], flows: NDArray[np.int64]) -> Busy:
        loads = link_loads(flows, self._placed.floorplan.slots, self._fabric)
        noc = self._target.noc
        made = np.zeros(self._tiles)
        for index in matrices:
            matrix, own = self._placed.program.matrices[index].matrix, self.spreads[index]
            made[own.tiles] += matrix.vectors * matrix.groups * matrix.columns * own.makes
        return Busy(
            units=lasting(float(made.max()), self._target.tile.elements_per_s),
            links=lasting(float(loads.inside.max()) / PARTS, noc.link_bytes_per_s),
            chips=lasting(float(loads.chips.max()) / PARTS, noc.chip_link_bytes_per_s),
        )


def lasting(amount: float, rate_per_s: float) -> int:
    """Return how many picoseconds an amount takes; none, where the rate is not known."""
    return picoseconds(amount / rate_per_s) if amount and rate_per_s else 0
