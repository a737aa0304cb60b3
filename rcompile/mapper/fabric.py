"""What tiles are connected by: hops, orders of slots, link loads."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]

Link = tuple[int, ...]
"""A directed link: its index among those that `Fabric.carried` counts, or the two chips that it connects."""

ROOM = 4
"""Slots considered per tile: on a far larger fabric the best places are in a corner of it all the same."""

STRIP_HEIGHTS = range(1, 7)


@dataclass(frozen=True)
class Fabric(ABC):
    """Chips of rows x columns slots, in layers on top of each other; packets between chips pass the gate of each.

    Slots are counted row by row, layer by layer and chip by chip.
    """

    rows: int
    columns: int
    chips: int
    layers: int = 1

    @property
    def per_chip(self) -> int:
        """Slots of a chip."""
        return self.layers * self.rows * self.columns

    @property
    def slots(self) -> int:
        """Slots of all chips."""
        return self.per_chip * self.chips

    @abstractmethod
    def within(self, first: Matrix, second: Matrix) -> Matrix:
        """Return hops between slots of one chip, element by element."""

    @abstractmethod
    def to_gate(self, slot: Matrix) -> Matrix:
        """Return hops between slots of a chip and where packets leave it."""

    @abstractmethod
    def nearest(self, count: int) -> Matrix:
        """Return the hops from a slot to so many others that no slot of a fabric of any size falls below."""

    @abstractmethod
    def corner(self, tiles: int) -> Self:
        """Return the corner of the first chip that leaves enough room for some tiles of one chip."""

    @abstractmethod
    def carried(self, chip: Matrix, first: Matrix, second: Matrix, size: Matrix) -> Matrix:
        """Return bytes over each directed link inside the chips; where `second` is -1, to the gate, `first`, from it.

        Args:
            chip: of each packet, as the other arguments.
            first: slot of the chip that sends it.
            second: slot of the chip that receives it.
            size: bytes.
        """

    @abstractmethod
    def way(self, chip: int, first: int, second: int) -> list[Link]:
        """Return the links from a slot of a chip to another one, in order; -1 is the gate. See `carried`."""

    def route(self, first: int, second: int) -> list[Link]:
        """Return the links from slot to slot, in order: as many as there are hops."""
        (chip, slot), (other, end) = divmod(first, self.per_chip), divmod(second, self.per_chip)
        if chip == other:
            return self.way(chip, slot, end)
        step = 1 if other > chip else -1
        across: list[Link] = [(passed, passed + step) for passed in range(chip, other, step)]
        return [*self.way(chip, slot, -1), *across, *self.way(other, -1, end)]

    def hops(self, first: Matrix, second: Matrix) -> Matrix:
        """Return hops between slots, element by element; one hop from chip to chip, between their gates."""
        (chip, slot), (other, end) = np.divmod(first, self.per_chip), np.divmod(second, self.per_chip)
        across = self.to_gate(slot) + self.to_gate(end) + np.abs(chip - other)
        return np.where(chip == other, self.within(slot, end), across).astype(np.int64)

    def distances(self) -> Matrix:
        """Return hops between all pairs of slots."""
        slot = np.arange(self.slots)
        return self.hops(slot[:, None], slot[None, :])

    def position(self, slot: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return layer, row and column of slots of a chip."""
        layer, inner = np.divmod(slot, self.rows * self.columns)
        return (layer, *np.divmod(inner, self.columns))

    def alone(self) -> Self:
        """Return one of the chips."""
        return replace(self, chips=1)

    def slots_of(self, corner: Self, slots: Matrix) -> Matrix:
        """Return the slots of this fabric that those of a corner are."""
        layer, row, column = corner.position(slots)
        return (layer * self.rows + row) * self.columns + column

    def starts(self) -> list[Matrix]:
        """Return orders of the slots of one chip in which neighbours are near each other."""
        turned = replace(self, rows=self.columns, columns=self.rows)
        along = [self.strips(height) for height in STRIP_HEIGHTS if height <= self.rows]
        down = [turned.strips(height) for height in STRIP_HEIGHTS if height <= self.columns]
        return along + [self.turned(order) for order in down]

    def turned(self, slots: Matrix) -> Matrix:
        """Return what slots of the chip with rows and columns exchanged are called here."""
        layer, inner = np.divmod(slots, self.rows * self.columns)
        row, column = np.divmod(inner, self.rows)
        return (layer * self.rows + column) * self.columns + row

    def strips(self, height: int) -> Matrix:
        """Return the slots of one chip in boustrophedon order inside strips of `height` rows (1: the plain snake)."""
        order = []
        for top in range(0, self.rows, height):
            rows = range(top, min(top + height, self.rows))
            columns = range(self.columns) if (top // height) % 2 == 0 else range(self.columns - 1, -1, -1)
            for step, column in enumerate(columns):
                order += [row * self.columns + column for row in (rows if step % 2 == 0 else reversed(rows))]
        layer, size = np.array(order), self.rows * self.columns
        return np.concatenate([layer[:: 1 - 2 * (number % 2)] + number * size for number in range(self.layers)])

    def snake(self) -> Matrix:
        """Return the slots of all chips in boustrophedon order."""
        return np.concatenate([self.strips(1) + chip * self.per_chip for chip in range(self.chips)])


@dataclass(frozen=True)
class Loads:
    """Bytes over each directed link.

    Attributes:
        inside: over the links of the chips, in an order that the fabric has.
        chips: (chips, chips), from chip to the next one or the one before: they are in a row.
    """

    inside: Matrix
    chips: Matrix

    @property
    def most(self) -> int:
        """Of the busiest link."""
        return int(max(self.inside.max(), self.chips.max()))

    @property
    def total(self) -> int:
        """Bytes times hops."""
        return int(self.inside.sum() + self.chips.sum())


def link_loads(flows: Matrix, slots: tuple[int, ...], fabric: Fabric) -> Loads:
    """Return bytes over each link.

    Args:
        flows: (tiles, tiles) bytes.
        slots: of the tiles.
        fabric: of the slots.
    """
    source, destination = np.nonzero(flows)
    amount = flows[source, destination]
    at = np.asarray(slots, np.int64)
    chip, start = np.divmod(at[source], fabric.per_chip)
    other, stop = np.divmod(at[destination], fabric.per_chip)
    far = chip != other
    chips = np.zeros((fabric.chips, fabric.chips), np.int64)
    between = np.zeros_like(chips)
    np.add.at(between, (chip[far], other[far]), amount[far])
    for low, high in zip(*np.nonzero(between), strict=True):
        step = 1 if high > low else -1
        passed = np.arange(low, high, step)
        chips[passed, passed + step] += between[low, high]
    gate = np.full(int(far.sum()), -1)
    inside = fabric.carried(
        np.concatenate([chip[~far], chip[far], other[far]]),
        np.concatenate([start[~far], start[far], gate]),
        np.concatenate([stop[~far], gate, stop[far]]),
        np.concatenate([amount[~far], amount[far], amount[far]]),
    )
    return Loads(inside, chips)
