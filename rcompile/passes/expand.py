"""Take apart operators that contain products: Conv, ConvTranspose, Gemm and MatMul remain, and digital operators.

`LSTM` becomes MatMuls and a Scan, `QLinearConv` a Conv between quantizations (frontend/expand, one file a family).
"""

from dataclasses import replace

from rcompile.errors import UnsupportedError
from rcompile.frontend.expand import EXPANSIONS
from rcompile.frontend.expand.builder import Builder
from rcompile.frontend.shapes import typed
from rcompile.ir.graph import QONNX_DOMAINS, Graph, Names, Node

ROUNDS = 8
"""Expansions of expansions: Attention, its MatMul, a transposed MatMul, ..."""


def expand(graph: Graph) -> Graph:
    """Replace each node that has an expansion until none has.

    Raises:
        UnsupportedError: QONNX operators that stay, which nothing executes.
    """
    names = Names(graph)
    for _ in range(ROUNDS):
        graph, changed = expanded_once(graph, names)
        if not changed:
            break
    strange = [node for node in graph.nodes if node.domain in QONNX_DOMAINS]
    if strange:
        listed = ", ".join(f"{node.op_type} '{node.name}'" for node in strange[:5])
        raise UnsupportedError(
            f"{listed}: scale, zero point and bit width must be constants, of 1 to 16 bits, one value or one a channel",
            at=graph.origin,
            hint="export the model with static quantization parameters",
        )
    return graph


def expanded_once(graph: Graph, names: Names) -> tuple[Graph, bool]:
    """Expand each node once; tell whether anything changed."""
    nodes: list[Node] = []
    constants, bits, changed = dict(graph.constants), dict(graph.bits), False
    for node in graph.nodes:
        if node.body is not None:
            body, inner = expanded_once(node.body, names)
            changed |= inner
            nodes.append(replace(node, body=body) if inner else node)
            continue
        expansion = EXPANSIONS.get((node.domain, node.op_type))
        build = Builder(graph, node, names)
        if expansion is None or not expansion(build):
            nodes.append(node)
            continue
        changed = True
        nodes += build.nodes
        constants |= build.constants
        bits |= build.bits
    if not changed:
        return graph, False
    read = {name for node in nodes for name in node.reads()} | set(graph.output_names())
    constants = {name: array for name, array in constants.items() if name in read}
    return typed(replace(graph, nodes=tuple(nodes), constants=constants, bits=bits)), True
