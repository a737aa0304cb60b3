"""The smallest chip that holds a model, at a rate."""

import json

import pytest
from conftest import MODELS

from rcompile.cli.app import app
from rcompile.compiler import compile_file
from rcompile.errors import DoesNotFit, UsageError
from rcompile.options import Objective, Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target

TILE = {"hierarchy.counts": "[1, 2]", "hierarchy.chips": "3"}


def fitted(tmp_path, rate: float):
    """digits_lenet_int8: 4 crossbars; 64 vectors of 8 cycles of 100 ns at most."""
    return compile_file(
        MODELS / "digits_lenet_int8.onnx", resolve_target("isaac", TILE), tmp_path / "p.rcx",
        Options(fit=rate, exact_samples=2), Trace(), data_path=MODELS / "digits_test.npz",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "copies", "mesh"),
    [
        (0, [1, 1, 1, 1], (1, 2)),
        (19_531, [1, 1, 1, 1], (1, 2)),
        (20_000, [2, 1, 1, 1], (1, 3)),  # 62.5 vectors in 50 us
        (160_000, [10, 3, 1, 1], (2, 4)),  # 7 vectors in 6.25 us: 15 crossbars, 8 tiles
        (1_250_000, [64, 16, 1, 1], (6, 7)),  # 82 crossbars, 41 tiles
    ],
)
def test_the_chip_is_as_small_as_the_rate_allows(tmp_path, rate, copies, mesh):
    result = fitted(tmp_path, rate)
    hierarchy = result.target.hierarchy
    assert [item.replicas for item in result.compiled.placed.program.matrices] == copies
    assert (hierarchy.mesh_rows, hierarchy.mesh_columns, hierarchy.chips) == (*mesh, 1)
    assert 1 / result.compiled.placed.interval_s >= rate
    assert result.compiled.target["hierarchy"]["mesh_rows"] == mesh[0]
    assert result.verified.exact.passed


def test_an_impossible_rate_says_what_is_possible(tmp_path):
    with pytest.raises(DoesNotFit, match=r"2e\+06 inferences/s are wanted; .* at most 1.25e\+06, .* takes 8e-07 s"):
        fitted(tmp_path, 2e6)


def test_fit_leaves_no_objective():
    with pytest.raises(UsageError, match="nothing left for the objective latency"):
        Options(fit=0, objective=Objective.LATENCY)


def test_a_rate_that_links_do_not_allow_is_said_and_costs_the_exit_code(tmp_path):
    slow = ["--target", "classroom", "--set", "noc.link_bytes_per_s=1e6", "--set", "crossbar.rows=32"]
    model = str(MODELS / "digits_lenet_int8.onnx")
    command = [model, *slow, "--set", "crossbar.columns=32", "--no-verify", "-o", str(tmp_path / "out"), "--fit"]
    assert app([*command, "20000"]) == 7
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    found = next(item for item in report["diagnostics"] if item["code"] == "RATE_MISSED")
    assert found["severity"] == "warning"
    assert found["message"].startswith("the 20000 inferences/s of --fit are not reached: ")
    assert found["message"].endswith(" are, limited by links")
    assert app([*command, "100"]) == 0
    shared = ["--set", "crossbar.sharing=exclusive", "--no-verify", "-o", str(tmp_path / "shared")]
    assert app([model, *shared, "--fit", "200000"]) == 7  # layers take turns, and no link is slow
