"""Bring what exporters write into today's plain ONNX, before anything is understood of it.

Local functions are inlined, opsets before 9 converted to 9 (from which on shapes broadcast and Scan and Where are what
they are today), sparse and Constant tensors become initializers, QONNX is declared where an exporter forgot to.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import helper, inliner, numpy_helper
from onnx.version_converter import ConvertError

from rcompile.errors import Origin, UnsupportedError, UsageError
from rcompile.frontend.convert import subgraphs
from rcompile.ir.graph import MICROSOFT, QONNX_DOMAINS

KNOWN_DOMAINS = {
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.preview",
    "ai.onnx.preview.training",
    MICROSOFT,
    "com.microsoft.nchwc",
    "com.ms.internal.nhwc",
    *QONNX_DOMAINS,
}
"""Operators of other domains have no unit that could execute them."""

LEAST_OPSET = 9
EXECUTED_OPSET = 7
"""onnxruntime executes this one and later."""


def normalize(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """Return a model in plain ONNX; `model`, whose large weights are taken away, may be changed.

    Raises:
        UnsupportedError: an opset that cannot be converted.
    """
    if model.functions:
        model = inliner.inline_local_functions(model)
    model.ir_version = max(model.ir_version, 4)  # large weights are inputs now, small ones need not be
    if not model.graph.name:
        model.graph.name = "graph"
    declare_domains(model)
    opset = {opset.domain: opset.version for opset in model.opset_import}.get("", LEAST_OPSET)
    old_scan = opset == 8 and any(node.op_type == "Scan" for node in model.graph.node)  # which onnx leaves as it is
    if opset < LEAST_OPSET and not old_scan:
        model = converted(model, opset, file)
    return model


def declare_domains(model: onnx.ModelProto) -> None:
    """Import the known domains that an exporter forgot to."""
    used = {node.domain for node in all_nodes(model.graph)}
    imported = {opset.domain for opset in model.opset_import}
    for domain in sorted((used - imported).intersection({*QONNX_DOMAINS, MICROSOFT})):
        model.opset_import.append(helper.make_opsetid(domain, 1))


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield every node, those of subgraphs included."""
    for node in graph.node:
        yield node
        for inner in subgraphs(node):
            yield from all_nodes(inner)


def converted(model: onnx.ModelProto, opset: int, file: str) -> onnx.ModelProto:
    """Return a model of an old opset in the least one that is read directly.

    Where onnx cannot convert it, but onnxruntime can execute it, it stays as it is.
    """
    sized = onnx.ModelProto()  # the converter takes no symbolic dimensions
    sized.CopyFrom(model)
    for value in (*sized.graph.input, *sized.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if not dim.HasField("dim_value"):
                dim.dim_value = 1
    del sized.graph.value_info[:]
    sized = onnx.shape_inference.infer_shapes(sized)
    if opset < EXECUTED_OPSET:
        spread_operands(sized)
    try:
        result = onnx.version_converter.convert_version(sized, LEAST_OPSET)
    except (RuntimeError, ValueError, onnx.shape_inference.InferenceError, ConvertError) as error:
        if opset >= EXECUTED_OPSET:
            return model
        reason = " ".join(str(error).split())[:300]
        raise UnsupportedError(
            f"it is of opset {opset}, and onnx cannot convert it to {LEAST_OPSET}: {reason}",
            at=Origin(file),
            hint="export the model with a newer opset",
        ) from error
    stated = {value.name: value for value in (*model.graph.input, *model.graph.output)}
    for value in (*result.graph.input, *result.graph.output):
        if value.name in stated:
            value.CopyFrom(stated[value.name])
    del result.graph.value_info[:]
    return result


def spread_operands(model: onnx.ModelProto) -> None:
    """Give second operands the axes that they broadcast along from opset 7 on; onnx's converter forgets some.

    Before, `axis` said where the second operand's axes stand (broadcast = 1), and PRelu's slopes were one a channel.
    """
    known = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in known}
    ranks |= {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute if a.name in {"axis", "broadcast"}}
        slopes = node.op_type == "PRelu" and len(node.input) > 1 and ranks.get(node.input[1]) == 1
        if slopes or attributes.get("broadcast"):
            rank, own = (ranks.get(name, 0) for name in node.input[:2])
            axis = 1 if slopes else attributes.get("axis", rank - own)
            trailing = list(range(own, own + rank - axis % max(rank, 1) - own))
            if trailing:
                spread = f"{node.name}:{node.input[1]}"
                unsqueeze = helper.make_node(
                    "Unsqueeze", [node.input[1]], [spread], f"{node.name}:spread", axes=trailing
                )
                nodes.append(unsqueeze)
                node.input[1] = spread
            kept = [a for a in node.attribute if a.name not in attributes]
            del node.attribute[:]
            node.attribute.extend(kept)
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def constants_to_initializers(graph: onnx.GraphProto) -> list[str]:
    """Turn Constant nodes and sparse initializers into initializers; return the names of the tensors of the former.

    A Constant that is an output of the graph stays a node.
    """
    outputs = {value.name for value in graph.output}
    kept, found = [], []
    for node in graph.node:
        tensor = None
        if node.op_type == "Constant" and node.domain in {"", "ai.onnx"} and node.output[0] not in outputs:
            tensor = constant_of(node)
        if tensor is None:
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
        else:
            graph.initializer.append(tensor)
            found.append(node.output[0])
    if found:
        del graph.node[:]
        graph.node.extend(kept)
    for sparse in graph.sparse_initializer:
        graph.initializer.append(dense(sparse, sparse.values.name))
    del graph.sparse_initializer[:]
    return found


def constant_of(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """Return the tensor of a Constant node; None where it has none of its one attribute's forms."""
    if len(node.attribute) != 1:
        return None
    attribute = node.attribute[0]
    name = node.output[0]
    match attribute.name:
        case "value":
            tensor = onnx.TensorProto.FromString(attribute.t.SerializeToString())
            tensor.name = name
            return tensor
        case "sparse_value":
            return dense(attribute.sparse_tensor, name)
        case "value_int" | "value_ints":
            return numpy_helper.from_array(np.array(helper.get_attribute_value(attribute), np.int64), name)
        case "value_float" | "value_floats":
            return numpy_helper.from_array(np.array(helper.get_attribute_value(attribute), np.float32), name)
    return None


def dense(sparse: onnx.SparseTensorProto, name: str) -> onnx.TensorProto:
    """Return a sparse tensor in full; its indices are linear or one row of coordinates a value."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    result = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 1:
        result.reshape(-1)[indices] = values
    else:
        result[tuple(indices.T)] = values
    return numpy_helper.from_array(result, name)


def set_dimensions(inputs: list[onnx.ValueInfoProto], dimensions: Mapping[str, int], file: str) -> None:
    """Fix free dimensions by their names, or by INPUT.AXIS where they have none.

    Raises:
        UsageError: a name that no free dimension has.
    """
    free: dict[str, list[onnx.TensorShapeProto.Dimension]] = {}
    for value in inputs:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value"):
                free.setdefault(dim.dim_param or f"{value.name}.{axis}", []).append(dim)
    for name, size in dimensions.items():
        if name not in free:
            known = ", ".join(free) or "none"
            raise UsageError(f"--dim: '{file}' has no free dimension '{name}'", hint=f"its free dimensions: {known}")
        for dim in free[name]:
            dim.dim_value = size
