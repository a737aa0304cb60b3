"""Dynamic quantization: products of codes whose zero point is only known at run time.

    MatMulInteger(x, W, z, w)  becomes  MatMulInteger(x, W, 0, w) - z * colsum(W - w)

and ConvInteger likewise, its input padded with z before: the crossbars see codes, the zero point is digital.
DynamicQuantizeMatMul and MatMulIntegerToFloat (com.microsoft) are spelled out first.
"""

import numpy as np

from rcompile.frontend.conv import window_of
from rcompile.frontend.expand.builder import Builder
from rcompile.ir.graph import Array, Node

FLOAT, INT32 = 1, 6


def expand_matmul_integer(build: Builder) -> bool:
    """Take a zero point that is computed at run time out of a MatMulInteger."""
    zero = build.input(2)
    weights = build.static(build.input(1))
    if not zero or build.static(zero) is not None or weights is None or weights.ndim != 2:
        return False
    weight_zero = build.static(build.input(3)) if build.input(3) else np.zeros((), weights.dtype)
    if weight_zero is None or build.shape(zero) not in {(), (1,)}:
        return False
    integer_product(build, build.input(0), zero, weights, weight_zero, out=build.output(0))
    return True


def integer_product(
    build: Builder, codes: str, zero: str, weights: Array, weight_zero: Array, what: str = "product", out: str = ""
) -> str:
    """Append (codes - zero) @ (weights - weight_zero) in int32, with a zero point of run time."""
    operands = (
        codes,
        build.constant(weights, "weight"),
        "",
        build.constant(weight_zero.reshape(-1) if weight_zero.size > 1 else weight_zero.reshape(()), "zero"),
    )
    product = build.product("MatMulInteger", operands, what=what)
    sums = (weights.astype(np.int64) - weight_zero.astype(np.int64)).sum(axis=0)
    wide = build.add("Cast", zero, to=INT32)
    return build.add("Sub", product, build.add("Mul", wide, build.constant(sums, "sums", np.int32)), out=out)


def expand_conv_integer(build: Builder) -> bool:
    """Take a zero point that is computed at run time out of a ConvInteger."""
    node, zero = build.node, build.input(2)
    weights = build.static(build.input(1))
    shape = build.shape(build.input(0))
    if not zero or build.static(zero) is not None or weights is None or shape is None or build.opset < 11:
        return False
    weight_zero = build.static(build.input(3)) if build.input(3) else np.zeros((), weights.dtype)
    if weight_zero is None or build.shape(zero) not in {(), (1,)}:
        return False
    window = window_of(node, weights.shape[2:], shape[2:])
    data = build.input(0)
    if any((*window.pads_begin, *window.pads_end)):
        pads = (0, 0, *window.pads_begin, 0, 0, *window.pads_end)
        scalar = build.reshape(zero, np.zeros(0))
        data = build.add("Pad", data, build.integers(pads, "pads"), scalar)
    attributes = {name: value for name, value in node.attributes.items() if name not in {"pads", "auto_pad"}}
    operands = (data, build.input(1), "", build.input(3))
    product = build.product("ConvInteger", operands, attributes=attributes)
    per_channel = weight_zero.reshape(-1, *(1,) * (weights.ndim - 1)).astype(np.int64)
    sums = (weights.astype(np.int64) - per_channel).sum(axis=tuple(range(1, weights.ndim)))
    column = build.constant(sums.reshape(-1, *(1,) * (weights.ndim - 2)), "sums", np.int32)
    wide = build.add("Cast", zero, to=INT32)
    build.add("Sub", product, build.add("Mul", wide, column), out=build.output(0))
    return True


def dynamic_product(
    build: Builder, data: str, weights: Array, scale: tuple[Array, Array], what: str = "product", out: str = ""
) -> str:
    """Append data @ (weights - zero) * scale, the data quantized as DynamicQuantizeLinear does."""
    codes, step, zero = quantized(build, data)
    weight_scale, weight_zero = scale
    product = integer_product(build, codes, zero, weights, weight_zero, what)
    factor = build.add("Mul", step, build.constant(weight_scale, "scale", np.float32))
    return build.add("Mul", build.add("Cast", product, to=FLOAT), factor, out=out)


def quantized(build: Builder, data: str) -> tuple[str, str, str]:
    """Append DynamicQuantizeLinear; return codes, scale and zero point."""
    name = build.names.fresh(f"{build.node.name}.quantize")
    codes, scale, zero = (build.names.fresh(f"{name}.{what}") for what in ("codes", "scale", "zero"))
    build.append(Node(name, "DynamicQuantizeLinear", (data,), (codes, scale, zero)))
    return codes, scale, zero


def expand_dynamic_matmul(build: Builder) -> bool:
    """Spell out DynamicQuantizeMatMul: A float, B codes, B's scale, B's zero point, bias."""
    weights, scale = (build.static(build.input(position)) for position in (1, 2))
    zero = build.static(build.input(3)) if build.input(3) else None
    if weights is None or scale is None or weights.ndim != 2 or (build.input(3) and zero is None) or build.opset < 11:
        return False
    zero = np.zeros((), weights.dtype) if zero is None else zero
    bias = build.input(4)
    out = build.output(0)
    product = dynamic_product(build, build.input(0), weights, (scale, zero), out="" if bias else out)
    if bias:
        build.add("Add", product, bias, out=out)
    return True


def expand_matmul_to_float(build: Builder) -> bool:
    """Spell out MatMulIntegerToFloat: codes A and B, their scales, their zero points, bias."""
    codes, a_scale, a_zero, bias = (build.input(position) for position in (0, 2, 4, 6))
    weights = build.static(build.input(1))
    weight_zero = build.static(build.input(5)) if build.input(5) else np.zeros((), np.int8)
    if weights is None or weights.ndim != 2 or weight_zero is None:
        return False
    if not a_zero:
        a_zero = build.constant(0, "zero", np.dtype(build.dtype(codes)))
    if build.static(a_zero) is None:
        product = integer_product(build, codes, a_zero, weights, weight_zero)
    else:
        product = build.product("MatMulInteger", (codes, build.input(1), a_zero, build.input(5)))
    factor = build.add("Mul", a_scale, build.input(3))
    out = build.output(0)
    real = build.add("Mul", build.add("Cast", product, to=FLOAT), factor, out="" if bias else out)
    if bias:
        build.add("Add", real, bias, out=out)
    return True
