"""Read an ONNX file into a Graph."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from rcompile.errors import InputError, Origin, RcompileError, UnsupportedError
from rcompile.frontend.shapes import batch_first, infer_values, skeleton
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import Attribute, Batch, Graph, Node, OpaqueAttribute, Value

SIGNATURES = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"PK\x03\x04": "a zip archive (.npz, .pt, ...)",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive",
}
KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"}
"""Operators of other domains have no unit that could execute them."""


def load(path: Path) -> Graph:
    """Return the graph of an ONNX file, topologically sorted, with shapes for one sample.

    Raises:
        InputError: the file is missing, not ONNX, or breaks ONNX's rules.
        UnsupportedError: an input has a free dimension other than the batch axis.
    """
    model = parse(path)
    with reported_for(path):
        return to_graph(model, str(path))


def load_bytes(data: bytes, name: str) -> Graph:
    """Return the graph of a serialized model; `name` stands for the file in messages."""
    return to_graph(onnx.load_model_from_string(data), name)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse(path: Path) -> onnx.ModelProto:
    """Read the protobuf of an ONNX file, external data included."""
    at = Origin(str(path))
    if not path.exists():
        raise InputError("there is no such file", at=at, hint="check the path of the model")
    if path.is_dir():
        raise InputError("this is a folder, not an ONNX file", at=at, hint="name the .onnx file in it")
    try:
        with path.open("rb") as file:
            head = file.read(8)
        model = onnx.load(path)
    except PermissionError as error:
        raise InputError("the file may not be read (permission denied)", at=at) from error
    except DecodeError as error:
        raise InputError(
            f"this is not a complete ONNX file: {describe(head, path)}",
            at=at,
            hint="export or download the model again",
        ) from error
    except (FileNotFoundError, onnx.checker.ValidationError) as error:
        raise InputError(
            f"its external data cannot be read: {one_line(error)}",
            at=at,
            hint="keep the data file that was exported with the model beside it",
        ) from error
    if not model.graph.node:
        found = describe(head, path) if not model.ir_version else "its graph has no node"
        raise InputError(f"this is not a usable ONNX model: {found}", at=at, hint="export the model again")
    return model


def describe(head: bytes, path: Path) -> str:
    """Say what a file that does not parse as ONNX looks like."""
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            return f"it looks like {kind}"
    size = path.stat().st_size
    return (
        "it is empty" if size == 0 else f"its {size} bytes do not parse as a protobuf model (truncated or corrupted?)"
    )


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
        DecodeError,
    ) as error:
        raise InputError(
            f"the model breaks ONNX's rules: {one_line(error)}",
            at=Origin(str(path)),
            hint="run onnx.checker.check_model on it, and export it again",
        ) from error


def to_graph(model: onnx.ModelProto, file: str) -> Graph:
    """Convert a parsed model."""
    name_nodes(model.graph)
    require_known_domains(model.graph, file)
    sort_nodes(model.graph, file)
    onnx.checker.check_model(skeleton(model))
    initializers = {tensor.name for tensor in model.graph.initializer}
    if model.graph.sparse_initializer:
        raise UnsupportedError(
            "sparse initializers are not supported", at=Origin(file), hint="store the weights densely"
        )
    fed = [value for value in model.graph.input if value.name not in initializers]
    inputs = tuple(to_value(value) for value in fed)
    if not inputs:
        raise UnsupportedError("the model has no input", at=Origin(file), hint="export it with its data as an input")
    constant = [value.name for value in model.graph.output if value.name in initializers]
    if constant:
        raise UnsupportedError(
            f"the output '{constant[0]}' is a constant", at=Origin(file), hint="remove that output from the model"
        )
    batch = find_batch(inputs, file)
    if batch.free and not batch_first(model, fed):
        batch = Batch(free=False, leading_axis=True)  # sample by sample, since outputs cannot be joined otherwise
    values = infer_values(model, fed)
    constants = {tensor.name: frozen(numpy_helper.to_array(tensor)) for tensor in model.graph.initializer}
    nodes = [to_node(node) for node in model.graph.node]
    graph = Graph(
        name=model.graph.name or Path(file).stem,
        origin=Origin(file),
        opsets={opset.domain: opset.version for opset in model.opset_import},
        ir_version=model.ir_version,
        inputs=inputs,
        outputs=tuple(to_value(value) for value in model.graph.output),
        nodes=tuple(nodes),
        constants=constants,
        values=values,
        batch=batch,
        source_nodes=tuple((node.name, node.op_type) for node in nodes),
    )
    graph.verify()
    return graph


def require_known_domains(graph: onnx.GraphProto, file: str) -> None:
    """Refuse operators that nothing here can execute, all together."""
    strange = [node for node in graph.node if node.domain not in KNOWN_DOMAINS]
    if strange:
        listed = ", ".join(f"{node.domain}::{node.op_type} '{node.name}'" for node in strange[:5])
        more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
        raise UnsupportedError(
            f"no unit can execute {listed}{more}",
            at=Origin(file),
            hint="export the model with standard operators (for example QDQ instead of QONNX)",
        )


def embedded(path: Path) -> bytes:
    """Return a model with its external data inside, as one serialized file."""
    model = onnx.load(path, load_external_data=False)
    if any(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer):
        return parse(path).SerializeToString()
    return path.read_bytes()


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


def reads(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node needs, subgraphs included."""
    return [name for name in node.input if name] + captured_names(node)


def captured_names(node: onnx.NodeProto) -> list[str]:
    """Return the outer tensors that a node's subgraphs read."""
    names: dict[str, None] = {}
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
        for graph in graphs:
            local = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            local |= {name for inner in graph.node for name in inner.output}
            wanted = [name for inner in graph.node for name in reads(inner)]
            wanted += [value.name for value in graph.output]
            names.update((name, None) for name in wanted if name not in local)
    return list(names)


def to_node(node: onnx.NodeProto) -> Node:
    """Convert a node."""
    attributes = {attribute.name: to_attribute(attribute) for attribute in node.attribute}
    return Node(
        node.name,
        node.op_type,
        tuple(node.input),
        tuple(node.output),
        node.domain,
        attributes,
        tuple(captured_names(node)),
    )


def to_attribute(attribute: onnx.AttributeProto) -> Attribute:
    """Convert an attribute; what no pass looks into stays serialized."""
    kind = onnx.AttributeProto
    if attribute.type in {kind.INT, kind.FLOAT}:
        return helper.get_attribute_value(attribute)
    if attribute.type == kind.STRING:
        with contextlib.suppress(UnicodeDecodeError):
            return attribute.s.decode()
    if attribute.type in {kind.INTS, kind.FLOATS}:
        values = tuple(helper.get_attribute_value(attribute))
        if values:
            return values
    return OpaqueAttribute(attribute.SerializeToString())


def to_value(value: onnx.ValueInfoProto) -> Value:
    """Convert a graph input or output."""
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type == TensorProto.UNDEFINED:
        raise UnsupportedError(f"'{value.name}' is not a tensor of a known element type")
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    if not tensor.HasField("shape"):
        return Value(value.name, dtype, None)
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None) for dim in tensor.shape.dim)
    return Value(value.name, dtype, shape)


def find_batch(inputs: tuple[Value, ...], file: str) -> Batch:
    """Tell how samples are fed, and refuse free dimensions that are not the batch axis."""
    for value in inputs:
        if value.shape is None:
            raise UnsupportedError(
                f"the input '{value.name}' has no shape",
                at=Origin(file),
                hint="export the model with a static input shape",
            )
        for axis, dim in enumerate(value.shape):
            if axis > 0 and not isinstance(dim, int):
                raise UnsupportedError(
                    f"axis {axis} of the input '{value.name}' is free ({dim or 'unnamed'}); "
                    "only the batch axis 0 may be",
                    at=Origin(file),
                    hint="export the model with that dimension fixed",
                )
    first = [value.shape[0] if value.shape else 0 for value in inputs]
    free = bool(first) and all(not isinstance(dim, int) for dim in first)
    leading = bool(first) and all(dim == 1 or not isinstance(dim, int) for dim in first)
    return Batch(free, leading)
