"""Products of bytes by onnxruntime: several times as fast as float32 where processors multiply bytes."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rcompile.frontend.draft import Draft
from rcompile.frontend.integer_operator import LARGEST_K
from rcompile.frontend.runtime import Session
from rcompile.ir.graph import Value
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
        draft = Draft()
        zeros = (draft.constant(np.uint8(value)) for value in (0, zero))
        draft.add("MatMulInteger", "x", draft.constant(codes), *zeros, name="y")
        inputs, outputs = (Value(n, k, None) for n, k in (("x", "uint8"), ("y", "int32")))
        self._session = Session(draft.model([inputs], [outputs], "byte_product"), weights=draft.weights)

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
