"""Lowering recognises products however they are spelled, and says why it does not take the others."""

import numpy as np
import onnx
import pytest

from rcompile.compiler import compile_file
from rcompile.errors import InputError, UnsupportedError
from rcompile.frontend.load import load
from rcompile.options import Options
from rcompile.passes.lower import lower, require_mapped
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.simplify import simplify
from rcompile.targets import resolve_target


def lowered(model: onnx.ModelProto, tmp_path, precision=Precision()):  # noqa: B008 - frozen
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    graph = simplify(load(path), Trace())
    ranges = dict.fromkeys(needs_ranges(graph, precision), (-1.0, 1.0))
    program = require_mapped(lower(quantize(graph, ranges, precision)))
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
    [
        ({}, "1 matrix of 4 x 5"),
        ({"transA": 1}, "1 matrix of 3 x 5"),
        ({"alpha": 0.5, "transA": 1}, "1 matrix of 3 x 5"),
    ],
)
def test_a_gemm_is_mapped_however_it_is_spelled(maker, tmp_path, attributes, reason):
    maker.add("Gemm", ["x", maker.weight("w", 6, 4)], "a")
    maker.add("Gemm", ["a", maker.weight("v", 3 if attributes else 4, 5)], "y", **attributes)
    program = lowered(maker.model({"x": [3, 6]}, {"y": [4 if attributes else 3, 5]}), tmp_path)
    assert placed(program)["y"] == ("crossbar", reason)


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
    assert (matrix.weight_bits, set(matrix.weight_step.flat), set(matrix.weight_low.flat)) == (1, {2}, {-1})
    assert matrix.input.bits == 1


def test_a_product_that_no_output_needs_is_dropped(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    maker.add("MatMul", ["x", maker.weight("v", 6, 4)], "unused")
    program = lowered(maker.model({"x": ["N", 6]}, {"y": ["N", 4]}), tmp_path)
    assert [matrix.name for matrix in program.matrices] == ["y"]
    assert placed(program)["unused"] == ("folded", "no output of the model depends on it")


@pytest.mark.parametrize("per_channel", [False, True])
def test_transposed_dequantized_weights_are_static(maker, tmp_path, per_channel):
    """PyTorch's way: DequantizeLinear -> Transpose -> MatMul."""
    codes = maker.constant("codes", maker.rng.integers(-127, 128, (4, 6)).astype(np.int8))
    scale = np.linspace(0.01, 0.04, 4) if per_channel else np.array(0.02)
    zero = np.zeros(scale.shape, np.int8)
    parameters = [maker.constant("scale", scale.astype(np.float32)), maker.constant("zero", zero)]
    maker.add("DequantizeLinear", [codes, *parameters], "weight", axis=0)
    maker.add("Transpose", ["weight"], "transposed", perm=[1, 0])
    step = [maker.constant("step", np.array(0.1, np.float32)), maker.constant("middle", np.array(128, np.uint8))]
    maker.add("QuantizeLinear", ["x", *step], "q")
    maker.add("DequantizeLinear", ["q", *step], "d")
    maker.add("MatMul", ["d", "transposed"], "y")
    model = maker.model({"x": ["N", 6]}, {"y": ["N", 4]})
    onnx.save(model, tmp_path / "model.onnx")
    result = compile_file(tmp_path / "model.onnx", resolve_target("isaac"), tmp_path / "p.rcx", Options(), Trace())
    assert result.verified.exact.passed
    assert result.verified.accuracy.output_difference < 1e-5
    assert [item.placed for item in result.compiled.placed.program.source.placements if item.op_type == "MatMul"] == [
        "crossbar"
    ]


def test_weights_that_are_not_numbers_are_refused(maker, tmp_path):
    weight = maker.rng.normal(size=(6, 4)).astype(np.float32)
    weight[2, 1] = np.nan
    maker.add("MatMul", ["x", maker.constant("w", weight)], "y", name="fc")
    with pytest.raises(InputError, match=r"MatMul 'fc': 1 of its weights \('w'\) are NaN or infinite"):
        lowered(maker.model({"x": ["N", 6]}, {"y": ["N", 4]}), tmp_path)


@pytest.mark.parametrize("scale", [0.0, 1e-44, 1e-38, 1e30])
def test_extreme_scales(maker, tmp_path, scale):
    maker.add("MatMul", ["x", maker.constant("w", np.full((6, 4), scale, np.float32))], "h")
    maker.add("MatMul", ["h", maker.weight("v", 4, 3)], "y")
    onnx.save(maker.model({"x": ["N", 6]}, {"y": ["N", 3]}), tmp_path / "model.onnx")
    result = compile_file(tmp_path / "model.onnx", resolve_target("isaac"), tmp_path / "p.rcx", Options(), Trace())
    assert result.verified.exact.passed
