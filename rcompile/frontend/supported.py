"""What stands in the way of a model, all of it in one message: node, rule, and what would help."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import onnx

from rcompile.errors import InputError, Origin, UnsupportedError
from rcompile.frontend.dialect import KNOWN_DOMAINS, all_nodes
from rcompile.ir.graph import Array

RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")

LISTED = 5
"""Nodes that are named of each kind."""


@dataclass(frozen=True)
class Obstacle:
    """Something that no unit can do, and what the user can."""

    message: str
    hint: str


def require_supported(
    model: onnx.ModelProto, constants: Mapping[str, Array], inputs: Sequence[onnx.ValueInfoProto], file: str
) -> None:
    """Refuse a model for everything that is in its way.

    Args:
        model: in plain ONNX.
        constants: its initializers.
        inputs: what it is fed with, sizes of free dimensions set.
        file: for messages.

    Raises:
        InputError: an input has a negative dimension.
        UnsupportedError: with each obstacle.
    """
    for value in inputs:
        sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim if dim.HasField("dim_value")]
        if any(size < 0 for size in sizes):
            raise InputError(f"the input '{value.name}' has a negative dimension: {sizes}", at=Origin(file))
    found = [*foreign_operators(model), *random_operators(model, constants), *shapeless(inputs), *free_axes(inputs)]
    if not found:
        return
    hints = "; ".join(dict.fromkeys(obstacle.hint for obstacle in found))
    if len(found) == 1:
        raise UnsupportedError(found[0].message, at=Origin(file), hint=hints)
    listed = "\n".join(f"  {obstacle.message}" for obstacle in found)
    raise UnsupportedError(f"{len(found)} things stand in the way\n{listed}", at=Origin(file), hint=hints)


def require_inputs(model: onnx.ModelProto, file: str) -> None:
    """Refuse gaps among operands of any number (Einsum's): onnx's checker does not, and onnxruntime crashes.

    Raises:
        InputError: with the node and the input.
    """
    opset = {imported.domain: imported.version for imported in model.opset_import}.get("", 1)
    variadic = onnx.defs.OpSchema.FormalParameterOption.Variadic
    for node in model.graph.node:
        if node.domain in {"", "ai.onnx"} and node.op_type not in {"Loop", "Scan"}:
            for position, formal in enumerate(formal_inputs(node.op_type, opset)):
                if formal.option == variadic and not all(node.input[position:]):
                    raise InputError(
                        f"one of its inputs '{formal.name}' is missing",
                        at=Origin(file, node.name, node.op_type),
                        hint="export the model again",
                    )


@cache
def formal_inputs(op_type: str, opset: int) -> tuple[onnx.defs.OpSchema.FormalParameter, ...]:
    """Return what inputs a standard operator has; none where the opset lacks it."""
    try:
        return tuple(onnx.defs.get_schema(op_type, opset, "").inputs)
    except onnx.defs.SchemaError:
        return ()


def named(nodes: Sequence[onnx.NodeProto]) -> str:
    """Name the first few nodes."""
    more = len(nodes) - LISTED
    texts = [f"{f'{node.domain}::' if node.domain else ''}{node.op_type} '{node.name}'" for node in nodes[:LISTED]]
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def foreign_operators(model: onnx.ModelProto) -> Iterator[Obstacle]:
    """Yield operators of domains that nothing here can execute."""
    strange = [node for node in all_nodes(model.graph) if node.domain not in KNOWN_DOMAINS]
    if strange:
        yield Obstacle(
            f"no unit can execute {named(strange)}",
            "export the model with standard operators, or with the operators as local functions",
        )


def random_operators(model: onnx.ModelProto, constants: Mapping[str, Array]) -> Iterator[Obstacle]:
    """Yield operators whose results are drawn at random: nothing that they take part in could be verified."""
    drawn = [node for node in all_nodes(model.graph) if node.domain == "" and is_random(node, constants)]
    if drawn:
        yield Obstacle(
            f"{named(drawn)}: {'its result is' if len(drawn) == 1 else 'their results are'} drawn at random, so that "
            "nothing could be verified",
            "make the random values an input of the model, or export it in inference mode",
        )


def is_random(node: onnx.NodeProto, constants: Mapping[str, Array]) -> bool:
    """Tell whether an operator draws; Dropout does in training, unless it drops nothing."""
    if node.op_type != "Dropout" or len(node.input) < 3 or not node.input[2]:
        return node.op_type in RANDOM
    ratio, training = (constants.get(name) for name in node.input[1:3])
    return not (training is not None and not training.any()) and not (ratio is not None and not ratio.any())


def shapeless(inputs: Sequence[onnx.ValueInfoProto]) -> Iterator[Obstacle]:
    """Yield inputs of unknown rank."""
    for value in inputs:
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            yield Obstacle(f"the input '{value.name}' has no shape", "export the model with a static input shape")


def free_axes(inputs: Sequence[onnx.ValueInfoProto]) -> Iterator[Obstacle]:
    """Yield free dimensions that are not the batch axis."""
    axes, names = [], []
    for value in inputs:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if axis > 0 and not dim.HasField("dim_value"):
                axes.append(f"axis {axis} of the input '{value.name}' is free ({dim.dim_param or 'unnamed'})")
                names.append(dim.dim_param or f"{value.name}.{axis}")
    if axes:
        flags = " ".join(f"--dim {name}=N" for name in dict.fromkeys(names))
        yield Obstacle(f"{'; '.join(axes)}; only the batch axis 0 may be", f"give a size: {flags}")
