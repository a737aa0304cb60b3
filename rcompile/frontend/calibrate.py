"""Ranges of float tensors over calibration samples: the least and largest value that onnxruntime sees."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from rcompile.errors import InputError
from rcompile.frontend.export import to_model
from rcompile.frontend.runtime import Session
from rcompile.ir.graph import Array, Graph, Names, Node, Value

FLOAT = 1


def calibrate(
    graph: Graph, names: tuple[str, ...], feeds: Iterable[Mapping[str, Array]]
) -> dict[str, tuple[float, float]]:
    """Return the least and largest value of each named tensor.

    Raises:
        InputError: a range is not finite.

    Args:
        graph: a float graph.
        names: float tensors of it, or of the bodies of its loops.
        feeds: the model's inputs, run by run.
    """
    watched, outputs = observed(graph, names)
    model = to_model(watched, outputs=outputs)
    session = Session(model.proto, optimize=False, weights=model.weights)
    ranges = dict.fromkeys(names, (np.inf, -np.inf))
    for feed in feeds:
        found = session.run(feed)
        for name in names:
            low, high = float(found[f"{name}:least"]), float(found[f"{name}:largest"])
            ranges[name] = (float(np.minimum(ranges[name][0], low)), float(np.maximum(ranges[name][1], high)))
    endless = [name for name, limits in ranges.items() if not np.isfinite(limits).all()]
    if endless:
        raise InputError(
            f"the tensor '{endless[0]}' takes values that are NaN or infinite on the calibration samples",
            at=graph.origin,
            hint="check the weights of the model and the samples",
        )
    return ranges


def observed(graph: Graph, names: tuple[str, ...]) -> tuple[Graph, tuple[Value, ...]]:
    """Return a graph that computes the ranges of some tensors and nothing else, and its outputs."""
    graph, outside = exposed(graph, set(names), Names(graph))
    nodes, outputs = list(graph.nodes), []
    for name in names:
        source = outside.get(name, name)
        nodes.append(Node(f"{name}:cast", "Cast", (source,), (f"{name}:real",), "", {"to": FLOAT}))
        for reduction, what in (("ReduceMin", "least"), ("ReduceMax", "largest")):
            output = f"{name}:{what}"
            nodes.append(Node(output, reduction, (f"{name}:real",), (output,), "", {"keepdims": 0}))
            outputs.append(Value(output, "float32", None))
    return replace(graph, nodes=needed(nodes, outputs), outputs=()), tuple(outputs)


def needed(nodes: list[Node], outputs: list[Value]) -> tuple[Node, ...]:
    """Return the nodes on which outputs depend: what follows the last product need not run."""
    wanted, kept = {value.name for value in outputs}, []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.reads())
    return tuple(kept[::-1])


def exposed(graph: Graph, names: set[str], taken: Names) -> tuple[Graph, dict[str, str]]:
    """Return a graph whose loops also put out some tensors of their bodies, and the names under which they do."""
    nodes: list[Node] = []
    outside: dict[str, str] = {}
    for node in graph.nodes:
        if node.body is None:
            nodes.append(node)
            continue
        body, deeper = exposed(node.body, names, taken)
        known = {value.name for value in body.inputs} | {name for inner in body.nodes for name in inner.outputs}
        inner = {name: deeper.get(name, name) for name in sorted(names & (known | set(deeper)))}
        added = [body.values.get(inside, Value(inside, "float32", None)) for inside in inner.values()]
        own = {name: taken.fresh(f"{name}.steps") for name in inner}
        passed = [replace(value, name=taken.fresh(f"{value.name}.out")) for value in added]
        copies = [
            Node(f"{new.name}.copy", "Identity", (old.name,), (new.name,))
            for new, old in zip(passed, added, strict=True)
        ]
        body = replace(body, nodes=(*body.nodes, *copies), outputs=(*body.outputs, *passed))
        padded = (*node.outputs, *("" for _ in range(len(node.body.outputs) - len(node.outputs))))
        nodes.append(replace(node, outputs=(*padded, *own.values()), body=body))
        outside |= own
    return replace(graph, nodes=tuple(nodes)), outside
