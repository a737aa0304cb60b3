"""Level 4, PlacedProgram: each block on its crossbar, each tile on the mesh, each layer in time."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import require
from rcompile.ir.crossbar import CrossbarProgram

PLACE = np.dtype([("crossbar", "<i4"), ("row", "<i4"), ("column", "<i4")])
"""One row per block: the crossbar, and the row and column of the block's first cell."""


@dataclass(frozen=True)
class Wiring:
    """Which lines of each crossbar carry what, where the lines have been chosen: rows (crossbars, R), columns (.., C).

    Row r of a place is line rows[crossbar, r] of the crossbar, which may have more lines than that: spare ones.
    """

    rows: NDArray[np.uint16]
    columns: NDArray[np.uint16]

    def verify(self, crossbars: int, size: tuple[int, int]) -> None:
        """Check that each crossbar has its lines, each at most once."""
        for lines, count in zip((self.rows, self.columns), size, strict=True):
            require(lines.shape == (crossbars, count), "a crossbar's lines are not all chosen")
            ordered = np.sort(lines, axis=1)
            require((ordered[:, 1:] != ordered[:, :-1]).all(), "a line of a crossbar is used twice")


class Sharing(StrEnum):
    """What may share a crossbar, beside the slices and polarities of a partition, which read the same inputs.

    Attributes:
        LAYER: the groups of a layer's copy, on rows and columns of their own: all are read together.
        CONCURRENT: partitions of any layers, on rows and columns of their own: all are read together.
        EXCLUSIVE: partitions of any layers, on cells of their own, read one at a time.
    """

    LAYER = "layer"
    CONCURRENT = "concurrent"
    EXCLUSIVE = "exclusive"


@dataclass(frozen=True)
class Floorplan:
    """Which crossbars, tiles and chips there are, and where the used tiles sit.

    `slots[t]` is the slot of used tile t, counted row by row, layer by layer and chip by chip. A program
    that is larger than the chips runs in rounds: `rounds[t]` is the round in which tile t computes, and the tiles from
    `resident` on stay programmed in all rounds. The others give their slots to the next round's. Blocks of
    `router_rows` x `router_columns` slots share a router of the mesh. `topology` says what connects the tiles.
    """

    crossbars_per_tile: int
    mesh_rows: int
    mesh_columns: int
    chips: int
    crossbars_used: int
    slots: tuple[int, ...]
    rounds: tuple[int, ...]
    resident: int
    router_rows: int = 1
    router_columns: int = 1
    mesh_layers: int = 1
    topology: str = "mesh"

    @property
    def round_count(self) -> int:
        """Number of rounds."""
        return max(self.rounds) + 1

    def present(self, number: int) -> list[int]:
        """Return the tiles that are programmed in a round."""
        return [t for t, own in enumerate(self.rounds) if own == number or t >= self.resident]

    @property
    def tiles_per_chip(self) -> int:
        """Slots of one chip."""
        return self.mesh_layers * self.mesh_rows * self.mesh_columns

    @property
    def crossbars_available(self) -> int:
        """Crossbars of all chips."""
        return self.chips * self.tiles_per_chip * self.crossbars_per_tile

    def position(self, tile: int) -> tuple[int, int, int, int]:
        """Return (chip, layer, row, column) of a used tile."""
        chip, slot = divmod(self.slots[tile], self.tiles_per_chip)
        layer, place = divmod(slot, self.mesh_rows * self.mesh_columns)
        return (chip, layer, *divmod(place, self.mesh_columns))

    def verify(self) -> None:
        """Check that each used tile has a slot of its own."""
        need = -(-self.crossbars_used // self.crossbars_per_tile)
        require(len(self.slots) == need, f"{len(self.slots)} tiles have a slot, {need} are used")
        require(len(self.rounds) == need, f"{len(self.rounds)} tiles have a round, {need} are used")
        for number in range(self.round_count):
            slots = [self.slots[tile] for tile in self.present(number)]
            require(len(set(slots)) == len(slots), f"two tiles share a slot in round {number}")
        require(all(0 <= s < self.chips * self.tiles_per_chip for s in self.slots), "a slot is off the chip")


@dataclass(frozen=True)
class PlacementQuality:
    """How far data travels in one inference: bytes x hops, with the bound and the plain snake order.

    `chip_bytes` pass from chip to chip; no cut into as few chips sends fewer than `chip_bytes_bound`. No packing
    under the same rules of sharing takes fewer crossbars than `crossbars_bound`. `round_bytes` are kept from round to
    round.
    """

    byte_hops: int
    lower_bound: int
    snake_byte_hops: int
    max_link_bytes: int
    proven: bool
    chip_bytes: int
    chip_bytes_bound: int
    crossbars_bound: int
    round_bytes: int


@dataclass(frozen=True)
class Stage:
    """When a matrix computes, in seconds from the first sample's arrival."""

    matrix: int
    start_s: float
    stop_s: float
    busy_s: float


@dataclass(frozen=True)
class Pace:
    """How long the busiest of each kind is busy with one inference, in seconds; 0 where that is not known.

    Attributes:
        crossbars_s: reading.
        units_s: the digital units of a tile, finishing outputs.
        links_s: a link of the mesh, one way.
        chips_s: a link from chip to chip, one way.
    """

    crossbars_s: float
    units_s: float = 0.0
    links_s: float = 0.0
    chips_s: float = 0.0

    @property
    def slowest_s(self) -> float:
        """Of the slowest kind."""
        return max(self.crossbars_s, self.units_s, self.links_s, self.chips_s)

    @property
    def limited_by(self) -> str:
        """Name of the slowest kind: crossbars, digital units, links, or links between chips."""
        kinds = {
            "crossbars": self.crossbars_s,
            "digital units": self.units_s,
            "links": self.links_s,
            "links between chips": self.chips_s,
        }
        return max(kinds, key=lambda kind: kinds[kind])


@dataclass(frozen=True)
class Traffic:
    """Bytes that one tile sends another per inference."""

    source: int
    destination: int
    bytes: int


@dataclass(frozen=True)
class PlacedProgram:
    """A program that can be executed.

    Attributes:
        reduction: each block once, in the order of the adder tree.
        sharing: what may share a crossbar.
        stages: when each matrix computes; empty until `schedule`.
        interval_s: time between two inferences.
        pace: what limits the interval, of the slowest round.
        waiting_bytes: inputs that wait in each tile at most, for the matrices that read them.
        wiring: lines that were chosen to avoid faults; None: each row and column is the line of its number.
    """

    program: CrossbarProgram
    places: NDArray[np.void]
    reduction: NDArray[np.int32]
    floorplan: Floorplan
    traffic: tuple[Traffic, ...]
    quality: PlacementQuality
    sharing: Sharing
    stages: tuple[Stage, ...] = ()
    interval_s: float = 0.0
    pace: Pace = Pace(0.0)
    waiting_bytes: tuple[int, ...] = ()
    wiring: Wiring | None = None

    @property
    def crossbars(self) -> int:
        """Numbers that crossbars have; a round starts with a tile, so that some before may stand for none."""
        return self.floorplan.crossbars_used

    @cached_property
    def crossbars_filled(self) -> int:
        """Number of crossbars that hold blocks, those of all rounds."""
        return len(np.unique(self.places["crossbar"]))

    @property
    def takes_turns(self) -> bool:
        """Whether partitions on a crossbar are read one after another: by its sharing, or since it drives few rows."""
        return self.sharing is Sharing.EXCLUSIVE or self.program.rows_at_once < self.program.crossbar_rows

    def tiles_of(self, matrix: int) -> NDArray[np.integer]:
        """Return the used tiles that hold a matrix."""
        return np.unique(self.tile_of(self.places["crossbar"][self.program.blocks["matrix"] == matrix]))

    def tile_of(self, crossbars: NDArray[np.integer]) -> NDArray[np.integer]:
        """Return the used tile that holds each crossbar."""
        return crossbars // self.floorplan.crossbars_per_tile

    def position_of(self, crossbar: int) -> int:
        """Return where on the chips a crossbar is: its slot times the crossbars of a tile, plus its place there."""
        tile, place = divmod(crossbar, self.floorplan.crossbars_per_tile)
        return self.floorplan.slots[tile] * self.floorplan.crossbars_per_tile + place

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
        crowded = crossbars_that_share_columns(places, right)
        if self.sharing is Sharing.EXCLUSIVE:
            order = np.argsort(places["crossbar"], kind="stable")
            numbers = places["crossbar"][order]
            for crossbar in crowded:
                own = order[np.searchsorted(numbers, crossbar) : np.searchsorted(numbers, crossbar, side="right")]
                require(cells_are_apart(places[own], bottom[own], right[own]), "two blocks share a cell of a crossbar")
        else:
            require(not len(crowded), "two blocks share a column of a crossbar")
            require(rows_have_one_partition(blocks, places, bottom), "two partitions share a row of a crossbar")
        if self.sharing is Sharing.LAYER:
            require(crossbars_hold_one_copy(blocks, places), "two copies or layers share a crossbar")
        if self.wiring is not None:
            self.wiring.verify(self.crossbars, (program.crossbar_rows, program.crossbar_columns))

    def __str__(self) -> str:
        shared = "" if self.sharing is Sharing.LAYER else f", shared {self.sharing}"
        lines = [f"placed program {self.program.source.name}: {self.crossbars} crossbars{shared}"]
        for tile in range(len(self.floorplan.slots)):
            chip, layer, row, column = self.floorplan.position(tile)
            above = f" layer {layer}" if self.floorplan.mesh_layers > 1 else ""
            number = f" in round {self.floorplan.rounds[tile]}" if self.floorplan.round_count > 1 else ""
            lines.append(f"  tile {tile} at chip {chip}{above} row {row} column {column}{number}")
        for block, place in zip(self.program.blocks, self.places, strict=True):
            text = self.program.block_text(block)
            lines.append(f"  {text} -> crossbar {place['crossbar']} [{place['row']}, {place['column']}]")
        if self.wiring is not None:
            for crossbar in np.unique(self.places["crossbar"]):
                rows, columns = self.wiring.rows[crossbar], self.wiring.columns[crossbar]
                lines.append(f"  crossbar {crossbar} on lines {runs(rows)} x {runs(columns)}")
        for stage in self.stages:
            name = self.program.matrices[stage.matrix].matrix.name
            lines.append(f"  stage {name} {stage.start_s:.9g}..{stage.stop_s:.9g} s")
        if self.stages:
            lines.append(f"  interval {self.interval_s:.9g} s, limited by {self.pace.limited_by}")
            lines += [f"  tile {tile} holds {count} bytes that wait" for tile, count in enumerate(self.waiting_bytes)]
        return "\n".join(lines)


def runs(lines: NDArray[np.integer]) -> str:
    """Describe a sequence of lines by its runs, first:stop."""
    borders = np.flatnonzero(np.diff(lines.astype(np.int64)) != 1) + 1
    return " ".join(f"{part[0]}:{part[-1] + 1}" for part in np.split(lines, borders))


def crossbars_that_share_columns(places: NDArray[np.void], right: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the crossbars on which two blocks use the same column: read together, a column sum would mix them."""
    order = np.lexsort((places["column"], places["crossbar"]))
    crossbar, left = places["crossbar"][order], places["column"][order]
    same = (crossbar[1:] == crossbar[:-1]) & (left[1:] < right[order][:-1])
    found: NDArray[np.int32] = np.unique(crossbar[1:][same])
    return found


def cells_are_apart(places: NDArray[np.void], bottom: NDArray[np.integer], right: NDArray[np.integer]) -> bool:
    """Tell whether no two blocks of one crossbar share a cell."""
    used = np.zeros((int(bottom.max()), int(right.max())), np.int32)
    for place, low, far in zip(places, bottom, right, strict=True):
        used[place["row"] : low, place["column"] : far] += 1
    return bool(used.max() <= 1)


def rows_have_one_partition(blocks: NDArray[np.void], places: NDArray[np.void], bottom: NDArray[np.integer]) -> bool:
    """Tell whether blocks that share rows of a crossbar are slices and polarities of one partition."""
    order = np.lexsort((places["row"], places["crossbar"]))
    names = ("matrix", "replica", "group", "row_start", "column_start")
    alike = np.ones(len(order) - 1, bool)
    for values in (*(blocks[name] for name in names), places["row"], places["crossbar"]):
        alike &= values[order][1:] == values[order][:-1]
    apart = places["crossbar"][order][1:] != places["crossbar"][order][:-1]
    apart |= places["row"][order][1:] >= bottom[order][:-1]
    return bool((alike | apart).all())


def crossbars_hold_one_copy(blocks: NDArray[np.void], places: NDArray[np.void]) -> bool:
    """Tell whether each crossbar holds blocks of one copy of one matrix."""
    order = np.argsort(places["crossbar"], kind="stable")
    same = places["crossbar"][order][1:] == places["crossbar"][order][:-1]
    alike = np.ones(len(order) - 1, bool)
    for name in ("matrix", "replica"):
        alike &= blocks[name][order][1:] == blocks[name][order][:-1]
    return bool((alike | ~same).all())
