"""Folding changes the graph, not what it computes."""

import numpy as np
import onnx
import onnxruntime
import pytest

from rcompile.frontend.export import to_model
from rcompile.frontend.load import load
from rcompile.frontend.runtime import Session
from rcompile.passes.canonicalize import canonicalize
from rcompile.passes.fold_batch_norm import fold_batch_norm
from rcompile.passes.fold_constants import fold_constants


def folded(model: onnx.ModelProto, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return fold_batch_norm(canonicalize(fold_constants(load(path))))


def same_outputs(model: onnx.ModelProto, graph, x: np.ndarray) -> None:
    before = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = before.run(None, {"x": x})
    (found,) = session(graph).run({"x": x}).values()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def session(graph) -> Session:
    model = to_model(graph)
    return Session(model.proto, weights=model.weights)


def test_batch_norm_is_folded_into_a_convolution(cnn_file, tmp_path):
    model = onnx.load(cnn_file)
    graph = folded(model, tmp_path)
    assert not any(node.op_type == "BatchNormalization" for node in graph.nodes)
    assert graph.folded["norm1"] == "folded into the weights of conv1"
    same_outputs(model, graph, np.random.default_rng(0).normal(size=(3, 2, 8, 8)).astype(np.float32))


@pytest.mark.parametrize("transposed", [0, 1])
def test_batch_norm_and_factors_are_folded_into_a_gemm(maker, tmp_path, transposed):
    shape = (4, 6) if transposed else (6, 4)
    maker.add(
        "Gemm", ["x", maker.weight("w", *shape), maker.weight("c", 4)], "g", transB=transposed, alpha=0.5, beta=2.0
    )
    norm = [
        maker.constant(f"n{i}", v.astype(np.float32)) for i, v in enumerate(np.abs(maker.rng.normal(1, 0.2, (4, 4))))
    ]
    maker.add("BatchNormalization", ["g", *norm], "y")
    model = maker.model({"x": ["N", 6]}, {"y": ["N", 4]})
    graph = folded(model, tmp_path)
    assert [node.op_type for node in graph.nodes] == ["Gemm"]
    same_outputs(model, graph, np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32))


def test_constants_are_computed_and_unused_ones_dropped(maker, tmp_path):
    shape = maker.constant("shape", np.array([6, 4], np.int64))
    maker.add("Reshape", [maker.weight("flat", 24), shape], "w")
    maker.add("Identity", ["x"], "same")
    maker.add("MatMul", ["same", "w"], "y")
    model = maker.model({"x": ["N", 6]}, {"y": ["N", 4]})
    graph = folded(model, tmp_path)
    assert [node.op_type for node in graph.nodes] == ["MatMul"]
    assert list(graph.constants) == ["w"]
    assert graph.folded == {"w": "constant: computed at compile time", "same": "passes its input through"}
    same_outputs(model, graph, np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32))


def test_batch_norm_that_something_else_reads_stays(maker, tmp_path):
    maker.add("Gemm", ["x", maker.weight("w", 6, 4)], "g")
    norm = [maker.constant(f"n{i}", np.ones(4, np.float32)) for i in range(4)]
    maker.add("BatchNormalization", ["g", *norm], "n")
    maker.add("Add", ["n", "g"], "y")
    model = maker.model({"x": ["N", 6]}, {"y": ["N", 4]})
    graph = folded(model, tmp_path)
    assert [node.op_type for node in graph.nodes] == ["Gemm", "BatchNormalization", "Add"]
