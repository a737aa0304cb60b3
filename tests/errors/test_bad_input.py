"""Bad input: one clear message with the remedy, the right exit code, nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import GraphMaker, small_cnn

from rcompile.targets import list_targets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with good and bad files."""
    model = small_cnn()
    onnx.save(model, tmp_path / "ok.onnx")
    data = (tmp_path / "ok.onnx").read_bytes()
    (tmp_path / "truncated.onnx").write_bytes(data[: len(data) // 2])
    (tmp_path / "photo.onnx").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(200)))
    (tmp_path / "empty.onnx").write_bytes(b"")
    maker = GraphMaker()
    maker.add("Add", ["x", "c"], "a")
    maker.add("Relu", ["a"], "b")
    maker.add("Mul", ["b", "x"], "c")
    onnx.save(maker.model({"x": ["N", 4]}, {"c": ["N", 4]}), tmp_path / "cycle.onnx")
    maker = GraphMaker()
    maker.add("Relu", ["x"], "y")
    onnx.save(maker.model({"x": ["N", 4]}, {"y": ["N", 4]}), tmp_path / "relu.onnx")
    maker = GraphMaker()
    maker.add("Fold", ["x"], "y", domain="com.acme", name="q1")
    strange = maker.model({"x": ["N", 4]}, {"y": ["N", 4]})
    strange.opset_import.append(onnx.helper.make_opsetid("com.acme", 1))
    onnx.save(strange, tmp_path / "strange.onnx")
    model.graph.node[0].op_type = "Konv"
    onnx.save(model, tmp_path / "konv.onnx")
    x = np.zeros((3, 2, 8, 8), np.float32)
    np.savez(tmp_path / "name.npz", image=x)
    np.savez(tmp_path / "shape.npz", x=np.zeros((3, 2, 8, 9), np.float32))
    np.savez(tmp_path / "dtype.npz", x=x.astype(np.float64))
    np.savez(tmp_path / "labels.npz", x=x, labels=np.zeros(4, np.int64))
    np.savez(tmp_path / "none.npz", x=x[:0])
    x[1, 0, 0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", x=x)
    np.save(tmp_path / "single.npz", x)
    (tmp_path / "single.npz.npy").rename(tmp_path / "single.npz")
    (tmp_path / "junk.npz").write_text("junk")
    text = (Path(list_targets.__code__.co_filename).parent / "isaac.toml").read_text()
    for old, new in (("rows = 128", "rows = 0"), ("cell_bits = 2", "cel_bits = 2"), ("offset_flip", "ofset")):
        text = text.replace(old, new, 1)
    (tmp_path / "three.toml").write_text(text)
    (tmp_path / "broken.toml").write_text("name = [")
    (tmp_path / "bits.toml").write_text("[default]\nweigh_bits = 3\n[layer.a]\nx = 1\n[layers.b]\nadc_bits = 0\n")
    (tmp_path / "nowhere.toml").write_text("[layers.conx1]\nweight_bits = 3\n")
    (tmp_path / "wide.toml").write_text("[layers.conv1]\nadc_bits = 9\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "rcompile", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


CASES = {
    "missing file": (["nothing.onnx"], 3, "nothing.onnx: there is no such file\nhint: check the path of the model"),
    "truncated": (
        ["truncated.onnx"], 3,
        "truncated.onnx: this is not a complete ONNX file: its 1250 bytes do not parse as a protobuf model "
        "(truncated or corrupted?)\nhint: export or download the model again",
    ),
    "a photo": (
        ["photo.onnx"], 3,
        "photo.onnx: this is not a complete ONNX file: it looks like a JPEG image\n"
        "hint: export or download the model again",
    ),
    "empty": (["empty.onnx"], 3, "empty.onnx: this is not a usable ONNX model: it is empty\nhint: export the model again"),
    "a cycle": (
        ["cycle.onnx"], 3,
        "cycle.onnx: the graph has a cycle: a -> b -> c -> a\n"
        "hint: an ONNX graph must be acyclic; use Loop or Scan for recurrence",
    ),
    "unknown operator": (
        ["konv.onnx"], 3,
        "konv.onnx: the model breaks ONNX's rules: No Op registered for Konv with domain_version of 17 "
        "==> Context: Bad node spec for node. Name: conv1 OpType: Konv\n"
        "hint: run onnx.checker.check_model on it, and export it again",
    ),
    "foreign operator": (
        ["strange.onnx"], 4,
        "strange.onnx: no unit can execute com.acme::Fold 'q1'\n"
        "hint: export the model with standard operators, or with the operators as local functions",
    ),
    "nothing to map": (
        ["relu.onnx"], 4,
        "relu.onnx: the model has nothing to map: it has none of Conv, ConvInteger, ConvTranspose, Gemm, MatMul, MatMulInteger\n"
        "hint: rcompile maps products with static weights; --weightless takes inputs that are weights as such",
    ),
    "wrong input name": (
        ["ok.onnx", "--data", "name.npz"], 3,
        "name.npz: the data set does not fit the model\n  there is no array 'x'; did you mean to rename 'image'?\n"
        "hint: the model wants x: float32 [samples, 2, 8, 8]",
    ),
    "wrong shape": (
        ["ok.onnx", "--data", "shape.npz"], 3,
        "shape.npz: the data set does not fit the model\n  'x' must have the shape [samples, 2, 8, 8], is [3, 2, 8, 9]\n"
        "hint: the model wants x: float32 [samples, 2, 8, 8]",
    ),
    "wrong dtype": (
        ["ok.onnx", "--calibration", "dtype.npz"], 3,
        "dtype.npz: the data set does not fit the model\n  'x' must be float32, is float64\n"
        "hint: the model wants x: float32 [samples, 2, 8, 8]",
    ),
    "NaN": (
        ["ok.onnx", "--data", "nan.npz"], 3,
        "nan.npz: the data set does not fit the model\n"
        "  'x' holds 1 values that are NaN or infinite, the first in sample 1\n"
        "hint: the model wants x: float32 [samples, 2, 8, 8]",
    ),
    "labels": (
        ["ok.onnx", "--data", "labels.npz"], 3,
        "labels.npz: the data set does not fit the model\n  arrays differ in length: x 3, labels 4\n"
        "hint: the model wants x: float32 [samples, 2, 8, 8]",
    ),
    "no samples": (
        ["ok.onnx", "--data", "none.npz"], 3,
        "none.npz: the data set does not fit the model\n  it has no samples\n"
        "hint: the model wants x: float32 [samples, 2, 8, 8]",
    ),
    "a single array": (
        ["ok.onnx", "--data", "single.npz"], 3,
        "single.npz: this is a single array; a data set is an .npz file with one array per model input\n"
        "hint: numpy.savez(path, **{input_name: array}) writes one",
    ),
    "junk data": (
        ["ok.onnx", "--data", "junk.npz"], 3,
        "junk.npz: this is no numpy archive; a data set is an .npz file with one array per model input\n"
        "hint: numpy.savez(path, **{input_name: array}) writes one",
    ),
    "unknown target": (
        ["ok.onnx", "--target", "isac"], 2,
        "there is no target 'isac'; `rcompile targets` lists the 38 that there are\nhint: did you mean 'isaac'?",
    ),
    "three mistakes": (
        ["ok.onnx", "--target", "three.toml"], 2,
        "three.toml: 3 mistakes in the target file\n"
        "  line 6: crossbar.rows must be at least 1, is 0\n"
        "  line 8: crossbar.cel_bits is not a field; did you mean 'crossbar.cell_bits'?\n"
        "  line 13: weights.sign must be one of offset, offset_flip, zero_offset, differential_columns, differential_rows, "
        "differential_arrays, center_offset, xnor_pair, ternary_pair, is 'ofset'\n"
        "hint: `rcompile targets isaac` shows a complete target",
    ),
    "broken TOML": (
        ["ok.onnx", "--target", "broken.toml"], 2,
        "broken.toml: this is not valid TOML: Invalid value (at end of document)",
    ),
    "output below nothing": (
        ["ok.onnx", "-o", "/nowhere/out"], 2,
        "/nowhere/out: the output folder cannot be written: there is no folder /nowhere\n"
        "hint: choose another with -o DIR",
    ),
    "output is a file": (
        ["ok.onnx", "-o", "ok.onnx"], 2,
        "ok.onnx: the output must be a folder, but this is a file\nhint: choose another with -o DIR",
    ),
    "mistyped flag": (
        ["ok.onnx", "--weigth-bits", "4"], 2,
        "Unknown option: --weigth-bits. Did you mean --weight-bits?\nhint: rcompile --help lists the verbs and flags",
    ),
    "too many bits": (
        ["ok.onnx", "--weight-bits", "44"], 2,
        'Invalid value "44" for --weight-bits. Must be <= 24.\nhint: rcompile --help lists the verbs and flags',
    ),
    "mistyped verb": (["inspekt", "ok.onnx"], 2, "there is no verb or file 'inspekt'\nhint: did you mean 'inspect'?"),
    "mistyped setting": (
        ["ok.onnx", "--set", "crossbar.row=4"], 2,
        "--set: 'crossbar.row' is not a field of a target; did you mean 'crossbar.rows'?\n"
        "hint: `rcompile targets isaac` shows every field, with its meaning",
    ),
    "slices that hold too few bits": (
        ["ok.onnx", "--set", "weights.slices=[2, 2, 2]"], 2,
        "ok.onnx: Conv 'conv1': weights.slices = [2, 2, 2] holds 2 + 2 + 2 = 6 bits; the 8-bit weights of conv1 are codes of "
        "8 bits in offset_flip\n"
        "hint: give widths that add up to 8, for example [2, 2, 2, 2], or [] for as many as a cell holds",
    ),
    "slices that hold too many bits": (
        ["ok.onnx", "--set", "weights.slices=[2, 2, 2, 2]", "--set", "weights.sign=differential_rows"], 2,
        "ok.onnx: Conv 'conv1': weights.slices = [2, 2, 2, 2] holds 2 + 2 + 2 + 2 = 8 bits; the 8-bit weights of conv1 are "
        "codes of 7 bits in differential_rows\n"
        "hint: give widths that add up to 7, for example [2, 2, 2, 1], or [] for as many as a cell holds",
    ),
    "a slice wider than a cell": (
        ["ok.onnx", "--set", "weights.slices=[4, 4]"], 2,
        "isaac.toml: 1 mistake in the target file, as --set changes it\n"
        "  --set: weights.slices has a slice of 4 bits; a cell holds 2: raise crossbar.cell_bits or cut the slice\n"
        "hint: `rcompile targets isaac` shows a complete target",
    ),
    "no slices but a number": (
        ["ok.onnx", "--set", "weights.slices=2"], 2, "--set: weights.slices must be a list in brackets, is 2",
    ),
    "no bit in a converter": (
        ["ok.onnx", "--set", "adc.bits=0"], 2, "--set: adc.bits must be at least 1 bit, is 0",
    ),
    "a scheme that the hardware lacks": (
        ["ok.onnx", "--set", 'weights.supported=["offset", "offset_flip"]', "--set", "weights.sign=xnor_pair"], 2,
        "isaac.toml: 1 mistake in the target file, as --set changes it\n"
        "  --set: weights.sign is xnor_pair, which the periphery of isaac cannot do: weights.supported lists offset, "
        "offset_flip\n"
        "hint: `rcompile targets isaac` shows a complete target",
    ),
    "analog subtraction of nothing": (
        ["ok.onnx", "--set", "weights.subtraction=analog"], 2,
        "isaac.toml: 1 mistake in the target file, as --set changes it\n"
        "  --set: weights.subtraction must be digital for offset_flip, which has no second polarity to subtract; "
        "differential_arrays and differential_columns have one\n"
        "hint: `rcompile targets isaac` shows a complete target",
    ),
    "a large flash converter": (
        ["ok.onnx", "--set", "adc.kind=flash"], 2,
        "isaac.toml: 1 mistake in the target file, as --set changes it\n"
        "  line 24: adc.bits must be at most 6 for a flash converter, is 8: it would have 255 comparators, more than there are "
        "cells to read; adc.kind = sar has one\n"
        "hint: `rcompile targets isaac` shows a complete target",
    ),
    "mistakes in a precision file": (
        ["ok.onnx", "--precision", "bits.toml"], 2,
        "bits.toml: 3 mistakes in the precision file\n"
        "  [layer] is not a section; there are [default] and [layers.NAME]\n"
        "  default: weigh_bits is not a field; did you mean 'weight_bits'?\n"
        "  layers.'b': adc_bits must be a whole number from 1 to 24, is 0",
    ),
    "precision of no layer": (
        ["ok.onnx", "--precision", "nowhere.toml"], 2,
        "nowhere.toml: layers.'conx1' matches none of the layers on crossbars: conv1, conv2, product\n"
        "hint: did you mean 'conv1'?",
    ),
    "more bits than the converters have": (
        ["ok.onnx", "--precision", "wide.toml"], 2,
        "wide.toml: adc_bits of conv1 is 9: the converters of isaac have 8 bits\n"
        "hint: --set adc.bits=9, or at most 8 in the rule",
    ),
    "narrow amplitude DACs": (
        ["ok.onnx", "--set", "inputs.encoding=amplitude", "--set", "inputs.dac_bits=4"], 2,
        "ok.onnx: Conv 'conv1': inputs.encoding = amplitude presents an input in one cycle: its 8 bits need DACs of 8, isaac "
        "has inputs.dac_bits = 4\n"
        "hint: --set inputs.dac_bits=8, fewer --input-bits (float models), or inputs.encoding = bit_serial",
    ),
    "an analog chain of sliced weights": (
        ["ok.onnx", "--set", "inputs.encoding=amplitude", "--set", "inputs.dac_bits=8", "--set", "adc.kind=none",
         "--set", "weights.sign=differential_rows"], 2,
        "ok.onnx: Conv 'conv1': adc.kind = none adds nothing behind the crossbar, but the weights of conv1 take 4 slices\n"
        "hint: hold a weight in one cell: crossbar.cell_bits of at least 7, or fewer bits",
    ),
    "unknown pass": (
        ["ok.onnx", "--print-ir-after", "nope"], 2,
        "--print-ir-after: there is no pass 'nope'\n"
        "hint: the passes are fold_constants, expand, canonicalize, fold_batch_norm, quantize, lower, partition, slice_inputs, "
        "flip_weights, assign_adcs, assign_partial_sums, replicate, place, avoid_faults, schedule",
    ),
    "too small a chip": (
        ["ok.onnx", "--set", "hierarchy.mesh_rows=1", "--set", "hierarchy.mesh_columns=1",
         "--set", "hierarchy.counts=[2, 1]"], 5,
        "ok.onnx: 3 crossbars are needed, isaac has 2 (1 x 2 a chip): 1 (conv1) + 1 (conv2) + 1 (product) > 2\n"
        "hint: use 2 chips (--set hierarchy.chips=2); or run in 2 rounds (--rounds 2: 3 crossbars written anew each time); or share crossbars (--set crossbar.sharing=concurrent: 1 crossbar); "
        "or use fewer weight bits (--weight-bits, for float models); or hold more bits in a cell (--set crossbar.cell_bits=...)",
    ),
    "a check of nothing": (
        ["targets", "--check"], 2, "--check takes a target\nhint: rcompile targets my.toml --check",
    ),
    "a plot that is no SVG": (
        ["targets", "--plot", "all.png"], 2, "--plot: all.png must end in .svg",
    ),
    "training of a model": (
        ["inspect", "ok.onnx", "--training"], 2,
        "ok.onnx: training is estimated for a mapped program\n"
        "hint: rcompile ok.onnx --no-verify, then rcompile inspect ok.rcompile --training",
    ),
    "an epoch without training": (
        ["inspect", "ok.onnx", "--samples", "100"], 2,
        "--samples, --batch and --device are of --training\nhint: rcompile inspect ok.onnx --training",
    ),
    "a component that is not there": (
        ["ok.onnx", "--set", "components.adk.count=2"], 2,
        "--set: 'components.adk.count' is not a field of a target; did you mean 'components.adc.count'?\n"
        "hint: `rcompile targets isaac` shows every field, with its meaning",
    ),
    "more converters than there are": (
        ["ok.onnx", "--set", "components.adc.count=2"], 2,
        "isaac.toml: 1 mistake in the target file, as --set changes it\n"
        "  --set: components.adc.count is 2 for 8 crossbars, and adc.per_crossbar says 8: leave one of them out\n"
        "hint: `rcompile targets isaac` shows a complete target",
    ),
    "missing program": (
        ["verify", "nothing.rcx"], 3,
        "nothing.rcx: there is no such program file\nhint: rcompile MODEL.onnx writes one",
    ),
    "not a program": (
        ["inspect", "fake.rcx"], 3,
        "fake.rcx: this is not a program file, or it is truncated: File is not a zip file\nhint: compile the model again",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_clear_message(case, folder):
    arguments, code, message = CASES[case]
    (folder / "fake.rcx").write_text("no archive")
    before = sorted(folder.iterdir())
    result = run(folder, *arguments)
    assert result.stderr == f"error: {message}\n"
    assert result.returncode == code
    assert result.stdout == ""
    assert sorted(folder.iterdir()) == before, "a file was left behind"


def test_an_output_folder_that_may_not_be_written(folder):
    locked = folder / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")
    result = run(folder, "ok.onnx", "-o", "locked/out")
    assert result.returncode == 2
    assert "the output folder cannot be written: Permission denied" in result.stderr


def test_a_failed_run_keeps_the_previous_output(folder):
    assert run(folder, "ok.onnx", "--no-verify").returncode == 0
    before = {path.name: path.read_bytes() for path in (folder / "ok.rcompile").iterdir()}
    assert run(folder, "ok.onnx", "--data", "nan.npz").returncode == 3
    assert {path.name: path.read_bytes() for path in (folder / "ok.rcompile").iterdir()} == before
