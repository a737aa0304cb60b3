"""Gemm and MatMul with a static right operand: one matrix, a vector per row of the left operand."""

from collections.abc import Callable
from math import prod

from rcompile.frontend.matrix_operator import MatrixOperator, Refusal, static_operand, static_shape, zero_points
from rcompile.ir.graph import Array, Graph, Node


def recognise_gemm(node: Node, graph: Graph) -> MatrixOperator | Refusal:
    """Return a Gemm as one matrix: A (M, K) is the data, B the weights, C the bias of a column."""
    if node.integer("transA", 0):
        return Refusal("transA=1: its left operand is transposed")
    if node.number("alpha", 1.0) != 1.0 or node.number("beta", 1.0) != 1.0:
        return Refusal("alpha or beta is not 1, and the operand that it scales is not a float constant")
    weight = static_operand(node.inputs[1], graph)
    if weight is None:
        return Refusal("its right operand is computed at run time")
    transposed = bool(node.integer("transB", 0))
    columns = weight.shape[0 if transposed else 1]
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    if bias:
        operand = static_operand(bias, graph)
        if (
            operand is None
            or operand.size not in {1, columns}
            or operand.ndim > 2
            or (operand.ndim == 2 and operand.shape[0] != 1)
        ):
            return Refusal("its operand C is not one static value per column")

    def arrange(tensor: Array) -> Array:
        return (tensor.T if transposed else tensor)[None]

    return dense(node.inputs[0], node.inputs[1], bias, 0 if transposed else 1, arrange, graph)


def recognise_matmul(node: Node, graph: Graph) -> MatrixOperator | Refusal:
    """Return a MatMul or MatMulInteger whose right operand is a static matrix."""
    weight = static_operand(node.inputs[1], graph)
    if weight is None:
        if static_operand(node.inputs[0], graph) is not None:
            return Refusal("its left operand is the static one")
        return Refusal("both operands are computed at run time")
    if weight.ndim != 2:
        return Refusal(f"its right operand has {weight.ndim} axes, not 2, and cannot be taken as groups")
    zeros = zero_points(node) if node.op_type == "MatMulInteger" else None
    return dense(node.inputs[0], node.inputs[1], "", 1, lambda tensor: tensor[None], graph, zeros)


def dense(
    data: str,
    weight: str,
    bias: str,
    output_axis: int,
    arrange: Callable[[Array], Array],
    graph: Graph,
    zeros: tuple[str, str] | None = None,
) -> MatrixOperator | Refusal:
    """Return a product over the last axis of the data."""
    shape = static_shape(graph.values.get(data))
    if shape is None:
        return Refusal(f"the shape of its input '{data}' is not known")
    if not shape:
        return Refusal("its left operand is a scalar")
    static = static_operand(weight, graph)
    if static is None or static.ndim != 2 or shape[-1] != static.shape[1 if output_axis == 0 else 0]:
        return Refusal(
            f"its operands have the shapes {list(shape)} and {list(static.shape) if static is not None else []}"
        )
    # shapes are those of one sample; recurrent operators put steps first
    samples_axis = 1 if len(shape) > 2 and shape[0] != 1 and shape[1] == 1 else 0
    return MatrixOperator(data, weight, bias, output_axis, arrange, None, prod(shape[:-1]), -1, zeros, samples_axis)
