"""The same model, target and options give the same program: in new processes, on any threads, with any hash seed."""

import json
import os
import subprocess
import sys

import pytest
from conftest import MODELS

SMALL = (
    "--set", "crossbar.rows=32", "--set", "crossbar.columns=32", "--set", "hierarchy.counts=[1, 12]",
    "--set", "hierarchy.mesh_rows=8", "--set", "hierarchy.mesh_columns=8",
)  # fmt: skip
PLACES = (("1", "0"), ("2", "1"), ("8", "2"), ("1", "random"), ("2", "random"))
"""Threads of libraries, and PYTHONHASHSEED, of each run."""


@pytest.mark.parametrize(
    "options",
    [
        ("digits_lenet.onnx", "--target", "classroom", *SMALL, "--objective", "latency"),
        ("digits_lenet.onnx", "--target", "isaac", *SMALL, "--set", "crossbar.sharing=concurrent"),
        ("digits_row_lstm.onnx", "--target", "classroom", *SMALL, "--set", "hierarchy.chips=4", "--set",
         "hierarchy.mesh_rows=3", "--objective", "throughput"),
    ],
)  # fmt: skip
def test_programs_are_the_same_in_every_process(options, tmp_path):
    model, *flags = options
    found = set()
    for threads, seed in PLACES:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        command = [sys.executable, "-m", "rcompile", str(MODELS / model), *flags, "--no-verify", "--json", "-"]
        command += ["-o", str(tmp_path / "out"), "--calibration", str(MODELS / "digits_calibration.npz")]
        run = subprocess.run(command, capture_output=True, env=environment, check=True, text=True)
        report = json.loads(run.stdout)
        found.add((report["mapping"]["deterministic_hash"], report["totals"]["interval_s"]))
    assert len(found) == 1
