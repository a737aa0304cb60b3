"""The command line as a user meets it, on the shipped models."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import MODELS

from rcompile.ir import container
from rcompile.report.schema import Report, from_json
from rcompile.targets import resolve_target

ACCURACIES = json.loads((MODELS / "accuracies.json").read_text())


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "rcompile", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, **environment},
    )  # fmt: skip


def report_of(folder: Path) -> Report:
    return from_json((folder / "report.json").read_bytes())


@pytest.mark.parametrize(
    "name",
    ["digits_mlp", "digits_lenet", "digits_lenet_int8", "digits_bnn_mlp", "digits_ternary_mlp", "digits_row_lstm"],
)
def test_shipped_models_compile_pass_and_keep_their_accuracy(name, tmp_path):
    result = run(
        tmp_path, str(MODELS / f"{name}.onnx"), "--data", str(MODELS / "digits_test.npz"),
        "--calibration", str(MODELS / "digits_calibration.npz"),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert "PASS" in result.stderr
    report = report_of(tmp_path / f"{name}.rcompile")
    assert report.verification.exact.status == "pass"
    assert all(layer.max_abs_difference == 0 for layer in report.verification.exact.layers)
    accuracy = report.verification.accuracy
    known = ACCURACIES[f"{name}.onnx"]["top1"]
    assert accuracy.samples == 360
    original = accuracy.quantized if name.endswith("int8") else accuracy.float_
    assert original == pytest.approx(known, abs=0.003)  # one sample is 0.0028: other processors may round differently
    assert accuracy.ideal >= known - 0.01
    assert sum(item.count for item in report.model.operators) == len(
        {n for i in report.model.operators for n in i.nodes}
    )
    assert all(item.reason for item in report.model.operators)


def test_files_and_json_on_stdout(tmp_path):
    result = run(tmp_path, str(MODELS / "digits_mlp.onnx"), "--json", "-", "-o", "out")
    assert result.returncode == 0
    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "report.json").read_text())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "program.rcx",
        "report.csv",
        "report.html",
        "report.json",
        "trace.json",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    codes = {item["code"] for item in json.loads(result.stdout)["diagnostics"]}
    assert {"RANDOM_RANGES", "NO_LABELS"} <= codes


def test_the_model_is_not_modified(tmp_path):
    model = tmp_path / "model.onnx"
    model.write_bytes((MODELS / "digits_lenet.onnx").read_bytes())
    run(tmp_path, "model.onnx")
    assert model.read_bytes() == (MODELS / "digits_lenet.onnx").read_bytes()


def test_same_input_gives_the_same_bytes_and_numbers(tmp_path):
    """Whatever the hash seed and the number of threads, in new processes."""
    environments = [{"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"}, {"PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "2"}]
    reports = []
    for index, environment in enumerate(environments):
        folder = tmp_path / str(index)
        folder.mkdir()
        result = run(
            folder, str(MODELS / "digits_lenet.onnx"), "--data", str(MODELS / "digits_test.npz"), "--objective", "throughput",
            "--set", "hierarchy.counts=[8, 1]", **environment,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        report = json.loads((folder / "digits_lenet.rcompile" / "report.json").read_text())
        for times in ("started", "elapsed_s", "phases", "peak_memory_bytes"):
            report.pop(times)
        reports.append(report)
    assert reports[0] == reports[1]
    first, second = (tmp_path / str(i) / "digits_lenet.rcompile" / "program.rcx" for i in range(2))
    assert first.read_bytes() == second.read_bytes()


def test_verify_and_inspect_need_only_the_program(tmp_path):
    assert run(tmp_path, str(MODELS / "digits_lenet_int8.onnx"), "--no-verify", "-o", "out").returncode == 0
    assert report_of(tmp_path / "out").verification.exact.status == "skipped"
    (tmp_path / "program.rcx").write_bytes((tmp_path / "out" / "program.rcx").read_bytes())
    result = run(tmp_path, "verify", "program.rcx", "--data", str(MODELS / "digits_test.npz"))
    assert result.returncode == 0, result.stderr
    assert "PASS 4 layers, each equal to integer arithmetic bit for bit, on 360 of 360 samples" in result.stdout
    assert "mapped program: 98.06 %" in result.stdout
    shown = run(tmp_path, "inspect", "program.rcx", "--blocks").stdout
    assert "sound: each weight bit sits in one cell" in shown
    assert "-> crossbar 0 [0, 0]" in shown


def test_print_ir_after_goes_to_stderr(tmp_path):
    result = run(tmp_path, str(MODELS / "digits_mlp.onnx"), "--no-verify", "--print-ir-after", "lower", "--json", "-")
    json.loads(result.stdout)
    assert "# after lower\nmatrix program digits_mlp\n" in result.stderr


def test_what_small_converters_cost_is_said(tmp_path):
    arguments = (str(MODELS / "digits_mlp.onnx"), "--set", "adc.bits=3", "--data", str(MODELS / "digits_test.npz"))
    result = run(tmp_path, *arguments)
    assert result.returncode == 0
    report = report_of(tmp_path / "digits_mlp.rcompile")
    (found,) = [item for item in report.diagnostics if item.code == "ROUNDED_SUMS"]
    assert "fc1, fc2, fc3: converters of up to 7 bits would lose nothing, these have 3 (uniform)" in found.message
    assert not any(layer.lossless for layer in report.layers)
    assert report.verification.exact.status == "pass"
    assert report.verification.accuracy.ideal < report.verification.accuracy.quantized


def test_lossless_converters_beyond_the_target_are_named(tmp_path):
    settings = ("--set", "adc.bits=4", "--set", "adc.resolution=lossless")
    result = run(tmp_path, str(MODELS / "digits_mlp.onnx"), *settings, "--no-verify")
    assert result.returncode == 0
    assert result.returncode == 0
    found = [
        item for item in report_of(tmp_path / "digits_mlp.rcompile").diagnostics if item.code == "ADC_BEYOND_TARGET"
    ]
    assert found[0].node == "fc1"
    assert "fc1, fc2, fc3 need converters of up to 7 bits to lose nothing; isaac has 4 bits" in found[0].message


def test_replication_shortens_the_interval_and_stays_exact(tmp_path):
    arguments = (str(MODELS / "digits_lenet_int8.onnx"), "--data", str(MODELS / "digits_test.npz"))
    run(tmp_path, *arguments, "-o", "one")
    result = run(tmp_path, *arguments, "-o", "many", "--objective", "throughput")
    assert result.returncode == 0
    one, many = report_of(tmp_path / "one"), report_of(tmp_path / "many")
    assert many.totals.interval_s < one.totals.interval_s / 10
    assert many.verification.exact.status == "pass"
    assert many.mapping.replication.optimal


def test_labels_that_are_no_classes_are_named(tmp_path):
    with np.load(MODELS / "digits_test.npz") as data:
        np.savez(tmp_path / "odd.npz", image=data["image"][:5], labels=data["labels"][:5] + 40)
    run(tmp_path, str(MODELS / "digits_mlp.onnx"), "--data", "odd.npz")
    report = report_of(tmp_path / "digits_mlp.rcompile")
    assert report.verification.accuracy.ideal is None
    assert "LABELS_DO_NOT_FIT" in {item.code for item in report.diagnostics}


def test_the_schema_describes_the_report(tmp_path):
    schema = json.loads(run(tmp_path, "schema").stdout)
    assert schema["$ref"] == "#/$defs/Report"
    assert "verification" in schema["$defs"]["Report"]["required"]


def test_heavy_libraries_are_not_imported_for_help():
    heavy = "('numpy', 'onnx', 'ortools', 'scipy', 'networkx')"
    code = f"import sys; from rcompile.cli import app; print(*[m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_options_that_do_not_apply_are_named(tmp_path):
    run(
        tmp_path, str(MODELS / "digits_lenet_int8.onnx"), "--no-verify", "--weight-bits", "4",
        "--calibration", str(MODELS / "digits_calibration.npz"),
    )  # fmt: skip
    found = [
        item for item in report_of(tmp_path / "digits_lenet_int8.rcompile").diagnostics if item.code == "OPTION_IGNORED"
    ]
    assert "--weight-bits, --calibration had no effect" in found[0].message


def test_misspelt_labels_are_named(tmp_path):
    with np.load(MODELS / "digits_test.npz") as data:
        np.savez(tmp_path / "d.npz", image=data["image"][:5], lables=data["labels"][:5])
    run(tmp_path, str(MODELS / "digits_mlp.onnx"), "--data", "d.npz")
    found = [item for item in report_of(tmp_path / "digits_mlp.rcompile").diagnostics if item.code == "UNUSED_ARRAYS"]
    assert found[0].message == "d.npz holds arrays that are not used: lables"
    assert found[0].hint == "rename 'lables' to 'labels'?"


@pytest.mark.parametrize("name", ["isaac", "classroom"])
def test_a_shown_target_is_a_target_file(tmp_path, name):
    (tmp_path / "mine.toml").write_text(run(tmp_path, "targets", name).stdout)
    assert resolve_target(str(tmp_path / "mine.toml")) == resolve_target(name)


def test_a_terminated_run_leaves_nothing(tmp_path):
    command = [
        sys.executable,
        "-m",
        "rcompile",
        str(MODELS / "digits_lenet.onnx"),
        "--data",
        str(MODELS / "digits_test.npz"),
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert message == "error: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def test_verify_and_inspect_refuse_an_unsound_program(tmp_path):
    run(tmp_path, str(MODELS / "digits_mlp.onnx"), "--no-verify", "-o", "out")
    compiled = container.load(tmp_path / "out" / "program.rcx")
    places = compiled.placed.places.copy()
    places["column"] += 1000
    broken = dataclasses.replace(compiled, placed=dataclasses.replace(compiled.placed, places=places))
    container.save(broken, tmp_path / "broken.rcx")
    for verb in ("verify", "inspect"):
        result = run(tmp_path, verb, "broken.rcx")
        assert result.returncode == 6
        assert "broken.rcx: the program is unsound: block 0 of fc1 on crossbar 0 leaves the crossbar" in result.stderr


def test_adjustable_converters_are_lowered_without_mapping_again(tmp_path):
    arguments = (str(MODELS / "digits_mlp.onnx"), "--data", str(MODELS / "digits_test.npz"))
    run(tmp_path, *arguments, "--set", "adc.adjustable=true")
    program = (tmp_path / "digits_mlp.rcompile" / "program.rcx").read_bytes()
    accuracies = []
    for bits in ("8", "4", "2"):
        result = run(
            tmp_path, "verify", "digits_mlp.rcompile", "--data", str(MODELS / "digits_test.npz"), "--adc-bits", bits
        )
        assert result.returncode == 0, result.stderr
        accuracies.append(float(re.search(r"mapped program: ([\d.]+) %", result.stdout)[1]))
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[-1] < 90 < accuracies[0]
    assert (tmp_path / "digits_mlp.rcompile" / "program.rcx").read_bytes() == program


def test_fixed_converters_are_not_lowered(tmp_path):
    run(tmp_path, str(MODELS / "digits_mlp.onnx"), "--no-verify")
    result = run(tmp_path, "verify", "digits_mlp.rcompile", "--adc-bits", "4")
    assert result.returncode == 2
    assert "the converters of isaac are not adjustable at run time" in result.stderr


def test_precision_is_taken_layer_by_layer(tmp_path):
    (tmp_path / "p.toml").write_text('[layers."conv*"]\nweight_bits = 4\n[layers.fc1]\ninput_bits = 5\nadc_bits = 6\n')
    arguments = (str(MODELS / "digits_lenet.onnx"), "--data", str(MODELS / "digits_test.npz"))
    result = run(tmp_path, *arguments, "--precision", "p.toml")
    assert result.returncode == 0, result.stderr
    report = report_of(tmp_path / "digits_lenet.rcompile")
    assert [(layer.weight_bits, layer.input_bits) for layer in report.layers] == [(4, 8), (4, 8), (8, 5), (8, 8)]
    assert report.layers[2].adc_bits <= 6
    assert report.verification.exact.status == "pass"


def test_debug_adds_a_traceback_and_keeps_the_exit_code(tmp_path):
    plain = run(tmp_path, "missing.onnx")
    result = run(tmp_path, "missing.onnx", "--debug")
    assert result.returncode == plain.returncode == 3
    assert "Traceback" in result.stderr
    assert result.stderr.endswith(plain.stderr)


def test_a_pass_says_that_converters_round(tmp_path):
    arguments = ("--data", str(MODELS / "digits_test.npz"), "--set", "adc.bits=3", "-o", "out")
    result = run(tmp_path, str(MODELS / "digits_lenet_int8.onnx"), *arguments)
    words = " ".join(result.stderr.split())
    assert "the converters of 4 layers round, which only the accuracy counts" in words
    checked = run(tmp_path, "verify", "out", "--data", str(MODELS / "digits_test.npz"))
    assert "the converters of 4 layers round, which only the accuracy counts" in " ".join(checked.stdout.split())


def test_doctor_says_what_computes(tmp_path):
    result = run(tmp_path, "doctor")
    assert result.returncode == 0
    assert "the best of those that run here" in result.stdout or "kernels were not compiled" in result.stdout
    result = run(tmp_path, "doctor", RCOMPILE_KERNELS="none")
    assert "engine: numpy" in result.stdout
    result = run(tmp_path, "doctor", RCOMPILE_KERNELS="altivec")
    assert result.returncode == 2
    assert "RCOMPILE_KERNELS is 'altivec': there are no such kernels here" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"), [(("--threads", "-1"), "Must be >= 0."), (("--memory", "0"), "Must be > 0.")]
)
def test_impossible_limits_are_refused(tmp_path, arguments, message):
    result = run(tmp_path, str(MODELS / "digits_mlp.onnx"), *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())
