"""Put blocks on crossbars, crossbars in tiles, tiles on the mesh."""

import numpy as np

from rcompile.errors import DoesNotFit
from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.placed import Floorplan, PlacedProgram, PlacementQuality, Traffic
from rcompile.mapper.mesh import Mesh, link_loads
from rcompile.mapper.packing import crossbars_per_copy, pack
from rcompile.mapper.placement import assign
from rcompile.mapper.traffic import tile_flows
from rcompile.options import Effort
from rcompile.targets import Target


def place(program: CrossbarProgram, target: Target, effort: Effort = Effort.NORMAL) -> PlacedProgram:
    """Return the program with a place for everything.

    Raises:
        DoesNotFit: the target has too few crossbars.
    """
    require_room(program, target)
    places, used = pack(program)
    tiles = -(-used // target.crossbars_per_tile)
    hierarchy = target.hierarchy
    chips = -(-tiles // (hierarchy.mesh_rows * hierarchy.mesh_columns))
    flows = tile_flows(program, places, target.crossbars_per_tile, tiles)
    mesh = Mesh(hierarchy.mesh_rows, hierarchy.mesh_columns, chips)
    found = assign(flows, mesh, effort)
    loads = link_loads(flows, found.slots, mesh)
    reduction = frozen(np.arange(len(program.blocks), dtype=np.int32))
    return PlacedProgram(
        program=program,
        places=places,
        reduction=reduction,
        floorplan=Floorplan(
            target.crossbars_per_tile, hierarchy.mesh_rows, hierarchy.mesh_columns, hierarchy.chips, used, found.slots
        ),
        traffic=tuple(Traffic(int(s), int(d), int(flows[s, d])) for s, d in zip(*np.nonzero(flows), strict=True)),
        quality=PlacementQuality(
            found.cost,
            found.bound,
            found.snake_cost,
            max(loads.values(), default=0),
            found.proven,
            found.cut.bytes,
            found.cut.bound,
        ),
    )


def require_room(program: CrossbarProgram, target: Target) -> None:
    """Refuse a program that needs more crossbars than there are, and say which levers help."""
    costs = {item.matrix.name: crossbars_per_copy(program, item) * item.replicas for item in program.matrices}
    need = sum(costs.values())
    per_chip, have = target.crossbars_per_chip, target.crossbars_available
    if need <= have:
        return
    largest = sorted(costs, key=lambda name: -costs[name])[:3]
    terms = " + ".join(f"{costs[name]} ({name})" for name in largest)
    rest = need - sum(costs[name] for name in largest)
    raise DoesNotFit(
        f"{need} crossbars are needed, {target.name} has {have} "
        f"({target.hierarchy.chips} x {per_chip} a chip): {terms}{f' + {rest} (others)' if rest else ''} > {have}",
        at=program.source.origin,
        hint=f"use {-(-need // per_chip)} chips (--set hierarchy.chips={-(-need // per_chip)}), fewer weight bits "
        "(--weight-bits, for float models), or more bits a cell (--set crossbar.cell_bits=...)",
    )
