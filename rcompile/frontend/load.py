"""Read an ONNX file into a Graph."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import networkx as nx
import numpy as np
import onnx
from google.protobuf.message import DecodeError

from rcompile.errors import InputError, Origin, RcompileError, UnsupportedError
from rcompile.frontend.bind import declare_weights
from rcompile.frontend.convert import reads, to_node
from rcompile.frontend.dialect import constants_to_initializers, normalize, set_dimensions
from rcompile.frontend.parse import Model, embedded_array, read_file, separated, take_weights
from rcompile.frontend.scan import lift_scans
from rcompile.frontend.shapes import batch_first, to_value, typed
from rcompile.frontend.supported import require_inputs, require_supported
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import MICROSOFT, QONNX_DOMAINS, QUANTIZATION_DOMAINS, Array, Batch, Graph, Names, Node, Value

ACROSS_SAMPLES = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
"""Operators whose scale comes from all that is fed at once: one sample must not change another's result."""


UNREGISTERED = {"SimplifiedLayerNormalization"}

NARROW = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2}
"""Element types of less than a byte."""


@dataclass(frozen=True)
class Source:
    """How a file is to be read.

    Attributes:
        dimensions: sizes of free dimensions, by name or INPUT.AXIS.
        weightless: take seeded random weights where the file has none.
        seed: of those weights.
    """

    dimensions: Mapping[str, int] = field(default_factory=dict)
    weightless: bool = False
    seed: int = 0


def load(path: Path, source: Source | None = None) -> Graph:
    """Return the graph of an ONNX file, topologically sorted, with types for one sample.

    Raises:
        InputError: the file is missing, not ONNX, or breaks ONNX's rules.
        UnsupportedError: operators of unknown domains, or free dimensions that are not the batch axis.
        UsageError: a dimension that the model does not have.
    """
    model = read_file(path)
    with reported_for(path):
        return to_graph(model, str(path), path.parent, source or Source())


def load_model(model: Model, name: str, source: Source | None = None) -> Graph:
    """Return the graph of a model in memory; `name` stands for the file in messages."""
    return to_graph(onnx.load_model_from_string(model.proto), name, model.weights, source or Source())


def from_proto(model: onnx.ModelProto, name: str) -> Graph:
    """Return the graph of a parsed model, which is left as it is; `name` stands for the file in messages."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    with reported_for(Path(name)):
        return to_graph(copy, name, {}, Source())


def original_model(path: Path, source: Source) -> Model:
    """Return a file's model as it is but for its dimensions, its weights apart."""
    model = read_file(path)
    initializers = {tensor.name for tensor in model.graph.initializer}
    fed = [value for value in model.graph.input if value.name not in initializers]
    set_dimensions(fed, source.dimensions, str(path))
    set_repeated_batch(fed)
    del model.graph.value_info[:]  # some exporters' are stale, and onnxruntime refuses those
    name_nodes(model.graph)
    return separated(model, path.parent, Origin(str(path)))


def one_line(error: Exception) -> str:
    """Return the first lines of a foreign error as one."""
    return " ".join(str(error).split())[:300]


@contextlib.contextmanager
def reported_for(path: Path) -> Iterator[None]:
    """Turn what onnx raises over a model's content into an InputError that names the file."""
    try:
        yield
    except RcompileError:
        raise
    except (
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RuntimeError,
        OverflowError,
        DecodeError,
    ) as error:
        what = {
            KeyError: f"it names a type or an attribute that is not known: {error}",
            IndexError: "a node lacks an input or an output that its operator needs",
            UnicodeDecodeError: "a name in it is no text",
        }.get(type(error), one_line(error))
        raise InputError(
            f"the model breaks ONNX's rules: {what}",
            at=Origin(str(path)),
            hint="run onnx.checker.check_model on it, and export it again",
        ) from error


def to_graph(model: onnx.ModelProto, file: str, store: Path | Mapping[str, Array], source: Source) -> Graph:
    """Convert a parsed model, which is changed.

    Args:
        model: as read.
        file: for messages.
        store: where its external data is: a folder, or arrays by name.
        source: how to read it.
    """
    name_nodes(model.graph)
    written_nodes = tuple((node.name, node.op_type) for node in model.graph.node)
    was_constant = constants_to_initializers(model.graph)
    names_of_constants = {name for name, op_type in written_nodes if op_type == "Constant"}
    if source.weightless:
        declare_weights(model)
    weights = take_weights(model, store, Origin(file), synthetic_seed=source.seed if source.weightless else None)
    model = normalize(model, file)
    name_nodes(model.graph)
    sort_nodes(model.graph, file)
    onnx.checker.check_model(without_stated_types(model))
    require_inputs(model, file)
    constants = {
        tensor.name: frozen(embedded_array(tensor, Origin(file))) for tensor in model.graph.initializer
    } | weights
    fed = [value for value in model.graph.input if value.name not in constants]
    set_dimensions(fed, source.dimensions, file)
    set_repeated_batch(fed)
    require_supported(model, constants, fed, file)
    nodes = tuple(to_node(node) for node in model.graph.node)
    inputs = tuple(known_value(value, file) for value in fed)
    remaining = {node.name for node in nodes}
    folded = {name: "constant" for name in names_of_constants if name not in remaining} if was_constant else {}
    graph = Graph(
        name=model.graph.name or Path(file).stem,
        origin=Origin(file),
        opsets={opset.domain: opset.version for opset in model.opset_import},
        ir_version=model.ir_version,
        inputs=inputs,
        outputs=tuple(to_value(value) or Value(value.name, "", None) for value in model.graph.output),
        nodes=nodes,
        constants=constants,
        values={},
        batch=find_batch(inputs, nodes),
        source_nodes=(*((name, "Constant") for name in folded), *((node.name, node.op_type) for node in nodes)),
        folded=folded,
    )
    graph = typed(with_byte_codes(with_computed_outputs(graph)))
    if graph.batch.free and not batch_first(graph):
        batch = Batch(free=False, leading_axis=True)  # sample by sample, since outputs cannot be joined otherwise
        graph = replace(graph, batch=batch)
    graph = lift_scans(graph)
    graph.verify()
    return replace(graph, outputs=tuple(with_type(value, graph) for value in graph.outputs))


def with_type(value: Value, graph: Graph) -> Value:
    """Return an output with its inferred type where the model states none."""
    return value if value.dtype else replace(graph.values.get(value.name, value), shape=None)


def without_stated_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model for the checker, without what it need not be strict about.

    Inner types (some exporters' are stale), missing shapes of outputs, and operators that onnxruntime's optimizer
    leaves in the standard's domain though they are its own.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]
    for value in result.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    for node in result.graph.node:
        if node.op_type in UNREGISTERED:
            node.domain = MICROSOFT
    return result


def with_computed_outputs(graph: Graph) -> Graph:
    """Return a graph in which no output is a constant: such ones pass an Identity."""
    names, outputs, nodes = Names(graph), [], list(graph.nodes)
    renamed = dict(graph.constants)
    for value in graph.outputs:
        if value.name in graph.constants:
            constant = names.fresh(f"{value.name}.constant")
            renamed[constant] = graph.constants[value.name]
            del renamed[value.name]
            node = Node(names.fresh(f"{value.name}.output"), "Identity", (constant,), (value.name,))
            nodes.insert(0, node)
        outputs.append(value)
    return replace(graph, nodes=tuple(nodes), constants=renamed, outputs=tuple(outputs))


def with_byte_codes(graph: Graph) -> Graph:
    """Return a graph whose quantized constants of less than 8 bits are bytes that are known to use fewer."""
    constants, bits = dict(graph.constants), dict(graph.bits)
    for node in graph.nodes:
        if node.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS) and node.inputs[0] in constants:
            for name in (node.inputs[0], *node.inputs[2:3]):
                array = constants.get(name)
                if array is not None and (width := NARROW.get(array.dtype.name)) is not None:
                    constants[name] = frozen(array.astype(np.uint8 if array.dtype.name.startswith("u") else np.int8))
                    bits[name] = width
    return replace(graph, constants=constants, bits=bits)


def needs_conversion(graph: Graph) -> bool:
    """Tell whether onnxruntime cannot execute a model as it was written: QONNX."""
    return any(node.domain in QONNX_DOMAINS for node in graph.nodes)


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give each node a name of its own: OPERATOR_INDEX where it has none, NAME_2 where the name is taken."""
    taken: set[str] = set()
    for index, node in enumerate(graph.node):
        base = node.name or f"{node.op_type}_{index}"
        name, repeat = base, 2
        while name in taken:
            name, repeat = f"{base}_{repeat}", repeat + 1
        taken.add(name)
        node.name = name


def sort_nodes(graph: onnx.GraphProto, file: str) -> None:
    """Put the nodes into topological order, keeping the file's order where it is free."""
    producer = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    order = nx.DiGraph()
    order.add_nodes_from(range(len(graph.node)))
    for index, node in enumerate(graph.node):
        order.add_edges_from((producer[name], index) for name in reads(node) if name in producer)
    try:
        sequence = list(nx.lexicographical_topological_sort(order))
    except nx.NetworkXUnfeasible:
        cycle = [graph.node[source].name for source, _ in nx.find_cycle(order)]
        raise InputError(
            f"the graph has a cycle: {' -> '.join([*cycle, cycle[0]])}",
            at=Origin(file),
            hint="an ONNX graph must be acyclic; use Loop or Scan for recurrence",
        ) from None
    if sequence != list(range(len(graph.node))):
        nodes = [graph.node[index] for index in sequence]
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)


def known_value(info: onnx.ValueInfoProto, file: str) -> Value:
    """Convert a graph input."""
    value = to_value(info)
    if value is None:
        raise UnsupportedError(f"'{info.name}' is not a tensor of a known element type", at=Origin(file))
    return value


def set_repeated_batch(inputs: list[onnx.ValueInfoProto]) -> None:
    """Fix the batch to 1 where its name stands at another axis as well (recurrent states): sample by sample then."""
    dims = [(axis, dim) for value in inputs for axis, dim in enumerate(value.type.tensor_type.shape.dim)]
    first = {dim.dim_param for axis, dim in dims if axis == 0 and dim.dim_param}
    repeated = first & {dim.dim_param for axis, dim in dims if axis > 0}
    for _, dim in dims:
        if dim.dim_param in repeated:
            dim.dim_value = 1


def find_batch(inputs: tuple[Value, ...], nodes: tuple[Node, ...]) -> Batch:
    """Tell how samples are fed."""
    first = [value.shape[0] if value.shape else 0 for value in inputs]
    leading = bool(first) and all(dim == 1 or not isinstance(dim, int) for dim in first)
    free = leading and all(not isinstance(dim, int) for dim in first)
    return Batch(free and not any(node.op_type in ACROSS_SAMPLES for node in nodes), leading)
