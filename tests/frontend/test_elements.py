"""How many elements digital operators work on, for one sample."""

import onnx
from conftest import GraphMaker, small_cnn

from rcompile.api import compile_model
from rcompile.options import Options


def elements(model: onnx.ModelProto, tmp_path) -> dict[str, int]:
    onnx.save(model, tmp_path / "m.onnx")
    report = compile_model(tmp_path / "m.onnx", output=tmp_path / "out", options=Options(verify=False))
    assert sum(item.elements for item in report.model.operators) == report.cost.digital.actions["element"]
    found: dict[str, int] = {}
    for item in report.model.operators:
        found[item.op_type] = found.get(item.op_type, 0) + item.elements
    return found


def test_a_residual_sum_works_on_what_it_makes_and_moving_is_no_work(tmp_path):
    found = elements(small_cnn(), tmp_path)
    assert found["Add"] == 4 * 4 * 4
    assert found["Conv"] == 2 * 8 * 8 + 4 * 4 * 4  # what they read is quantized
    assert found["Flatten"] == found["BatchNormalization"] == 0


def test_pooling_works_on_its_windows_reductions_on_what_they_read_products_on_macs(tmp_path, maker: GraphMaker):
    maker.add("Conv", ["x", maker.weight("w", 4, 2, 3, 3)], "conv", pads=[1, 1, 1, 1])
    maker.add("MaxPool", ["conv"], "pooled", kernel_shape=[2, 2], strides=[2, 2])
    maker.add("ReduceSum", ["pooled", maker.constant("axes", [1])], "total", keepdims=0)
    maker.add("Softmax", ["total"], "soft")
    maker.add("MatMul", ["total", "soft"], "y")
    found = elements(maker.model({"x": ["N", 2, 8, 8]}, {"y": ["N", 4, 4]}), tmp_path)
    assert found["MaxPool"] == 4 * 4 * 4 * 2 * 2
    assert found["ReduceSum"] == 4 * 4 * 4
    assert found["Softmax"] == 4 * 4
    assert found["MatMul"] == 4 * 4 * 4


def test_the_body_of_a_loop_works_in_each_step(tmp_path):
    """An LSTM's gates: three sigmoids and two tanh a unit and step, whatever its weights are read from."""
    counts = {}
    for steps in (3, 6):
        m = GraphMaker()
        m.add("LSTM", ["x", m.weight("w", 1, 16, 5), m.weight("r", 1, 16, 4)], "y", hidden_size=4)
        counts[steps] = elements(m.model({"x": [steps, 1, 5]}, {"y": [steps, 1, 1, 4]}), tmp_path)["LSTM"]
    assert counts[6] == 2 * counts[3]
    assert counts[3] >= 3 * 4 * 5
