"""A matrix as onnxruntime's integer operators: the reference that exactness is measured against.

ConvInteger and MatMulInteger multiply bytes. Wider weights and inputs are split into bytes, multiplied pairwise
and recombined in int64. Weights are fed as uint8 with zero point 128, since signed weights saturate in
onnxruntime's kernels on processors without VNNI. Nothing here knows of slices, signs or blocks.
"""

from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto

from rcompile.frontend.draft import Draft
from rcompile.frontend.parse import Model
from rcompile.frontend.runtime import Session
from rcompile.ir.graph import MICROSOFT, Value
from rcompile.ir.matrix import Matrix, Window

BYTE = 256
MANY_MACS = 2**24
"""A pool of threads costs more than it saves for fewer."""

LARGEST_K = 2**31 // (255 * 255)
"""Products of bytes that an int32 accumulator surely holds."""


class IntegerOperator:
    """One matrix with its epilogue, executed by onnxruntime."""

    def __init__(self, matrix: Matrix) -> None:
        model = build(matrix)
        self._session = Session(model.proto, optimize=False, weights=model.weights, threads=matrix.macs > MANY_MACS)

    def run(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return accumulators (int64) and outputs, both in the shape of the operator's result."""
        found = self._session.run({"codes": codes})
        return found["accumulators"], found["outputs"]


def build(matrix: Matrix) -> Model:
    """Return the model: codes -> accumulators, outputs."""
    draft = Draft()
    terms = []
    for code, zero, input_shift in input_bytes(matrix, draft):
        for digit, weight_zero, weight_shift in weight_bytes(matrix.weights):
            for product in products(matrix, draft, code, zero, digit, weight_zero):
                wide = draft.add("Cast", product, to=TensorProto.INT64)
                factor = draft.constant(np.array(1 << (input_shift + weight_shift), np.int64))
                terms.append(draft.add("Mul", wide, factor))
    total = terms[0]
    for term in terms[1:]:
        total = draft.add("Add", total, term)
    draft.add("Identity", total, name="accumulators")
    epilogue(matrix, draft, total)
    inputs = [Value("codes", matrix.input.dtype, None)]
    outputs = [Value("accumulators", "", None), Value("outputs", "", None)]
    return Model(draft.model(inputs, outputs, "integer_operator"), draft.weights)


def input_bytes(matrix: Matrix, draft: Draft) -> list[tuple[str, int, int]]:
    """Return the input as bytes: (uint8 tensor, its zero point, its shift), least significant first."""
    low = matrix.input.minimum
    zero = matrix.input.zero_point - low
    wide = draft.add("Cast", "codes", to=TensorProto.INT32)
    unsigned = draft.add("Sub", wide, draft.constant(np.array(low, np.int32)))
    base = draft.constant(np.array(BYTE, np.int32))
    found = []
    for shift in range(0, matrix.input.bits, 8):
        if shift + 8 >= matrix.input.bits:
            found.append((draft.add("Cast", unsigned, to=TensorProto.UINT8), zero, shift))
            break
        high = draft.add("Div", unsigned, base)
        rest = draft.add("Sub", unsigned, draft.add("Mul", high, base))
        found.append((draft.add("Cast", rest, to=TensorProto.UINT8), zero % BYTE, shift))
        unsigned, zero = high, zero // BYTE
    return found


def weight_bytes(weights: np.ndarray) -> list[tuple[np.ndarray, int, int]]:
    """Return weights as bytes: (uint8 array, its zero point, its shift); the last is signed, the others are not."""
    digits = []
    shift = 0
    weights = weights if weights.dtype == np.int8 else weights.astype(np.int32)
    while weights.min() < -128 or weights.max() > 127:
        digits.append((weights % BYTE, 0, shift))
        weights, shift = weights // BYTE, shift + 8
    digits.append((np.add(weights, -128, dtype=np.int8, casting="unsafe").view(np.uint8), 128, shift))
    return [(digit.astype(np.uint8, copy=False), zero, at) for digit, zero, at in digits]


def products(matrix: Matrix, draft: Draft, code: str, zero: int, digit: np.ndarray, weight_zero: int) -> list[str]:
    """Return int32 products whose sum is one pair of bytes multiplied."""
    zeros = [draft.constant(np.array(value, np.uint8)) for value in (zero, weight_zero)]
    window = matrix.window
    if window is not None:
        weight = digit.transpose(0, 2, 1).reshape(matrix.groups * matrix.columns, -1, *window.kernel)
        pads = (*window.pads_begin, *window.pads_end)
        if any(pad < 0 for pad in pads) or any(step > 1 for step in window.spacing):
            code, pads = spread(draft, code, zeros[0], window), (0,) * len(pads)
        attributes: dict[str, Any] = {
            "group": matrix.groups,
            "kernel_shape": window.kernel,
            "strides": window.strides,
            "dilations": window.dilations,
            "pads": pads,
        }
        channels = weight.shape[1]
        step = max(1, LARGEST_K // prod(window.kernel)) if matrix.groups == 1 else channels
        return [
            draft.add(
                "ConvInteger",
                draft.sliced(code, 1, start, min(start + step, channels)) if step < channels else code,
                draft.constant(weight[:, start : start + step]),
                *zeros,
                **attributes,
            )
            for start in range(0, channels, step)
        ]
    return [
        draft.add(
            "MatMulInteger",
            draft.sliced(code, -1, start, min(start + LARGEST_K, matrix.rows)) if matrix.rows > LARGEST_K else code,
            draft.constant(digit[0, start : start + LARGEST_K]),
            *zeros,
        )
        for start in range(0, matrix.rows, LARGEST_K)
    ]


def spread(draft: Draft, code: str, zero: str, window: Window) -> str:
    """Return a transposed convolution's input with zero points between and around, or cut off where pads are negative.

    Per axis: (..., H, ...) -> (..., H, 1, ...) -> padded to (..., H, step, ...) -> (..., H * step, ...) -> cut.
    """
    rank = len(window.kernel) + 2
    current = [0, 0, *window.input_shape]  # 0: as it is
    for axis, (size, step) in enumerate(zip(window.input_shape, window.spacing, strict=True), 2):
        if step > 1:
            apart = draft.add("Unsqueeze", code, draft.constant(np.array([axis + 1])))
            pads = np.zeros(2 * (rank + 1), np.int64)
            pads[rank + 1 + axis + 1] = step - 1
            wide = draft.add("Pad", apart, draft.constant(pads), zero)
            shape = np.array([*current[:axis], size * step, *current[axis + 1 :]], np.int64)
            code = draft.add("Reshape", wide, draft.constant(shape))
            code = draft.sliced(code, axis, 0, (size - 1) * step + 1)
            current[axis] = (size - 1) * step + 1
    ends = np.array([0, 0, *window.pads_begin, 0, 0, *window.pads_end], np.int64)
    return draft.add("Pad", code, draft.constant(ends), zero)


def epilogue(matrix: Matrix, draft: Draft, total: str) -> None:
    """Append bias, scale and requantization (docs/semantics.md, section 5)."""
    end = matrix.epilogue
    if end.integer:
        draft.add("Cast", total, name="outputs", to=TensorProto.INT32)
        return
    shape = (-1,) if matrix.window is None else (-1, *(1 for _ in matrix.window.kernel))

    def column(array: np.ndarray) -> str:
        return draft.constant(array.reshape(shape))

    if end.integer_bias is not None:
        total = draft.add("Add", total, column(end.integer_bias))
    value = draft.add("Cast", total, to=TensorProto.FLOAT)
    quantize = end.requantize
    multiplier = None if quantize is None else quantize.multiplier
    value = draft.add("Mul", value, column(end.scale if multiplier is None else multiplier))
    if multiplier is None and end.bias is not None:
        value = draft.add("Add", value, column(end.bias))
    if quantize is None:
        draft.add("Identity", value, name="outputs")
        return
    scale = draft.constant(np.array(quantize.scale if multiplier is None else 1.0, np.float32))
    zero = draft.constant(np.array(quantize.zero_point, quantize.dtype))
    draft.add("QuantizeLinear", value, scale, zero, name="outputs", domain=MICROSOFT)
