"""Products between quantizations, as integers: what QDQ patterns around an operator mean.

    Dequantize(codes) -> Conv(., Dequantize(W), Dequantize(b)) -> [Add bias] -> [Relu] -> [Quantize]

becomes one Matrix that reads `codes` and writes the quantized (or, without Quantize, the real) output.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rcompile.errors import InputError
from rcompile.frontend.matrix_operator import MatrixOperator, static_shape
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Array, Graph, Node, Value
from rcompile.ir.matrix import Epilogue, InputCode, IntegerArray, Matrix, Requantize

WIDEST_BYTES = 2

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
    """Turns the operators of one graph into matrices."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

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
        if not np.isfinite(scale).all():
            raise InputError(
                f"the scale of its {what} ('{node.inputs[1]}') is NaN or infinite",
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
        data = self.quantization(operator.data, "input")
        if data.codes in graph.constants:
            raise NotStatic("its input is a constant as well")
        if data.scale.size != 1:
            raise NotStatic("its input has a scale per channel")
        weight = self.quantization(operator.weight, "weight")
        codes = graph.constants.get(weight.codes)
        if codes is None:
            raise NotStatic("its weights are computed at run time")
        for quantization, what in ((data, "input"), (weight, "weight")):
            if quantization.dtype.itemsize > WIDEST_BYTES:
                raise NotStatic(f"its {what} has codes of {8 * quantization.dtype.itemsize} bits, more than 16")
        rank = codes.ndim
        if weight.scale.size > 1 and weight.axis % rank != operator.output_axis:
            raise NotStatic(f"its weight has scales along axis {weight.axis}, not along its outputs")
        outputs = codes.shape[operator.output_axis]
        if codes.size == 0 or operator.vectors == 0:
            raise NotStatic("one of its operands is empty")
        if {weight.scale.size, weight.zero_point.size} - {1, outputs}:
            raise NotStatic(f"its weight has {weight.scale.size} scales and {weight.zero_point.size} zero points")
        shape = [1] * rank
        shape[operator.output_axis] = -1
        zero_points = np.broadcast_to(weight.zero_point.reshape(-1), outputs)
        weights = operator.arrange(codes.astype(np.int64) - zero_points.reshape(shape))
        groups = weights.shape[0]
        bits, low, step = representable(codes, graph.bits.get(weight.codes))
        output_scale = (data.scale.reshape(()) * np.broadcast_to(weight.scale.reshape(-1), outputs)).astype(np.float32)
        epilogue, output, absorbed = self.epilogue(node, operator, output_scale)
        window = operator.window
        return Matrix(
            name=node.name,
            op_type=node.op_type,
            origin=graph.at(node),
            weights=frozen(weights.astype(narrowest(weights))),
            weight_bits=bits,
            weight_low=frozen((low - zero_points).reshape(groups, -1)),
            weight_step=step,
            input=input_code(data, graph.bits.get(data.codes)),
            output=output,
            window=window,
            vectors=operator.vectors,
            epilogue=epilogue,
            absorbed=absorbed,
        )

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


def representable(codes: Array, bits: int | None) -> tuple[int, int, int]:
    """Return the weights' bits, least stored value and step: two's complement, unsigned, or -1 and +1 for one bit."""
    limits = np.iinfo(codes.dtype)
    if bits == 1 and limits.min < 0:
        return 1, -1, 2
    width = bits or limits.bits
    return width, -(2 ** (width - 1)) if limits.min < 0 else 0, 1


def narrowest(weights: Array) -> np.dtype[np.signedinteger]:
    """Return the smallest signed type that holds all weights: large models keep one byte a weight."""
    return np.promote_types(
        np.min_scalar_type(int(weights.min(initial=-1))), np.min_scalar_type(-1 - int(weights.max(initial=0)))
    )


def input_code(data: Quantization, bits: int | None) -> InputCode:
    """Return how an integer tensor is read."""
    limits = np.iinfo(data.dtype)
    return InputCode(
        data.codes, data.dtype.name, bits or limits.bits, int(limits.min), int(data.zero_point.reshape(()))
    )
