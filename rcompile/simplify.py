"""The passes that bring a graph to its products: fold constants, take operators apart, one spelling, fold BatchNorm."""

from rcompile.ir.graph import Graph
from rcompile.passes.canonicalize import canonicalize
from rcompile.passes.expand import expand
from rcompile.passes.fold_batch_norm import fold_batch_norm
from rcompile.passes.fold_constants import fold_constants
from rcompile.pipeline import Trace

ROUNDS = 16
"""A constant condition opens a branch in which another one may be decided."""


def simplify(graph: Graph, trace: Trace) -> Graph:
    """Fold what needs no computation at run time, and take apart what contains products."""
    for _ in range(ROUNDS):
        graph = trace.run(fold_constants, graph)
        expanded = trace.run(expand, graph)
        if expanded is graph:
            break
        graph = expanded
    graph = trace.run(canonicalize, graph)
    return trace.run(fold_batch_norm, graph)
