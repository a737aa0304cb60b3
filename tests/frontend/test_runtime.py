"""What executes the reference computes integers as the standard says, on any processor."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from rcompile.frontend.runtime import Session


def quantized_product(weights: np.ndarray) -> bytes:
    """A product of uint8 inputs and int8 weights as QDQ, which onnxruntime fuses to an integer kernel."""
    scale = 1 / 65536
    constants = {
        "one": np.float32(1), "scale": np.float32(scale), "u8_zero": np.uint8(0), "s8_zero": np.int8(0), "w": weights,
    }  # fmt: skip
    nodes = [
        ("QuantizeLinear", ["x", "one", "u8_zero"], "xq"),
        ("DequantizeLinear", ["xq", "one", "u8_zero"], "xd"),
        ("DequantizeLinear", ["w", "scale", "s8_zero"], "wd"),
        ("MatMul", ["xd", "wd"], "y"),
        ("QuantizeLinear", ["y", "one", "u8_zero"], "yq"),
        ("DequantizeLinear", ["yq", "one", "u8_zero"], "out"),
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output]) for kind, inputs, output in nodes],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, weights.shape[0]])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, weights.shape[1]])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def test_products_of_signed_weights_do_not_saturate():
    """255 * 127 + 255 * 127 is beyond int16, where processors without VNNI add pairs of products."""
    rows = 64
    weights = np.full((rows, 16), 127, np.int8)
    got = Session(quantized_product(weights), optimize=True).run({"x": np.full((1, rows), 255, np.float32)})
    assert got["out"].tolist() == [[round(rows * 255 * 127 / 65536)] * 16]


@pytest.mark.parametrize("zero_points", [(), ("a_zero",), ("a_zero", "b_zero"), ("", "b_zero")])
def test_integer_operators_do_not_saturate_where_nothing_is_optimized(zero_points):
    rows = 64
    a, b = np.full((1, rows), 255, np.uint8), np.full((rows, 16), 127, np.int8)
    zeros = {"a_zero": np.uint8(3), "b_zero": np.int8(-1)}
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b", *zero_points], ["y"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [1, rows])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1, 16])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in {"b": b, **zeros}.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    got = Session(model, optimize=False).run({"a": a})["y"]
    left, right = (int(zeros[name]) if name in zero_points else 0 for name in ("a_zero", "b_zero"))
    assert got.tolist() == [[rows * (255 - left) * (127 - right)] * 16]
