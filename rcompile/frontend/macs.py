"""Multiply-accumulates of operators, for one sample."""

from math import prod

from rcompile.frontend.matrix_operator import static_operand, static_shape
from rcompile.ir.graph import Graph, Node


def macs_of(node: Node, graph: Graph) -> int:
    """Return the multiply-accumulates of a product; 0 for operators that are none, or of unknown shape."""
    shapes = [shape_of(name, graph) for name in node.inputs]
    output = static_shape(graph.values.get(node.outputs[0]))
    if node.is_a("Conv") and output and shapes[1]:
        return prod(output) * prod(shapes[1][1:])
    if node.is_a("ConvTranspose") and shapes[0] and shapes[1]:
        return prod(shapes[0]) * prod(shapes[1][1:])
    if node.is_a("Gemm") and output and shapes[0]:
        return prod(output) * shapes[0][0 if node.integer("transA", 0) else 1]
    if node.is_a("MatMul") and shapes[0] and output is not None:
        return prod(output) * shapes[0][-1]
    if node.is_a("LSTM", "GRU", "RNN") and shapes[0] and shapes[1] and shapes[2]:
        steps = shapes[0][0] * shapes[0][1]
        return steps * (prod(shapes[1]) + prod(shapes[2]))
    return 0


def shape_of(name: str, graph: Graph) -> tuple[int, ...]:
    """Return a tensor's shape, or () where it is unknown or the input is absent."""
    constant = static_operand(name, graph) if name else None
    if constant is not None:
        return constant.shape
    return static_shape(graph.values.get(name)) or ()
