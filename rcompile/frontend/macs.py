"""Multiply-accumulates of operators, for one sample."""

from math import prod

from rcompile.frontend.matrix_operator import static_operand, static_shape
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Graph, Node


def macs_of(node: Node, graph: Graph) -> int:  # noqa: PLR0911 - one return an operator
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
    if node.is_a("Einsum") and all(shapes):
        return einsum_macs(node.text("equation", ""), shapes)
    if node.is_a("ConvInteger", "QLinearConv", domains=QUANTIZATION_DOMAINS) and output:
        weight = shapes[1 if node.op_type == "ConvInteger" else 3]
        return prod(output) * prod(weight[1:])
    if node.is_a("MatMulInteger", "QLinearMatMul", "FusedMatMul", domains=QUANTIZATION_DOMAINS) and output is not None:
        return prod(output) * shapes[0][-1] if shapes[0] else 0
    if node.is_a("Attention", "MultiHeadAttention", domains=QUANTIZATION_DOMAINS) and len(shapes) > 2:
        return attention_macs(shapes[:3])
    return 0


def einsum_macs(equation: str, shapes: list[tuple[int, ...]]) -> int:
    """Return the products of an Einsum: all combinations of its indices."""
    sizes: dict[str, int] = {}
    for term, shape in zip(equation.replace(" ", "").split("->")[0].split(","), shapes, strict=False):
        if "." in term or len(term) != len(shape):
            return 0
        sizes |= {letter: max(size, sizes.get(letter, 1)) for letter, size in zip(term, shape, strict=True)}
    return prod(sizes.values())


def attention_macs(shapes: list[tuple[int, ...]]) -> int:
    """Return the products of queries with keys and of weights with values, of shapes (B, S, D) or (B, heads, S, D)."""
    query, key, value = shapes
    if not (len(query) == len(key) == len(value)) or len(query) not in {3, 4}:
        return 0
    rows = prod(query[:-1])
    return rows * key[-2] * (query[-1] + value[-1])


def shape_of(name: str, graph: Graph) -> tuple[int, ...]:
    """Return a tensor's shape, or () where it is unknown or the input is absent."""
    constant = static_operand(name, graph) if name else None
    if constant is not None:
        return constant.shape
    return static_shape(graph.values.get(name)) or ()
