"""Write a Graph, or a part of one, as ONNX."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rcompile.ir.graph import Graph, Node, OpaqueAttribute, Value

LEAST_IR_VERSION = 8
"""Initializers need not be graph inputs from 4 on; onnxruntime reads all that we write."""


def to_onnx(graph: Graph) -> bytes:
    """Serialize a whole graph."""
    return serialize(graph, graph.nodes, graph.inputs, graph.outputs)


def part_to_onnx(graph: Graph, nodes: tuple[Node, ...], inputs: Iterable[str], outputs: Iterable[str]) -> bytes:
    """Serialize some nodes as a model of their own, with the constants that they read.

    Only the graph's own inputs keep their shapes, so that the batch stays free.
    """
    own = {value.name: value for value in graph.inputs}

    def typed(name: str) -> Value:
        return own.get(name) or Value(name, graph.values[name].dtype if name in graph.values else "", None)

    return serialize(graph, nodes, tuple(map(typed, inputs)), tuple(map(typed, outputs)))


def serialize(graph: Graph, nodes: tuple[Node, ...], inputs: tuple[Value, ...], outputs: tuple[Value, ...]) -> bytes:
    """Build the protobuf."""
    read = {name for node in nodes for name in node.reads()} | {value.name for value in outputs}
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items() if name in read]
    model = helper.make_model(
        helper.make_graph(
            [to_proto(node) for node in nodes],
            graph.name,
            [to_value_info(value) for value in inputs],
            [to_value_info(value) for value in outputs],
            constants,
        ),
        ir_version=max(graph.ir_version, LEAST_IR_VERSION),
        producer_name="rcompile",
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets(graph, nodes).items()],
    )
    return model.SerializeToString(deterministic=True)


def opsets(graph: Graph, nodes: tuple[Node, ...]) -> dict[str, int]:
    """Return the operator sets of a model; Microsoft's is added where our own nodes need it."""
    imports = dict(graph.opsets)
    if any(node.domain == "com.microsoft" for node in nodes):
        imports.setdefault("com.microsoft", 1)
    return imports


def to_proto(node: Node) -> onnx.NodeProto:
    """Convert a node back."""
    plain: dict[str, Any] = {k: v for k, v in node.attributes.items() if not isinstance(v, OpaqueAttribute)}
    proto = helper.make_node(node.op_type, node.inputs, node.outputs, node.name, domain=node.domain, **plain)
    proto.attribute.extend(
        onnx.AttributeProto.FromString(v.data) for v in node.attributes.values() if isinstance(v, OpaqueAttribute)
    )
    return proto


def to_value_info(value: Value) -> onnx.ValueInfoProto:
    """Convert a graph input or output back."""
    if not value.dtype:
        return onnx.ValueInfoProto(name=value.name)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    return helper.make_tensor_value_info(value.name, kind, value.shape)
