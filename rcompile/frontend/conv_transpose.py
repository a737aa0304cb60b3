"""ConvTranspose (1-D, 2-D, 3-D): a convolution over its input with zeros between, the kernel turned round."""

import numpy as np

from rcompile.frontend.conv import shapes_of
from rcompile.frontend.matrix_operator import MatrixOperator, Refusal
from rcompile.ir.graph import Array, Graph, Node
from rcompile.ir.matrix import Window


def recognise(node: Node, graph: Graph) -> MatrixOperator | Refusal:
    """Return a ConvTranspose as matrices: K = input channels of a group x kernel, N = output channels of a group."""
    data, weight_name = node.inputs[:2]
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    shapes = shapes_of(node, graph, bias)
    if isinstance(shapes, Refusal):
        return shapes
    shape, kernel = shapes
    groups = node.integer("group", 1)

    def arrange(tensor: Array) -> Array:
        turned = np.flip(tensor, axis=tuple(range(2, tensor.ndim)))  # (C, N, *kernel)
        apart = turned.reshape(groups, tensor.shape[0] // groups, tensor.shape[1], -1)
        return apart.transpose(0, 1, 3, 2).reshape(groups, -1, tensor.shape[1])

    window = window_of(node, kernel, shape[2:])
    return MatrixOperator(data, weight_name, bias, 1, arrange, window, shape[0] * window.positions, 1)


def window_of(node: Node, kernel: tuple[int, ...], input_shape: tuple[int, ...]) -> Window:
    """Return the geometry of the equivalent convolution (ONNX, ConvTranspose-22: total_padding and output_shape)."""
    axes = len(kernel)
    strides = node.integers("strides", (1,) * axes)
    dilations = node.integers("dilations", (1,) * axes)
    extra = node.integers("output_padding", (0,) * axes)
    wanted = node.integers("output_shape", ())[-axes:]
    auto_pad = node.text("auto_pad", "NOTSET")
    pads = node.integers("pads", (0,) * 2 * axes) if auto_pad == "NOTSET" else (0,) * 2 * axes
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    full = [s * (n - 1) + r + e for s, n, r, e in zip(strides, input_shape, reach, extra, strict=True)]
    begin, end = pads[:axes], pads[axes:]
    if wanted or auto_pad in {"SAME_UPPER", "SAME_LOWER"}:
        wanted = wanted or tuple(s * n for s, n in zip(strides, input_shape, strict=True))
        total = [max(whole - size, 0) for whole, size in zip(full, wanted, strict=True)]
        extra = tuple(e + max(size - whole, 0) for e, whole, size in zip(extra, full, wanted, strict=True))
        small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        begin, end = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
        full = [max(whole, size) for whole, size in zip(full, wanted, strict=True)]
    output = tuple(whole - b - e for whole, b, e in zip(full, begin, end, strict=True))
    return Window(
        kernel=tuple(kernel),
        strides=(1,) * axes,
        dilations=dilations,
        pads_begin=tuple(r - 1 - b for r, b in zip(reach, begin, strict=True)),
        pads_end=tuple(r - 1 - e + x for r, e, x in zip(reach, end, extra, strict=True)),
        input_shape=tuple(input_shape),
        output_shape=output,
        spacing=strides,
    )
