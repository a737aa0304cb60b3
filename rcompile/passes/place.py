"""Put blocks on crossbars, crossbars in tiles, tiles on the mesh."""

import numpy as np

from rcompile.errors import DoesNotFit
from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.placed import Floorplan, PlacedProgram, PlacementQuality, Sharing, Traffic
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
    sharing = Sharing(target.crossbar.sharing)
    packing = pack(program, sharing, effort)
    require_room(program, target, packing.crossbars, effort)
    places, used = packing.places, packing.crossbars
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
            packing.bound,
        ),
        sharing=sharing,
    )


def require_room(program: CrossbarProgram, target: Target, need: int, effort: Effort) -> None:
    """Refuse a program that needs more crossbars than there are, and say which levers help, and how much."""
    per_chip, have = target.crossbars_per_chip, target.crossbars_available
    if need <= have:
        return
    costs = {item.matrix.name: crossbars_per_copy(program, item) * item.replicas for item in program.matrices}
    largest = sorted(costs, key=lambda name: -costs[name])[:3]
    terms = " + ".join(f"{costs[name]} ({name})" for name in largest)
    rest = sum(costs.values()) - sum(costs[name] for name in largest)
    shared = sum(costs.values()) - need
    terms += (f" + {rest} (others)" if rest else "") + (f" - {shared} (shared)" if shared else "")
    raise DoesNotFit(
        f"{need} crossbars are needed, {target.name} has {have} "
        f"({target.hierarchy.chips} x {per_chip} a chip): {terms} > {have}",
        at=program.source.origin,
        hint=f"use {-(-need // per_chip)} chips (--set hierarchy.chips={-(-need // per_chip)})"
        f"{other_sharing(program, target, need, effort)}, fewer weight bits (--weight-bits, for float models), or more "
        "bits a cell (--set crossbar.cell_bits=...)",
    )


def other_sharing(program: CrossbarProgram, target: Target, need: int, effort: Effort) -> str:
    """Say what looser ways to share crossbars would take, where that is less."""
    found, least = [], need
    for sharing in list(Sharing)[list(Sharing).index(Sharing(target.crossbar.sharing)) + 1 :]:
        crossbars = pack(program, sharing, effort).crossbars
        if crossbars < least:
            found.append(f"crossbar.sharing={sharing}: {crossbars}")
            least = crossbars
    return f", share crossbars (--set {', '.join(found)})" if found else ""
