"""From tensor operators to integer matrices between digital segments.

    Dequantize(codes) -> Conv(., Dequantize(W), Dequantize(b)) -> [Add bias] -> [Relu] -> [Quantize]

becomes one Matrix that reads `codes` and writes the quantized (or, without Quantize, the real) output. All other
operators go, unchanged, into segments that onnxruntime executes; nothing else is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from rcompile.errors import UnsupportedError
from rcompile.frontend.export import part_to_onnx
from rcompile.frontend.macs import macs_of
from rcompile.frontend.matrix_operator import static_shape
from rcompile.frontend.operators import OPERATORS, MatrixOperator, Refusal, recognise
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Array, Graph, Node
from rcompile.ir.matrix import (
    Edge,
    Epilogue,
    InputCode,
    IntegerArray,
    Matrix,
    MatrixProgram,
    Placement,
    Requantize,
    Segment,
)

BIAS_GRID_TOLERANCE = 1e-5
"""Exporters round scale_x * scale_w once more; onnxruntime takes such a bias as integer without looking."""


def lower(graph: Graph) -> MatrixProgram:
    """Turn each quantized product into a Matrix and everything else into segments.

    Raises:
        UnsupportedError: no operator can be put on crossbars.
    """
    lowering = Lowering(graph)
    if not lowering.matrices:
        reasons = [f"{node.op_type} '{node.name}': {lowering.refusals[node.name]}" for node in graph.nodes
                   if node.op_type in OPERATORS][:8]
        raise UnsupportedError(
            "the model has nothing to map: " + ("; ".join(reasons) or f"it has none of {', '.join(OPERATORS)}"),
            at=graph.origin, hint="rcompile maps products with static weights",
        )
    return lowering.program()


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


class Lowering:
    """The tables that the lowering of one graph fills."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.matrices: dict[str, Matrix] = {}
        self.refusals: dict[str, str] = {}
        self.absorbed: dict[str, str] = {}
        for node in graph.nodes:
            operator = recognise(node, graph)
            if isinstance(operator, Refusal):
                self.refusals[node.name] = operator.reason
                continue
            try:
                self.matrices[node.name] = self.matrix(node, operator)
            except NotStatic as refusal:
                self.refusals[node.name] = str(refusal)
        self.digital = self.live_digital_nodes()

    # ---- one operator

    def quantization(self, name: str, what: str) -> Quantization:
        """Return the quantization that a tensor comes from, or refuse."""
        node = self.graph.producers.get(name)
        if node is None or not node.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
            raise NotStatic(f"its {what} '{name}' is not quantized")
        return self.parameters(node, self.graph.values.get(node.inputs[0]), what)

    def parameters(self, node: Node, codes_value: object, what: str) -> Quantization:
        """Read scale and zero point of a QuantizeLinear or DequantizeLinear."""
        constants = self.graph.constants
        if any(name and name not in constants for name in node.inputs[1:]):
            raise NotStatic(f"the scale of its {what} is computed at run time")
        if node.integer("block_size", 0):
            raise NotStatic(f"its {what} is quantized blockwise")
        scale = constants[node.inputs[1]].astype(np.float32)
        if len(node.inputs) > 2 and node.inputs[2]:
            zero_point = constants[node.inputs[2]]
        else:
            codes = constants.get(node.inputs[0])
            dtype = codes.dtype if codes is not None else getattr(codes_value, "dtype", "uint8")
            zero_point = np.zeros((), dtype)
        if zero_point.dtype.kind not in "iu":
            raise NotStatic(f"its {what} is quantized to {zero_point.dtype}, not to integers")
        return Quantization(node.inputs[0], scale, zero_point.astype(np.int64), zero_point.dtype, node.integer("axis", 1))

    def matrix(self, node: Node, operator: MatrixOperator) -> Matrix:
        """Build one matrix."""
        graph = self.graph
        data = self.quantization(operator.data, "input")
        if data.scale.size != 1:
            raise NotStatic("its input has a scale per channel")
        weight = self.quantization(operator.weight, "weight")
        codes = graph.constants.get(weight.codes)
        if codes is None:
            raise NotStatic("its weights are computed at run time")
        rank = codes.ndim
        if weight.scale.size > 1 and weight.axis % rank != operator.output_axis:
            raise NotStatic(f"its weight has scales along axis {weight.axis}, not along its outputs")
        outputs = codes.shape[operator.output_axis]
        shape = [1] * rank
        shape[operator.output_axis] = -1
        zero_points = np.broadcast_to(weight.zero_point.reshape(-1), outputs)
        weights = operator.arrange(codes.astype(np.int64) - zero_points.reshape(shape))
        groups = weights.shape[0]
        bits, low, step = representable(codes, graph.bits.get(weight.codes))
        output_scale = (data.scale.reshape(()) * np.broadcast_to(weight.scale.reshape(-1), outputs)).astype(np.float32)
        epilogue, output, absorbed = self.epilogue(node, operator, output_scale)
        window = operator.window
        self.absorbed.update({name: f"part of {node.name}" for name in absorbed})
        return Matrix(
            name=node.name,
            op_type=node.op_type,
            origin=graph.at(node),
            weights=read_only(weights.astype(narrowest(weights))),
            weight_bits=bits,
            weight_low=read_only((low - zero_points).reshape(groups, -1)),
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
        return Epilogue(read_only(scale), integer_bias, bias, requantize), tensor, tuple(absorbed)

    def only_reader(self, tensor: str) -> Node | None:
        """Return the one node that reads a tensor, unless the tensor is an output of the model."""
        readers = self.graph.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self.graph.output_names() else None

    def bias(self, name: str, scale: Array) -> tuple[IntegerArray | None, Array | None]:
        """Return a static bias as integers on the accumulator's grid, or else as real numbers."""
        columns = scale.size
        if name in self.graph.constants:
            return None, read_only(np.broadcast_to(self.graph.constants[name].astype(np.float32).reshape(-1), columns))
        found = self.quantization(name, "bias")
        codes = self.graph.constants[found.codes].astype(np.int64) - found.zero_point
        codes = np.broadcast_to(codes.reshape(-1), columns)
        own_scale = np.broadcast_to(found.scale.reshape(-1), columns)
        if np.allclose(own_scale, scale, rtol=BIAS_GRID_TOLERANCE, atol=0):
            return read_only(codes), None
        return None, read_only((codes.astype(np.float32) * own_scale).astype(np.float32))

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
        if found.scale.size != 1 or found.dtype.itemsize > 2:
            return None
        limits = np.iinfo(found.dtype)
        own = found.scale.reshape(())
        multiplier = read_only((scale / own).astype(np.float32)) if bias is None else None
        return Requantize(float(own), int(found.zero_point.reshape(())), int(limits.min), int(limits.max),
                          found.dtype.name, multiplier)

    # ---- the whole graph

    def program(self) -> MatrixProgram:
        """Cut the rest into segments and put everything in order."""
        graph = self.graph
        digital = self.digital
        order, segments = self.segments(digital)
        matrices = tuple(self.matrices.values())
        return MatrixProgram(
            name=graph.name,
            origin=graph.origin,
            inputs=graph.inputs,
            outputs=graph.outputs,
            batch=graph.batch,
            segments=tuple(segments),
            matrices=matrices,
            order=order,
            edges=self.edges(digital),
            placements=self.placements(),
            parameters=self.parameters_count(),
            digital_values={v: graph.values[v] for m in matrices for v in (m.input.tensor, m.output) if v in graph.values},
        )

    def parameters_count(self) -> int:
        """Count weights and biases of matrices, and what digital operators read of real constants, scales excepted."""
        counted = sum(matrix.weights.size for matrix in self.matrices.values())
        for matrix in self.matrices.values():
            biases = (matrix.epilogue.integer_bias, matrix.epilogue.bias)
            counted += sum(bias.size for bias in biases if bias is not None)
        own = {
            name
            for node in self.digital
            if not node.is_a("QuantizeLinear", "DequantizeLinear", domains=QUANTIZATION_DOMAINS)
            for name in node.reads()
        }
        return counted + sum(a.size for n, a in self.graph.constants.items() if n in own and a.dtype.kind == "f")

    def live_digital_nodes(self) -> list[Node]:
        """Return what segments must execute: needed, and not covered by a matrix. Drop matrices that nobody needs."""
        made_by = {matrix.output: matrix for matrix in self.matrices.values()}
        needed = set(self.graph.output_names())
        nodes = []
        covered = {name for matrix in self.matrices.values() for name in (matrix.name, *matrix.absorbed)}
        for node in reversed(self.graph.nodes):
            for name in node.outputs:
                if name in needed and name in made_by:
                    needed.add(made_by[name].input.tensor)
            if node.name not in covered and needed.intersection(node.outputs):
                nodes.append(node)
                needed.update(node.reads())
        for matrix in [m for m in self.matrices.values() if m.output not in needed]:
            del self.matrices[matrix.name]
            self.absorbed[matrix.name] = "no output of the model depends on it"
        return nodes[::-1]

    def segments(self, digital: list[Node]) -> tuple[tuple[int, ...], list[Segment]]:
        """Group digital nodes by the number of matrices before them: as few segments as the order allows."""
        level: dict[str, int] = {value.name: 0 for value in self.graph.inputs}
        levels: dict[int, list[Node]] = {}
        matrix_levels: dict[int, list[int]] = {}
        index = {name: i for i, name in enumerate(self.matrices)}
        pending = {matrix.output: matrix for matrix in self.matrices.values()}
        digital_names = {node.name for node in digital}
        for node in self.graph.nodes:
            if node.name in digital_names:
                depth = max((level.get(name, 0) for name in node.reads()), default=0)
                levels.setdefault(depth, []).append(node)
                level.update((name, depth) for name in node.outputs)
            for name in node.outputs:
                if name in pending:
                    matrix = pending[name]
                    depth = level[matrix.input.tensor]
                    matrix_levels.setdefault(depth, []).append(index[matrix.name])
                    level[name] = depth + 1
        order: list[int] = []
        segments: list[Segment] = []
        reads_of_matrices = {matrix.input.tensor for matrix in self.matrices.values()}
        for depth in range(max([*levels, *matrix_levels]) + 1):
            if depth in levels:
                order.append(~len(segments))
                segments.append(self.segment(f"digital{len(segments)}", levels[depth], reads_of_matrices))
            order += matrix_levels.get(depth, [])
        return tuple(order), segments

    def segment(self, name: str, nodes: list[Node], reads_of_matrices: set[str]) -> Segment:
        """Build one segment."""
        graph = self.graph
        inside = {node.name for node in nodes}
        produced = [name for node in nodes for name in node.outputs if name]
        read = list(dict.fromkeys(name for node in nodes for name in node.reads()))
        inputs = tuple(n for n in read if n not in produced and n not in graph.constants)
        wanted = reads_of_matrices | set(graph.output_names())
        outputs = tuple(
            name
            for name in produced
            if name in wanted or any(reader.name not in inside for reader in self.digital_readers(name))
        )
        model = part_to_onnx(graph, tuple(nodes), inputs, outputs)
        return Segment(name, inputs, outputs, tuple(node.name for node in nodes), model)

    def digital_readers(self, tensor: str) -> Iterable[Node]:
        """Return the readers of a tensor that no matrix stands for."""
        covered = {*self.matrices, *self.absorbed}
        return (node for node in self.graph.readers.get(tensor, []) if node.name not in covered)

    def edges(self, digital: list[Node]) -> tuple[Edge, ...]:
        """Return which matrix's output reaches which matrix's input, and how many bytes."""
        index = {name: i for i, name in enumerate(self.matrices)}
        made_by = {matrix.output: matrix for matrix in self.matrices.values()}
        sources: dict[str, frozenset[int]] = {name: frozenset([index[m.name]]) for name, m in made_by.items()}
        for node in digital:
            found = frozenset().union(*(sources.get(name, frozenset()) for name in node.reads()))
            sources.update((name, found) for name in node.outputs if name not in made_by)
        matrices = list(self.matrices.values())
        return tuple(
            Edge(source, index[matrix.name], min(self.size(matrices[source].output), self.size(matrix.input.tensor))
                 * ((matrix.input.bits + 7) // 8))
            for matrix in matrices
            for source in sorted(sources.get(matrix.input.tensor, ()))
        )

    def size(self, tensor: str) -> int:
        """Return a tensor's number of elements for one sample."""
        shape = static_shape(self.graph.values.get(tensor))
        return prod(shape) if shape is not None else 0

    def placements(self) -> tuple[Placement, ...]:
        """Say of each node of the file where it went."""
        found = []
        digital_nodes = {node.name: node for node in self.digital}
        for name, op_type in self.graph.source_nodes:
            if name in self.graph.folded:
                found.append(Placement(name, op_type, "folded", self.graph.folded[name]))
            elif name in self.matrices:
                m = self.matrices[name]
                reason = f"{m.groups} matrix{'' if m.groups == 1 else ' groups'} of {m.rows} x {m.columns}"
                found.append(Placement(name, op_type, "crossbar", reason, m.macs))
            elif name in digital_nodes:
                macs = macs_of(digital_nodes[name], self.graph)
                found.append(Placement(name, op_type, "digital", self.refusals[name], macs))
            else:
                found.append(Placement(name, op_type, "folded", self.absorbed.get(name, "into the integers of the matrices that read it")))
        return tuple(found)


def representable(codes: Array, bits: int | None) -> tuple[int, int, int]:
    """Return the weights' bits, least stored value and step: two's complement, unsigned, or -1 and +1 for one bit."""
    limits = np.iinfo(codes.dtype)
    if bits == 1 and limits.min < 0:
        return 1, -1, 2
    width = bits or limits.bits
    return width, -(2 ** (width - 1)) if limits.min < 0 else 0, 1


def narrowest(weights: Array) -> np.dtype[np.signedinteger]:
    """Return the smallest signed type that holds all weights: large models keep one byte a weight."""
    return np.promote_types(np.min_scalar_type(int(weights.min(initial=-1))), np.min_scalar_type(-1 - int(weights.max(initial=0))))


def input_code(data: Quantization, bits: int | None) -> InputCode:
    """Return how an integer tensor is read."""
    limits = np.iinfo(data.dtype)
    return InputCode(data.codes, data.dtype.name, bits or limits.bits, int(limits.min), int(data.zero_point.reshape(())))


def read_only(array: Array) -> Array:
    """Return a contiguous copy that cannot be written to."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
