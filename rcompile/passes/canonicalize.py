"""Bring equivalent spellings into one form.

`Identity(x)` and `Dropout(x)` (inference) become x; a Gemm's alpha and beta move into its constant operands.
"""

from dataclasses import replace

import numpy as np

from rcompile.ir.arrays import frozen
from rcompile.ir.graph import Array, Graph, Node


def canonicalize(graph: Graph) -> Graph:
    """Remove operators that pass their input through, and scale factors of Gemm."""
    constants = dict(graph.constants)
    nodes = [scaled_gemm(node, constants) for node in graph.nodes]
    aliases: dict[str, str] = {}
    kept, reasons = [], {}
    outputs = set(graph.output_names())
    for original in nodes:
        node = replace(original, inputs=tuple(aliases.get(name, name) for name in original.inputs))
        if passes_through(node, graph) and node.outputs[0] not in outputs:
            aliases[node.outputs[0]] = node.inputs[0]
            reasons[node.name] = "passes its input through"
        else:
            kept.append(node)
    captured = {name for node in kept for name in node.captured}
    if captured & set(aliases):  # a subgraph names the tensor: leave everything as it is
        return graph
    return replace(graph, nodes=tuple(kept), constants=constants, folded={**graph.folded, **reasons})


def passes_through(node: Node, graph: Graph) -> bool:
    """Tell whether a node's first output is its first input and nothing else is read."""
    if any(name in graph.readers for name in node.outputs[1:]):
        return False
    return node.is_a("Identity") or (node.is_a("Dropout") and len(node.inputs) < 3)


def scaled_gemm(node: Node, constants: dict[str, Array]) -> Node:
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
            inputs[position] = f"{operand}.{node.name}.{name}"
            original = constants[operand]
            constants[inputs[position]] = frozen((original.astype(np.float64) * factor).astype(original.dtype))
            attributes[name] = 1.0
    return replace(node, inputs=tuple(inputs), attributes=attributes)
