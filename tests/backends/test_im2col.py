"""im2col against onnxruntime's own convolution, in one, two and three dimensions."""

import numpy as np
import pytest
from conftest import GraphMaker

from rcompile.backends.im2col import tensor_of, vectors_of
from rcompile.errors import Origin
from rcompile.frontend.conv import window_of
from rcompile.frontend.runtime import Session
from rcompile.ir.graph import Node
from rcompile.ir.matrix import Epilogue, InputCode, Matrix

CASES = [
    ((7,), (3,), 1, {}),
    ((9,), (2,), 2, {"strides": (2,), "pads": (1, 0), "dilations": (2,)}),
    ((6, 7), (3, 2), 1, {"pads": (1, 0, 2, 1), "strides": (2, 1)}),
    ((8, 8), (3, 3), 4, {"auto_pad": "SAME_UPPER", "strides": (2, 2)}),
    ((7, 9), (2, 4), 2, {"auto_pad": "SAME_LOWER"}),
    ((7, 9), (3, 3), 1, {"auto_pad": "VALID", "dilations": (2, 1)}),
    ((4, 5, 6), (2, 3, 2), 2, {"pads": (0, 1, 1, 1, 1, 0)}),
]


@pytest.mark.parametrize(("spatial", "kernel", "groups", "attributes"), CASES)
def test_products_of_vectors_are_the_convolution(spatial, kernel, groups, attributes):
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (3, 4, *spatial)).astype(np.int8)
    weights = rng.integers(-8, 8, (8, 4 // groups, *kernel))
    zero = 5
    window = window_of(Node("c", "Conv", ("x", "w"), ("y",), attributes=attributes), kernel, spatial)
    matrix = Matrix(
        "c", "Conv", Origin(), weights.reshape(groups, 8 // groups, -1).transpose(0, 2, 1), 8,
        np.full((groups, 8 // groups), -128), 1, InputCode("x", "int8", 8, -128, zero), "y", window, window.positions,
        Epilogue(np.ones(8, np.float32), None, None, None),
    )  # fmt: skip
    vectors = vectors_of(matrix, x).astype(np.int64) - (zero + 128)
    products = np.einsum("vgk,gkn->vgn", vectors, matrix.weights).reshape(len(vectors), -1)
    maker = GraphMaker()
    maker.add("Conv", ["x", maker.constant("w", weights.astype(np.float32))], "y", group=groups, **attributes)
    model = maker.model({"x": [3, 4, *spatial]}, {"y": None})
    (expected,) = Session(model.SerializeToString()).run({"x": (x.astype(np.float32) - zero)}).values()
    np.testing.assert_array_equal(tensor_of(matrix, products, x.shape), expected)
