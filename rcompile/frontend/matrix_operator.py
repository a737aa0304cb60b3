"""What an operator family tells of a node that is a product with static weights."""

from collections.abc import Callable
from dataclasses import dataclass

from rcompile.ir.graph import QUANTIZATION_DOMAINS, Array, Graph, Node, Value
from rcompile.ir.matrix import Window


@dataclass(frozen=True)
class MatrixOperator:
    """A node seen as matrices.

    Attributes:
        data: the tensor whose vectors are multiplied.
        weight: the tensor of weights, a constant or a dequantized constant.
        bias: the tensor added per output column, or ''.
        output_axis: the axis of the weight tensor that counts outputs.
        arrange: puts the weight tensor (or one of its shape) into matrices (G, K, N).
        window: the geometry of a convolution.
        vectors: input vectors per inference and group.
        channel_axis: the axis of the output tensor that counts outputs, from the end for products (-1).
        zero_points: of data and weights ('' for none), where the operator multiplies codes themselves and its
            result is their sum (MatMulInteger, ConvInteger); None for an operator on real numbers.
        samples_axis: the axis of the data that counts samples, where several go through together.
    """

    data: str
    weight: str
    bias: str
    output_axis: int
    arrange: Callable[[Array], Array]
    window: Window | None
    vectors: int
    channel_axis: int
    zero_points: tuple[str, str] | None = None
    samples_axis: int = 0


@dataclass(frozen=True)
class Refusal:
    """Why a node is not put on crossbars."""

    reason: str


def static_operand(name: str, graph: Graph) -> Array | None:
    """Return a constant, looking through a dequantization; None where the tensor is computed at run time."""
    if name in graph.constants:
        return graph.constants[name]
    producer = graph.producers.get(name)
    if producer is not None and producer.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
        return graph.constants.get(producer.inputs[0])
    return None


def static_shape(value: Value | None) -> tuple[int, ...] | None:
    """Return a fully known shape."""
    if value is None or value.shape is None or not all(isinstance(dim, int) for dim in value.shape):
        return None
    return tuple(int(dim) for dim in value.shape if isinstance(dim, int))


def zero_points(node: Node) -> tuple[str, str]:
    """Return the zero points that an operator on codes takes after its operands, '' for none."""
    data, weight = (*node.inputs[2:4], "", "")[:2]
    return data, weight
