"""Operators on codes (QLinearConv, QLinearMatMul, QGemm) as QDQ: the product between its quantizations.

    QLinearConv(x, sx, zx, w, sw, zw, sy, zy, b)  becomes  Q(Conv(DQ(x), DQ(w), DQ(b)), sy, zy)

The elementwise ones of com.microsoft (QLinearAdd, ...) stay: onnxruntime executes them.
"""

import numpy as np

from rcompile.frontend.expand.builder import Builder
from rcompile.ir.graph import MICROSOFT, Array


def dequantized(build: Builder, position: int, axis: int) -> str:
    """Append DequantizeLinear of the codes at a position, which their scale and zero point follow."""
    return dequantize(build, *(build.input(position + i) for i in range(3)), axis=axis)


def dequantize(build: Builder, codes: str, scale: str, zero: str, *, axis: int) -> str:
    """Append DequantizeLinear."""
    zeros = (zero,) if zero else ()
    return build.add("DequantizeLinear", codes, float32(build, scale), *zeros, domain=MICROSOFT, axis=axis)


def float32(build: Builder, scale: str) -> str:
    """Return a static scale as float32, which holds every float16."""
    array = build.static(scale)
    if array is None or array.dtype == np.float32:
        return scale
    return build.constant(array, "scale", np.float32)


def quantize(build: Builder, data: str, position: int, out: str) -> str:
    """Append QuantizeLinear, its scale and zero point at a position."""
    zeros = (build.input(position + 1),) if build.input(position + 1) else ()
    scale = float32(build, build.input(position))
    return build.add("QuantizeLinear", data, scale, *zeros, out=out, domain=MICROSOFT)


def integer_bias(build: Builder, name: str, input_scale: Array, weight_scale: Array) -> str:
    """Append the bias, whose step is that of the accumulator."""
    step = (input_scale.reshape(()) * weight_scale).reshape(-1)
    codes = build.static(name)
    if codes is not None:
        step = np.broadcast_to(step, codes.shape)
    return dequantize(build, name, build.constant(step, "bias_scale", np.float32), "", axis=0)


def scales(build: Builder, *positions: int) -> list[Array] | None:
    """Return static scales; None where one is computed at run time."""
    found = [build.static(build.input(position)) for position in positions]
    return None if any(array is None for array in found) else [array for array in found if array is not None]


def expand_conv(build: Builder) -> bool:
    """QLinearConv: x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias."""
    node = build.node
    found = scales(build, 1, 4)
    last, shape = bool(node.integer("channels_last", 0)), build.shape(build.input(0))
    if found is None or scales(build, 6) is None or build.static(build.input(3)) is None or shape is None:
        return False
    rank = len(shape)
    codes = build.transpose(build.input(0), (0, rank - 1, *range(1, rank - 1))) if last else build.input(0)
    data = dequantize(build, codes, build.input(1), build.input(2), axis=1)
    weight = dequantized(build, 3, 0)
    bias = (integer_bias(build, build.input(8), *found),) if build.input(8) else ()
    attributes = {name: value for name, value in node.attributes.items() if name != "channels_last"}
    result = build.product("Conv", (data, weight, *bias), attributes=attributes)
    if last:
        build.transpose(quantize(build, result, 6, ""), (0, *range(2, rank), 1), out=build.output(0))
    else:
        quantize(build, result, 6, build.output(0))
    return True


def expand_matmul(build: Builder) -> bool:
    """QLinearMatMul: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero."""
    left, weights = build.static(build.input(0)), build.static(build.input(3))
    if (left is None) == (weights is None) or scales(build, 1, 4, 6) is None:
        return False
    data = dequantized(build, 0, 0 if left is not None else 1)
    weight = dequantized(build, 3, 1 if weights is None else weights.ndim - 1)
    result = build.product("MatMul", (data, weight))
    quantize(build, result, 6, build.output(0))
    return True


def expand_gemm(build: Builder) -> bool:
    """QGemm: a, a_scale, a_zero, b, b_scale, b_zero, c, y_scale, y_zero; float output without the last two."""
    node = build.node
    found = scales(build, 1, 4)
    if found is None or build.static(build.input(3)) is None:
        return False
    data = dequantized(build, 0, 1)
    scaled = np.float32(node.number("alpha", 1.0)) * found[1]  # alpha goes into the weights' scale
    weight_scale = build.constant(scaled, "scale", np.float32)
    axis = 0 if node.integer("transB", 0) else 1
    weight = dequantize(build, build.input(3), weight_scale, build.input(5), axis=axis)
    bias = (integer_bias(build, build.input(6), found[0], scaled),) if build.input(6) else ()
    attributes = {name: value for name, value in node.attributes.items() if name in {"transA", "transB"}}
    if build.input(7):
        result = build.product("Gemm", (data, weight, *bias), attributes=attributes)
        quantize(build, result, 7, build.output(0))
    else:
        result = build.product("Gemm", (data, weight, *bias), attributes=attributes)
        build.add("Identity", result, out=build.output(0))
    return True
