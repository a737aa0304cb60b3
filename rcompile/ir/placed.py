"""Level 4, PlacedProgram: each block on its crossbar, each tile on the mesh, each layer in time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import require
from rcompile.ir.crossbar import CrossbarProgram

PLACE = np.dtype([("crossbar", "<i4"), ("row", "<i4"), ("column", "<i4")])
"""One row per block: the crossbar, and the row and column of the block's first cell."""


@dataclass(frozen=True)
class Floorplan:
    """Which crossbars, tiles and chips there are, and where the used tiles sit.

    `slots[t]` is the mesh slot of used tile t, counted row by row within its chip, chips one after another.
    """

    crossbars_per_tile: int
    mesh_rows: int
    mesh_columns: int
    chips: int
    crossbars_used: int
    slots: tuple[int, ...]

    @property
    def tiles_per_chip(self) -> int:
        """Slots of one chip's mesh."""
        return self.mesh_rows * self.mesh_columns

    @property
    def crossbars_available(self) -> int:
        """Crossbars of all chips."""
        return self.chips * self.tiles_per_chip * self.crossbars_per_tile

    def position(self, tile: int) -> tuple[int, int, int]:
        """Return (chip, mesh row, mesh column) of a used tile."""
        chip, slot = divmod(self.slots[tile], self.tiles_per_chip)
        return (chip, *divmod(slot, self.mesh_columns))

    def verify(self) -> None:
        """Check that each used tile has a slot of its own."""
        need = -(-self.crossbars_used // self.crossbars_per_tile)
        require(len(self.slots) == need, f"{len(self.slots)} tiles have a slot, {need} are used")
        require(len(set(self.slots)) == need, "two tiles share a slot")
        require(all(0 <= s < self.chips * self.tiles_per_chip for s in self.slots), "a slot is off the chip")


@dataclass(frozen=True)
class PlacementQuality:
    """How far data travels in one inference: bytes x hops, with the bound and the plain snake order.

    `chip_bytes` pass from chip to chip; no cut into as few chips sends fewer than `chip_bytes_bound`.
    """

    byte_hops: int
    lower_bound: int
    snake_byte_hops: int
    max_link_bytes: int
    proven: bool
    chip_bytes: int
    chip_bytes_bound: int


@dataclass(frozen=True)
class Stage:
    """When a matrix computes, in seconds from the first sample's arrival."""

    matrix: int
    start_s: float
    stop_s: float
    busy_s: float


@dataclass(frozen=True)
class Traffic:
    """Bytes that one tile sends another per inference."""

    source: int
    destination: int
    bytes: int


@dataclass(frozen=True)
class PlacedProgram:
    """A program that can be executed: `reduction` lists each block once, in the order of the adder tree."""

    program: CrossbarProgram
    places: NDArray[np.void]
    reduction: NDArray[np.int32]
    floorplan: Floorplan
    traffic: tuple[Traffic, ...]
    quality: PlacementQuality
    stages: tuple[Stage, ...] = ()

    @property
    def crossbars(self) -> int:
        """Number of crossbars in use."""
        return self.floorplan.crossbars_used

    def tile_of(self, crossbars: NDArray[np.integer]) -> NDArray[np.integer]:
        """Return the used tile that holds each crossbar."""
        return crossbars // self.floorplan.crossbars_per_tile

    def verify(self) -> None:
        """Check that blocks stay inside their crossbars, apart from each other, and are reduced once."""
        blocks, places, program = self.program.blocks, self.places, self.program
        self.floorplan.verify()
        require(len(blocks) == len(places), "a block has no place")
        require(np.array_equal(np.sort(self.reduction), np.arange(len(blocks))), "a partial sum is not reduced once")
        bottom = places["row"] + self.program.heights()
        right = places["column"] + blocks["column_stop"] - blocks["column_start"]
        require(places["row"].min() >= 0 and bottom.max() <= program.crossbar_rows, "a block leaves its crossbar")
        require(places["column"].min() >= 0 and right.max() <= program.crossbar_columns, "a block leaves its crossbar")
        require(
            places["crossbar"].min() >= 0 and places["crossbar"].max() < self.crossbars, "a crossbar does not exist"
        )
        require(self.crossbars <= self.floorplan.crossbars_available, "more crossbars are used than there are")
        require(columns_are_exclusive(places, right), "two blocks share a column of a crossbar")

    def __str__(self) -> str:
        lines = [f"placed program {self.program.source.name}: {self.crossbars} crossbars"]
        for tile in range(len(self.floorplan.slots)):
            chip, row, column = self.floorplan.position(tile)
            lines.append(f"  tile {tile} at chip {chip} row {row} column {column}")
        for block, place in zip(self.program.blocks, self.places, strict=True):
            text = self.program.block_text(block)
            lines.append(f"  {text} -> crossbar {place['crossbar']} [{place['row']}, {place['column']}]")
        for stage in self.stages:
            name = self.program.matrices[stage.matrix].matrix.name
            lines.append(f"  stage {name} {stage.start_s:.9g}..{stage.stop_s:.9g} s")
        return "\n".join(lines)


def columns_are_exclusive(places: NDArray[np.void], right: NDArray[np.integer]) -> bool:
    """Tell whether no two blocks use the same column of a crossbar: a column sum would mix them."""
    order = np.lexsort((places["column"], places["crossbar"]))
    same = places["crossbar"][order][1:] == places["crossbar"][order][:-1]
    return bool((~same | (places["column"][order][1:] >= right[order][:-1])).all())
