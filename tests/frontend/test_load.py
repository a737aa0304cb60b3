"""Real files are untidy: unnamed and unsorted nodes, initializers as inputs, external data, free and fixed batches."""

import numpy as np
import onnx
import pytest
from conftest import MODELS, GraphMaker, small_cnn

from rcompile.backends.executor import Executor
from rcompile.backends.functional import Functional
from rcompile.compiler import compile_file
from rcompile.errors import UnsupportedError
from rcompile.frontend.load import load
from rcompile.frontend.runtime import Session
from rcompile.ir import container
from rcompile.ir.graph import Batch
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target


def saved(model: onnx.ModelProto, tmp_path, **options):
    path = tmp_path / "model.onnx"
    onnx.save(model, path, **options)
    return path


def passes(path, tmp_path, **data) -> bool:
    target = resolve_target("classroom")
    result = compile_file(path, target, tmp_path / "program.rcx", Options(), Trace(), **data)
    return result.verified.exact.passed


def test_nodes_without_names_get_one_each(tmp_path):
    model = small_cnn()
    for node in model.graph.node:
        node.name = ""
    model.graph.node[1].name = model.graph.node[2].name = "twice"
    names = [node.name for node in load(saved(model, tmp_path)).nodes]
    assert names == ["Conv_0", "twice", "twice_2", "Conv_3", "Add_4", "Flatten_5", "MatMul_6", "Add_7"]


def test_nodes_in_any_order_are_sorted(tmp_path):
    model = small_cnn()
    nodes = list(model.graph.node)[::-1]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    graph = load(saved(model, tmp_path))
    graph.verify()
    assert passes(tmp_path / "model.onnx", tmp_path)


def test_an_initializer_that_is_also_an_input_is_a_constant(tmp_path):
    model = small_cnn()
    for tensor in model.graph.initializer:
        model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    graph = load(saved(model, tmp_path))
    assert [value.name for value in graph.inputs] == ["x"]
    assert passes(tmp_path / "model.onnx", tmp_path)


def test_external_data_is_read_and_travels_with_the_program(tmp_path):
    model = onnx.load(MODELS / "digits_lenet_int8.onnx")
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    folder = tmp_path / "model"
    folder.mkdir()
    path = saved(model, folder, **options)
    assert passes(path, tmp_path, data_path=MODELS / "digits_test.npz")


@pytest.mark.parametrize(
    ("first", "batch"),
    [
        ("N", Batch(free=True, leading_axis=True)),
        (1, Batch(free=False, leading_axis=True)),
        (3, Batch(free=False, leading_axis=False)),
    ],
)
def test_batches(tmp_path, first, batch):
    maker = GraphMaker()
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "h")
    maker.add("Relu", ["h"], "y")
    path = saved(maker.model({"x": [first, 6]}, {"y": [first, 4]}), tmp_path)
    assert load(path).batch == batch
    shape = (5, 3, 6) if first == 3 else (5, 6)
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).normal(size=shape).astype(np.float32))
    assert passes(path, tmp_path, data_path=tmp_path / "data.npz")


def test_a_free_axis_other_than_the_batch_is_refused(tmp_path):
    maker = GraphMaker()
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    with pytest.raises(
        UnsupportedError, match=r"axis 1 of the input 'x' is free \(seq\); only the batch axis 0 may be"
    ):
        load(saved(maker.model({"x": ["N", "seq", 6]}, {"y": ["N", "seq", 4]}), tmp_path))


@pytest.mark.parametrize("opset", [8, 9, 11, 13, 17, 18, 21])
def test_opsets(tmp_path, opset):
    maker = GraphMaker()
    maker.add("Conv", ["x", maker.weight("w", 3, 2, 3, 3), maker.weight("b", 3)], "c")
    maker.add("Relu", ["c"], "r")
    maker.add("Flatten", ["r"], "f")
    maker.add("Gemm", ["f", maker.weight("v", 48, 5), maker.weight("u", 5)], "y")
    path = saved(maker.model({"x": ["N", 2, 6, 6]}, {"y": ["N", 5]}, opset), tmp_path)
    assert passes(path, tmp_path)


@pytest.mark.parametrize(
    ("weight_bits", "input_bits"), [(1, 1), (1, 8), (2, 3), (4, 4), (8, 5), (9, 9), (13, 16), (16, 16)]
)
def test_any_precision_from_1_to_16_bits(cnn_file, tmp_path, cnn_data, weight_bits, input_bits):
    target = resolve_target("isaac")
    options = Options(weight_bits=weight_bits, input_bits=input_bits)
    result = compile_file(cnn_file, target, tmp_path / "p.rcx", options, Trace(), data_path=cnn_data)
    assert result.verified.exact.passed
    for item in result.compiled.placed.program.matrices:
        assert item.matrix.weight_bits == weight_bits
        assert item.matrix.input.bits == input_bits


def test_more_bits_come_closer_to_the_float_model(cnn_file, tmp_path, cnn_data):
    x = np.load(cnn_data)["x"]
    (expected,) = Session(cnn_file).run({"x": x}).values()
    errors = []
    for bits in (3, 6, 9, 12, 15):
        path = tmp_path / "p.rcx"
        compile_file(
            cnn_file, resolve_target("isaac"), path, Options(bits, bits, verify=False), Trace(), data_path=cnn_data
        )
        (found,) = Executor(Functional(container.load(path).placed)).run({"x": x}).values()
        errors.append(float(np.abs(found - expected).max()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4 * np.abs(expected).max()
