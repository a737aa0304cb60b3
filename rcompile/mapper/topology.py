"""The fabrics that targets name."""

from rcompile.ir.placed import Floorplan
from rcompile.mapper.bus import Bus
from rcompile.mapper.fabric import Fabric
from rcompile.mapper.mesh import Mesh
from rcompile.mapper.tree import Tree


def fabric_of(plan: Floorplan) -> Fabric:
    """Return what connects the tiles of a program."""
    size = plan.mesh_rows, plan.mesh_columns, plan.chips
    match plan.topology:
        case "h_tree":
            return Tree(*size)
        case "bus":
            return Bus(*size)
        case _:
            return Mesh(*size, plan.mesh_layers, plan.router_rows, plan.router_columns)
