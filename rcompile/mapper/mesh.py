"""The mesh of tiles: hops, orders, link loads."""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]

ROOM = 4
"""Slots considered per tile: on a far larger mesh the best places are in a corner of it all the same."""


@dataclass(frozen=True)
class Mesh:
    """Chips of rows x columns slots; packets between chips pass the first slot of each."""

    rows: int
    columns: int
    chips: int

    @property
    def slots(self) -> int:
        """Slots of all chips."""
        return self.rows * self.columns * self.chips

    def corner(self, tiles: int) -> "Mesh":
        """Return the corner of the first chip that leaves enough room for some tiles; all, where they take more."""
        if tiles > self.rows * self.columns:
            return self
        side = ceil(sqrt(ROOM * tiles))
        rows = min(self.rows, max(side, ceil(ROOM * tiles / self.columns)))
        columns = min(self.columns, max(side, ceil(ROOM * tiles / rows)))
        return Mesh(rows, columns, 1)

    def slots_of(self, corner: "Mesh", slots: Matrix) -> Matrix:
        """Return the slots of this mesh that those of a corner are."""
        if corner == self:
            return slots
        row, column = np.divmod(slots, corner.columns)
        return row * self.columns + column

    def turned(self, slots: Matrix) -> Matrix:
        """Return what slots of one chip are called where rows and columns change places."""
        row, column = np.divmod(slots, self.columns)
        return column * self.rows + row

    def distances(self) -> Matrix:
        """Return hops between all pairs of slots."""
        slot = np.arange(self.slots)
        return self.hops(slot[:, None], slot[None, :])

    def hops(self, first: Matrix, second: Matrix) -> Matrix:
        """Return hops between slots, element by element; one hop from chip to chip, at the first slot of each."""
        chips, rows, columns = zip(*(self.position(slot) for slot in (first, second)), strict=True)
        inside = np.abs(rows[0] - rows[1]) + np.abs(columns[0] - columns[1])
        across = rows[0] + columns[0] + rows[1] + columns[1] + np.abs(chips[0] - chips[1])
        return np.where(chips[0] == chips[1], inside, across).astype(np.int64)

    def position(self, slot: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return chip, row and column of slots."""
        chip, inner = np.divmod(slot, self.rows * self.columns)
        return (chip, *np.divmod(inner, self.columns))

    def snake(self, height: int) -> Matrix:
        """Return slots in boustrophedon order inside strips of `height` rows (1: the plain snake)."""
        order = []
        for top in range(0, self.rows, height):
            rows = range(top, min(top + height, self.rows))
            columns = range(self.columns) if (top // height) % 2 == 0 else range(self.columns - 1, -1, -1)
            for step, column in enumerate(columns):
                order += [row * self.columns + column for row in (rows if step % 2 == 0 else reversed(rows))]
        size = self.rows * self.columns
        return np.concatenate([np.array(order) + chip * size for chip in range(self.chips)])


def link_loads(flows: Matrix, slots: tuple[int, ...], mesh: Mesh) -> dict[tuple[int, int], int]:
    """Return bytes over each directed link between neighbouring slots, routed along the row first."""
    loads: dict[tuple[int, int], int] = {}

    def walk(source: int, destination: int, amount: int) -> None:
        here = source
        while here != destination:
            row, column = divmod(here, mesh.columns)
            goal_row, goal_column = divmod(destination, mesh.columns)
            if column != goal_column:
                there = here + (1 if goal_column > column else -1)
            else:
                there = here + (mesh.columns if goal_row > row else -mesh.columns)
            loads[here, there] = loads.get((here, there), 0) + amount
            here = there

    size = mesh.rows * mesh.columns
    for source, destination in zip(*np.nonzero(flows), strict=True):
        start, stop = slots[source], slots[destination]
        amount = int(flows[source, destination])
        if start // size == stop // size:
            walk(start, stop, amount)
        else:
            gates = (start // size * size, stop // size * size)
            walk(start, gates[0], amount)
            loads[gates] = loads.get(gates, 0) + amount
            walk(gates[1], stop, amount)
    return loads
