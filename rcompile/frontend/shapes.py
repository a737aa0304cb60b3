"""Types and shapes of a model's tensors, for one sample."""

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np
import onnx
from onnx import helper

from rcompile.frontend.runtime import Session
from rcompile.ir.graph import Value

SMALL_CONSTANT = 256
"""Elements; shapes, axes and the like are smaller, weights larger."""

ODD_BATCH = 977
"""A batch size that no other dimension is likely to have."""

MATRIX_OPERATORS = {"Conv", "Gemm", "MatMul"}


def infer_values(model: onnx.ModelProto, fed: Sequence[onnx.ValueInfoProto]) -> dict[str, Value]:
    """Return the type of each tensor: by inference and, where that leaves a type or a needed shape open, by a run.

    Args:
        model: a checked model; it is not changed.
        fed: the inputs that are not initializers.
    """
    single = with_batch(model, fed, 1)
    names = {value.name for value in fed}
    inputs = [value for value in single.graph.input if value.name in names]
    inferred = onnx.shape_inference.infer_shapes(single, data_prop=True)
    values = {}
    for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        if (found := known_type(value)) is not None:
            values[value.name] = found
    produced = {name for node in single.graph.node for name in node.output if name}
    open_ = {name for name in wanted(single.graph) if not is_static(values.get(name))} & produced
    open_ |= produced - set(values)
    if open_:
        values |= observe(model, inputs, sorted(open_))
    return values


def with_batch(model: onnx.ModelProto, fed: Sequence[onnx.ValueInfoProto], samples: int) -> onnx.ModelProto:
    """Return the skeleton of a model with its free batch axis fixed, and no shapes of outputs."""
    names = {value.name for value in fed}
    result = skeleton(model)
    for value in result.graph.input:
        if value.name in names and value.type.tensor_type.shape.dim:
            dim = value.type.tensor_type.shape.dim[0]
            if not dim.HasField("dim_value"):
                dim.dim_value = samples
    for value in result.graph.output:
        value.type.tensor_type.ClearField("shape")
    return result


def batch_first(model: onnx.ModelProto, fed: Sequence[onnx.ValueInfoProto]) -> bool:
    """Tell whether every output counts the samples along its first axis, as far as inference can see."""
    inferred = onnx.shape_inference.infer_shapes(with_batch(model, fed, ODD_BATCH), data_prop=True)
    for value in inferred.graph.output:
        shape = value.type.tensor_type.shape
        if value.type.tensor_type.HasField("shape"):
            known = shape.dim[0].dim_value if shape.dim and shape.dim[0].HasField("dim_value") else ODD_BATCH
            if not shape.dim or known != ODD_BATCH:
                return False
    return True


def skeleton(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model without its large weights, which become inputs, and without the inner shapes that it states.

    Checking and inference look at the values of small constants only; copying and serializing all weights, as onnx
    does, would take seconds and several times the memory. Stated inner shapes are dropped: some exporters' are stale.
    """
    result = onnx.ModelProto(ir_version=max(model.ir_version, 4), functions=model.functions)
    result.opset_import.extend(model.opset_import)
    graph = model.graph
    result.graph.name = graph.name or "graph"
    result.graph.node.extend(graph.node)
    constants = {tensor.name for tensor in graph.initializer}
    result.graph.input.extend(value for value in graph.input if value.name not in constants)
    for tensor in graph.initializer:
        if prod(tensor.dims) <= SMALL_CONSTANT:
            result.graph.initializer.append(tensor)
        else:
            value = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            result.graph.input.append(value)
    result.graph.output.extend(graph.output)
    return result


def known_type(value: onnx.ValueInfoProto) -> Value | None:
    """Convert an inferred type; None where the element type is unknown or it is not a tensor."""
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type == onnx.TensorProto.UNDEFINED:
        return None
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    if not tensor.HasField("shape"):
        return Value(value.name, dtype, None)
    dims = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim)
    return Value(value.name, dtype, dims)


def is_static(value: Value | None) -> bool:
    """Tell whether a shape is known to the last axis."""
    return value is not None and value.shape is not None and all(isinstance(d, int) for d in value.shape)


def wanted(graph: onnx.GraphProto) -> Iterable[str]:
    """Return the tensors whose shapes the mapping needs: what matrix operators read and write."""
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in MATRIX_OPERATORS:
            yield from (name for name in (*node.input, *node.output) if name and name not in constants)


def observe(model: onnx.ModelProto, inputs: Sequence[onnx.ValueInfoProto], names: Sequence[str]) -> dict[str, Value]:
    """Learn the types of some tensors by running one sample of zeros."""
    existing = {value.name for value in model.graph.output}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.value_info[:]
    for value in watched.graph.output:
        value.type.tensor_type.ClearField("shape")
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in existing)
    feeds = {}
    for value in inputs:
        tensor = value.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        feeds[value.name] = np.zeros(shape, helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    session = Session(watched.SerializeToString(), optimize=False)
    found = session.run(feeds)
    return {
        name: Value(name, found[name].dtype.name, found[name].shape)
        for name in names
        if hasattr(found.get(name), "dtype")
    }
