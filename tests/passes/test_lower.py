"""Lowering recognises products however they are spelled, and says why it does not take the others."""

import numpy as np
import onnx
import pytest

from rcompile.errors import UnsupportedError
from rcompile.frontend.load import load
from rcompile.passes.fold_constants import fold_constants
from rcompile.passes.lower import lower
from rcompile.passes.quantize import Precision, needs_ranges, quantize


def lowered(model: onnx.ModelProto, tmp_path, precision=Precision()):  # noqa: B008 - frozen
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    graph = fold_constants(load(path))
    ranges = dict.fromkeys(needs_ranges(graph), (-1.0, 1.0))
    program = lower(quantize(graph, ranges, precision))
    program.verify()
    return program


def placed(program) -> dict[str, tuple[str, str]]:
    return {item.node: (item.placed, item.reason) for item in program.placements}


def test_every_node_of_the_file_is_accounted_for(cnn_file):
    program = lowered(onnx.load(cnn_file), cnn_file.parent)
    found = placed(program)
    assert list(found) == ["conv1", "norm1", "relu1", "conv2", "sum", "flat", "product", "y"]
    assert found["conv1"] == ("crossbar", "1 matrix of 18 x 4")
    assert found["conv2"] == ("crossbar", "2 matrix groups of 18 x 2")
    assert found["product"] == ("crossbar", "1 matrix of 64 x 5")
    assert found["y"] == ("folded", "part of product")
    assert found["relu1"] == ("digital", "no product of a matrix: a digital unit computes it")


def test_a_product_of_two_activations_stays_digital_and_is_counted(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "a")
    maker.add("Transpose", ["x"], "t")
    maker.add("MatMul", ["t", "a"], "y")
    program = lowered(maker.model({"x": [3, 6]}, {"y": [6, 4]}), tmp_path)
    assert placed(program)["y"] == ("digital", "both operands are computed at run time")
    assert next(item.macs for item in program.placements if item.node == "y") == 6 * 3 * 4


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({"transA": 1}, "transA=1: its left operand is transposed")],
)
def test_reasons_of_refused_products(maker, tmp_path, attributes, reason):
    maker.add("Gemm", ["x", maker.weight("w", 6, 4)], "a")
    maker.add("Gemm", ["a", maker.weight("v", 3, 5)], "y", **attributes)
    program = lowered(maker.model({"x": [3, 6]}, {"y": [4, 5]}), tmp_path)
    assert placed(program)["y"] == ("digital", reason)


def test_nothing_to_map_says_what_was_found(maker, tmp_path):
    maker.add("Relu", ["x"], "r")
    maker.add("MatMul", ["x", "r"], "y")
    with pytest.raises(UnsupportedError) as error:
        lowered(maker.model({"x": [4, 4]}, {"y": [4, 4]}), tmp_path)
    assert error.value.message == ("the model has nothing to map: MatMul 'y': both operands are computed at run time")
    assert error.value.exit_code == 4


def test_one_bit_weights_are_minus_one_and_plus_one(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    (matrix,) = lowered(maker.model({"x": ["N", 6]}, {"y": ["N", 4]}), tmp_path, Precision(1, 1)).matrices
    assert set(np.unique(matrix.weights)) == {-1, 1}
    assert (matrix.weight_bits, matrix.weight_step, set(matrix.weight_low.flat)) == (1, 2, {-1})
    assert matrix.input.bits == 1


def test_a_product_that_no_output_needs_is_dropped(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    maker.add("MatMul", ["x", maker.weight("v", 6, 4)], "unused")
    program = lowered(maker.model({"x": ["N", 6]}, {"y": ["N", 4]}), tmp_path)
    assert [matrix.name for matrix in program.matrices] == ["y"]
    assert placed(program)["unused"] == ("folded", "no output of the model depends on it")
