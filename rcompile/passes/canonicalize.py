"""Bring equivalent spellings into one form.

`Identity(x)` and `Dropout(x)` (inference) become x; a Gemm's alpha and beta move into its constant operands; a
Transpose of dequantized weights moves into the weights; padding is spelled out.
"""

from dataclasses import replace

import numpy as np

from rcompile.frontend.conv import window_of
from rcompile.frontend.matrix_operator import static_operand, static_shape
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Array, Graph, Names, Node


def canonicalize(graph: Graph) -> Graph:
    """Remove operators that pass their input through, and scale factors of Gemm."""
    return canonical(graph, Names(graph))


def canonical(graph: Graph, names: Names) -> Graph:
    """Rewrite a graph and the bodies of its loops."""
    constants = dict(graph.constants)
    inner = (n if n.body is None else replace(n, body=canonical(n.body, names)) for n in graph.nodes)
    graph = replace(graph, nodes=tuple(inner))
    nodes = [
        transposed_weight(scaled_gemm(explicit_pads(node, graph), constants, names), graph, constants, names)
        for node in graph.nodes
    ]
    aliases: dict[str, str] = {}
    values = dict(graph.values)
    kept, reasons = [], {}
    outputs = set(graph.output_names())
    for original in nodes:
        node = replace(original, inputs=tuple(aliases.get(name, name) for name in original.inputs))
        if passes_through(node, graph) and node.outputs[0] not in outputs:
            aliases[node.outputs[0]] = node.inputs[0]
            if static_shape(values.get(node.inputs[0])) is None and node.outputs[0] in values:
                values[node.inputs[0]] = replace(values[node.outputs[0]], name=node.inputs[0])
            reasons[node.name] = "passes its input through"
        else:
            kept.append(node)
    captured = {name for node in kept for name in node.captured}
    if captured & set(aliases):  # a subgraph names the tensor: leave everything as it is
        return graph
    folded = {**graph.folded, **reasons}
    return replace(graph, nodes=tuple(kept), constants=constants, values=values, folded=folded)


def explicit_pads(node: Node, graph: Graph) -> Node:
    """Return a convolution with its padding spelled out: onnxruntime does not take auto_pad with every dilation."""
    if not node.is_a("Conv") or not node.text("auto_pad", "NOTSET").startswith("SAME"):
        return node
    data, weight = static_shape(graph.values.get(node.inputs[0])), static_operand(node.inputs[1], graph)
    if data is None or weight is None:
        return node
    window = window_of(node, weight.shape[2:], data[2:])
    rest = {name: value for name, value in node.attributes.items() if name != "auto_pad"}
    return replace(node, attributes={**rest, "pads": (*window.pads_begin, *window.pads_end)})


def passes_through(node: Node, graph: Graph) -> bool:
    """Tell whether a node's first output is its first input and nothing else is read."""
    if any(name in graph.readers or name in graph.output_names() for name in node.outputs[1:]):
        return False
    return node.is_a("Identity") or (node.is_a("Dropout") and len(node.inputs) < 3)


def transposed_weight(node: Node, graph: Graph, constants: dict[str, Array], names: Names) -> Node:
    """Return Transpose(Dequantize(constant)) as the dequantization of a transposed constant."""
    source = graph.producers.get(node.inputs[0]) if node.is_a("Transpose") else None
    if source is None or not source.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
        return node
    parameters = [constants.get(name) for name in source.inputs if name]
    if any(array is None for array in parameters) or source.integer("block_size", 0):
        return node
    codes, scale = constants[source.inputs[0]], constants[source.inputs[1]]
    order = node.integers("perm", tuple(range(codes.ndim))[::-1])
    name = names.fresh(f"{node.name}.transposed")
    constants[name] = frozen(codes.transpose(order))
    attributes = dict(source.attributes)
    if scale.ndim:
        attributes["axis"] = order.index(source.integer("axis", 1) % codes.ndim)
    return replace(
        source, name=node.name, inputs=(name, *source.inputs[1:]), outputs=node.outputs, attributes=attributes
    )


def scaled_gemm(node: Node, constants: dict[str, Array], names: Names) -> Node:
    """Move alpha into a Gemm's constant B, and beta into its constant C, under new names."""
    if not node.is_a("Gemm"):
        return node
    inputs, attributes = list(node.inputs), dict(node.attributes)
    for position, name, factor in ((1, "alpha", node.number("alpha", 1.0)), (2, "beta", node.number("beta", 1.0))):
        operand = inputs[position] if position < len(inputs) else ""
        if factor == 1.0:
            continue
        if not operand:
            attributes[name] = 1.0
        elif operand in constants and np.issubdtype(constants[operand].dtype, np.floating):
            inputs[position] = names.fresh(f"{operand}.{node.name}.{name}")
            original = constants[operand]
            constants[inputs[position]] = frozen((original.astype(np.float64) * factor).astype(original.dtype))
            attributes[name] = 1.0
    return replace(node, inputs=tuple(inputs), attributes=attributes)
