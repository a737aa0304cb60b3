"""The smallest chip of a target's tiles that holds a program, at a wanted rate or with one copy of each layer."""

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt

from rcompile.errors import DoesNotFit, Origin
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.placed import Sharing
from rcompile.mapper.packing import pack
from rcompile.mapper.replication import Replication, cheapest, most
from rcompile.mapper.timing import Layer, interval
from rcompile.options import Effort
from rcompile.targets import Target


def copies_for(layers: Sequence[Layer], rate: float, tick_s: float, at: Origin) -> Replication:
    """Return the fewest copies with which a pipeline takes so many inferences per second.

    Args:
        layers: of the pipeline.
        rate: inferences per second.
        tick_s: of the layers' times.
        at: the model, for messages.

    Raises:
        DoesNotFit: no number of copies is fast enough.
    """
    limit = int(1 / (rate * tick_s) * (1 + 1e-9))
    fastest = max(layer.busy(most(layer)) for layer in layers)
    if fastest > limit:
        most_rate = 1 / (fastest * tick_s)
        raise DoesNotFit(
            f"{rate:g} inferences/s are wanted; with any number of copies there are at most {most_rate:.6g}, since the "
            f"slowest layer takes {fastest * tick_s:.6g} s",
            at=at,
            hint=f"--fit {most_rate:.6g}, or inputs of fewer bits",
        )
    copies = cheapest(layers, limit)
    return Replication(copies, interval(layers, copies), fastest)


def fitted(program: CrossbarProgram, target: Target, effort: Effort) -> Target:
    """Return the target with one chip of as few tiles a layer as hold a program, as square as they can be."""
    crossbars = pack(program, Sharing(target.crossbar.sharing), effort).crossbars
    tiles = -(-crossbars // target.usable_per_tile)
    each = -(-tiles // target.hierarchy.mesh_layers)
    rows = isqrt(each)
    hierarchy = replace(target.hierarchy, mesh_rows=rows, mesh_columns=-(-each // rows), chips=1)
    return replace(target, hierarchy=hierarchy)
