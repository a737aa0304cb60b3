"""Compute once, now, what does not depend on the model's inputs.

`Reshape(constant)` becomes a constant. Dequantized weights stay as they are: their integers are what is mapped.
"""

from dataclasses import replace

from rcompile.frontend.export import part_to_model
from rcompile.frontend.runtime import Session
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import QONNX_DOMAINS, Array, Graph, Node, Value

RANDOM = {
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
    "Dropout",
}


def fold_constants(graph: Graph) -> Graph:
    """Replace nodes that read only constants by their values."""
    graph = with_folded_bodies(graph)
    known, foldable = set(graph.constants), []
    outputs = set(graph.output_names())
    for node in graph.nodes:
        if node.op_type in {"DequantizeLinear", *RANDOM} or node.body is not None or outputs.intersection(node.outputs):
            continue
        if node.domain in QONNX_DOMAINS:
            continue  # nothing executes it: it is taken apart
        if any(name in graph.values and graph.values[name].kind for name in node.outputs):
            continue  # a sequence is no constant tensor
        if all(name in known for name in node.reads()):
            foldable.append(node)
            known.update(node.outputs)
    if not foldable:
        return graph
    folded_names = {node.name for node in foldable}
    rest = tuple(node for node in graph.nodes if node.name not in folded_names)
    needed = {name for node in rest for name in node.reads()}
    produced = [name for node in foldable for name in node.outputs if name in needed]
    constants = {**graph.constants, **evaluate(graph, tuple(foldable), produced)}
    values = {**graph.values, **{n: Value(n, constants[n].dtype.name, constants[n].shape) for n in produced}}
    reasons = {node.origin_name: "constant: computed at compile time" for node in foldable}
    reasons = {name: reason for name, reason in reasons.items() if name not in {node.origin_name for node in rest}}
    return replace(
        graph,
        nodes=rest,
        constants={name: array for name, array in constants.items() if name in needed or name in outputs},
        values=values,
        folded={**graph.folded, **reasons},
    )


def evaluate(graph: Graph, nodes: tuple[Node, ...], names: list[str]) -> dict[str, Array]:
    """Run some nodes without inputs."""
    if not names:
        return {}
    model = part_to_model(graph, nodes, (), names)
    found = Session(model.proto, optimize=False, weights=model.weights, conform=True).run({})
    return {name: frozen(array) for name, array in found.items()}


def with_folded_bodies(graph: Graph) -> Graph:
    """Fold the constants in the bodies of loops."""
    if all(node.body is None for node in graph.nodes):
        return graph
    nodes = (node if node.body is None else replace(node, body=fold_constants(node.body)) for node in graph.nodes)
    return replace(graph, nodes=tuple(nodes))
