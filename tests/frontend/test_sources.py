"""Where weights come from, and how free dimensions get a size."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from rcompile.compiler import compile_file
from rcompile.errors import InputError, UnsupportedError, UsageError
from rcompile.frontend.load import Source, load
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target


@pytest.fixture
def apart(maker, tmp_path):
    """A model whose weights lie in a file beside it."""
    maker.add("MatMul", ["x", maker.weight("w", 32, 16)], "h")
    maker.add("MatMul", ["h", maker.weight("v", 16, 20)], "y")
    path = tmp_path / "model.onnx"
    onnx.save(
        maker.model({"x": ["N", 32]}, {"y": ["N", 20]}),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    return path


def changed(path, key, value):
    model = onnx.load(path, load_external_data=False)
    entry = next(e for e in model.graph.initializer[0].external_data if e.key == key)
    entry.value = value
    onnx.save(model, path)


def compiled(path, **options):
    return compile_file(path, resolve_target("isaac"), path.with_name("p.rcx"), Options(**options), Trace())


def test_external_weights_are_mapped_from_their_file(apart):
    weights = load(apart).constants["w"]
    base = weights
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    assert compiled(apart).verified.exact.passed


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("location", "missing.bin", "its external data cannot be read: there is no file"),
        ("location", "../weights.bin", "lies outside of the model's folder"),
        ("location", "/etc/passwd", "lies outside of the model's folder"),
        ("offset", "1000000", "is too short"),
    ],
)
def test_external_data_that_cannot_be_read(apart, key, value, message):
    changed(apart, key, value)
    with pytest.raises(InputError, match=message):
        load(apart)


def test_a_model_without_its_weights_is_mapped_by_its_shapes(apart):
    apart.with_name("weights.bin").unlink()
    with pytest.raises(InputError, match="--weightless"):
        load(apart)
    result = compiled(apart, weightless=True)
    assert result.verified is None
    shapes = [(m.rows, m.columns) for m in result.compiled.placed.program.source.matrices]
    assert shapes == [(32, 16), (16, 20)]
    again = load(apart, Source(weightless=True))
    np.testing.assert_array_equal(again.constants["w"], load(apart, Source(weightless=True)).constants["w"])


def test_weights_without_data_are_missing_weights(maker, tmp_path):
    maker.constants.append(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[32, 16]))
    maker.add("MatMul", ["x", "w"], "y")
    path = tmp_path / "model.onnx"
    onnx.save(maker.model({"x": ["N", 32]}, {"y": ["N", 16]}), path)
    with pytest.raises(InputError, match=r"the data of 'w' \(type 1, shape \[32, 16\]\) is not there"):
        load(path)
    assert load(path, Source(weightless=True)).constants["w"].shape == (32, 16)


def test_free_dimensions_get_a_size(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    path = tmp_path / "model.onnx"
    onnx.save(maker.model({"x": ["N", "sequence", 6]}, {"y": ["N", "sequence", 4]}), path)
    with pytest.raises(UnsupportedError) as error:
        load(path)
    assert "axis 1 of the input 'x' is free (sequence); only the batch axis 0 may be" in error.value.message
    assert error.value.hint == "give a size: --dim sequence=N"
    assert load(path, Source({"sequence": 7})).inputs[0].shape == ("N", 7, 6)
    with pytest.raises(UsageError, match="no free dimension 'length'"):
        load(path, Source({"length": 7}))
    assert compiled(path, dimensions={"sequence": 5}).verified.exact.passed


def test_a_free_dimension_without_a_name(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "y")
    path = tmp_path / "model.onnx"
    onnx.save(maker.model({"x": ["N", None, 6]}, {"y": ["N", None, 4]}), path)
    with pytest.raises(UnsupportedError) as error:
        load(path)
    assert error.value.hint == "give a size: --dim x.1=N"
    assert load(path, Source({"x.1": 3})).inputs[0].shape == ("N", 3, 6)


def test_local_functions_are_inlined(maker, tmp_path):
    maker.add("MatMul", ["x", maker.weight("w", 6, 4)], "h")
    maker.add("Twice", ["h"], "y", domain="mine")
    model = maker.model({"x": ["N", 6]}, {"y": ["N", 4]})
    model.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    body = [onnx.helper.make_node("Add", ["a", "a"], ["b"])]
    model.functions.append(
        onnx.helper.make_function("mine", "Twice", ["a"], ["b"], body, [onnx.helper.make_opsetid("", 17)])
    )
    onnx.save(model, tmp_path / "model.onnx")
    assert [node.op_type for node in load(tmp_path / "model.onnx").nodes] == ["MatMul", "Add"]


def test_all_that_stands_in_the_way_is_said_at_once(maker, tmp_path):
    maker.add("RandomNormalLike", ["x"], "r", name="noise")
    maker.add("Fold", ["r"], "f", domain="com.acme", name="fold")
    maker.add("MatMul", ["f", maker.weight("w", 6, 4)], "y")
    model = maker.model({"x": ["N", "sequence", 6]}, {"y": ["N", "sequence", 4]})
    model.opset_import.append(onnx.helper.make_opsetid("com.acme", 1))
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    with pytest.raises(UnsupportedError) as error:
        load(path)
    assert error.value.message.splitlines() == [
        "3 things stand in the way",
        "  no unit can execute com.acme::Fold 'fold'",
        "  RandomNormalLike 'noise': its result is drawn at random, so that nothing could be verified",
        "  axis 1 of the input 'x' is free (sequence); only the batch axis 0 may be",
    ]
    assert "--dim sequence=N" in error.value.hint


def test_weights_that_are_inputs_are_missing_weights_too(maker, tmp_path):
    maker.add("Conv", ["x", "w", "b"], "h", kernel_shape=[3, 3])
    maker.add("BatchNormalization", ["h", "gamma", "beta", "mean", "var"], "y")
    inputs = {
        "x": ["N", 2, 8, 8],
        "w": [4, 2, 3, 3],
        "b": [4],
        **{name: [4] for name in ("gamma", "beta", "mean", "var")},
    }
    path = tmp_path / "model.onnx"
    onnx.save(maker.model(inputs, {"y": ["N", 4, 6, 6]}), path)
    assert [value.name for value in load(path, Source(weightless=True)).inputs] == ["x"]
    result = compiled(path, weightless=True)
    (matrix,) = result.compiled.placed.program.source.matrices
    assert (matrix.rows, matrix.columns, matrix.vectors) == (18, 4, 36)
