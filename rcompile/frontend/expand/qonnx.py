"""QONNX (Quant, BipolarQuant, Trunc) as standard operators: what has whole-numbered codes becomes QDQ.

Quant(x, s, z, b)      clip(round(x / s + z), low, high), minus z, times s   (Pappalardo et al., 2022, equation 1)
BipolarQuant(x, s)     +s where x >= 0, else -s
Trunc(x, s, z, b, o)   the o most significant of b bits
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from rcompile.frontend.expand.builder import Builder
from rcompile.ir.graph import MICROSOFT, Array

TYPES = {"int8": 3, "uint8": 2, "int16": 5, "uint16": 4}
"""ONNX's numbers of element types."""

WIDEST = 16

LARGEST_SCALE = 1e33
"""Products of codes with larger ones leave float32."""

ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}


def expand_quant(build: Builder) -> bool:  # noqa: PLR0911 - one refusal a line
    """Write Quant as Clip, rounding and DequantizeLinear; constants are quantized now."""
    node = build.node
    scale, zero, bits = (build.static(build.input(position)) for position in (1, 2, 3))
    if scale is None or zero is None or bits is None or bits.size != 1 or bits.dtype.kind not in "fiu":
        return False
    if not np.isfinite(bits).all() or bits.item() != round(bits.item()):
        return False
    width = int(bits.item())
    if not (1 <= width <= WIDEST and is_scale(scale) and (zero == np.rint(zero)).all()):
        return False
    signed, narrow = bool(node.integer("signed", 1)), bool(node.integer("narrow", 0))
    low, high = limits(width, signed=signed, narrow=narrow)
    if not (np.isfinite(zero).all() and (zero >= low).all() and (zero <= high).all()):
        return False
    shape = build.shape(build.input(0))
    axis = channel_axis(scale, zero, shape)
    if axis is None:
        return False
    rounding = node.text("rounding_mode", "ROUND").upper()
    data = build.static(build.input(0))
    if rounding not in ROUNDINGS:
        return False
    dtype = dtype_of(width, signed=signed)
    parameters = scale_and_zero(build, scale, zero.astype(dtype))
    if data is not None:
        rounded = ROUNDINGS[rounding](data / scale + zero)
        codes = build.constant(np.clip(rounded, low, high), "codes", dtype)
    elif rounding == "ROUND":
        ends = [(end - zero.astype(np.float64)) * scale for end in (low, high)]
        codes = build.add(
            "QuantizeLinear", clipped(build, build.input(0), *ends), *parameters, domain=MICROSOFT, axis=axis
        )
    else:
        codes = rounded_codes(build, rounding, low, high, dtype)
    build.bits[codes] = width
    build.add("DequantizeLinear", codes, *parameters, out=build.output(0), domain=MICROSOFT, axis=axis)
    return True


def is_scale(scale: Array) -> bool:
    """Tell whether scales are positive numbers whose codes' values are numbers as well."""
    return bool(
        scale.dtype.kind == "f" and np.isfinite(scale).all() and (scale > 0).all() and (scale < LARGEST_SCALE).all()
    )


def limits(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """Return the least and the largest code."""
    if signed:
        top = 2 ** (bits - 1) - 1
        return (-top if narrow else -top - 1), top
    return 0, 2**bits - (2 if narrow else 1)


def dtype_of(bits: int, *, signed: bool) -> type[np.integer]:
    """Return the type that holds codes."""
    if bits <= 8:
        return np.int8 if signed else np.uint8
    return np.int16 if signed else np.uint16


def channel_axis(scale: Array, zero: Array, shape: tuple[int, ...] | None) -> int | None:
    """Return the axis along which scales differ (0 where there is one scale); None where there is no such axis."""
    if scale.size == 1 and zero.size == 1:
        return 0
    if shape is None or zero.size not in {1, scale.size}:
        return None
    padded = (1,) * (len(shape) - scale.ndim) + scale.shape
    axes = [axis for axis, dim in enumerate(padded) if dim != 1]
    return axes[0] if len(axes) == 1 and padded[axes[0]] == shape[axes[0]] else None


def clipped(build: Builder, data: str, low: ArrayLike, high: ArrayLike) -> str:
    """Append the limits of a range."""
    least, largest = (build.constant(value, "limit", np.float32) for value in (low, high))
    return build.add("Min", build.add("Max", data, least), largest)


def rounded_codes(build: Builder, rounding: str, low: int, high: int, dtype: type[np.integer]) -> str:
    """Append the operators that compute codes at run time; return them."""
    data, scale, zero = (build.input(position) for position in range(3))
    steps = build.add("Add", build.add("Div", data, scale), zero)
    if rounding in {"CEIL", "FLOOR"}:
        steps = build.add(rounding.capitalize(), steps)
    else:
        sign, size = build.add("Sign", steps), build.add("Abs", steps)
        half = build.constant(0.5, "half", np.float32)
        if rounding == "HALF_UP":
            size = build.add("Floor", build.add("Add", size, half))
        elif rounding == "HALF_DOWN":
            size = build.add("Ceil", build.add("Sub", size, half))
        else:
            size = build.add("Ceil" if rounding == "UP" else "Floor", size)
        steps = build.add("Mul", sign, size)
    return build.add("Cast", clipped(build, steps, low, high), to=TYPES[np.dtype(dtype).name])


def scale_and_zero(build: Builder, scale: Array, zero: Array) -> tuple[str, str]:
    """Add the parameters of a quantization."""
    size = scale.size
    flat = scale.reshape(-1) if size > 1 else scale.reshape(())
    zeros = np.broadcast_to(zero.reshape(-1), size) if size > 1 else zero.reshape(())
    return build.constant(flat, "scale", np.float32), build.constant(zeros, "zero")


def expand_bipolar(build: Builder) -> bool:
    """Write BipolarQuant as codes -1 and +1."""
    scale = build.static(build.input(1))
    if scale is None or not is_scale(scale):
        return False
    axis = channel_axis(scale, np.zeros(()), build.shape(build.input(0)))
    if axis is None:
        return False
    data = build.static(build.input(0))
    if data is not None:
        codes = build.constant(np.where(data >= 0, 1, -1), "codes", np.int8)
        build.bits[codes] = 1
    else:
        zero = build.constant(0.0, "zero", np.float32)
        one, minus = (build.constant(value, "sign", np.int8) for value in (1, -1))
        negative = build.add("Less", build.input(0), zero)
        codes = build.add("Where", negative, minus, one)
        build.bits[codes] = 2  # -1, (0), +1
    parameters = scale_and_zero(build, scale, np.zeros((), np.int8))
    build.add("DequantizeLinear", codes, *parameters, out=build.output(0), domain=MICROSOFT, axis=axis)
    return True


def expand_trunc(build: Builder) -> bool:
    """Write Trunc as division by a power of two and rounding; its result is real."""
    scale, zero, bits, kept = (build.static(build.input(position)) for position in (1, 2, 3, 4))
    if scale is None or zero is None or bits is None or kept is None or bits.size != 1 or kept.size != 1:
        return False
    rounding = build.node.text("rounding_mode", "FLOOR").upper()
    if rounding not in {"ROUND", "CEIL", "FLOOR"}:
        return False
    half = build.constant(0.5, "half", np.float32)
    factor = build.constant(2.0 ** (int(bits.item()) - int(kept.item())), "factor", np.float32)
    steps = build.add("Add", build.add("Div", build.input(0), build.input(1)), build.input(2))
    share = build.add("Div", build.add("Floor", build.add("Add", steps, half)), factor)
    cut = (
        build.add("Floor", build.add("Add", share, half))
        if rounding == "ROUND"
        else build.add(rounding.capitalize(), share)
    )
    build.add("Mul", build.add("Sub", cut, build.input(2)), build.input(1), out=build.output(0))
    return True
