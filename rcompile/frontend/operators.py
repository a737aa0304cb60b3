"""Which operators are matrices, and how each presents itself to the compiler.

An operator family is one file with a function `Node, Graph -> MatrixOperator | Refusal`, listed in OPERATORS.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rcompile.frontend import conv, conv_transpose, dense
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
    "ConvInteger": Family(conv.recognise, conv.__doc__ or ""),
    "ConvTranspose": Family(conv_transpose.recognise, conv_transpose.__doc__ or ""),
    "Gemm": Family(dense.recognise_gemm, dense.__doc__ or ""),
    "MatMul": Family(dense.recognise_matmul, dense.__doc__ or ""),
    "MatMulInteger": Family(dense.recognise_matmul, dense.__doc__ or ""),
}


UNFOLDED = {
    "LSTM": "a weight, a bias or a peephole is computed at run time, or its input's shape is not known",
    "GRU": "a weight or a bias is computed at run time, or its input's shape is not known",
    "RNN": "a weight or a bias is computed at run time, or its input's shape is not known",
    "Einsum": "not one static and one other operand, summed over an index that both have",
    "QLinearConv": "its weights or scales are computed at run time",
    "QLinearMatMul": "its right operand or its scales are computed at run time",
    "QGemm": "its right operand or its scales are computed at run time",
    "Attention": "activations times activations",
    "MultiHeadAttention": "activations times activations",
    "GroupQueryAttention": "activations times activations",
    "DeformConv": "it gathers its inputs at positions that are computed at run time",
    "FusedConv": "its weights are computed at run time, or its activation is not known",
    "FusedGemm": "its right operand is computed at run time, or its activation is not known",
    "FusedMatMul": "both operands are computed at run time",
    "MatMulNBits": "its weights or zero points are no constants of 2, 4 or 8 bits, or its input is not float32",
    "DynamicQuantizeMatMul": "its right operand is computed at run time",
    "MatMulIntegerToFloat": "its right operand is computed at run time",
    "DynamicQuantizeLSTM": "a weight or a bias is computed at run time",
    "QAttention": "its weights are computed at run time",
}
"""Operators that contain products and are taken apart (frontend/expand): why one was not."""


def recognise(node: Node, graph: Graph) -> MatrixOperator | Refusal:
    """Return a node as a matrix, or the reason why it is not one."""
    if node.is_a(*OPERATORS):
        return OPERATORS[node.op_type].recognise(node, graph)
    if node.op_type in OPERATORS:
        return Refusal(f"its weights are laid out for one processor (domain {node.domain}): export before optimizing")
    if node.op_type in UNFOLDED:
        return Refusal(UNFOLDED[node.op_type])
    return Refusal("no product of a matrix: a digital unit computes it")
