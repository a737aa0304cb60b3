"""Products of bytes by onnxruntime: several times as fast as float32 where processors multiply bytes."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from rcompile.frontend.integer_operator import LARGEST_K, OPSET
from rcompile.frontend.parse import placeholder
from rcompile.frontend.runtime import Session
from rcompile.ir.matrix import IntegerArray


class ByteProduct:
    """Bytes times a matrix of whole numbers, summed in int32.

    Args:
        weights: (K, N), for which `fits` holds.
    """

    def __init__(self, weights: IntegerArray) -> None:
        # unsigned, since signed weights saturate in onnxruntime's kernels on processors without VNNI
        zero = -min(int(weights.min()), 0)
        codes = np.ascontiguousarray((weights + zero).astype(np.uint8))
        graph = helper.make_graph(
            [helper.make_node("MatMulInteger", ["x", "w", "x_zero", "w_zero"], ["y"])],
            "byte_product",
            [helper.make_tensor_value_info("x", TensorProto.UINT8, [None, weights.shape[0]])],
            [helper.make_tensor_value_info("y", TensorProto.INT32, [None, weights.shape[1]])],
            [
                placeholder("w", codes),
                helper.make_tensor("x_zero", TensorProto.UINT8, [], [0]),
                helper.make_tensor("w_zero", TensorProto.UINT8, [], [zero]),
            ],
        )
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", OPSET)])
        self._session = Session(model.SerializeToString(), weights={"w": codes})

    def __call__(self, vectors: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return vectors (V, K) times the weights, (V, N)."""
        return self._session.run({"x": vectors})["y"]


def fits(weights: IntegerArray, largest: int) -> bool:
    """Tell whether a product of numbers up to `largest` with weights (K, N) is one of bytes, which works here."""
    if largest > 255 or weights.shape[0] > LARGEST_K or not weights.size:
        return False
    low, high = min(int(weights.min()), 0), max(int(weights.max()), 0)
    return high - low <= 255 and sound()


@cache
def sound() -> bool:
    """Tell whether onnxruntime multiplies bytes exactly on this processor: where products are largest, and smallest."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-128, -127, 127], (64, 40))
    vectors = rng.choice(np.array([0, 254, 255], np.uint8), (50, 64))
    return np.array_equal(ByteProduct(weights)(vectors), vectors.astype(np.int64) @ weights)
