"""Scan as a loop whose body is a Graph: what it multiplies by can be mapped like anything else.

A Scan over the first axes of its inputs, in ascending order, is lifted; any other stays a digital operator.
"""

from dataclasses import replace

import onnx
from onnx import numpy_helper

from rcompile.frontend.convert import subgraphs, to_node
from rcompile.frontend.matrix_operator import static_shape
from rcompile.frontend.shapes import typed
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import Batch, Graph, Names, Node, OpaqueAttribute, Value

LEAST_OPSET = 9
"""Before, Scan had a batch axis of its own."""

OTHER_ORDERS = ("scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions")


def lift_scans(graph: Graph) -> Graph:
    """Give each plain Scan its body as a Graph."""
    if not any(node.is_a("Scan") for node in graph.nodes):
        return graph
    names = Names(graph)
    return replace(graph, nodes=tuple(lifted(node, graph, names) for node in graph.nodes))


def lifted(node: Node, graph: Graph, names: Names) -> Node:
    """Return a Scan with its body as a Graph, or the node itself where that cannot be."""
    attribute = node.attributes.get("body")
    if not node.is_a("Scan") or graph.opsets.get("", 0) < LEAST_OPSET or not isinstance(attribute, OpaqueAttribute):
        return node
    if any(any(node.integers(name, ())) for name in OTHER_ORDERS):
        return node
    proto = onnx.AttributeProto.FromString(attribute.data).g
    states = len(proto.input) - node.integer("num_scan_inputs", 1)
    formal = [formal_type(node, graph, position, states) for position in range(len(proto.input))]
    if any(part is None for part in formal) or any(any(subgraphs(inner)) for inner in proto.node):
        return node
    rename = {value.name: names.fresh(f"{node.name}.{value.name}") for value in proto.input}
    rename |= {name: names.fresh(f"{node.name}.{name}") for inner in proto.node for name in inner.output if name}
    constants = {t.name: frozen(numpy_helper.to_array(t)) for t in proto.initializer}
    rename |= {name: names.fresh(f"{node.name}.{name}") for name in constants}
    constants = {rename[name]: array for name, array in constants.items()}
    outer = dict.fromkeys(name for name in node.captured if name not in rename)
    if any(name not in graph.constants for name in outer):
        return node
    constants |= {name: graph.constants[name] for name in outer}
    nodes = []
    for inner in map(to_node, proto.node):
        nodes.append(
            replace(
                inner,
                name=names.fresh(f"{node.name}.{inner.name or inner.op_type}"),
                inputs=tuple(rename.get(name, name) for name in inner.inputs),
                outputs=tuple(rename.get(name, name) for name in inner.outputs),
                source=node.name,
            )
        )
    body = Graph(
        name=proto.name or "body",
        origin=graph.origin,
        opsets=graph.opsets,
        ir_version=graph.ir_version,
        inputs=tuple(replace(part, name=rename[v.name]) for part, v in zip(formal, proto.input, strict=True) if part),
        outputs=tuple(Value(rename.get(v.name, v.name), "", None) for v in proto.output),
        nodes=tuple(nodes),
        constants=constants,
        values={},
        batch=Batch(free=False, leading_axis=False),
        source_nodes=graph.source_nodes,
        is_body=True,
    )
    plain = {name: value for name, value in node.attributes.items() if name == "num_scan_inputs"}
    return replace(node, attributes=plain, captured=(), body=typed(body))


def formal_type(node: Node, graph: Graph, position: int, states: int) -> Value | None:
    """Return the type of a body's input: a state's as it is, a scanned tensor's without its first axis."""
    name = node.inputs[position]
    constant = graph.constants.get(name)
    value = graph.values.get(name)
    shape = constant.shape if constant is not None else static_shape(value)
    dtype = constant.dtype.name if constant is not None else value.dtype if value is not None else ""
    if shape is None or not dtype or (position >= states and not shape):
        return None
    return Value(name, dtype, shape if position < states else shape[1:])
