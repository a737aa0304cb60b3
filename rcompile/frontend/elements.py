"""How many elements a digital operator works on, for one sample."""

from math import prod

from rcompile.frontend.macs import macs_of
from rcompile.frontend.matrix_operator import static_shape
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Graph, Node

MOVING = frozenset(
    ("Cast", "Concat", "ConstantOfShape", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
     "Identity", "Pad", "Reshape", "ScatterElements", "ScatterND", "Shape", "Slice", "SpaceToDepth", "Split", "Squeeze",
     "Tile", "Transpose", "Unsqueeze")
)  # fmt: skip
"""Operators that only put elements elsewhere."""

READING = ("Reduce", "Arg", "Global", "CumSum", "TopK")
"""Beginnings of the names of operators that work on what they read, and may make less of it."""


def elements_of(node: Node, graph: Graph) -> int:
    """Return on how many elements an operator works; 0 where it only moves them, or shapes are not known.

    A product counts its multiply-accumulates, a pooling operator all elements of its windows, a reduction what it
    reads, any other one what it makes; where that is not known, what it reads.
    """
    if node.op_type in MOVING:
        return 0
    if macs := macs_of(node, graph):
        return macs
    made = [static_shape(graph.values.get(name)) for name in node.outputs if name]
    read = static_shape(graph.values.get(node.inputs[0])) if node.inputs else None
    count = sum(prod(shape) for shape in made if shape is not None)
    if read is not None and (not count or node.op_type.removeprefix("QLinear").startswith(READING)):
        return prod(read)
    if node.is_a("MaxPool", "AveragePool", "LpPool", "QLinearAveragePool", domains=QUANTIZATION_DOMAINS):
        return count * prod(node.integers("kernel_shape", ()))
    return count
