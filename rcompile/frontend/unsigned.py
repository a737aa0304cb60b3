"""Integer products with unsigned weights: onnxruntime's kernels for signed ones saturate on processors without VNNI.

Pairs of uint8 x int8 products are added in 16 bits there. onnxruntime converts weights by itself where it optimizes
(session.x64quantprecision); where it must leave a model as it is, that is done here: weights and their zero point
become 128 more.
"""

from typing import Any

import onnx
from onnx import TensorProto, helper

OPERANDS = {"MatMulInteger": (1, 3), "ConvInteger": (1, 3), "QLinearMatMul": (3, 5), "QLinearConv": (3, 5)}
"""Of each operator, which inputs are the weights and their zero point."""

SHIFT = 128


def with_unsigned_weights(model: bytes) -> bytes:
    """Return a model that computes the same with unsigned weights; the model itself where it has no such product."""
    if not any(name.encode() in model for name in OPERANDS):
        return model
    proto = onnx.load_model_from_string(model)
    types = element_types(proto)
    found = [rewritten(node, types) for node in proto.graph.node]
    if all(len(nodes) == 1 for nodes in found):
        return model
    del proto.graph.node[:]
    proto.graph.node.extend(node for nodes in found for node in nodes)
    return proto.SerializeToString()


def element_types(proto: onnx.ModelProto) -> dict[str, int]:
    """Return the element type of each tensor of the graph that is known."""
    graph = onnx.shape_inference.infer_shapes(proto).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: value.type.tensor_type.elem_type for value in values} | {
        tensor.name: tensor.data_type for tensor in graph.initializer
    }


def rewritten(node: onnx.NodeProto, types: dict[str, int]) -> list[onnx.NodeProto]:
    """Return a node behind others that shift its weights, where these are signed."""
    operands = OPERANDS.get(node.op_type)
    if operands is None or node.domain not in {"", "ai.onnx"} or types.get(node.input[operands[0]]) != TensorProto.INT8:
        return [node]
    made: list[onnx.NodeProto] = []
    changed = onnx.NodeProto.FromString(node.SerializeToString())
    base = f"{node.output[0]}/unsigned"

    def add(operator: str, inputs: list[str], name: str, **attributes: Any) -> str:  # noqa: ANN401 - as ONNX has them
        made.append(helper.make_node(operator, inputs, [f"{base}/{name}"], f"{base}/{name}", **attributes))
        return f"{base}/{name}"

    shift = add("Constant", [], "shift", value=helper.make_tensor("shift", TensorProto.INT32, [], [SHIFT]))
    for kind, index in zip(("weights", "zero"), operands, strict=True):
        if index < len(node.input) and node.input[index]:
            wide = add("Cast", [node.input[index]], f"{kind}_wide", to=TensorProto.INT32)
            shifted = add("Add", [wide, shift], f"{kind}_shifted")
        else:  # without a zero point it is 0
            shifted = shift
        while len(changed.input) <= index:
            changed.input.append("")
        changed.input[index] = add("Cast", [shifted], kind, to=TensorProto.UINT8)
    return [*made, changed]
