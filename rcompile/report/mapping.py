"""What the mapper decided, for the report: bounds, tiles, what limits the pipeline, faults."""

import numpy as np

from rcompile.ir.placed import PlacedProgram, Sharing
from rcompile.mapper.clock import ROUNDING
from rcompile.options import Objective
from rcompile.report.faults import fault_info
from rcompile.report.mapping_schema import LinkInfo, Mapping, Packing, PlacementInfo, Replication, Schedule, TileInfo
from rcompile.result import Result
from rcompile.targets import Target


def mapping(result: Result) -> Mapping:
    """Describe what the mapper decided, with bounds."""
    placed, objective = result.compiled.placed, result.options.objective
    reached = {Objective.THROUGHPUT: placed.interval_s, Objective.LATENCY: max(s.stop_s for s in placed.stages)}
    # the bound counts copies that share no crossbar, in one round
    bounded = (
        objective in reached
        and placed.sharing is Sharing.LAYER
        and placed.floorplan.round_count == 1
        and reached[objective] >= result.replication.bound_s * (1 - ROUNDING)
    )
    cells = sum(item.cells for item in placed.program.matrices)
    size = placed.program.crossbar_rows * placed.program.crossbar_columns
    plan, quality = placed.floorplan, placed.quality
    used = np.bincount(placed.tile_of(np.unique(placed.places["crossbar"])), minlength=len(plan.slots)).tolist()
    held: dict[int, dict[int, int]] = {}
    pairs = np.unique(np.stack([placed.places["crossbar"], placed.program.blocks["matrix"]], axis=1), axis=0)
    for crossbar, matrix in pairs:
        tile = held.setdefault(int(crossbar) // plan.crossbars_per_tile, {})
        tile[int(matrix)] = tile.get(int(matrix), 0) + 1
    return Mapping(
        rounds=plan.round_count,
        replication=Replication(
            objective=objective,
            interval_s=placed.interval_s,
            bound_s=result.replication.bound_s if bounded else None,
            optimal=(bounded and reached[objective] <= result.replication.bound_s * (1 + ROUNDING))
            if objective in reached
            else placed.crossbars_filled == quality.crossbars_bound,
        ),
        packing=Packing(
            sharing=placed.sharing,
            crossbars=placed.crossbars_filled,
            lower_bound=placed.quality.crossbars_bound,
            cells_bound=-(-cells // size),
        ),
        placement=PlacementInfo(
            byte_hops=quality.byte_hops,
            lower_bound=quality.lower_bound,
            snake_byte_hops=quality.snake_byte_hops,
            max_link_bytes=quality.max_link_bytes,
            proven=quality.proven,
            chip_bytes=quality.chip_bytes,
            chip_bytes_bound=quality.chip_bytes_bound,
            round_bytes=quality.round_bytes,
        ),
        schedule=schedule_info(placed, result.target),
        faults=None if result.faults is None else fault_info(placed, result.faults, result.target.lines),
        tiles=[
            TileInfo(
                tile=tile,
                round=plan.rounds[tile],
                resident=plan.round_count > 1 and tile >= plan.resident,
                crossbars_used=used[tile],
                waiting_bytes=placed.waiting_bytes[tile],
                chip=chip,
                layer=layer,
                row=row,
                column=column,
                crossbars=sorted(held[tile].items()),
            )
            for tile in range(len(plan.slots))
            for chip, layer, row, column in [plan.position(tile)]
        ],
        traffic=[LinkInfo(source=t.source, destination=t.destination, bytes=t.bytes) for t in placed.traffic],
        deterministic_hash=result.program_hash,
    )


def schedule_info(placed: PlacedProgram, target: Target) -> Schedule:
    """Describe what limits the pipeline."""
    pace, noc, most = placed.pace, target.noc, max(placed.waiting_bytes)
    room = target.tile.buffer_bytes
    return Schedule(
        limited_by=pace.limited_by,
        crossbars_s=pace.crossbars_s,
        digital_units_s=pace.units_s if target.tile.elements_per_s else None,
        links_s=pace.links_s if noc.link_bytes_per_s else None,
        chip_links_s=pace.chips_s if noc.chip_link_bytes_per_s else None,
        waiting_bytes=most,
        fullest_tile=placed.waiting_bytes.index(most),
        buffer_bytes=room or None,
        deadlock_free=most <= room if room else None,
    )
