"""Put blocks on crossbars, crossbars in tiles, tiles on the mesh; in rounds, where there are too few."""

from dataclasses import replace

import numpy as np

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.placed import Floorplan, PlacedProgram, PlacementQuality, Sharing, Traffic
from rcompile.mapper.fabric import link_loads
from rcompile.mapper.packing import pack
from rcompile.mapper.placement import assign, assign_in_rounds
from rcompile.mapper.rounds import numbered, rounds_of
from rcompile.mapper.topology import fabric_of
from rcompile.mapper.traffic import in_bytes, tile_flows
from rcompile.mapper.why_not import refuse
from rcompile.options import Effort
from rcompile.targets import Target


def place(program: CrossbarProgram, target: Target, effort: Effort = Effort.NORMAL, rounds: int = 1) -> PlacedProgram:
    """Return the program with a place for everything.

    Args:
        program: with converters and partial sums.
        target: says what there is.
        effort: of the searches.
        rounds: in which it may run at most, where the target has too few crossbars for all of it.

    Raises:
        DoesNotFit: the target has too few crossbars.
    """
    sharing = Sharing(target.crossbar.sharing)
    packing = pack(program, sharing, effort)
    per_tile, hierarchy = target.crossbars_per_tile, target.hierarchy
    cut = None
    if packing.crossbars > target.crossbars_available:
        cut = rounds_of(program, target, packing, rounds)
        if cut is None:
            refuse(program, target, packing, effort, rounds)
    places, tile_rounds, resident = numbered(packing, cut, target.usable_per_tile)
    tile, place = np.divmod(places["crossbar"], target.usable_per_tile)
    places["crossbar"] = tile * per_tile + place  # spare ones count, too
    tiles = len(tile_rounds)
    flows = tile_flows(program, places, per_tile, tiles)
    plan = Floorplan(
        crossbars_per_tile=per_tile,
        mesh_rows=hierarchy.mesh_rows,
        mesh_columns=hierarchy.mesh_columns,
        mesh_layers=hierarchy.mesh_layers,
        chips=hierarchy.chips,
        crossbars_used=int(places["crossbar"].max()) + 1,
        slots=(),
        rounds=tuple(tile_rounds.tolist()),
        resident=resident,
        router_rows=target.noc.router_rows,
        router_columns=target.noc.router_columns,
        topology=target.noc.topology,
    )
    fabric = fabric_of(plan)
    if cut is None:
        fabric = replace(fabric, chips=-(-tiles // target.tiles_per_chip))
        found = assign(flows, fabric, effort)
    else:
        found = assign_in_rounds(flows, fabric, tile_rounds, resident, effort)
    together = np.where(tile_rounds[:, None] == tile_rounds, flows, 0)
    return PlacedProgram(
        program=program,
        places=frozen(places),
        reduction=frozen(np.arange(len(program.blocks), dtype=np.int32)),
        floorplan=replace(plan, slots=found.slots),
        traffic=tuple(
            Traffic(int(s), int(d), in_bytes(int(flows[s, d]))) for s, d in zip(*np.nonzero(flows), strict=True)
        ),
        quality=PlacementQuality(
            byte_hops=in_bytes(found.cost),
            lower_bound=in_bytes(found.bound),
            snake_byte_hops=in_bytes(found.snake_cost),
            max_link_bytes=in_bytes(link_loads(together, found.slots, fabric).most),
            proven=found.proven,
            chip_bytes=in_bytes(found.cut.bytes),
            chip_bytes_bound=in_bytes(found.cut.bound),
            crossbars_bound=packing.bound,
            round_bytes=0 if cut is None else cut.bytes,
        ),
        sharing=sharing,
    )
