"""Post-training quantization: a float model becomes a QDQ model.

`Conv(x, W)` becomes `Conv(Dequantize(Quantize(x)), Dequantize(W'))`. Weights: symmetric, a scale per output
column. Inputs: one scale and zero point a tensor, from calibrated ranges (Krishnamoorthi, 2018). What a model
quantized itself, weights or inputs, keeps its own scales; so do weights and inputs that lie on a grid of few levels
without saying so. Other floats than float32 are cast around the product.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from rcompile.errors import InputError, Origin
from rcompile.frontend.export import element_type
from rcompile.frontend.grid import Grid, grid_of
from rcompile.frontend.operators import MatrixOperator, Refusal, recognise
from rcompile.frontend.parse import release
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import FLOATS, MICROSOFT, QUANTIZATION_DOMAINS, Array, Graph, Names, Node, Value
from rcompile.ir.matrix import LOW_BITS
from rcompile.precision import Precision

Range = tuple[float, float]

LEAST_SCALE = float(np.finfo(np.float32).tiny)
"""Smaller scales are subnormal or zero in float32, and dividing by them overflows."""

SLAB_ELEMENTS = 2**20
"""Weights that are looked at together: large layers would fill the memory."""

GRID_TOLERANCE = 1e-6
"""Of the largest weight of an output: what float32 rounds off."""


@dataclass(frozen=True)
class FloatOperator:
    """A product of which the data, the weights or both are still float."""

    operator: MatrixOperator
    data: bool
    weight: bool


def needs_ranges(graph: Graph, precision: Precision) -> tuple[str, ...]:
    """Return the float tensors whose ranges must be known, in order, those of bodies included."""
    found: dict[str, None] = {}
    for part in (graph, *(node.body for node in graph.all_nodes() if node.body is not None)):
        for name, item in float_operators(part).items():
            bits = precision.of(name).input_bits
            if item.data and input_grid(item.operator.data, part, bits) is None:
                found[item.operator.data] = None
    return tuple(found)


def input_grid(tensor: str, graph: Graph, bits: int) -> Grid | None:
    """Return the grid that a tensor's values lie on, where the wanted precision is not coarser."""
    grid = grid_of(tensor, graph)
    return grid if grid is not None and grid.bits <= bits else None


def is_float(graph: Graph) -> bool:
    """Tell whether a graph has anything to quantize."""
    parts = (graph, *(node.body for node in graph.all_nodes() if node.body is not None))
    return any(float_operators(part) for part in parts)


def float_operators(graph: Graph) -> dict[str, FloatOperator]:
    """Return the products with static weights that lack a quantization; all that is float in them is of one type."""
    found = {}
    for node in graph.nodes:
        operator = recognise(node, graph)
        if isinstance(operator, Refusal) or operator.vectors == 0 or operator.zero_points is not None:
            continue
        value = graph.values.get(operator.data)
        weight = graph.constants.get(operator.weight)
        item = FloatOperator(operator, not is_dequantized(operator.data, graph), weight is not None)
        kinds = {value.dtype if value is not None else ""} if item.data else set()
        kinds |= {weight.dtype.name} if weight is not None else set()
        if weight is not None and weight.size == 0:
            continue
        if (item.data or item.weight) and len(kinds) == 1 and kinds <= FLOATS:
            found[node.name] = item
    return found


def is_dequantized(name: str, graph: Graph) -> bool:
    """Tell whether a tensor carries its integer form already."""
    producer = graph.producers.get(name)
    return producer is not None and producer.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS)


def quantize(graph: Graph, ranges: Mapping[str, Range], precision: Precision) -> Graph:
    """Insert quantization around each float product with static weights, in the graph and in the bodies of its loops.

    Args:
        graph: a graph whose constants are folded.
        ranges: least and largest value of each tensor that `needs_ranges` names.
        precision: bits of weights and inputs.
    """
    return quantized(graph, ranges, precision, Names(graph))


def quantized(graph: Graph, ranges: Mapping[str, Range], precision: Precision, names: Names) -> Graph:
    """Quantize one graph."""
    operators = float_operators(graph)
    draft = Draft(names, dict(graph.constants), dict(graph.values), dict(graph.bits))
    renamed: dict[tuple[str, int], str] = {}
    weights: dict[tuple[str, int, int], str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        item = operators.get(node.name)
        if item is None:
            inner = node.body
            nodes.append(node if inner is None else replace(node, body=quantized(inner, ranges, precision, names)))
            continue
        data, weight, *rest = node.inputs
        kind = graph.values[data].dtype if item.data else "float32"
        bits = precision.of(node.name)
        if item.data:
            wanted = (data, bits.input_bits)  # operators that share an input share its codes
            if wanted not in renamed:
                grid = input_grid(data, graph, bits.input_bits)
                added, renamed[wanted] = draft.quantize_input(
                    data, grid if grid is not None else grid_over(*ranges[data], bits.input_bits), node.origin_name
                )
                nodes += added
            data = renamed[wanted]
        if item.weight:
            key = (weight, item.operator.output_axis, bits.weight_bits)  # operators that share a weight share its codes
            if key not in weights:
                name = f"{node.name}.weight"
                added_node, weights[key] = draft.quantize_weight(item.operator, name, bits.weight_bits, graph.at(node))
                nodes.append(replace(added_node, source=node.origin_name))
            weight = weights[key]
        nodes += draft.in_float32(replace(node, inputs=(data, weight, *rest)), kind)
    read = {name for node in nodes for name in node.reads()} | set(graph.output_names())
    constants = {name: array for name, array in draft.constants.items() if name in read}
    return replace(graph, nodes=tuple(nodes), constants=constants, values=draft.values, bits=draft.bits)


def grid_over(least: float, largest: float, bits: int) -> Grid:
    """Return the asymmetric quantization of a range: zero is exact, codes 0..2^bits-1 span the range."""
    top = 2**bits - 1
    least, largest = min(least, 0.0), max(largest, 0.0)
    if bits > 16:  # int32 codes have no zero point
        top = 2 ** (bits - 1) - 1
        scale = np.float32(max(max(-least, largest) / top, LEAST_SCALE)) if largest > least else np.float32(1.0)
        return Grid(float(scale), -top - 1, top)
    scale = np.float32(max((largest - least) / top, LEAST_SCALE)) if largest > least else np.float32(1.0)
    zero_point = int(np.clip(np.rint(-least / float(scale)), 0, top))
    return Grid(float(scale), -zero_point, top - zero_point)


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

    def in_float32(self, node: Node, kind: str) -> list[Node]:
        """Return a product of another float type between casts."""
        if kind == "float32":
            return [node]
        inputs = list(node.inputs)
        for position, name in enumerate(inputs[2:], 2):
            if name in self.constants:
                inputs[position] = self.constant(f"{name}.float32", self.constants[name].astype(np.float32))
        output = self.tensor(f"{node.name}.float32", "float32", self.values[node.outputs[0]].shape)
        attributes = {"to": element_type(kind)}
        cast = Node(self.names.fresh(f"{node.name}.cast"), "Cast", (output,), node.outputs, "", attributes)
        return [replace(node, inputs=tuple(inputs), outputs=(output,)), replace(cast, source=node.origin_name)]

    def quantize_input(self, tensor: str, grid: Grid, source: str) -> tuple[list[Node], str]:
        """Return the nodes that quantize a tensor, and the name of its dequantized form.

        Unsigned: the grid's least value is code 0. Fewer bits than the dtype has are enforced by a Clip before.
        """
        bits, zero_point = grid.bits, -grid.low
        scale = np.float32(grid.step)
        dtype = np.dtype(np.uint8 if bits <= 8 else np.uint16)
        top = 2**bits - 1
        shape, nodes, data = self.values[tensor].shape, [], tensor
        if self.values[tensor].dtype != "float32":
            data = self.tensor(f"{tensor}.float32", "float32", shape)
            nodes.append(Node(self.names.fresh(f"{tensor}.cast"), "Cast", (tensor,), (data,), "", {"to": 1}))
        if bits > 16:
            wide, dequantized = self.quantize_wide(tensor, data, grid)
            return [replace(node, source=source) for node in (*nodes, *wide)], dequantized
        codes = self.tensor(f"{tensor}.codes", dtype.name, shape)
        dequantized = self.tensor(f"{tensor}.dequantized", "float32", shape)
        parameters = (
            self.constant(f"{tensor}.scale", np.array(scale, np.float32)),
            self.constant(f"{tensor}.zero_point", np.array(zero_point, dtype)),
        )
        if bits not in {8, 16}:
            limits = [np.array((code - zero_point) * scale, np.float32) for code in (0, top)]
            clipped = self.tensor(f"{tensor}.clipped", "float32", shape)
            nodes += self.clip(data, clipped, *limits)
            data = clipped
        first, second = self.names.fresh(f"{tensor}.quantize"), self.names.fresh(f"{tensor}.dequantize")
        nodes.append(Node(first, "QuantizeLinear", (data, *parameters), (codes,), MICROSOFT))
        nodes.append(Node(second, "DequantizeLinear", (codes, *parameters), (dequantized,), MICROSOFT))
        self.bits[codes] = bits
        return [replace(node, source=source) for node in nodes], dequantized

    def quantize_wide(self, tensor: str, data: str, grid: Grid) -> tuple[list[Node], str]:
        """Return the nodes that quantize to more than 16 bits, for which there is no QuantizeLinear: to int32."""
        shape = self.values[tensor].shape
        scale = self.constant(f"{tensor}.scale", np.array(grid.step, np.float32))
        half, low, high = (
            self.constant(f"{tensor}.{what}", np.array(value, np.float32))
            for what, value in (("half", 0.5), ("least", grid.low), ("largest", grid.high))
        )
        nodes, previous = [], data
        for op_type, *rest in (("Div", scale), ("Add", half), ("Max", low), ("Min", high), ("Floor",), ("Cast",)):
            kind = "int32" if op_type == "Cast" else "float32"
            output = self.tensor(f"{tensor}.{'codes' if op_type == 'Cast' else op_type.lower()}", kind, shape)
            attributes = {"to": element_type("int32")} if op_type == "Cast" else {}
            name = self.names.fresh(f"{tensor}.quantize.{op_type.lower()}")
            nodes.append(Node(name, op_type, (previous, *rest), (output,), "", attributes))
            previous = output
        dequantized = self.tensor(f"{tensor}.dequantized", "float32", shape)
        name = self.names.fresh(f"{tensor}.dequantize")
        return [*nodes, Node(name, "DequantizeLinear", (previous, scale), (dequantized,), MICROSOFT)], dequantized

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
        magnitude (Rastegari et al., 2016). DequantizeLinear is Microsoft's: 16 bits and a channel axis at any opset.
        """
        weight = self.constants[operator.weight]
        if not all(np.isfinite(part).all() for part in slabs(weight)):
            count = int(sum(np.count_nonzero(~np.isfinite(part)) for part in slabs(weight)))
            raise InputError(
                f"{count} of its weights ('{operator.weight}') are NaN or infinite",
                at=at,
                hint="train or export the model again",
            )
        found = few_levels(weight, operator.output_axis, bits)
        codes, scales = found if found is not None else rounded(weight, operator.output_axis, bits)
        bits = bits if found is None else 8
        release(weight)
        inputs: tuple[str, ...] = (self.constant(f"{name}.codes", codes), self.constant(f"{name}.scale", scales))
        if bits <= 16:  # 32-bit codes have none
            inputs = (*inputs, self.constant(f"{name}.zero_point", np.zeros(scales.shape, codes.dtype)))
        self.bits[inputs[0]] = bits
        output = self.tensor(f"{name}.dequantized", "float32", weight.shape)
        attributes = {"axis": operator.output_axis}
        own_name = self.names.fresh(f"{name}.dequantize")
        return Node(own_name, "DequantizeLinear", inputs, (output,), MICROSOFT, attributes), output


def slabs(weight: Array) -> Iterator[Array]:
    """Yield parts of a large array, along its first axis, of a size that is cheap to copy."""
    step = max(1, SLAB_ELEMENTS // max(weight.size // max(len(weight), 1), 1)) if weight.ndim else 1
    yield from (weight[start : start + step] for start in range(0, len(weight), step))


def rounded(weight: Array, axis: int, bits: int) -> tuple[Array, Array]:
    """Return codes and scales of weights quantized symmetrically, a scale per output."""
    axes = tuple(other for other in range(weight.ndim) if other != axis)
    if bits == 1:
        size = weight.size // weight.shape[axis]
        mean = sum_over(weight, axis, axes) / size
        scale = np.maximum(mean, LEAST_SCALE)  # +1 must not stand for zero
    else:
        scale = real_scale(largest_over(weight, axis, axes) / (2 ** (bits - 1) - 1)).astype(np.float64)
    codes = np.empty(weight.shape, np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32)
    shape = [1] * weight.ndim
    shape[axis] = -1
    for part, target, own in zip(slabs(weight), slabs(codes), scale_slabs(weight, scale, axis), strict=True):
        if bits == 1:
            target[...] = np.where(part < 0, -1, 1)
        else:
            top = 2 ** (bits - 1) - 1
            target[...] = np.clip(np.rint(part.astype(np.float64) / own.reshape(shape)), -top, top)
    return codes, real_scale(scale)


def scale_slabs(weight: Array, scale: Array, axis: int) -> Iterator[Array]:
    """Yield the scales that belong to each slab."""
    start = 0
    for part in slabs(weight):
        yield scale[start : start + len(part)] if axis == 0 else scale
        start += len(part)


def largest_over(weight: Array, axis: int, axes: tuple[int, ...]) -> Array:
    """Return the largest magnitude of each output."""
    parts = [np.abs(part).max(axis=axes).astype(np.float64) for part in slabs(weight)]
    return np.concatenate(parts) if axis == 0 else np.asarray(np.max(parts, axis=0))


def sum_over(weight: Array, axis: int, axes: tuple[int, ...]) -> Array:
    """Return the sum of the magnitudes of each output."""
    parts = [np.abs(part.astype(np.float64)).sum(axis=axes) for part in slabs(weight)]
    return np.concatenate(parts) if axis == 0 else np.asarray(np.sum(parts, axis=0))


def few_levels(weight: Array, axis: int, bits: int) -> tuple[Array, Array] | None:
    """Return codes and scales of weights that take few values per output, all multiples of one; None otherwise.

    Exporters fold the scale of binary and ternary weights, and BatchNorm's, into float weights. What lies on such a
    grid is kept exactly.
    """
    columns = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    most = 2 ** min(bits, LOW_BITS) + 1
    if len(np.unique(columns[0][: 4 * most])) > most:
        return None
    scales = np.ones(len(columns), np.float32)
    codes = np.empty(columns.shape, np.int8)
    for index, column in enumerate(columns):
        least, largest = float(column.min()), float(column.max())
        values = np.array([least]) if least == largest else np.unique(column).astype(np.float64)
        step = None if len(values) > most else step_of(values)
        if step is None:
            return None
        codes[index] = np.rint(column / step)
        own = np.rint(values / step).astype(np.int64)
        if (own[-1] - own[0]) // max(int(np.gcd.reduce(own - own[0])), 1) >= 2 ** min(bits, LOW_BITS):
            return None
        scales[index] = step
    kernel = tuple(size for other, size in enumerate(weight.shape) if other != axis)
    return np.ascontiguousarray(np.moveaxis(codes.reshape(-1, *kernel), 0, axis)), scales


def step_of(values: Array) -> float | None:
    """Return the largest step of which all values are multiples, within float32's rounding; None without one."""
    sizes = np.unique(np.abs(values[values != 0]))
    if len(sizes) == 0:
        return 1.0
    least = GRID_TOLERANCE * float(sizes[-1])
    step = float(sizes[0])
    for size in sizes[1:]:  # Euclid's algorithm, up to rounding
        larger, smaller = float(size), step
        while smaller > least:
            larger, smaller = smaller, abs(larger - smaller * round(larger / smaller))
        step = larger
    if step < LEAST_SCALE or float(sizes[-1]) / step > 127:
        return None
    step = float(np.float32(sizes[-1] / round(float(sizes[-1]) / step)))
    off = np.abs(values - step * np.rint(values / step))
    return step if (off <= least).all() else None


def real_scale(scale: Array) -> Array:
    """Return scales in float32: 1 where all weights are zero, never below the least normal number."""
    return np.where(scale == 0, 1.0, np.maximum(scale, LEAST_SCALE)).astype(np.float32)
