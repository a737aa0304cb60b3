"""Nodes of ONNX as nodes of a Graph."""

import contextlib
from collections.abc import Iterator

import onnx
from onnx import helper

from rcompile.ir.graph import STANDARD_DOMAINS, Attribute, Node, OpaqueAttribute


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that a node's attributes hold."""
    for attribute in node.attribute:
        yield from [attribute.g] if attribute.HasField("g") else attribute.graphs


def reads(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node needs, subgraphs included."""
    return [name for name in node.input if name] + captured_names(node)


def captured_names(node: onnx.NodeProto) -> list[str]:
    """Return the outer tensors that a node's subgraphs read."""
    names: dict[str, None] = {}
    for graph in subgraphs(node):
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
        "" if node.domain in STANDARD_DOMAINS else node.domain,
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
    if attribute.type == kind.STRINGS and attribute.strings:
        with contextlib.suppress(UnicodeDecodeError):
            return tuple(text.decode() for text in attribute.strings)
    return OpaqueAttribute(attribute.SerializeToString())
