"""Operators that onnxruntime's optimizer fuses (domain com.microsoft), taken apart around their products."""

import numpy as np

from rcompile.frontend.expand.builder import Builder
from rcompile.frontend.expand.dynamic import integer_product
from rcompile.frontend.expand.products import swapped
from rcompile.frontend.expand.qlinear import dequantize
from rcompile.frontend.export import element_type
from rcompile.frontend.matrix_operator import static_operand
from rcompile.ir.graph import MICROSOFT, NO_TENSOR, Array, Attribute, Node


def activation(build: Builder, data: str, params: tuple[float, ...], kind: str, out: str) -> bool:
    """Append the activation that a fused operator ends with; False where it is unknown."""
    match kind:
        case "Relu" | "Tanh" | "Sigmoid":
            build.add(kind, data, out=out)
        case "LeakyRelu":
            build.add(kind, data, out=out, alpha=params[0] if params else 0.01)
        case "HardSigmoid":
            alpha, beta = params if len(params) == 2 else (0.2, 0.5)
            build.add(kind, data, out=out, alpha=alpha, beta=beta)
        case "Clip" if len(params) == 2:
            low, high = (build.constant(value, "limit", np.float32) for value in params)
            build.add("Min", build.add("Max", data, low), high, out=out)
        case "":
            build.add("Identity", data, out=out)
        case _:
            return False
    return True


def reals(value: Attribute | None) -> tuple[float, ...]:
    """Return an attribute that is a list of floats."""
    return tuple(float(v) for v in value) if isinstance(value, tuple) else ()


def expand_fused_conv(build: Builder) -> bool:
    """FusedConv: X, W, B, Z; activation(Conv(X, W, B) + Z)."""
    node = build.node
    if static_operand(build.input(1), build.graph) is None:
        return False
    ours = {"activation", "activation_params"}
    attributes = {name: value for name, value in node.attributes.items() if name not in ours}
    result = build.product("Conv", tuple(name for name in node.inputs[:3] if name), attributes=attributes)
    if build.input(3):
        result = build.add("Add", result, build.input(3))
    params = reals(node.attributes.get("activation_params"))
    return activation(build, result, params, node.text("activation", ""), build.output(0))


def expand_fused_gemm(build: Builder) -> bool:
    """FusedGemm: activation(Gemm(A, B, C))."""
    node = build.node
    if static_operand(build.input(1), build.graph) is None:
        return False
    attributes = {name: value for name, value in node.attributes.items() if not name.startswith("activation")}
    result = build.product("Gemm", node.inputs, attributes=attributes)
    kind = node.text("activation", "")
    named = [node.number(f"activation_{what}", np.nan) for what in ("alpha", "beta")]
    params = tuple(value for value in named if not np.isnan(value))
    return activation(build, result, params, kind, build.output(0))


def expand_fused_matmul(build: Builder) -> bool:
    """FusedMatMul: alpha * MatMul of operands that may be transposed."""
    node = build.node
    left, right = node.inputs[:2]
    shapes = [build.shape(name) for name in (left, right)]
    if node.integer("transBatchA", 0) or node.integer("transBatchB", 0) or shapes[0] is None or shapes[1] is None:
        return False
    if static_operand(left, build.graph) is None and static_operand(right, build.graph) is None:
        return False
    if node.integer("transA", 0) and len(shapes[0]) > 1:
        left = build.transpose(left, swapped(len(shapes[0])))
    if node.integer("transB", 0) and len(shapes[1]) > 1:
        right = build.transpose(right, swapped(len(shapes[1])))
    alpha = node.number("alpha", 1.0)
    result = build.product("MatMul", (left, right), out="" if alpha != 1.0 else build.output(0))
    if alpha != 1.0:
        build.add("Mul", result, build.constant(alpha, "alpha", np.float32), out=build.output(0))
    return True


def expand_attention(build: Builder) -> bool:
    """Attention: input, weights, bias, mask_index; the projection, then MultiHeadAttention."""
    node = build.node
    weights = build.static(build.input(1))
    extra = [build.input(position) for position in range(4, 8)]
    if (
        weights is None
        or weights.ndim != 2
        or any(extra)
        or build.output(1)
        or build.dtype(build.input(0)) != "float32"
    ):
        return False
    if node.integer("do_rotary", 0) or node.integer("past_present_share_buffer", 0):
        return False
    projected = build.add("MatMul", build.input(0), build.input(1))
    if build.input(2):
        projected = build.add("Add", projected, build.input(2))
    return heads(build, projected, weights.shape[1], build.input(3))


def heads(build: Builder, projected: str, width: int, mask: str) -> bool:
    """Append the split into queries, keys and values, and MultiHeadAttention."""
    node = build.node
    sizes = node.integers("qkv_hidden_sizes", (width // 3,) * 3)
    if len(sizes) != 3 or sum(sizes) != width:
        return False
    borders = np.cumsum([0, *sizes])
    parts = [build.slice(projected, 2, int(borders[i]), int(borders[i + 1])) for i in range(3)]
    names = ("num_heads", "unidirectional", "scale", "mask_filter_value")
    attributes = {name: value for name, value in node.attributes.items() if name in names}
    inputs = (*parts, "", mask) if mask else tuple(parts)
    build.add("MultiHeadAttention", *inputs, out=build.output(0), domain=MICROSOFT, **attributes)
    return True


def dynamic_attention(build: Builder, weights: Array, scale: Array) -> bool:
    """Write QAttention's projection as a product of codes, scaled with what is computed at run time."""
    zero = build.static(build.input(7)) if build.input(7) else np.zeros((), weights.dtype)
    if zero is None or not build.input(6):
        return False
    codes = integer_product(build, build.input(0), build.input(6), weights, zero)
    step = build.add("Mul", build.input(3), build.constant(scale, "scale", np.float32))
    real = build.add("Mul", build.add("Cast", codes, to=1), step)
    return heads(build, build.add("Add", real, build.input(2)), weights.shape[1], build.input(5))


def expand_cast_like(build: Builder) -> bool:
    """CastLike: a Cast to a type that is known."""
    kind = build.dtype(build.input(1))
    if not kind or kind in {NO_TENSOR, "object"}:
        return False
    rest = {name: value for name, value in build.node.attributes.items() if name == "saturate"}
    build.append(
        Node(
            build.names.fresh(f"{build.node.name}.cast"),
            "Cast",
            build.node.inputs[:1],
            build.node.outputs,
            attributes={**rest, "to": element_type(kind)},
        )
    )
    return True


def expand_quantized_attention(build: Builder) -> bool:
    """QAttention: input, weight, bias, their scales, mask_index, their zero points; as QDQ around the projection."""
    weights, scale = build.static(build.input(1)), build.static(build.input(4))
    if weights is None or scale is None or weights.ndim != 2 or build.input(8) or build.output(1):
        return False
    if build.static(build.input(3)) is None:
        return dynamic_attention(build, weights, scale)
    data = dequantize(build, build.input(0), build.input(3), build.input(6), axis=1)
    weight = dequantize(build, build.input(1), build.input(4), build.input(7), axis=1)
    projected = build.add("Add", build.product("MatMul", (data, weight)), build.input(2))
    return heads(build, projected, weights.shape[1], build.input(5))
