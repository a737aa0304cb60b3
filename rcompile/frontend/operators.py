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


def recognise(node: Node, graph: Graph) -> MatrixOperator | Refusal:
    """Return a node as a matrix, or the reason why it is not one."""
    family = OPERATORS.get(node.op_type) if node.is_a(*OPERATORS) else None
    if family is None:
        return Refusal("not a product with static weights")
    return family.recognise(node, graph)
