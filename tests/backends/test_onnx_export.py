"""The emulation: onnxruntime alone gives what the functional run gives, to the last bit."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import MODELS, GraphMaker, small_cnn

from rcompile import api
from rcompile.backends.chip import Chip
from rcompile.backends.executor import Executor, runs_of
from rcompile.backends.mixed import Mixed
from rcompile.cli.app import app
from rcompile.errors import UsageError
from rcompile.options import Options
from rcompile.targets import list_targets, resolve_target
from rcompile.targets.schema import from_dict
from rcompile.verification.trials import conditions_of

SPREAD = "ideal?lognormal.sigma=0.1&stuck.at_g_max=0.01"
WIRED = SPREAD + "&wires.row_ohm=1&wires.column_ohm=1&power_drift.mean=0.03"
LEVELS = onnxruntime.GraphOptimizationLevel


def digits(count: int = 6) -> dict[str, np.ndarray]:
    data = np.load(MODELS / "digits_test.npz")
    return {name: data[name][:count] for name in data.files if name != "labels"}


def compiled(
    tmp_path: Path, model: Path, target: str = "isaac", options: Options | None = None, **changes: str
) -> Path:
    folder = tmp_path / "out"
    options = options or Options(verify=False)
    api.compile_model(model, target=resolve_target(target, changes), output=folder, options=options)
    return folder


def differences(folder: Path, inputs: dict[str, np.ndarray], device: str = "ideal", **die: object) -> list[float]:
    """Return the largest difference of any output, without onnxruntime's optimizations and with all of them."""
    api.export_onnx(folder, folder / "emulation.onnx", device=device, **die)
    onnx.checker.check_model(str(folder / "emulation.onnx"))
    program = api.load_program(folder)
    placed, count = program.placed, len(next(iter(inputs.values())))
    conditions = conditions_of(device, seed=int(die.get("seed", 0)), faults=die.get("faults"))
    one = conditions.dies(from_dict(program.target))[0]
    expected = Executor(Mixed(placed, Chip(placed, one))).run(inputs)
    found = []
    for level in (LEVELS.ORT_DISABLE_ALL, LEVELS.ORT_ENABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        session = onnxruntime.InferenceSession(folder / "emulation.onnx", options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]
        runs = [session.run(names, run) for run in runs_of(placed.program.source.batch, inputs, 0, count)]
        for name, arrays in zip(names, zip(*runs, strict=True), strict=True):
            own = np.concatenate(arrays).reshape(expected[name].shape)
            found.append(float(np.abs(own.astype(np.float64) - expected[name]).max()))
    return found


@pytest.mark.parametrize(
    "model",
    ["digits_lenet_int8", "digits_lenet", "digits_mlp", "digits_bnn_mlp", "digits_ternary_mlp", "digits_row_lstm"],
)
@pytest.mark.parametrize("bits", ["8", "4"])
def test_models_on_ideal_cells(tmp_path, model, bits):
    """Dense, convolutional, recurrent, binary and ternary; converters that lose nothing, and ones that round."""
    folder = compiled(tmp_path, MODELS / f"{model}.onnx", **{"adc.bits": bits})
    assert set(differences(folder, digits())) == {0.0}


@pytest.mark.parametrize("target", [name for name in list_targets() if name not in {"hu_dpe18", "yao_nature20"}])
def test_every_architecture(tmp_path, target):
    """All sign schemes, input schemes, pulses, sections, turns and kinds of converters."""
    folder = compiled(tmp_path, MODELS / "digits_lenet_int8.onnx", target)
    assert set(differences(folder, digits())) == {0.0}
    assert set(differences(folder, digits(3), SPREAD)) == {0.0}


@pytest.mark.parametrize("device", [SPREAD, WIRED, WIRED.replace("ideal", "ideal@1day")])
def test_dies(tmp_path, device):
    folder = compiled(tmp_path, MODELS / "digits_lenet_int8.onnx")
    assert set(differences(folder, digits(), device, seed=3)) == {0.0}


def test_dies_of_other_numbers_differ(tmp_path):
    folder = compiled(tmp_path, MODELS / "digits_lenet_int8.onnx")
    paths = [folder / f"{trial}.onnx" for trial in range(2)]
    for trial, path in enumerate(paths):
        api.export_onnx(folder, path, device=SPREAD, trial=trial)
    first, second = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, digits())[0] for path in paths
    )
    assert (first != second).any()


def test_copies_take_their_vectors(tmp_path):
    """On a die copies differ: each vector must meet the cells of its own."""
    folder = compiled(
        tmp_path,
        MODELS / "digits_lenet_int8.onnx",
        options=Options(verify=False, objective="throughput"),
        **{"hierarchy.mesh_rows": "1", "hierarchy.mesh_columns": "1"},
    )
    replicas = [item.replicas for item in api.load_program(folder).placed.program.matrices]
    assert max(replicas) > 8
    assert set(differences(folder, digits(), SPREAD)) == {0.0}


def test_faults_shared_crossbars_and_rounded_partial_sums(tmp_path):
    small = {"crossbar.rows": "32", "crossbar.columns": "32", "partial_sums.bits": "8", "crossbar.sharing": "exclusive"}
    folder = compiled(tmp_path, MODELS / "digits_lenet_int8.onnx", "classroom", **small)
    assert set(differences(folder, digits())) == {0.0}
    assert set(differences(folder, digits(), SPREAD)) == {0.0}


def test_windows_groups_and_transposed_convolutions(tmp_path):
    onnx.save(small_cnn(), tmp_path / "cnn.onnx")
    x = np.random.default_rng(0).normal(size=(4, 2, 8, 8)).astype(np.float32)
    assert set(differences(compiled(tmp_path, tmp_path / "cnn.onnx"), {"x": x})) == {0.0}
    maker = GraphMaker()
    maker.add("ConvTranspose", ["x", maker.weight("w", 2, 3, 3, 3)], "a", strides=[2, 2], pads=[1, 0, 0, 1])
    maker.add("Conv", ["a", maker.weight("v", 2, 3, 3, 2)], "y", dilations=[2, 1], strides=[1, 2], pads=[2, 1, 0, 1])
    model = maker.model({"x": ["N", 2, 8, 8]}, {"y": ["N", 2, None, None]})
    onnx.save(model, tmp_path / "turned.onnx")
    assert set(differences(compiled(tmp_path, tmp_path / "turned.onnx"), {"x": x})) == {0.0}


@pytest.mark.parametrize("opset", [9, 11, 13, 21])
def test_operator_sets_of_many_years(tmp_path, opset):
    maker = GraphMaker()
    maker.add("Conv", ["x", maker.weight("w", 4, 2, 3, 3)], "a")
    maker.add("Relu", ["a"], "b")
    maker.add("Flatten", ["b"], "c")
    maker.add("MatMul", ["c", maker.weight("v", 144, 5)], "y")
    onnx.save(maker.model({"x": ["N", 2, 8, 8]}, {"y": ["N", 5]}, opset=opset), tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(4, 2, 8, 8)).astype(np.float32)
    assert set(differences(compiled(tmp_path, tmp_path / "m.onnx"), {"x": x})) == {0.0}


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("hfo2_1t1r", "reads of the device are noisy, and an ONNX model computes the same each time"),
        ("ideal?converters.offset_lsb=0.5", "reads of the device are no products of inputs and cells"),
        ("ideal?drivers.gain=0.1", "reads of the device are no products of inputs and cells"),
    ],
)
def test_what_no_fixed_model_does_is_refused_and_nothing_is_written(tmp_path, device, message):
    folder = compiled(tmp_path, MODELS / "digits_mlp.onnx")
    with pytest.raises(UsageError, match=message):
        api.export_onnx(folder, tmp_path / "e.onnx", device=device)
    assert not (tmp_path / "e.onnx").exists()


def test_the_graph_to_look_at_has_a_node_for_each_matrix(tmp_path):
    folder = compiled(tmp_path, MODELS / "digits_row_lstm.onnx")
    api.export_graph(folder, tmp_path / "graph.onnx")
    graph = onnx.load(tmp_path / "graph.onnx").graph
    nodes = [
        *graph.node,
        *(inner for node in graph.node for a in node.attribute if a.HasField("g") for inner in a.g.node),
    ]
    found = {node.name: {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute} for node in nodes
             if node.domain == "rcompile"}  # fmt: skip
    assert set(found) == {"lstm.forward.input", "lstm.forward.recurrent", "fc1"}
    assert found["fc1"]["crossbars"] == 1
    assert found["fc1"]["tiles"] == [0]
    assert {value.name for value in graph.output} == {
        value.name for value in api.load_program(folder).placed.program.source.outputs
    }


def test_the_command(tmp_path, capsys):
    folder = compiled(tmp_path, MODELS / "digits_mlp.onnx")
    paths = tmp_path / "e.onnx", tmp_path / "g.onnx"
    assert app(["export", str(folder), "--onnx", str(paths[0]), "--graph", str(paths[1])]) == 0
    assert all(path.exists() for path in paths)
    assert capsys.readouterr().out.count("wrote") == 2
    for wrong in ([], ["--graph", "g.onnx", "--trial", "2"], ["--onnx", "e.txt"]):
        with pytest.raises(UsageError):
            app(["export", str(folder), *wrong])
