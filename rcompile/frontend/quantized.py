"""Products between quantizations, as integers: what QDQ patterns around an operator mean.

    Dequantize(codes) -> Conv(., Dequantize(W), Dequantize(b)) -> [Add bias] -> [Relu] -> [Quantize]

becomes one Matrix that reads `codes` and writes the quantized (or, without Quantize, the real) output.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rcompile.errors import InputError
from rcompile.frontend.grid import grid_of
from rcompile.frontend.matrix_operator import MatrixOperator, static_shape
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Array, Graph, Node, Value
from rcompile.ir.matrix import (
    ACCUMULATOR_LIMIT,
    LOW_BITS,
    Epilogue,
    InputCode,
    IntegerArray,
    Matrix,
    Requantize,
    common_step,
)

WIDEST_BYTES = 2
"""Wider types are as wide as what they hold."""

WIDEST_BITS = 24
"""Whole numbers that float32, in which models compute, holds exactly."""

LARGEST_SCALE = 1e33
"""Sums of products with larger ones leave float32."""

PROBED_ROWS = 64
"""Rows that show whether a matrix may have few levels."""

BIAS_GRID_TOLERANCE = 1e-5
"""Exporters round scale_x * scale_w once more; onnxruntime takes such a bias as integer without looking."""


@dataclass(frozen=True)
class Quantization:
    """A static scale and zero point: real = scale * (code - zero_point)."""

    codes: str
    scale: Array
    zero_point: Array
    dtype: np.dtype[Any]
    axis: int


class NotStatic(Exception):  # noqa: N818 - carries a refusal
    """Why a quantization cannot be used."""


class QuantizedOperators:
    """Turns the operators of one graph into matrices.

    Args:
        graph: the model, or the body of a loop.
        serial: whether it is a body, whose steps wait for one another.
    """

    def __init__(self, graph: Graph, *, serial: bool = False) -> None:
        self.graph = graph
        self.serial = serial

    def quantization(self, name: str, what: str) -> Quantization:
        """Return the quantization that a tensor comes from, or refuse."""
        node = self.graph.producers.get(name)
        if node is None or not node.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
            value = self.graph.values.get(name)
            kind = f" (it is {value.dtype}; rcompile quantizes float32)" if value and value.dtype != "float32" else ""
            raise NotStatic(f"its {what} '{name}' is not quantized{kind}")
        return self.parameters(node, self.graph.values.get(node.inputs[0]), what)

    def parameters(self, node: Node, codes_value: Value | None, what: str) -> Quantization:
        """Read scale and zero point of a QuantizeLinear or DequantizeLinear; InputError where they are not numbers."""
        constants = self.graph.constants
        if any(name and name not in constants for name in node.inputs[1:]):
            raise NotStatic(f"the scale of its {what} is computed at run time")
        if node.integer("block_size", 0):
            raise NotStatic(f"its {what} is quantized blockwise")
        scale = constants[node.inputs[1]]
        if scale.dtype != np.float32:
            raise NotStatic(f"the scale of its {what} is {scale.dtype}; rcompile computes in float32")
        if not ((scale >= 0) & (scale < LARGEST_SCALE)).all():  # NaN is neither
            raise InputError(
                f"the scale of its {what} ('{node.inputs[1]}') is negative, NaN, infinite, or beyond {LARGEST_SCALE:g}",
                at=self.graph.at(node),
                hint="quantize or export the model again",
            )
        if len(node.inputs) > 2 and node.inputs[2]:
            zero_point = constants[node.inputs[2]]
        else:
            codes = constants.get(node.inputs[0])
            known = codes_value.dtype if codes_value is not None else "uint8"
            zero_point = np.zeros((), known if codes is None else codes.dtype)
        if zero_point.dtype.kind not in "iu":
            raise NotStatic(f"its {what} is quantized to {zero_point.dtype}; rcompile takes 8 and 16 bits")
        return Quantization(
            node.inputs[0], scale, zero_point.astype(np.int64), zero_point.dtype, node.integer("axis", 1)
        )

    def matrix(self, node: Node, operator: MatrixOperator) -> Matrix:
        """Build one matrix."""
        graph = self.graph
        data, weight = self.operands(operator)
        if data.codes in graph.constants:
            raise NotStatic("its input is a constant as well")
        if data.scale.size != 1:
            raise NotStatic("its input has a scale per channel")
        codes = graph.constants.get(weight.codes)
        if codes is None:
            raise NotStatic("its weights are computed at run time")
        rank = codes.ndim
        if weight.scale.size > 1 and weight.axis % rank != operator.output_axis:
            raise NotStatic(f"its weight has scales along axis {weight.axis}, not along its outputs")
        outputs = codes.shape[operator.output_axis]
        if codes.size == 0 or operator.vectors == 0:
            raise NotStatic("one of its operands is empty")
        if {weight.scale.size, weight.zero_point.size} - {1, outputs}:
            raise NotStatic(f"its weight has {weight.scale.size} scales and {weight.zero_point.size} zero points")
        weights = operator.arrange(without_zero_points(codes, weight.zero_point, operator.output_axis))
        groups, columns = weights.shape[0], weights.shape[2]
        repeats = groups * columns // outputs  # groups that share their outputs' scales: a transposed convolution's
        zero_points = np.tile(np.broadcast_to(weight.zero_point.reshape(-1), outputs), repeats)
        width = graph.bits.get(weight.codes) or wide_bits(codes)
        grid = few_levels(weights) or representable(codes, width, zero_points.reshape(groups, -1))
        read = self.input_code(data)
        require_narrow_accumulators(weights, grid, read)
        scales = np.tile(np.broadcast_to(weight.scale.reshape(-1), outputs), repeats)
        output_scale = (data.scale.reshape(()) * scales).astype(np.float32)
        if operator.zero_points is None:
            epilogue, output, absorbed = self.epilogue(node, operator, output_scale)
        else:
            epilogue, output, absorbed = Epilogue(frozen(output_scale), None, None, None, True), node.outputs[0], ()
        window = operator.window
        return Matrix(
            name=node.name,
            op_type=graph.op_type_of(node),
            origin=graph.at(node),
            weights=frozen(weights.astype(narrowest(weights), copy=False)),
            weight_bits=grid.bits,
            weight_low=frozen(grid.low),
            weight_step=frozen(grid.step),
            input=read,
            output=output,
            window=window,
            vectors=operator.vectors,
            epilogue=epilogue,
            absorbed=absorbed,
            serial=self.serial,
            samples_axis=operator.samples_axis,
        )

    def input_code(self, data: Quantization) -> InputCode:
        """Return how an integer tensor is read."""
        bits, zero_point = self.graph.bits.get(data.codes), int(data.zero_point.reshape(()))
        if data.dtype.itemsize > WIDEST_BYTES:
            grid = grid_of(data.codes, self.graph)
            if grid is None or grid.step != 1 or grid.bits > WIDEST_BITS:
                raise NotStatic(f"its input has codes of {8 * data.dtype.itemsize} bits, more than {WIDEST_BITS}")
            return InputCode(data.codes, data.dtype.name, grid.bits, grid.low, zero_point)
        width = bits or code_bits(data.dtype)
        least = 0 if "u" in data.dtype.name else -(2 ** (width - 1))
        if not least <= zero_point < least + 2**width:
            raise NotStatic(f"the zero point of its input is none of its codes, which have {width} bits")
        return InputCode(data.codes, data.dtype.name, width, least, zero_point)

    def operands(self, operator: MatrixOperator) -> tuple[Quantization, Quantization]:
        """Return the quantizations of data and weights; an operator on codes has the step 1."""
        if operator.zero_points is None:
            return self.quantization(operator.data, "input"), self.quantization(operator.weight, "weight")
        found = []
        for tensor, zero, axis in zip(
            (operator.data, operator.weight), operator.zero_points, (1, operator.output_axis), strict=True
        ):
            constants, value = self.graph.constants, self.graph.values.get(tensor)
            if zero and zero not in constants:
                raise NotStatic(f"its zero point '{zero}' is computed at run time")
            dtype = constants[tensor].dtype if tensor in constants else np.dtype(value.dtype if value else "uint8")
            zeros = constants[zero].astype(np.int64) if zero else np.zeros((), np.int64)
            found.append(Quantization(tensor, np.ones((), np.float32), zeros, dtype, axis))
        if found[0].zero_point.size != 1:
            raise NotStatic("its input has a zero point per row")
        return found[0], found[1]

    def epilogue(self, node: Node, operator: MatrixOperator, scale: Array) -> tuple[Epilogue, str, tuple[str, ...]]:
        """Follow the output through bias, Relu and QuantizeLinear; return what was absorbed."""
        absorbed: list[str] = []
        integer_bias, bias = None, None
        tensor = node.outputs[0]
        if operator.bias:
            integer_bias, bias = self.bias(operator.bias, scale)
        elif (found := self.added_bias(tensor, operator, scale)) is not None:
            adder, integer_bias, bias = found
            absorbed.append(adder.name)
            tensor = adder.outputs[0]
        follower = self.only_reader(tensor)
        relu = follower if follower is not None and follower.is_a("Relu") else None
        if relu is not None:
            follower = self.only_reader(relu.outputs[0])
        requantize = None
        if follower is not None and follower.is_a("QuantizeLinear", domains=QUANTIZATION_DOMAINS):
            requantize = self.requantize(follower, scale, bias)
            if requantize is not None and relu is not None and requantize.zero_point != requantize.minimum:
                requantize = None  # the Relu clips where the quantization would not
        if requantize is not None and follower is not None:
            absorbed += [relu.name] if relu is not None else []
            absorbed.append(follower.name)
            tensor = follower.outputs[0]
        return Epilogue(frozen(scale), integer_bias, bias, requantize), tensor, tuple(absorbed)

    def only_reader(self, tensor: str) -> Node | None:
        """Return the one node that reads a tensor, unless the tensor is an output of the model."""
        readers = self.graph.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self.graph.output_names() else None

    def bias(self, name: str, scale: Array) -> tuple[IntegerArray | None, Array | None]:
        """Return a static bias as integers on the accumulator's grid, or else as real numbers."""
        columns = scale.size
        if name in self.graph.constants:
            if not np.isfinite(self.graph.constants[name].astype(np.float64)).all():
                raise InputError(
                    f"the bias '{name}' holds values that are NaN or infinite",
                    at=self.graph.origin,
                    hint="train or export the model again",
                )
            return None, frozen(np.broadcast_to(self.graph.constants[name].astype(np.float32).reshape(-1), columns))
        found = self.quantization(name, "bias")
        codes = self.graph.constants[found.codes].astype(np.int64) - found.zero_point
        codes = np.broadcast_to(codes.reshape(-1), columns)
        own_scale = np.broadcast_to(found.scale.reshape(-1), columns)
        if np.allclose(own_scale, scale, rtol=BIAS_GRID_TOLERANCE, atol=0):
            return frozen(codes), None
        return None, frozen((codes.astype(np.float32) * own_scale).astype(np.float32))

    def added_bias(
        self, tensor: str, operator: MatrixOperator, scale: Array
    ) -> tuple[Node, IntegerArray | None, Array | None] | None:
        """Return a following Add of one static value per output column."""
        adder = self.only_reader(tensor)
        if adder is None or not adder.is_a("Add") or len(set(adder.inputs)) < 2:
            return None
        other = adder.inputs[1] if adder.inputs[0] == tensor else adder.inputs[0]
        value = self.graph.values.get(tensor)
        shape = static_shape(value)
        producer = self.graph.producers.get(other)
        codes = other if producer is None or not producer.inputs else producer.inputs[0]
        operand = self.graph.constants.get(other, self.graph.constants.get(codes))
        if operand is None or shape is None or operand.ndim > len(shape):
            return None
        padded = (1,) * (len(shape) - operand.ndim) + operand.shape
        axis = operator.channel_axis % len(shape)
        if any(dim != 1 for i, dim in enumerate(padded) if i != axis) or padded[axis] not in {1, scale.size}:
            return None
        try:
            return (adder, *self.bias(other, scale))
        except NotStatic:
            return None

    def requantize(self, node: Node, scale: Array, bias: Array | None) -> Requantize | None:
        """Return a QuantizeLinear as the end of the accumulator's path; None where it is per channel or dynamic."""
        try:
            found = self.parameters(node, self.graph.values.get(node.outputs[0]), "output")
        except NotStatic:
            return None
        if found.scale.size != 1 or found.scale.item() <= 0 or found.dtype.itemsize > WIDEST_BYTES:
            return None
        limits = np.iinfo(found.dtype)
        own = found.scale.reshape(())
        multiplier = frozen((scale / own).astype(np.float32)) if bias is None else None
        return Requantize(
            float(own),
            int(found.zero_point.reshape(())),
            int(limits.min),
            int(limits.max),
            found.dtype.name,
            multiplier,
        )


@dataclass(frozen=True)
class LevelGrid:
    """The weights that cells can hold: low + step * code, 0 <= code < 2^bits; low and step are (G, N)."""

    bits: int
    low: IntegerArray
    step: IntegerArray


def without_zero_points(codes: Array, zero_points: Array, axis: int) -> IntegerArray:
    """Return codes minus their zero points, in the narrowest type."""
    kind = np.promote_types(codes.dtype, np.int8)
    if not zero_points.any():
        return codes.astype(kind, copy=False)
    shape = [1] * codes.ndim
    shape[axis] = -1
    wide = np.promote_types(kind, np.min_scalar_type(-1 - 2 * int(np.abs(zero_points).max())))
    wide = np.dtype(np.int32) if wide.itemsize > 2 else np.promote_types(wide, np.int16)
    return np.asarray(codes.astype(wide) - zero_points.reshape(shape).astype(wide))


def representable(codes: Array, bits: int | None, zero_points: Array) -> LevelGrid:
    """Return what codes of a type and width can stand for: two's complement, unsigned, or -1 and +1 for one bit."""
    unsigned = "u" in codes.dtype.name
    width = bits or code_bits(codes.dtype)
    if bits == 1 and not unsigned:
        return LevelGrid(1, -1 - zero_points, np.full_like(zero_points, 2))
    low = 0 if unsigned else -(2 ** (width - 1))
    return LevelGrid(width, low - zero_points, np.ones_like(zero_points))


def few_levels(weights: IntegerArray) -> LevelGrid | None:
    """Return the grid of weights that take few levels in each column; None where one takes more than 2^LOW_BITS.

    Binary and ternary networks come as wide codes or floats; what they need is 1 or 2 cells a weight.
    """
    for part in (weights[:, :PROBED_ROWS], weights):  # most matrices are seen to be none at once
        low = part.min(axis=1).astype(np.int64)
        span = part.max(axis=1) - low
        step = np.ones_like(low)
        for group, columns in enumerate(span > 1):  # others have one step at most
            step[group, columns] = common_step(part[group][:, columns] - low[group, columns])
        step = np.where(span == 1, 1, step)
        largest = int((span // step).max())
        if largest >= 2**LOW_BITS:
            return None
    return LevelGrid(max(largest.bit_length(), 1), low, step)


def code_bits(dtype: np.dtype[Any]) -> int:
    """Return the width of a type's codes."""
    return {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2}.get(dtype.name, 8 * dtype.itemsize)


def narrowest(weights: Array) -> np.dtype[np.signedinteger]:
    """Return the smallest signed type that holds all weights: large models keep one byte a weight."""
    return np.promote_types(
        np.min_scalar_type(int(weights.min(initial=-1))), np.min_scalar_type(-1 - int(weights.max(initial=0)))
    )


def wide_bits(codes: Array) -> int | None:
    """Return the width of codes of more than 16 bits by their values; None for narrower types, which have their own."""
    if codes.dtype.itemsize <= WIDEST_BYTES:
        return None
    width = max(int(codes.max(initial=0)).bit_length(), int(-1 - codes.min(initial=-1)).bit_length()) + 1
    if width > WIDEST_BITS:
        raise NotStatic(f"its weight has codes of {width} bits, more than {WIDEST_BITS}")
    return width


def require_narrow_accumulators(weights: Array, grid: LevelGrid, read: InputCode) -> None:
    """Refuse what an accumulator cannot hold."""
    largest = int(np.abs(grid.low).max()) + int((grid.step * (2**grid.bits - 1)).max())
    bits = (2**read.bits * largest * weights.shape[1]).bit_length()
    if 2**bits > ACCUMULATOR_LIMIT:
        raise NotStatic(f"an accumulator would need {bits} bits, more than 53: --weight-bits and --input-bits set them")
