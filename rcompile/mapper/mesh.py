"""The mesh of tiles: hops, orders, link loads."""

from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.placed import Floorplan

Matrix = NDArray[np.int64]

ROOM = 4
"""Slots considered per tile: on a far larger mesh the best places are in a corner of it all the same."""


@dataclass(frozen=True)
class Mesh:
    """Chips of rows x columns slots; packets between chips pass the first slot of each.

    Blocks of `router_rows` x `router_columns` slots share a router (concentrated mesh): hops are from router to router.
    """

    rows: int
    columns: int
    chips: int
    router_rows: int = 1
    router_columns: int = 1

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
        rows = min(self.rows, -(-rows // self.router_rows) * self.router_rows)  # whole blocks
        columns = min(self.columns, -(-columns // self.router_columns) * self.router_columns)
        return replace(self, rows=rows, columns=columns, chips=1)

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
        chips, rows, columns = zip(*(self.router(slot) for slot in (first, second)), strict=True)
        inside = np.abs(rows[0] - rows[1]) + np.abs(columns[0] - columns[1])
        across = rows[0] + columns[0] + rows[1] + columns[1] + np.abs(chips[0] - chips[1])
        return np.where(chips[0] == chips[1], inside, across).astype(np.int64)

    def position(self, slot: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return chip, row and column of slots."""
        chip, inner = np.divmod(slot, self.rows * self.columns)
        return (chip, *np.divmod(inner, self.columns))

    def router(self, slot: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return chip, row and column of the routers of slots."""
        chip, row, column = self.position(slot)
        return chip, row // self.router_rows, column // self.router_columns

    @property
    def routers(self) -> tuple[int, int]:
        """Rows and columns of the routers of a chip."""
        return -(-self.rows // self.router_rows), -(-self.columns // self.router_columns)

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


def mesh_of(plan: Floorplan) -> Mesh:
    """Return the mesh of a program's tiles."""
    return Mesh(plan.mesh_rows, plan.mesh_columns, plan.chips, plan.router_rows, plan.router_columns)


@dataclass(frozen=True)
class Loads:
    """Bytes over each directed link.

    Attributes:
        east: (chips, rows, columns) of routers, over the link to the next one of its row; the last column has none.
        west: the same links, the other way.
        south: (chips, rows, columns) of routers, over the link to the next one of its column; the last row has none.
        north: the same links, the other way.
        chips: (chips, chips), from chip to chip.
    """

    east: Matrix
    west: Matrix
    south: Matrix
    north: Matrix
    chips: Matrix

    @property
    def on_mesh(self) -> Matrix:
        """Those of all links of the meshes."""
        return np.stack([self.east, self.west, self.south, self.north])

    @property
    def most(self) -> int:
        """Of the busiest link."""
        return int(max(self.on_mesh.max(), self.chips.max()))

    @property
    def total(self) -> int:
        """Bytes times hops."""
        return int(self.on_mesh.sum() + self.chips.sum())


def link_loads(flows: Matrix, slots: tuple[int, ...], mesh: Mesh) -> Loads:
    """Return bytes over each link, routed along the row first.

    Args:
        flows: (tiles, tiles) bytes.
        slots: of the tiles.
        mesh: of the slots.
    """
    source, destination = np.nonzero(flows)
    amount = flows[source, destination]
    at = np.asarray(slots, np.int64)
    start, stop = mesh.router(at[source]), mesh.router(at[destination])
    across = start[0] != stop[0]
    chips = np.zeros((mesh.chips, mesh.chips), np.int64)
    np.add.at(chips, (start[0][across], stop[0][across]), amount[across])
    gate = np.zeros(int(across.sum()), np.int64)
    # what leaves a chip goes to its first slot, and from the first slot of the other one on
    legs = zip(
        [part[~across] for part in (*start, *stop[1:], amount)],
        [*(part[across] for part in start), gate, gate, amount[across]],
        [stop[0][across], gate, gate, *(part[across] for part in stop[1:]), amount[across]],
        strict=True,
    )
    chip, row, column, to_row, to_column, size = (np.concatenate(parts) for parts in legs)
    rows, columns = mesh.routers
    east, west, south, north = np.zeros((4, mesh.chips, rows + 1, columns + 1), np.int64)
    for loads, first, last in ((east, column, to_column), (west, to_column, column)):
        going = first < last
        np.add.at(loads, (chip[going], row[going], first[going]), size[going])
        np.add.at(loads, (chip[going], row[going], last[going]), -size[going])
    for loads, first, last in ((south, row, to_row), (north, to_row, row)):
        going = first < last
        np.add.at(loads, (chip[going], first[going], to_column[going]), size[going])
        np.add.at(loads, (chip[going], last[going], to_column[going]), -size[going])
    inner = (slice(None), slice(rows), slice(columns))
    return Loads(
        east=east.cumsum(axis=2)[inner],
        west=west.cumsum(axis=2)[inner],
        south=south.cumsum(axis=1)[inner],
        north=north.cumsum(axis=1)[inner],
        chips=chips,
    )
