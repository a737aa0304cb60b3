"""Microsoft's quantization operators for onnx's reference evaluator, which knows the standard's only.

rcompile quantizes with these, since they take 16 bits and a channel axis at any opset.
"""

import numpy as np
import onnx
from onnx.reference.op_run import OpRun

from rcompile.ir.graph import MICROSOFT, Array

RECURRENT = {"clip", "input_forget", "activation_alpha", "activation_beta"}


def mistake_of(node: onnx.NodeProto, opset: int) -> str:
    """Return in what onnx 1.23's evaluator errs on an operator; '' where it does not (compared with onnxruntime)."""
    if node.domain:
        return ""
    given = {attribute.name for attribute in node.attribute}
    match node.op_type:
        case "BatchNormalization" if opset < 14:
            return "statistics of the batch before opset 14"
        case "LSTM" | "GRU" | "RNN" if given & RECURRENT or (len(node.input) > 4 and node.input[4]):
            return "clip, input_forget, factors of activations and sequence lengths are ignored"
        case "ConvTranspose" if any(a.name == "group" and a.i > 1 for a in node.attribute):
            return "groups"
    return ""


def along(parameter: Array, rank: int, axis: int) -> Array:
    """Return a scale or zero point in a shape that broadcasts along an axis."""
    if parameter.ndim == 0 or parameter.size == 1:
        return parameter.reshape(())
    shape = [1] * rank
    shape[axis] = -1
    return parameter.reshape(shape)


class QuantizeLinear(OpRun):
    """round_half_even(x / scale) + zero_point, saturated."""

    op_domain = MICROSOFT

    def _run(
        self, x: Array, scale: Array, zero_point: Array | None = None, axis: int | None = None, **_: object
    ) -> tuple[Array]:
        axis = 1 if axis is None else axis
        zero = np.zeros((), np.uint8) if zero_point is None else zero_point
        limits = np.iinfo(zero.dtype)
        steps = np.rint(x.astype(np.float32) / along(scale, x.ndim, axis)) + along(zero, x.ndim, axis)
        return (np.clip(steps, limits.min, limits.max).astype(zero.dtype),)


class DequantizeLinear(OpRun):
    """(code - zero_point) * scale."""

    op_domain = MICROSOFT

    def _run(
        self, x: Array, scale: Array, zero_point: Array | None = None, axis: int | None = None, **_: object
    ) -> tuple[Array]:
        axis = 1 if axis is None else axis
        wide = x.astype(np.int64)
        if zero_point is not None:
            wide = wide - along(zero_point.astype(np.int64), x.ndim, axis)
        return (wide.astype(scale.dtype) * along(scale, x.ndim, axis),)


def microsoft_operators() -> list[type[OpRun]]:
    """Return the operators."""
    return [QuantizeLinear, DequantizeLinear]
