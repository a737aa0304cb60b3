"""Models that once gave a wrong answer, a false reason or a crash. Found by fuzzing; kept."""

import numpy as np
import onnx
import pytest
from conftest import GraphMaker
from onnx import TensorProto, helper

from rcompile.backends.executor import Executor
from rcompile.backends.functional import Functional
from rcompile.compiler import compile_file
from rcompile.errors import InputError, InternalError, UnsupportedError
from rcompile.frontend.runtime import Session
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.report.build import build_report
from rcompile.targets import resolve_target


def compiled(model: onnx.ModelProto, tmp_path, options=Options(), **arrays):  # noqa: B008 - frozen
    path, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    onnx.save(model, path)
    np.savez(data, **arrays)
    target = resolve_target("isaac", {"hierarchy.chips": "64"})
    return compile_file(path, target, tmp_path / "p.rcx", options, Trace(), data_path=data)


def report_of(result):
    return build_report(result, command=(), started="", elapsed_s=0, phases=())


def uniform(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("taken", ["x.scale", "x.zero_point", "x.codes", "x.least", "x.dequantized", "h.weight.codes"])
def test_names_of_the_model_are_never_taken(maker, tmp_path, taken, bits):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "h")
    maker.add("Mul", ["h", maker.constant(taken, np.array(100.0, np.float32))], "y", name="x.quantize")
    model = maker.model({"x": ["N", 6]}, {"y": ["N", 4]})
    x = uniform(30, 6)
    result = compiled(model, tmp_path, Options(weight_bits=bits, input_bits=bits), x=x)
    assert result.verified.exact.passed
    (expected,) = Session(model.SerializeToString()).run({"x": x}).values()
    (found,) = Executor(Functional(result.compiled.placed)).run({"x": x}).values()
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert result.verified.accuracy.quantization_error < 0.05


def test_a_column_of_zeros_is_zero_at_one_bit(maker, tmp_path):
    weight = np.concatenate([np.zeros((6, 1)), np.ones((6, 1))], axis=1).astype(np.float32)
    maker.add("MatMul", ["x", maker.constant("w", weight)], "y")
    x = uniform(5, 6)
    result = compiled(maker.model({"x": ["N", 6]}, {"y": ["N", 2]}), tmp_path, Options(weight_bits=1), x=x)
    (found,) = Executor(Functional(result.compiled.placed)).run({"x": x}).values()
    assert np.abs(found[:, 0]).max() < 1e-30


def test_a_fixed_batch_counts_all_its_images(maker, tmp_path):
    maker.add("Conv", ["x", maker.weight("w", 3, 2, 3, 3)], "c")
    maker.add("Reshape", ["c", maker.constant("shape", np.array([4, 12]))], "r")
    maker.add("Gemm", ["r", maker.weight("v", 12, 5)], "y")
    report = report_of(compiled(maker.model({"x": [4, 2, 4, 4]}, {"y": [4, 5]}), tmp_path, x=uniform(3, 4, 2, 4, 4)))
    assert [(layer.vectors, layer.macs) for layer in report.layers] == [(16, 864), (4, 240)]


def test_top1_needs_a_list_of_values(maker, tmp_path):
    maker.add("Conv", ["x", maker.weight("w", 3, 2, 1, 1)], "y")
    model = maker.model({"x": ["N", 2, 2, 2]}, {"y": ["N", 3, 2, 2]})
    result = compiled(model, tmp_path, x=uniform(4, 2, 2, 2), labels=np.array([0, 1, 2, 0]))
    assert result.verified.accuracy.mapped_program is None


def test_parameters_are_counted_once(maker, tmp_path):
    w = maker.weight("w", 6, 6)
    maker.add("Gemm", ["x", w, maker.constant("c", np.array(0.5, np.float32))], "h")
    maker.add("MatMul", ["h", w], "y")
    result = compiled(maker.model({"x": ["N", 6]}, {"y": ["N", 6]}), tmp_path, x=uniform(3, 6))
    assert result.verified.exact.passed
    assert result.compiled.placed.program.source.parameters == 36 + 1


def test_accumulators_beyond_int32(tmp_path):
    maker = GraphMaker()
    maker.add("Conv", ["x", maker.constant("w", np.full((1, 4096, 3, 3), 0.7, np.float32))], "y")
    model = maker.model({"x": ["N", 4096, 3, 3]}, {"y": ["N", 1, 1, 1]})
    x = np.ones((1, 4096, 3, 3), np.float32)
    result = compiled(model, tmp_path, Options(weight_bits=16, input_bits=8), x=x)
    assert result.verified.exact.passed


def test_quantized_constant_weights_are_static(maker, tmp_path):
    """float W -> QuantizeLinear -> DequantizeLinear -> MatMul, as quantization-aware training exports it."""
    step = [maker.constant("s", np.array(0.01, np.float32)), maker.constant("z", np.array(0, np.int8))]
    maker.add("QuantizeLinear", ["x", *step], "xq")
    maker.add("DequantizeLinear", ["xq", *step], "xd")
    maker.add("QuantizeLinear", [maker.weight("w", 6, 4), *step], "wq")
    maker.add("DequantizeLinear", ["wq", *step], "wd")
    maker.add("MatMul", ["xd", "wd"], "y")
    result = compiled(maker.model({"x": ["N", 6]}, {"y": ["N", 4]}), tmp_path, x=uniform(9, 6))
    assert result.verified.exact.passed
    assert result.compiled.quantized_by == "model"
    assert [layer.op_type for layer in report_of(result).layers] == ["MatMul"]


def test_half_precision_scales_stay_digital(tmp_path):
    maker = GraphMaker()
    half = [maker.constant("s", np.array(0.01, np.float16)), maker.constant("z", np.array(0, np.int8))]
    maker.add("Cast", ["x"], "xh", to=TensorProto.FLOAT16)
    maker.add("QuantizeLinear", ["xh", *half], "xq")
    maker.add("DequantizeLinear", ["xq", *half], "xd")
    maker.add("DequantizeLinear", [maker.constant("codes", np.ones((6, 4), np.int8)), *half], "wd")
    maker.add("MatMul", ["xd", "wd"], "yh")
    maker.add("Cast", ["yh"], "y", to=TensorProto.FLOAT)
    with pytest.raises(UnsupportedError, match="the scale of its input is float16; rcompile computes in float32"):
        compiled(maker.model({"x": ["N", 6]}, {"y": ["N", 4]}, 19), tmp_path, x=uniform(3, 6))


def test_a_model_whose_products_are_all_dead_has_nothing_to_map(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "unused")
    maker.add("Relu", ["x"], "y")
    with pytest.raises(UnsupportedError, match="MatMul 'unused': no output of the model depends on it"):
        compiled(maker.model({"x": ["N", 6]}, {"y": ["N", 6]}), tmp_path, x=uniform(3, 6))


def test_dropout_whose_mask_is_an_output_stays(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "h")
    maker.nodes.append(helper.make_node("Dropout", ["h"], ["y", "mask"], name="drop"))
    model = maker.model({"x": ["N", 6]}, {"y": ["N", 4]})
    model.graph.output.append(helper.make_tensor_value_info("mask", TensorProto.BOOL, ["N", 4]))
    assert compiled(model, tmp_path, x=uniform(3, 6)).verified.exact.passed


def test_an_output_without_the_batch_axis_is_stacked(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    maker.add("ReduceSum", ["y", maker.constant("axes", np.array([0]))], "total", keepdims=0)
    model = maker.model({"x": ["N", 6]}, {"y": ["N", 4], "total": [4]})
    result = compiled(model, tmp_path, x=uniform(3, 6))
    assert result.verified.exact.passed
    outputs = Executor(Functional(result.compiled.placed)).run({"x": uniform(3, 6)})
    assert outputs["total"].shape == (3, 4)
    assert np.allclose(outputs["total"], outputs["y"])


def test_empty_operands_stay_digital(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    maker.add("MatMul", ["x", maker.constant("e", np.zeros((6, 0), np.float32))], "empty")
    result = compiled(maker.model({"x": ["N", 6]}, {"y": ["N", 4], "empty": ["N", 0]}), tmp_path, x=uniform(3, 6))
    assert result.verified.exact.passed
    assert [item.placed for item in result.compiled.placed.program.source.placements] == ["crossbar", "digital"]


def test_a_random_operator_is_refused(maker, tmp_path):
    maker.nodes.append(helper.make_node("RandomNormal", [], ["r"], name="r", shape=[2, 6]))
    maker.add("MatMul", ["r", maker.weight("w", 6, 4)], "y")
    onnx.save(maker.model({}, {"y": [2, 4]}), tmp_path / "model.onnx")
    with pytest.raises(UnsupportedError, match="its result is drawn at random"):
        compile_file(tmp_path / "model.onnx", resolve_target("isaac"), tmp_path / "p.rcx", Options(), Trace())


def test_a_condition_that_multiplies_is_named(maker, tmp_path):
    inner = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    value = [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
    branch = helper.make_graph(inner, "then", [], value)
    other = helper.make_graph([helper.make_node("Identity", ["a0"], ["b"])], "else", [], value)
    maker.weight("w", 6, 6)
    maker.add("MatMul", ["x", "w"], "a0")
    maker.add("ReduceMax", ["x"], "top", keepdims=0)
    maker.add("Greater", ["top", maker.constant("half", np.array(0.5, np.float32))], "large")
    maker.add("If", ["large"], "y", then_branch=branch, else_branch=other)
    result = compiled(maker.model({"x": [1, 6]}, {"y": [1, 6]}), tmp_path, x=uniform(6, 6))
    assert result.verified.exact.passed
    assert "UNCOUNTED_PRODUCT" in {item.code for item in report_of(result).diagnostics}


@pytest.mark.parametrize("given", ["weight", "input"])
def test_a_model_quantized_by_half_is_completed(maker, tmp_path, given):
    step = [maker.constant("s", np.array(0.01, np.float32)), maker.constant("z", np.array(0, np.int8))]
    data, weight = "x", maker.weight("w", 6, 4)
    if given == "input":
        maker.add("QuantizeLinear", ["x", *step], "xq")
        data = maker.add("DequantizeLinear", ["xq", *step], "xd")
    else:
        codes = maker.constant("codes", maker.rng.integers(-127, 128, (6, 4)).astype(np.int8))
        weight = maker.add("DequantizeLinear", [codes, *step], "wd")
    maker.add("MatMul", [data, weight], "y")
    result = compiled(maker.model({"x": ["N", 6]}, {"y": ["N", 4]}), tmp_path, x=uniform(9, 6))
    assert result.verified.exact.passed
    assert result.compiled.quantized_by == "rcompile"
    assert result.verified.accuracy.quantization_error < 0.02
    assert [item.placed for item in result.compiled.placed.program.source.placements if item.op_type == "MatMul"] == [
        "crossbar"
    ]


MALFORMED = {
    "an input that an operator needs": (lambda m: m.nodes[0].input.__setitem__(1, ""), "input 1 is marked single but has an empty"),
    "a gap among operands": (lambda m: m.nodes.append(helper.make_node("Concat", ["h", ""], ["c"], "gap", axis=0)), "one of its inputs 'inputs' is missing"),
    "a weight of another shape": (lambda m: m.constants[0].dims.__setitem__(0, 5), "is not there, or not what its type and shape ask for"),
    "an attribute that makes no sense": (lambda m: m.nodes[1].attribute.append(helper.make_attribute("perm", [0, 0])), "onnx"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_model_is_the_models_fault(maker, tmp_path, name):
    change, message = MALFORMED[name]
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "h")
    maker.add("Transpose", ["h"], "y")
    change(maker)
    path = tmp_path / "model.onnx"
    onnx.save(maker.model({"x": [3, 6]}, {"y": [4, 3]}), path)
    with pytest.raises(InputError, match=message) as error:
        compile_file(path, resolve_target("isaac"), tmp_path / "p.rcx", Options(), Trace())
    assert error.value.at.file == str(path)


def test_what_no_pass_expects_of_a_sound_model_is_our_bug(maker, tmp_path, monkeypatch):
    def broken(_):
        raise IndexError("off by one")

    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    path = tmp_path / "model.onnx"
    onnx.save(maker.model({"x": [3, 6]}, {"y": [3, 4]}), path)
    broken.__name__ = "lower"
    monkeypatch.setattr("rcompile.compiler.lower", broken)
    with pytest.raises(InternalError, match="off by one"):
        compile_file(path, resolve_target("isaac"), tmp_path / "p.rcx", Options(), Trace())


def test_codes_beyond_their_bits_are_seen(maker, tmp_path):
    """NaN becomes a code that the limits before QuantizeLinear do not allow."""
    scale, zero, bits = (maker.constant(n, np.float32(v)) for n, v in (("s", 0.5), ("z", 0), ("b", 2)))
    for name in ("x", maker.weight("w", 6, 4)):
        maker.add("Quant", [name, scale, zero, bits], f"{name}q", domain="qonnx.custom_op.general")
    maker.add("Log", ["xq"], "l")
    maker.add("Quant", ["l", scale, zero, bits], "lq", domain="qonnx.custom_op.general")
    maker.add("MatMul", ["lq", "wq"], "y")
    path = tmp_path / "model.onnx"
    onnx.save(maker.model({"x": [3, 6]}, {"y": [3, 4]}), path)
    np.savez(tmp_path / "d.npz", x=np.full((2, 3, 6), -1, np.float32))
    with pytest.raises(InputError, match="takes values that its 2 bits do not hold"):
        compile_file(
            path, resolve_target("isaac"), tmp_path / "p.rcx", Options(), Trace(), data_path=tmp_path / "d.npz"
        )
