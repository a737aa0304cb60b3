"""The part of report.json about what the mapper decided."""

import msgspec


class Replication(msgspec.Struct, frozen=True, kw_only=True):
    """What copies of layers reach.

    objective: crossbars, throughput or latency. interval_s: the busiest layer's time. bound_s: no copies within the
    crossbars available have a shorter interval (throughput) or latency (latency); null where there is no bound: one
    copy was asked for, layers share crossbars, or the model runs in rounds. optimal: whether the bound is reached; for
    one copy, whether no packing takes fewer crossbars.
    """

    objective: str
    interval_s: float
    bound_s: float | None
    optimal: bool


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """Crossbars used.

    sharing: layer, concurrent or exclusive, what may share a crossbar. lower_bound: no packing takes fewer crossbars
    under that rule. cells_bound: what the cells would fill without gaps.
    """

    sharing: str
    crossbars: int
    lower_bound: int
    cells_bound: int


class PlacementInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How far data travels in one inference.

    chip_bytes: bytes that pass from chip to chip, of which no cut into as few chips has fewer than chip_bytes_bound.
    """

    byte_hops: int
    lower_bound: int
    snake_byte_hops: int
    max_link_bytes: int
    proven: bool
    chip_bytes: int
    chip_bytes_bound: int
    round_bytes: int
    """Kept from round to round."""


class TileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A used tile: where it is, and how many crossbars of which layer it holds (index into layers).

    round: in which it computes; a resident tile stays programmed in all rounds.
    """

    tile: int
    round: int
    resident: bool
    crossbars_used: int
    """Crossbars that hold something; layers may share them."""
    waiting_bytes: int
    """Inputs that wait in it at most."""
    chip: int
    layer: int
    row: int
    column: int
    crossbars: list[tuple[int, int]]


class LinkInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that one tile sends another in one inference, rounded up: copies send each other parts of bytes."""

    source: int
    destination: int
    bytes: int


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """What limits the pipeline, and what waits in its tiles.

    limited_by: crossbars, digital units, links, or links between chips. crossbars_s, digital_units_s, links_s,
    chip_links_s: how long the busiest is busy with one inference; null where the target does not say how fast it is.
    waiting_bytes: inputs that wait in the fullest tile, `fullest_tile`, at most; buffer_bytes: what a tile holds.
    deadlock_free: whether all that waits fits, so that the schedule can be kept; null where buffers are not known.
    """

    limited_by: str
    crossbars_s: float
    digital_units_s: float | None
    links_s: float | None
    chip_links_s: float | None
    waiting_bytes: int
    fullest_tile: int
    buffer_bytes: int | None
    deadlock_free: bool | None


class FaultInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a die's faults do to the weights.

    stuck_cells: of the crossbars used, those of dead rows, columns and crossbars included. weight_error: root mean
    square of the errors relative to that of the weights, with the lines that were chosen; in_order_error: with each
    row and column on the line of its number.
    """

    file: str
    stuck_cells: int
    weight_error: float
    in_order_error: float


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """What the mapper decided, with bounds."""

    rounds: int
    replication: Replication
    packing: Packing
    placement: PlacementInfo
    faults: FaultInfo | None
    schedule: Schedule
    tiles: list[TileInfo]
    traffic: list[LinkInfo]
    deterministic_hash: str
