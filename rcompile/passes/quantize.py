"""Post-training quantization: a float model becomes a QDQ model.

`Conv(x, W)` becomes `Conv(Dequantize(Quantize(x)), Dequantize(W'))`. Weights: symmetric, a scale per output
column. Inputs: one scale and zero point a tensor, from calibrated ranges (Krishnamoorthi, 2018). What a model
quantized itself, weights or inputs, keeps its own scales.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rcompile.errors import InputError, Origin
from rcompile.frontend.operators import MatrixOperator, Refusal, recognise
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Array, Graph, Names, Node, Value

Range = tuple[float, float]

LEAST_SCALE = float(np.finfo(np.float32).tiny)
"""Smaller scales are subnormal or zero in float32, and dividing by them overflows."""

MICROSOFT = "com.microsoft"
"""Its QuantizeLinear takes 16 bits and a channel axis at any opset."""


@dataclass(frozen=True)
class Precision:
    """Bits of weights and inputs, 1 to 16 each."""

    weight_bits: int = 8
    input_bits: int = 8


@dataclass(frozen=True)
class FloatOperator:
    """A product of which the data, the weights or both are still float."""

    operator: MatrixOperator
    data: bool
    weight: bool


def needs_ranges(graph: Graph) -> tuple[str, ...]:
    """Return the float tensors whose ranges must be known, in order."""
    return tuple(dict.fromkeys(item.operator.data for item in float_operators(graph).values() if item.data))


def float_operators(graph: Graph) -> dict[str, FloatOperator]:
    """Return the products with static weights that lack a quantization; all that is float in them is float32."""
    found = {}
    for node in graph.nodes:
        operator = recognise(node, graph)
        if isinstance(operator, Refusal) or operator.vectors == 0:
            continue
        value = graph.values.get(operator.data)
        weight = graph.constants.get(operator.weight)
        item = FloatOperator(operator, not is_dequantized(operator.data, graph), weight is not None)
        data_fits = not item.data or (value is not None and value.dtype == "float32")
        weight_fits = weight is None or (weight.dtype == np.float32 and weight.size > 0)
        if data_fits and weight_fits and (item.data or item.weight):
            found[node.name] = item
    return found


def is_dequantized(name: str, graph: Graph) -> bool:
    """Tell whether a tensor carries its integer form already."""
    producer = graph.producers.get(name)
    return producer is not None and producer.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS)


def quantize(graph: Graph, ranges: Mapping[str, Range], precision: Precision) -> Graph:
    """Insert quantization around each float product with static weights.

    Args:
        graph: a graph whose constants are folded.
        ranges: least and largest value of each tensor that `needs_ranges` names.
        precision: bits of weights and inputs.
    """
    operators = float_operators(graph)
    draft = Draft(Names(graph), dict(graph.constants), dict(graph.values), dict(graph.bits))
    renamed: dict[str, str] = {}
    weights: dict[tuple[str, int], str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        item = operators.get(node.name)
        if item is None:
            nodes.append(node)
            continue
        data, weight = node.inputs[:2]
        if item.data:
            if data not in renamed:
                added, renamed[data] = draft.quantize_input(data, *ranges[data], precision.input_bits)
                nodes += added
            data = renamed[data]
        if item.weight:
            key = (weight, item.operator.output_axis)  # operators that share a weight share its codes
            if key not in weights:
                name = f"{node.name}.weight"
                added_node, weights[key] = draft.quantize_weight(
                    item.operator, name, precision.weight_bits, graph.at(node)
                )
                nodes.append(added_node)
            weight = weights[key]
        nodes.append(replace(node, inputs=(data, weight, *node.inputs[2:])))
    read = {name for node in nodes for name in node.reads()} | set(graph.output_names())
    constants = {name: array for name, array in draft.constants.items() if name in read}
    return replace(graph, nodes=tuple(nodes), constants=constants, values=draft.values, bits=draft.bits)


@dataclass(frozen=True)
class Draft:
    """The tables of the graph that is being made."""

    names: Names
    constants: dict[str, Array]
    values: dict[str, Value]
    bits: dict[str, int]

    def constant(self, name: str, array: Array) -> str:
        """Add a constant; return its name."""
        name = self.names.fresh(name)
        self.constants[name] = frozen(array)
        return name

    def tensor(self, name: str, dtype: str, shape: tuple[int | str | None, ...] | None) -> str:
        """Add a tensor; return its name."""
        name = self.names.fresh(name)
        self.values[name] = Value(name, dtype, shape)
        return name

    def quantize_input(self, tensor: str, least: float, largest: float, bits: int) -> tuple[list[Node], str]:
        """Return the nodes that quantize a tensor, and the name of its dequantized form.

        Asymmetric and unsigned: zero is exact, codes 0..2^bits-1 span the range. Fewer bits than the dtype has
        are enforced by a Clip before.
        """
        dtype = np.dtype(np.uint8 if bits <= 8 else np.uint16)
        top = 2**bits - 1
        least, largest = min(least, 0.0), max(largest, 0.0)
        scale = np.float32(max((largest - least) / top, LEAST_SCALE)) if largest > least else np.float32(1.0)
        zero_point = int(np.clip(np.rint(-least / float(scale)), 0, top))
        shape = self.values[tensor].shape
        codes = self.tensor(f"{tensor}.codes", dtype.name, shape)
        dequantized = self.tensor(f"{tensor}.dequantized", "float32", shape)
        parameters = (
            self.constant(f"{tensor}.scale", np.array(scale, np.float32)),
            self.constant(f"{tensor}.zero_point", np.array(zero_point, dtype)),
        )
        nodes, source = [], tensor
        if bits not in {8, 16}:
            limits = [np.array((code - zero_point) * scale, np.float32) for code in (0, top)]
            source = self.tensor(f"{tensor}.clipped", "float32", shape)
            nodes += self.clip(tensor, source, *limits)
        first, second = self.names.fresh(f"{tensor}.quantize"), self.names.fresh(f"{tensor}.dequantize")
        nodes.append(Node(first, "QuantizeLinear", (source, *parameters), (codes,), MICROSOFT))
        nodes.append(Node(second, "DequantizeLinear", (codes, *parameters), (dequantized,), MICROSOFT))
        self.bits[codes] = bits
        return nodes, dequantized

    def clip(self, tensor: str, clipped: str, least: Array, largest: Array) -> list[Node]:
        """Return Min and Max, which every opset spells the same (Clip changed from attributes to inputs)."""
        low = self.constant(f"{tensor}.least", least)
        high = self.constant(f"{tensor}.largest", largest)
        middle = self.tensor(f"{tensor}.above", "float32", self.values[tensor].shape)
        return [
            Node(self.names.fresh(f"{tensor}.clip_low"), "Max", (tensor, low), (middle,)),
            Node(self.names.fresh(f"{tensor}.clip_high"), "Min", (middle, high), (clipped,)),
        ]

    def quantize_weight(self, operator: MatrixOperator, name: str, bits: int, at: Origin) -> tuple[Node, str]:
        """Return the node that dequantizes a weight, and its output.

        Symmetric per output column: codes -(2^(bits-1)-1)..2^(bits-1)-1. One bit means -1 and +1 times the mean
        magnitude (Rastegari et al., 2016).
        """
        weight = self.constants[operator.weight].astype(np.float64)
        if not np.isfinite(weight).all():
            raise InputError(
                f"{np.count_nonzero(~np.isfinite(weight))} of its weights ('{operator.weight}') are NaN or infinite",
                at=at,
                hint="train or export the model again",
            )
        axes = tuple(axis for axis in range(weight.ndim) if axis != operator.output_axis)
        magnitude = np.abs(weight)
        if bits == 1:
            scale = np.maximum(magnitude.mean(axis=axes, keepdims=True), LEAST_SCALE)  # +1 must not stand for zero
            codes = np.where(weight < 0, -1, 1)
        else:
            top = 2 ** (bits - 1) - 1
            scale = magnitude.max(axis=axes, keepdims=True) / top
            scale = real_scale(scale).astype(np.float64)
            codes = np.clip(np.rint(weight / scale), -top, top)
        dtype = np.int8 if bits <= 8 else np.int16
        scales = real_scale(scale).reshape(-1)
        inputs = (
            self.constant(f"{name}.codes", codes.astype(dtype)),
            self.constant(f"{name}.scale", scales),
            self.constant(f"{name}.zero_point", np.zeros(scales.shape, dtype)),
        )
        self.bits[inputs[0]] = bits
        output = self.tensor(f"{name}.dequantized", "float32", weight.shape)
        attributes = {"axis": operator.output_axis}
        own_name = self.names.fresh(f"{name}.dequantize")
        return Node(own_name, "DequantizeLinear", inputs, (output,), MICROSOFT, attributes), output


def real_scale(scale: Array) -> Array:
    """Return scales in float32: 1 where all weights are zero, never below the least normal number."""
    return np.where(scale == 0, 1.0, np.maximum(scale, LEAST_SCALE)).astype(np.float32)
