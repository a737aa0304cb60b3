"""Graph inputs that are weights: of models exported without their weights, and of ONNX's own test cases."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from rcompile.ir.graph import Array

OPERANDS = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "ConvInteger": (1, 2, 3),
    "MatMul": (1,),
    "MatMulInteger": (1, 2, 3),
    "Gemm": (1, 2),
    "Einsum": (1,),
    "LSTM": (1, 2, 3, 7),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7, 8),
    "QLinearMatMul": (1, 2, 3, 4, 5, 6, 7),
    "BatchNormalization": (1, 2, 3, 4),
}
"""Positions of an operator's inputs that are weights, or go with them."""


MOVES = {"Reshape", "Transpose", "Unsqueeze", "Squeeze", "Identity", "Cast", "Flatten"}
"""What exporters put between a weight and its operator."""


def weight_inputs(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the graph inputs that nothing but products read as their weights, of a model in topological order."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    fed = [value.name for value in model.graph.input if value.name not in initializers]
    as_weight: set[str] = set()
    as_data = {value.name for value in model.graph.output}
    for node in reversed(model.graph.node):
        positions = OPERANDS.get(node.op_type, ())
        moved = node.op_type in MOVES and set(node.output) <= as_weight - as_data
        for position, name in enumerate(node.input):
            (as_weight if position in positions or (moved and position == 0) else as_data).add(name)
    return tuple(name for name in fed if name in as_weight - as_data)


def bound(model: onnx.ModelProto, arrays: Mapping[str, Array]) -> onnx.ModelProto:
    """Return a model in which some inputs are constants."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    kept = [value for value in model.graph.input if value.name not in arrays]
    del result.graph.input[:]
    result.graph.input.extend(kept)
    result.graph.initializer.extend(numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items())
    return result


def declare_weights(model: onnx.ModelProto) -> None:
    """Make the inputs of a model that are weights initializers without data: the model was exported without them."""
    names = set(weight_inputs(model))
    for value in model.graph.input:
        tensor = value.type.tensor_type
        if value.name in names and all(dim.dim_value > 0 for dim in tensor.shape.dim):
            dims = [dim.dim_value for dim in tensor.shape.dim]
            model.graph.initializer.append(onnx.TensorProto(name=value.name, data_type=tensor.elem_type, dims=dims))


def with_shapes(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> onnx.ModelProto:
    """Return a model whose inputs have the shapes of what is fed."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for value in result.graph.input:
        array = feeds.get(value.name)
        if value.type.HasField("tensor_type") and isinstance(array, np.ndarray):
            value.type.tensor_type.ClearField("shape")
            value.type.tensor_type.shape.SetInParent()
            for size in array.shape:
                value.type.tensor_type.shape.dim.add(dim_value=size)
    return result
