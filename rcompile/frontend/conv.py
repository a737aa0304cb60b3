"""Conv (1-D, 2-D, 3-D; strides, pads, dilations, groups): im2col, one matrix per group."""

from math import ceil

from rcompile.frontend.matrix_operator import MatrixOperator, Refusal, static_operand, static_shape, zero_points
from rcompile.ir.graph import Array, Graph, Node
from rcompile.ir.matrix import Window


def recognise(node: Node, graph: Graph) -> MatrixOperator | Refusal:
    """Return a Conv or ConvInteger as matrices: K = input channels of a group x kernel, N = output channels of one."""
    data, weight_name = node.inputs[:2]
    codes = node.op_type == "ConvInteger"
    bias = node.inputs[2] if len(node.inputs) > 2 and not codes else ""
    shapes = shapes_of(node, graph, bias)
    if isinstance(shapes, Refusal):
        return shapes
    shape, kernel = shapes
    groups = node.integer("group", 1)

    def arrange(tensor: Array) -> Array:
        return tensor.reshape(groups, tensor.shape[0] // groups, -1).transpose(0, 2, 1)

    window = window_of(node, kernel, shape[2:])
    zeros = zero_points(node) if codes else None
    return MatrixOperator(data, weight_name, bias, 0, arrange, window, shape[0] * window.positions, 1, zeros)


def shapes_of(node: Node, graph: Graph, bias: str) -> tuple[tuple[int, ...], tuple[int, ...]] | Refusal:
    """Return the shapes of a convolution's input and of its kernel, or why it cannot be mapped."""
    data, weight_name = node.inputs[:2]
    weight = static_operand(weight_name, graph)
    if weight is None:
        return Refusal("its weights are computed at run time")
    if bias and static_operand(bias, graph) is None:
        return Refusal("its bias is computed at run time")
    shape = static_shape(graph.values.get(data))
    if shape is None:
        return Refusal(f"the shape of its input '{data}' is not known")
    groups = node.integer("group", 1)
    if weight.ndim < 3 or len(shape) != weight.ndim or groups < 1 or weight.shape[0] % groups:
        return Refusal(f"its weights have the shape {list(weight.shape)}, its input {list(shape)}")
    return shape, weight.shape[2:]


def window_of(node: Node, kernel: tuple[int, ...], input_shape: tuple[int, ...]) -> Window:
    """Return the geometry, with auto_pad resolved."""
    axes = len(kernel)
    strides = node.integers("strides", (1,) * axes)
    dilations = node.integers("dilations", (1,) * axes)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    auto_pad = node.text("auto_pad", "NOTSET")
    pads = node.integers("pads", (0,) * 2 * axes) if auto_pad == "NOTSET" else (0,) * 2 * axes
    begin, end = pads[:axes], pads[axes:]
    if auto_pad in {"SAME_UPPER", "SAME_LOWER"}:
        total = [
            max((ceil(size / s) - 1) * s + r - size, 0) for size, s, r in zip(input_shape, strides, reach, strict=True)
        ]
        small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        begin, end = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
    output = tuple(
        (size + b + e - r) // s + 1 for size, b, e, r, s in zip(input_shape, begin, end, reach, strides, strict=True)
    )
    return Window(tuple(kernel), strides, dilations, begin, end, tuple(input_shape), output, (1,) * axes)
