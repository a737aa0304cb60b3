"""With lossless converters a mapped program equals integer arithmetic bit for bit, however it is mapped."""

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import MODELS, TESTDATA

from rcompile.compiler import compile_file
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target
from rcompile.targets.sections import SIGNS

CELL_BITS = (1, 2, 4)
DAC_BITS = (1, 2)
ROWS = (32, 64, 128, 256, 512)
AT_ONCE = (0, 9, 16)
SIGNED = ("unsigned", "twos_complement", "two_phase")
SUBTRACTIONS = ("digital", "analog")
SHARING = ("layer", "concurrent", "exclusive")


def is_possible(config) -> bool:
    sign, cell_bits, *_, subtraction, _ = config
    if subtraction == "analog" and sign not in {"differential_columns", "differential_arrays"}:
        return False
    return sign != "ternary_pair" or cell_bits == 1


ALL = [
    config
    for config in itertools.product(SIGNS, CELL_BITS, DAC_BITS, ROWS, AT_ONCE, SIGNED, SUBTRACTIONS, SHARING)
    if is_possible(config)
]
MANY = [ALL[index] for index in np.random.default_rng(0).permutation(len(ALL))[:90]]
SOME = [
    ("offset", 1, 2, 32, 0, "unsigned", "digital", "concurrent"),
    ("offset_flip", 2, 1, 128, 0, "unsigned", "digital", "layer"),
    ("offset_flip", 4, 1, 256, 16, "two_phase", "digital", "exclusive"),
    ("zero_offset", 2, 2, 512, 0, "twos_complement", "digital", "layer"),
    ("differential_columns", 2, 2, 128, 0, "unsigned", "digital", "concurrent"),
    ("differential_columns", 4, 1, 64, 9, "unsigned", "analog", "exclusive"),
    ("differential_rows", 2, 1, 128, 0, "two_phase", "digital", "layer"),
    ("differential_arrays", 1, 1, 512, 0, "unsigned", "digital", "exclusive"),
    ("differential_arrays", 4, 2, 64, 16, "twos_complement", "analog", "concurrent"),
    ("center_offset", 2, 1, 256, 0, "unsigned", "digital", "exclusive"),
    ("xnor_pair", 1, 1, 128, 0, "unsigned", "digital", "layer"),
    ("ternary_pair", 1, 1, 256, 0, "unsigned", "digital", "concurrent"),
]
"""Each scheme, DAC, size, section and input scheme, at a fraction of the cost."""

EXAMPLES = (
    "digits_mlp",
    "digits_lenet",
    "digits_lenet_int8",
    "digits_bnn_mlp",
    "digits_ternary_mlp",
    "digits_row_lstm",
)
THIRD_PARTY = (
    "mnist_mlp", "mnist_mlp_int8", "mnist_lenet5", "mnist_lenet5_int8", "cifar10_vgg7", "cifar10_vgg7_int8",
    "cifar10_dsmobile", "cifar10_dsmobile_int8", "crosssim_resnet14", "crosssim_resnet14_int8", "mlperf_ic_resnet8",
    "mlperf_ic_resnet8_int8", "vnn_mnistfc_256x2", "vnn_convnet_maxpool", "vnn_cifar_resnet_2b",
    "vnn_marabou_cifar_small", "zoo_mnist_cntk",
)  # fmt: skip


def load_third_party(name: str):
    """The model's path, input name, samples, labels and calibration samples; skips where the data is not at hand."""
    if not (TESTDATA / "load.py").exists():
        pytest.skip("third-party test data is not at hand")
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("testdata_load", TESTDATA / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(name)


def settings(config) -> dict[str, str]:
    sign, cell_bits, dac_bits, rows, at_once, signed, subtraction, sharing = config
    return {
        "weights.sign": sign,
        "crossbar.cell_bits": str(cell_bits),
        "inputs.dac_bits": str(dac_bits),
        "crossbar.rows": str(rows),
        "crossbar.columns": str(rows),
        "crossbar.rows_at_once": str(at_once),
        "inputs.signed": signed,
        "weights.subtraction": subtraction,
        "crossbar.sharing": sharing,
        "adc.resolution": "lossless",
        "hierarchy.chips": "256",
    }


def compile_exactly(path: Path, data: Path, calibration: Path, config, folder: Path, samples: int = 2):
    target = resolve_target("isaac", settings(config))
    options = Options(exact_samples=samples)
    return compile_file(
        path, target, folder / "program.rcx", options, Trace(), data_path=data, calibration_path=calibration
    )


def assert_exact(result) -> None:
    exact = result.verified.exact
    assert [layer.accumulators for layer in exact.layers] == [0] * len(exact.layers)
    assert exact.outputs == 0
    assert exact.passed, exact.first_failure()


@pytest.mark.parametrize("config", SOME, ids=str)
@pytest.mark.parametrize("name", EXAMPLES)
def test_example_models_are_exact(name, config, tmp_path):
    few = tmp_path / "few.npz"
    with np.load(MODELS / "digits_test.npz") as data:
        np.savez(few, image=data["image"][:4], labels=data["labels"][:4])
    result = compile_exactly(MODELS / f"{name}.onnx", few, MODELS / "digits_calibration.npz", config, tmp_path)
    assert_exact(result)


def third_party_files(name: str, folder: Path, samples: int) -> tuple[Path, Path, Path]:
    model = load_third_party(name)
    feed = model.meta["inputs"][0][0]
    data, calibration = folder / "data.npz", folder / "calibration.npz"
    np.savez(data, **{feed: model.x[:samples]}, labels=np.asarray(model.y[:samples], np.int64))
    np.savez(calibration, **{feed: model.x[-128:] if model.calib is None else model.calib})
    return Path(model.path), data, calibration


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_third_party_models_are_exact_however_mapped(name, tmp_path):
    files = third_party_files(name, tmp_path, 2)
    for config in SOME[::3] if "resnet14" in name else SOME:
        assert_exact(compile_exactly(*files, config, tmp_path))


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_every_node_of_third_party_models_is_accounted_for(name, tmp_path):
    path, data, _ = third_party_files(name, tmp_path, 1)
    result = compile_file(
        path, resolve_target("isaac"), tmp_path / "p.rcx", Options(verify=False), Trace(), data_path=data
    )
    placements = result.compiled.placed.program.source.placements
    assert [item.op_type for item in placements] == [node.op_type for node in onnx.load(path).graph.node]
    assert all(item.reason for item in placements)
    assert {item.placed for item in placements} <= {"crossbar", "digital", "folded"}
    products = [item for item in placements if item.op_type in {"Conv", "Gemm", "MatMul"}]
    assert all(item.placed == "crossbar" for item in products)


@pytest.mark.slow
@pytest.mark.parametrize("name", THIRD_PARTY)
def test_third_party_models_are_exact_in_every_combination(name, tmp_path):
    files = third_party_files(name, tmp_path, 1)
    for config in MANY:
        assert_exact(compile_exactly(*files, config, tmp_path, samples=1))


@pytest.mark.parametrize("name", [n for n in THIRD_PARTY if n.endswith("int8")])
def test_quantized_models_give_onnxruntimes_top1(name, tmp_path):
    path, data, calibration = third_party_files(name, tmp_path, 1500)
    result = compile_exactly(path, data, calibration, SOME[1], tmp_path)
    accuracy = result.verified.accuracy
    assert accuracy.agreement == 1.0
    assert accuracy.mapped_program == accuracy.quantized_model
    if name != "mlperf_ic_resnet8_int8":  # onnxruntime executes most of it in floating point: docs/semantics.md, 6
        assert accuracy.output_difference == 0


@pytest.mark.parametrize("name", [n for n in THIRD_PARTY if not n.endswith("int8")])
def test_float_models_keep_their_top1_within_a_point(name, tmp_path):
    path, data, calibration = third_party_files(name, tmp_path, 1500)
    result = compile_exactly(path, data, calibration, SOME[1], tmp_path)
    accuracy = result.verified.accuracy
    assert accuracy.mapped_program > accuracy.float_model - 0.01
