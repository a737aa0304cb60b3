"""Types and shapes of a model's tensors, for one sample."""

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from onnx import helper

from rcompile.frontend.runtime import Session
from rcompile.ir.graph import Value

MATRIX_OPERATORS = {"Conv", "Gemm", "MatMul"}


def infer_values(model: onnx.ModelProto, fed: Sequence[onnx.ValueInfoProto]) -> dict[str, Value]:
    """Return the type of each tensor: by inference and, where that leaves a type or a needed shape open, by a run.

    Args:
        model: a checked model; it is not changed.
        fed: the inputs that are not initializers.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    names = {value.name for value in fed}
    for value in single.graph.input:
        if value.name in names and value.type.tensor_type.shape.dim:
            dim = value.type.tensor_type.shape.dim[0]
            if not dim.HasField("dim_value"):
                dim.dim_value = 1
    del single.graph.value_info[:]
    for value in single.graph.output:
        value.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(single, data_prop=True)
    values = {}
    for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        if (found := known_type(value)) is not None:
            values[value.name] = found
    produced = {name for node in single.graph.node for name in node.output if name}
    open_ = {name for name in wanted(single.graph) if not is_static(values.get(name))} & produced
    open_ |= produced - set(values)
    if open_:
        values |= observe(single, [value for value in single.graph.input if value.name in names], sorted(open_))
    return values


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
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in existing)
    feeds = {}
    for value in inputs:
        tensor = value.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        feeds[value.name] = np.zeros(shape, helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    session = Session(watched.SerializeToString(), optimize=False)
    found = session.run(feeds)
    return {name: Value(name, found[name].dtype.name, found[name].shape) for name in names if name in found}
