"""Types and shapes of a graph's tensors, for one sample."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper

from rcompile.errors import InputError
from rcompile.frontend.export import skeleton, to_model
from rcompile.frontend.runtime import Session
from rcompile.ir.graph import MICROSOFT, NO_TENSOR, Array, Graph, Value

ODD_BATCH = 977
"""A batch size that no other dimension is likely to have."""

FEW = 3
"""Samples of a run that shows what inference leaves open."""

SHAPED = {
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "LSTM", "GRU", "RNN", "Scan"),
    *("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QGemm", "FusedConv", "FusedMatMul"),
    *("FusedGemm", "Attention", "QAttention", "MatMulNBits", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
    *("DynamicQuantizeLSTM", "NhwcConv", "MultiHeadAttention"),
}
"""Operators whose mapping needs the shapes of what they read and write."""


def typed(graph: Graph) -> Graph:
    """Return a graph with the type of each tensor.

    By inference and, where that leaves a type or a needed shape open, by a run on zeros. Known types are kept.
    """
    single = {value.name: with_batch(value, 1) for value in graph.inputs}
    inferred = onnx.shape_inference.infer_shapes(skeleton(graph, shapes=single), data_prop=True)
    values = dict(graph.values)
    for info in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        value = to_value(info)
        if value is not None and not is_static(values.get(value.name)):
            values[value.name] = value
    produced = {name for node in graph.nodes for name in node.outputs if name}
    open_ = {name for name in wanted(graph) if not is_static(values.get(name))} & produced
    open_ |= produced - set(values)
    if open_:
        values |= observe(graph, single, sorted(open_))
    return replace(graph, values={name: value for name, value in values.items() if name not in graph.constants})


def with_batch(value: Value, samples: int) -> tuple[int | str | None, ...]:
    """Return an input's shape with its free batch axis fixed."""
    shape = value.shape or ()
    return tuple(samples if axis == 0 and not isinstance(dim, int) else dim for axis, dim in enumerate(shape))


def batch_first(graph: Graph) -> bool:
    """Tell whether every output counts the samples along its first axis: by inference, else by a run."""
    shapes = {value.name: with_batch(value, ODD_BATCH) for value in graph.inputs}
    inferred = onnx.shape_inference.infer_shapes(skeleton(graph, shapes=shapes), data_prop=True)
    open_ = []
    for value in inferred.graph.output:
        shape = value.type.tensor_type.shape
        if not value.type.tensor_type.HasField("shape") or (shape.dim and not shape.dim[0].HasField("dim_value")):
            open_.append(value.name)
        elif not shape.dim or shape.dim[0].dim_value != ODD_BATCH:
            return False
    if not open_:
        return True
    found = run_on_zeros(graph, {value.name: with_batch(value, FEW) for value in graph.inputs}, open_)
    return all(name in found and np.shape(found[name])[:1] == (FEW,) for name in open_)


def to_value(info: onnx.ValueInfoProto) -> Value | None:
    """Convert an ONNX type; None where it is unknown."""
    kind = info.type.WhichOneof("value")
    if kind is None:
        return None
    if kind != "tensor_type":
        return Value(info.name, NO_TENSOR, None, info.type.SerializeToString())
    tensor = info.type.tensor_type
    if tensor.elem_type == onnx.TensorProto.UNDEFINED:
        return None
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    if not tensor.HasField("shape"):
        return Value(info.name, dtype, None)
    dims = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim)
    return Value(info.name, dtype, dims)


def is_static(value: Value | None) -> bool:
    """Tell whether a type is known to the last axis."""
    return value is not None and (
        bool(value.kind) or (value.shape is not None and all(isinstance(d, int) for d in value.shape))
    )


def wanted(graph: Graph) -> Iterable[str]:
    """Return the tensors whose shapes the mapping needs."""
    for node in graph.nodes:
        if node.op_type in SHAPED or node.domain == MICROSOFT:
            yield from (name for name in (*node.inputs, *node.outputs) if name and name not in graph.constants)


def observe(graph: Graph, shapes: Mapping[str, tuple[int | str | None, ...]], names: list[str]) -> dict[str, Value]:
    """Learn the types of some tensors by running one sample of zeros."""
    found = run_on_zeros(graph, shapes, names)
    return {
        name: Value(name, found[name].dtype.name, found[name].shape)
        for name in names
        if hasattr(found.get(name), "dtype")
    }


def run_on_zeros(
    graph: Graph, shapes: Mapping[str, tuple[int | str | None, ...]], names: list[str]
) -> dict[str, Array]:
    """Return some tensors for inputs of zeros; none where zeros are no input that the graph can take."""
    if any(value.kind or not all(isinstance(dim, int) for dim in shapes[value.name]) for value in graph.inputs):
        return {}
    existing = set(graph.output_names())
    watched = [Value(name, "", None) for name in names if name not in existing]
    plain = replace(graph, outputs=tuple(v if v.kind else replace(v, shape=None) for v in graph.outputs))
    model = to_model(plain, outputs=watched, types_only=True)
    feeds: dict[str, Array] = {
        value.name: np.zeros([int(dim or 0) for dim in shapes[value.name]], np.dtype(value.dtype))
        for value in graph.inputs
    }
    try:
        return Session(model.proto, optimize=False, weights=model.weights).run(feeds)
    except InputError:
        if all(np.dtype(value.dtype).kind == "f" for value in graph.inputs):
            raise
        return {}  # zeros are no sensible values of whole numbers: sizes, lengths, indices
