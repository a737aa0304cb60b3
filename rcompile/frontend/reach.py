"""Which part of what an operator reads each part of its result needs, axis by axis.

What is not listed here needs everything that it reads.
"""

from collections.abc import Callable, Container
from dataclasses import replace
from math import prod

from rcompile.frontend.conv import window_of
from rcompile.frontend.matrix_operator import static_shape
from rcompile.ir.edges import Along
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Graph, Node
from rcompile.ir.matrix import Window

Shape = tuple[int, ...]

Reach = tuple[Along | None, ...]
"""For each axis of a tensor, what of it an index along an axis of another tensor needs; None: everything."""

ELEMENTWISE = frozenset(
    ("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot",
     "BitwiseOr", "BitwiseXor", "Cast", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Div", "Dropout", "Elu", "Equal", "Erf",
     "Exp", "Expand", "FastGelu", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity",
     "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg",
     "Not", "Or", "PRelu", "Pow", "QuickGelu", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign",
     "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where",
     "Xor")
)  # fmt: skip
"""Operators each element of whose result needs the elements at its place, of operands that are broadcast."""

FIRST_ONLY = frozenset(("BatchNormalization", "QuantizeLinear", "DequantizeLinear"))
"""Elementwise in their first input; the others are parameters."""

GRID = 1
"""Positions that coordinates of an enlarged tensor differ by at most, however its corners are aligned."""

TAPS = {"nearest": 1, "linear": 1, "cubic": 2}
"""Neighbours on either side that interpolation reads."""


def through(node: Node, graph: Graph, position: int) -> Reach:
    """Return what of a node's input its outputs need: for each axis of the input, along an axis of the outputs."""
    name = node.inputs[position]
    read = shape_of(name, graph)
    made = [shape_of(output, graph) for output in node.outputs if output]
    everything = (None,) * len(read or ())
    if not read or not made or any(shape is None for shape in made):
        return everything
    shape = made[0]
    assert shape is not None
    if node.is_a(*ELEMENTWISE, domains=QUANTIZATION_DOMAINS):
        return aligned(read, shape)
    if not position and node.is_a(*FIRST_ONLY, domains=QUANTIZATION_DOMAINS):
        return same(len(read))
    rule = (MORE_INPUTS if position else RULES).get(node.op_type)
    if rule is None or node.domain not in QUANTIZATION_DOMAINS:
        return everything
    return rule(node, graph, read, shape)


def shape_of(name: str, graph: Graph) -> Shape | None:
    """Return a tensor's shape, where it is known."""
    return graph.constants[name].shape if name in graph.constants else static_shape(graph.values.get(name))


def composed(first: Reach, second: Reach) -> Reach:
    """Return what of a tensor is needed through another one: `first` of the tensor by it, `second` of it."""
    found: list[Along | None] = []
    for along in first:
        outer = None if along is None else second[along.axis]
        found.append(None if along is None or outer is None else along.after(outer))
    return tuple(found)


def joined(one: Reach, other: Reach) -> Reach:
    """Return what is needed on either of two ways."""
    pairs = zip(one, other, strict=True)
    return tuple(None if a is None or b is None else a.also(b) for a, b in pairs)


def same(rank: int) -> Reach:
    """Return that each index needs its own, on all axes."""
    return tuple(Along(axis) for axis in range(rank))


def shifted(reach: Reach, by: int) -> Reach:
    """Return what axes further on need."""
    return tuple(None if along is None else replace(along, axis=along.axis + by) for along in reach)


def all_along(axes: Container[int], rank: int) -> Reach:
    """Return that everything along some axes is needed, and on the others each index needs its own."""
    return tuple(None if axis in axes else Along(axis) for axis in range(rank))


def aligned(read: Shape, shape: Shape) -> Reach:
    """Return what broadcasting needs: axes are aligned at the last one."""
    shift = len(shape) - len(read)
    return tuple(
        Along(axis + shift) if axis + shift >= 0 and size == shape[axis + shift] else None
        for axis, size in enumerate(read)
    )


def window_reach(window: Window) -> Reach:
    """Return what of its spatial axes a window's positions need, along spatial axes."""
    return tuple(
        Along(axis, step, -begin, (kernel - 1) * dilation - begin, spacing)
        for axis, (kernel, step, dilation, begin, spacing) in enumerate(
            zip(window.kernel, window.strides, window.dilations, window.pads_begin, window.spacing, strict=True)
        )
    )


def spatial(window: Window, *, channels: bool) -> Reach:
    """Return what a window needs of (samples, channels, ...); of all channels, or of its own."""
    return (Along(0), Along(1) if channels else None, *shifted(window_reach(window), 2))


def convolution(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what a convolution needs."""
    del shape
    weight = shape_of(node.inputs[1], graph)
    if weight is None or len(weight) != len(read):
        return (None,) * len(read)
    return spatial(window_of(node, weight[2:], read[2:]), channels=False)


def pooling(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what pooling needs."""
    del graph, shape
    kernel = node.integers("kernel_shape", ())
    if len(kernel) != len(read) - 2:
        return (None,) * len(read)
    return spatial(window_of(node, kernel, read[2:]), channels=True)


def of_channels(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what normalization over channels needs."""
    del node, graph, shape
    return all_along([1], len(read))


def over_positions(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what a summary over positions needs: its sample, and its channel."""
    del node, graph, shape
    return all_along(range(2, len(read)), len(read))


def over_axis(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what normalization from an axis on needs; Softmax, of an axis alone since opset 13."""
    del shape
    alone = node.is_a("Softmax", "LogSoftmax", "Hardmax") and graph.opsets.get("", 1) >= 13
    axis = node.integer("axis", -1 if alone or node.op_type == "LayerNormalization" else 1) % len(read)
    return all_along(range(axis, axis + 1 if alone else len(read)), len(read))


def reduced(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what a reduction needs: everything along its axes."""
    axes = constant(node, graph, 1) if len(node.inputs) > 1 else node.integers("axes", ())
    if axes is None or not axes:
        return (None,) * len(read)
    gone = {axis % len(read) for axis in axes}
    kept = [axis for axis in range(len(read)) if axis not in gone]
    where = {axis: axis if len(shape) == len(read) else number for number, axis in enumerate(kept)}
    return tuple(Along(where[axis]) if axis in where else None for axis in range(len(read)))


def concatenated(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what joining along an axis needs: nothing that is shifted, unless positions are joined."""
    del graph
    return all_along([node.integer("axis", 1) % len(shape)], len(read))


def split(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what parts along an axis need: everything along it."""
    del graph, shape
    return all_along([node.integer("axis", 0) % len(read)], len(read))


def sliced(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what a slice needs: everything along its axes."""
    del shape
    axes = constant(node, graph, 3) if len(node.inputs) > 3 else node.integers("axes", ())
    if not axes:
        return (None,) * len(read)
    return all_along({axis % len(read) for axis in axes}, len(read))


def gathered(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what a selection along an axis needs: everything along it."""
    del graph
    axis = node.integer("axis", 0) % len(read)
    shift = len(shape) - len(read)
    return tuple(None if n == axis else Along(n if n < axis else n + shift) for n in range(len(read)))


def padded(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what a padded tensor needs; of axes that repeat elements, everything."""
    del shape
    pads = constant(node, graph, 1) if len(node.inputs) > 1 else node.integers("pads", ())
    if pads is None or len(pads) != 2 * len(read) or len(node.inputs) > 3:
        return (None,) * len(read)
    plain = node.text("mode", "constant") == "constant"
    ends = list(zip(pads[: len(read)], pads[len(read) :], strict=True))
    return tuple(
        Along(axis, first=-begin, last=-begin) if plain or (begin <= 0 and end <= 0) else None
        for axis, (begin, end) in enumerate(ends)
    )


def transposed(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what exchanged axes need."""
    del graph, shape
    order = node.integers("perm", tuple(reversed(range(len(read)))))
    return tuple(Along(order.index(axis)) for axis in range(len(read)))


def reshaped(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what a tensor of another shape needs: of an axis that is merged with later ones, or split, its share."""
    del node, graph
    found: list[Along | None] = []
    for axis, size in enumerate(read):
        outer, inner = prod(read[:axis]), prod(read[axis + 1 :])
        along = None
        for other, width in enumerate(shape):
            before, after = prod(shape[:other]), prod(shape[other + 1 :])
            if outer != before or size == 1 or width == 1:
                continue
            if inner >= after and inner % after == 0:  # axes from here on are merged
                along = Along(other, per=inner // after)
            elif after % inner == 0:  # the axis is split
                along = Along(other, step=after // inner, last=after // inner - 1)
        found.append(along)
    return tuple(found)


def resized(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what an enlarged or shrunk tensor needs."""
    del graph
    mode = node.text("mode", "nearest")
    odd = node.text("coordinate_transformation_mode", "") == "tf_crop_and_resize" or node.integer("antialias", 0)
    if odd or mode not in TAPS or len(read) != len(shape):
        return (None,) * len(read)
    margin = GRID + TAPS[mode]
    if mode == "nearest" and copies_elements(node, read, shape):
        margin = 0
    return tuple(
        Along(axis) if size == wanted else Along(axis, size, -margin * wanted, margin * wanted, wanted)
        for axis, (size, wanted) in enumerate(zip(read, shape, strict=True))
    )


def copies_elements(node: Node, read: Shape, shape: Shape) -> bool:
    """Tell whether each element is copied a whole number of times, side by side: index i stems from i // times."""
    places = node.text("coordinate_transformation_mode", "half_pixel"), node.text("nearest_mode", "round_prefer_floor")
    plain = node.is_a("Upsample") or places in {
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_floor"),
        ("pytorch_half_pixel", "round_prefer_floor"),
    }
    return plain and all(wanted % size == 0 for size, wanted in zip(read, shape, strict=True))


def depth_to_space(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what pixels made of channels need."""
    del graph, shape
    size = node.integer("blocksize", 1)
    return (Along(0), None, *(Along(axis, per=size) for axis in range(2, len(read))))


def space_to_depth(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what channels made of pixels need."""
    del graph, shape
    size = node.integer("blocksize", 1)
    return (Along(0), None, *(Along(axis, step=size, last=size - 1) for axis in range(2, len(read))))


def left_operand(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what of its left operand a product needs: whole rows."""
    del node, graph
    if len(read) < 2 or len(shape) < 2:
        return (None,) * len(read)
    return (*aligned(read[:-1], shape[:-1]), None)


def right_operand(node: Node, graph: Graph, read: Shape, shape: Shape) -> Reach:
    """Return what of its right operand a product needs: whole columns."""
    del node, graph
    if len(read) < 2 or len(shape) < 2:
        return (None,) * len(read)
    return (*aligned(read[:-2], shape[:-2]), None, Along(len(shape) - 1))


def constant(node: Node, graph: Graph, position: int) -> tuple[int, ...] | None:
    """Return an input of whole numbers; () where it is absent, None where it is computed."""
    name = node.inputs[position]
    if not name:
        return ()
    return tuple(int(v) for v in graph.constants[name].reshape(-1)) if name in graph.constants else None


Rule = Callable[[Node, Graph, Shape, Shape], Reach]

MORE_INPUTS: dict[str, Rule] = {"Concat": concatenated, "MatMul": right_operand}

RULES: dict[str, Rule] = {
    "Conv": convolution,
    "MaxPool": pooling,
    "AveragePool": pooling,
    "LpPool": pooling,
    "GlobalAveragePool": over_positions,
    "GlobalMaxPool": over_positions,
    "GlobalLpPool": over_positions,
    "InstanceNormalization": over_positions,
    "LRN": of_channels,
    "Softmax": over_axis,
    "LogSoftmax": over_axis,
    "Hardmax": over_axis,
    "LayerNormalization": over_axis,
    "RMSNormalization": over_axis,
    "ReduceMean": reduced,
    "ReduceSum": reduced,
    "ReduceMax": reduced,
    "ReduceMin": reduced,
    "ReduceL2": reduced,
    "ReduceSumSquare": reduced,
    "ReduceProd": reduced,
    "Concat": concatenated,
    "Split": split,
    "Slice": sliced,
    "Gather": gathered,
    "Pad": padded,
    "Transpose": transposed,
    "Reshape": reshaped,
    "Flatten": reshaped,
    "Squeeze": reshaped,
    "Unsqueeze": reshaped,
    "Resize": resized,
    "Upsample": resized,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "MatMul": left_operand,
}
