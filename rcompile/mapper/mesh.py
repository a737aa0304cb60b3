"""The mesh of tiles, also with several tiles a router, or in stacked layers."""

from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np

from rcompile.mapper.fabric import ROOM, Fabric, Link, Matrix


@dataclass(frozen=True)
class Mesh(Fabric):
    """Tiles pass bytes to those beside, above and below them; the gate is at the first slot.

    Blocks of `router_rows` x `router_columns` slots share a router (concentrated mesh): hops are from router to router.
    """

    router_rows: int = 1
    router_columns: int = 1

    def within(self, first: Matrix, second: Matrix) -> Matrix:
        """Return hops between slots of one chip, element by element."""
        here, there = self.router(first), self.router(second)
        hops = [np.abs(a - b) for a, b in zip(here, there, strict=True)]
        return hops[0] + hops[1] + hops[2]

    def to_gate(self, slot: Matrix) -> Matrix:
        """Return hops between slots of a chip and the first one."""
        layer, row, column = self.router(slot)
        return layer + row + column

    def router(self, slot: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return layer, row and column of the routers of slots of a chip."""
        layer, row, column = self.position(slot)
        return layer, row // self.router_rows, column // self.router_columns

    @property
    def routers(self) -> tuple[int, int]:
        """Rows and columns of the routers of a layer."""
        return -(-self.rows // self.router_rows), -(-self.columns // self.router_columns)

    def nearest(self, count: int) -> Matrix:
        """Return hops to the nearest others of a slot in the middle layer of endless ones.

        At most 2 k (k + 1) + 1 routers of a layer are at k hops or fewer from one of it.
        """
        hops = np.arange(count + 1)
        middle = (self.layers - 1) // 2
        reached = np.zeros_like(hops)
        for layer in range(self.layers):
            left = hops - abs(layer - middle)
            reached += np.where(left >= 0, 2 * left * (left + 1) + 1, 0)
        slots = reached * self.router_rows * self.router_columns - 1  # all but itself
        return np.searchsorted(slots, np.arange(1, count + 1)).astype(np.int64)

    def corner(self, tiles: int) -> "Mesh":
        """Return the corner of the first chip that leaves enough room for some tiles of one chip."""
        each = -(-tiles // self.layers)
        side = ceil(sqrt(ROOM * each))
        rows = min(self.rows, max(side, ceil(ROOM * each / self.columns)))
        columns = min(self.columns, max(side, ceil(ROOM * each / rows)))
        rows = min(self.rows, -(-rows // self.router_rows) * self.router_rows)  # whole blocks
        columns = min(self.columns, -(-columns // self.router_columns) * self.router_columns)
        return replace(self, rows=rows, columns=columns, chips=1)

    def carried(self, chip: Matrix, first: Matrix, second: Matrix, size: Matrix) -> Matrix:
        """Return bytes over each link: (east, west, south, north, down, up; chips; layers; rows; columns of routers).

        Packets go along the row first, then the column, then from layer to layer. A link is at the router with the
        smaller row, column or layer; the last one of each has none.
        """
        layer, row, column = self.router(np.maximum(first, 0))
        to_layer, to_row, to_column = self.router(np.maximum(second, 0))
        rows, columns = self.routers
        loads = np.zeros((6, self.chips, self.layers + 1, rows + 1, columns + 1), np.int64)
        ways: list[tuple[Matrix, Matrix, tuple[Matrix, ...], tuple[Matrix, ...]]] = [
            (column, to_column, (chip, layer, row), ()),
            (row, to_row, (chip, layer), (to_column,)),
            (layer, to_layer, (chip,), (to_row, to_column)),
        ]
        for way, (start, stop, before, after) in enumerate(ways):
            for load, low, high in ((loads[2 * way], start, stop), (loads[2 * way + 1], stop, start)):
                going = np.where(low < high, size, 0)
                np.add.at(load, (*before, low, *after), going)
                np.add.at(load, (*before, high, *after), -going)
                np.cumsum(load, axis=len(before), out=load)
        return loads[:, :, : self.layers, :rows, :columns]

    def way(self, chip: int, first: int, second: int) -> list[Link]:
        """Return the links from slot to slot: along the row, then the column, then from layer to layer."""
        here, goal = ([int(v) for v in self.router(np.array(max(slot, 0)))] for slot in (first, second))
        found: list[Link] = []
        for number, axis in enumerate((2, 1, 0)):  # columns are passed first
            while here[axis] != goal[axis]:
                back = here[axis] > goal[axis]
                here[axis] -= back
                found.append((2 * number + back, chip, *here))
                here[axis] += not back
        return found
