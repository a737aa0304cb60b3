"""If with a condition that is known: the branch that is taken, in place."""

import onnx
from onnx import numpy_helper

from rcompile.frontend.convert import subgraphs, to_node
from rcompile.frontend.expand.builder import Builder
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import OpaqueAttribute


def expand(build: Builder) -> bool:
    """Inline the branch of a constant condition."""
    condition = build.static(build.input(0))
    if condition is None or condition.size != 1:
        return False
    attribute = build.node.attributes.get("then_branch" if condition.item() else "else_branch")
    if not isinstance(attribute, OpaqueAttribute):
        return False
    branch = onnx.AttributeProto.FromString(attribute.data).g
    inner = {name for node in branch.node for name in node.output if name} | {t.name for t in branch.initializer}
    results = [value.name for value in branch.output]
    wanted = dict(zip(results, build.node.outputs, strict=True))
    made = {name for node in branch.node for name in node.output}
    fresh = {name: build.names.fresh(f"{build.node.name}.{name}") for name in inner}
    fresh |= {name: out for name, out in wanted.items() if name in made and out and results.count(name) == 1}
    rename(branch, fresh)
    for tensor in branch.initializer:
        build.constants[fresh[tensor.name]] = frozen(numpy_helper.to_array(tensor))
    for node in map(to_node, branch.node):
        name = build.names.fresh(f"{build.node.name}.{node.name or node.op_type}")
        build.append(
            type(node)(name, node.op_type, node.inputs, node.outputs, node.domain, node.attributes, node.captured)
        )
    for name, out in zip(results, build.node.outputs, strict=True):
        if out and fresh.get(name) != out:
            build.add("Identity", fresh.get(name, name), out=out)
    return True


def rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Give tensors other names in the nodes of a graph and of the graphs within."""
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = names.get(name, name)
        for position, name in enumerate(node.output):
            node.output[position] = names.get(name, name)
        for inner in subgraphs(node):
            rename(inner, names)
            for value in inner.output:
                value.name = names.get(value.name, value.name)
