"""Which operators are matrices, and how each presents itself to the compiler.

An operator family is one file with a function `Node, Graph -> MatrixOperator | Refusal`, listed in OPERATORS.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rcompile.frontend import conv, dense
from rcompile.frontend.matrix_operator import MatrixOperator, Refusal
from rcompile.ir.graph import Graph, Node

__all__ = ["OPERATORS", "MatrixOperator", "Refusal", "recognise"]


@dataclass(frozen=True)
class Family:
    """One operator: how it is recognised and, for the documentation, what is mapped."""

    recognise: Callable[[Node, Graph], MatrixOperator | Refusal]
    mapped_as: str


OPERATORS = {
    "Conv": Family(conv.recognise, conv.__doc__ or ""),
    "Gemm": Family(dense.recognise_gemm, dense.__doc__ or ""),
    "MatMul": Family(dense.recognise_matmul, dense.__doc__ or ""),
}


OTHER_PRODUCTS = {
    "ConvTranspose",
    "LSTM",
    "GRU",
    "RNN",
    "Einsum",
    "ConvInteger",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
    "QGemm",
    "Attention",
    "MultiHeadAttention",
    "DeformConv",
}


def recognise(node: Node, graph: Graph) -> MatrixOperator | Refusal:
    """Return a node as a matrix, or the reason why it is not one."""
    if node.is_a(*OPERATORS):
        return OPERATORS[node.op_type].recognise(node, graph)
    if node.op_type in OTHER_PRODUCTS:
        return Refusal(f"this version puts {', '.join(OPERATORS)} on crossbars, not {node.op_type}")
    return Refusal("no product of a matrix: a digital unit computes it")
