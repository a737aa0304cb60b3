"""The bus: one link that all tiles of a chip share."""

from dataclasses import dataclass, replace

import numpy as np

from rcompile.mapper.fabric import Fabric, Link, Matrix


@dataclass(frozen=True)
class Bus(Fabric):
    """Each tile is one hop from every other one, and from the gate; what one sends, no other can send meanwhile."""

    def within(self, first: Matrix, second: Matrix) -> Matrix:
        """Return hops between slots of one chip."""
        return (first != second).astype(np.int64)

    def to_gate(self, slot: Matrix) -> Matrix:
        """Return the hop between slots of a chip and the gate."""
        return np.ones_like(slot)

    def nearest(self, count: int) -> Matrix:
        """Return hops to the nearest others."""
        return np.ones(count, np.int64)

    def corner(self, tiles: int) -> "Bus":
        """Return room for the tiles and no more: all places are alike."""
        columns = min(self.columns, tiles)
        return replace(self, rows=-(-tiles // columns), columns=columns, chips=1)

    def starts(self) -> list[Matrix]:
        """Return one order: all are alike."""
        return [self.strips(1)]

    def carried(self, chip: Matrix, first: Matrix, second: Matrix, size: Matrix) -> Matrix:
        """Return bytes over the bus of each chip: (chips,)."""
        del first, second
        return np.bincount(chip, size, self.chips).astype(np.int64)

    def way(self, chip: int, first: int, second: int) -> list[Link]:
        """Return the bus of a chip."""
        return [(chip,)] if first != second else []
