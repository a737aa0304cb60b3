"""The H-tree: tiles are leaves of a tree whose inner nodes join four."""

from dataclasses import dataclass, replace

import numpy as np

from rcompile.mapper.fabric import ROOM, Fabric, Link, Matrix


@dataclass(frozen=True)
class Tree(Fabric):
    """Four neighbours share a node, four such nodes the next one, up to the root, which is the gate."""

    @property
    def height(self) -> int:
        """Nodes from a leaf up to the root."""
        return (max(self.rows, self.columns) - 1).bit_length()

    def within(self, first: Matrix, second: Matrix) -> Matrix:
        """Return hops between slots of one chip: up to the first node over both, and down again."""
        (_, row, column), (_, other_row, other_column) = self.position(first), self.position(second)
        apart = (row ^ other_row) | (column ^ other_column)
        return 2 * levels(apart)

    def to_gate(self, slot: Matrix) -> Matrix:
        """Return hops between slots of a chip and the root."""
        return np.full_like(slot, self.height)

    def nearest(self, count: int) -> Matrix:
        """Return hops to the nearest others: three at two hops, twelve at four, and so on."""
        others = np.arange(1, count + 1)
        return 2 * np.ceil(np.log2(others + 1) / 2).astype(np.int64)

    def corner(self, tiles: int) -> "Tree":
        """Return the subtree of the first chip that leaves enough room for some tiles of one chip."""
        side = 1
        while min(side, self.rows) * min(side, self.columns) < min(ROOM * tiles, self.per_chip):
            side *= 2
        return replace(self, rows=min(side, self.rows), columns=min(side, self.columns), chips=1)

    def starts(self) -> list[Matrix]:
        """Return orders of the slots of one chip: also that of the tree."""
        slot = np.arange(self.per_chip)
        _, row, column = self.position(slot)
        key = np.zeros_like(slot)
        for bit in range(self.height):
            key |= ((row >> bit & 1) << (2 * bit + 1)) | ((column >> bit & 1) << (2 * bit))
        return [np.argsort(key), *super().starts()]

    def carried(self, chip: Matrix, first: Matrix, second: Matrix, size: Matrix) -> Matrix:
        """Return bytes over each link: (up, down; height; chips; rows; columns of what is below it)."""
        (_, row, column), (_, other_row, other_column) = (self.position(np.maximum(v, 0)) for v in (first, second))
        inside = (first >= 0) & (second >= 0)
        top = np.where(inside, levels((row ^ other_row) | (column ^ other_column)), self.height)
        loads = np.zeros((2, max(self.height, 1), self.chips, self.rows, self.columns), np.int64)
        for level in range(self.height):
            passing = np.where(top > level, size, 0)
            np.add.at(loads[0, level], (chip, row >> level, column >> level), np.where(first >= 0, passing, 0))
            down = (chip, other_row >> level, other_column >> level)
            np.add.at(loads[1, level], down, np.where(second >= 0, passing, 0))
        return loads

    def way(self, chip: int, first: int, second: int) -> list[Link]:
        """Return the links from leaf to leaf: up to the first node over both, and down again."""
        ends = [[int(v) for v in self.position(np.array(max(slot, 0)))[1:]] for slot in (first, second)]
        top = self.height
        if min(first, second) >= 0:
            top = max(a ^ b for a, b in zip(*ends, strict=True)).bit_length()
        up, down = ([(way, lv, chip, r >> lv, c >> lv) for lv in range(top)] for way, (r, c) in enumerate(ends))
        return [*(up if first >= 0 else ()), *(reversed(down) if second >= 0 else ())]


def levels(apart: Matrix) -> Matrix:
    """Return the number of bits of each value."""
    return np.frexp(apart.astype(np.float64))[1].astype(np.int64)
