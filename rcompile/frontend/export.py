"""Write a Graph, or a part of one, as ONNX."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rcompile.frontend.parse import Model, is_large, placeholder
from rcompile.ir.graph import MICROSOFT, QONNX_DOMAINS, Array, Graph, Node, OpaqueAttribute, Value

LEAST_IR_VERSION = 8
"""Initializers need not be graph inputs from 4 on, functions are read from 8 on; onnxruntime reads what we write."""

LEAST_OPSET = 7


def to_model(graph: Graph, *, outputs: Iterable[Value] = (), types_only: bool = False) -> Model:
    """Return a whole graph, with its large constants apart.

    Args:
        graph: to be written.
        outputs: added to its own.
        types_only: let QONNX's operators pass their inputs through, for a run that is to show types and shapes.
    """
    return build(graph, graph.nodes, graph.inputs, (*graph.outputs, *outputs), types_only=types_only)


def part_to_model(graph: Graph, nodes: tuple[Node, ...], inputs: Iterable[str], outputs: Iterable[str]) -> Model:
    """Return some nodes as a model of their own, with the constants that they read.

    Only the graph's own inputs keep their shapes, so that the batch stays free.
    """
    own = {} if graph.is_body else {value.name: value for value in graph.inputs}

    def typed(name: str) -> Value:
        known = own.get(name) or graph.values.get(name)
        if known is None:
            return Value(name, "", None)
        return known if name in own or known.kind else replace(known, shape=None)

    return build(graph, nodes, tuple(map(typed, inputs)), tuple(map(typed, outputs)))


def part_to_onnx(graph: Graph, nodes: tuple[Node, ...], inputs: Iterable[str], outputs: Iterable[str]) -> bytes:
    """Return some nodes as one serialized model, constants inside."""
    model = part_to_model(graph, nodes, inputs, outputs)
    return whole(model) if model.weights else model.proto


def whole(model: Model) -> bytes:
    """Serialize a model with its weights inside."""
    proto = onnx.load_model_from_string(model.proto)
    for tensor in proto.graph.initializer:
        if tensor.name in model.weights:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(model.weights[tensor.name]), tensor.name))
    return proto.SerializeToString(deterministic=True)


def build(
    graph: Graph,
    nodes: tuple[Node, ...],
    inputs: tuple[Value, ...],
    outputs: tuple[Value, ...],
    *,
    types_only: bool = False,
) -> Model:
    """Build the protobuf."""
    constants = constants_of(graph, nodes, outputs)
    weights = {name: array for name, array in constants.items() if is_large(array)}
    initializers = [
        placeholder(name, array) if name in weights else numpy_helper.from_array(array, name)
        for name, array in constants.items()
    ]
    proto = helper.make_model(
        helper.make_graph(
            [to_proto(node) for node in nodes],
            graph.name,
            [to_value_info(value) for value in inputs],
            [to_value_info(value) for value in outputs],
            initializers,
        ),
        ir_version=max(graph.ir_version, LEAST_IR_VERSION),
        producer_name="rcompile",
        functions=list(qonnx_types(graph)) if types_only else [],
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets(graph, nodes).items()],
    )
    return Model(proto.SerializeToString(deterministic=True), weights)


def constants_of(graph: Graph, nodes: tuple[Node, ...], outputs: tuple[Value, ...] = ()) -> dict[str, Array]:
    """Return the constants that nodes read, those of their bodies included: names are unique across them."""
    read = dict.fromkeys(name for node in nodes for name in node.reads())
    read |= dict.fromkeys(value.name for value in outputs)
    found = {name: graph.constants[name] for name in read if name in graph.constants}
    for node in nodes:
        if node.body is not None:
            found |= constants_of(node.body, node.body.nodes, node.body.outputs)
    return found


def skeleton(graph: Graph, shapes: Mapping[str, tuple[int | str | None, ...]] | None = None) -> onnx.ModelProto:
    """Return a graph for checking and inference: large constants are inputs, outputs have no shapes.

    Args:
        graph: to be written.
        shapes: of inputs, where these are not to have their own.
    """
    constants = constants_of(graph, graph.nodes, graph.outputs)
    large = {name: array for name, array in constants.items() if is_large(array)}
    nodes = [to_proto(node) for node in graph.nodes]
    for node in nodes:
        if node.domain == MICROSOFT and node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            node.domain = ""  # where inference knows them
    inputs = [replace(v, shape=(shapes or {}).get(v.name, v.shape)) for v in graph.inputs]
    inputs += [Value(name, array.dtype.name, array.shape) for name, array in large.items()]
    return helper.make_model(
        helper.make_graph(
            nodes,
            graph.name,
            [to_value_info(value) for value in inputs],
            [to_value_info(value if value.kind else replace(value, shape=None)) for value in graph.outputs],
            [numpy_helper.from_array(array, name) for name, array in constants.items() if name not in large],
        ),
        ir_version=max(graph.ir_version, LEAST_IR_VERSION),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets(graph, graph.nodes).items()],
        functions=list(qonnx_types(graph)),
    )


def qonnx_types(graph: Graph) -> Iterator[onnx.FunctionProto]:
    """Yield QONNX's operators as functions that say nothing but their results' types: those of their first inputs."""
    used = {(n.domain, n.op_type, len(n.inputs)): n.attributes for n in graph.nodes if n.domain in QONNX_DOMAINS}
    for (domain, op_type, inputs), attributes in used.items():
        names = [f"x{position}" for position in range(inputs)]
        yield helper.make_function(
            domain,
            op_type,
            names,
            ["y"],
            [helper.make_node("Identity", names[:1], ["y"])],
            [helper.make_opsetid("", graph.opsets.get("", LEAST_OPSET))],
            list(attributes),
        )


def opsets(graph: Graph, nodes: tuple[Node, ...]) -> dict[str, int]:
    """Return the operator sets of a model; Microsoft's is added where our own nodes need it."""
    imports = dict(graph.opsets)
    inner = [node.body.nodes for node in nodes if node.body is not None]
    if any(node.domain == MICROSOFT for part in (nodes, *inner) for node in part):
        imports.setdefault(MICROSOFT, 1)
    return imports


def to_proto(node: Node) -> onnx.NodeProto:
    """Convert a node back."""
    plain: dict[str, Any] = {k: v for k, v in node.attributes.items() if not isinstance(v, OpaqueAttribute)}
    proto = helper.make_node(node.op_type, node.inputs, node.outputs, node.name, domain=node.domain, **plain)
    proto.attribute.extend(
        onnx.AttributeProto.FromString(v.data) for v in node.attributes.values() if isinstance(v, OpaqueAttribute)
    )
    if node.body is not None:
        proto.attribute.append(helper.make_attribute("body", body_to_proto(node.body)))
    return proto


def body_to_proto(body: Graph) -> onnx.GraphProto:
    """Convert a body back; its constants are the whole graph's."""
    return helper.make_graph(
        [to_proto(node) for node in body.nodes],
        body.name,
        [to_value_info(replace(value, shape=None)) for value in body.inputs],
        [to_value_info(replace(value, shape=None)) for value in body.outputs],
    )


def to_value_info(value: Value) -> onnx.ValueInfoProto:
    """Convert a graph input or output back."""
    if value.kind:
        return onnx.ValueInfoProto(name=value.name, type=onnx.TypeProto.FromString(value.kind))
    if not value.dtype:
        return onnx.ValueInfoProto(name=value.name)
    return helper.make_tensor_value_info(value.name, element_type(value.dtype), value.shape)


def element_type(dtype: str) -> int:
    """Return ONNX's number of an element type."""
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
