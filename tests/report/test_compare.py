"""Two programs side by side."""

import json
import subprocess
import sys

import pytest
from conftest import MODELS

from rcompile.api import compile_model
from rcompile.cli.app import app
from rcompile.options import Options
from rcompile.report.compare import Row, compare
from rcompile.report.read import read_report
from rcompile.report.side_by_side import change, comparison_page, shown
from rcompile.targets import resolve_target


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = {}
    for name, changes in {"a": {}, "again": {}, "b": {"crossbar.rows": "64", "adc.bits": "7"}}.items():
        found[name] = tmp_path_factory.mktemp("compare") / name
        compile_model(
            MODELS / "digits_lenet_int8.onnx",
            target=resolve_target("isaac", changes),
            output=found[name],
            options=Options(verify=False),
        )
    return found


def test_equal_programs_differ_in_nothing_but_the_time_that_compiling_took(folders):
    found = compare(read_report(folders["a"]), read_report(folders["again"]))
    assert found.settings == ()
    assert found.layers == ()
    assert found.same_layers == 4
    assert {row.name for row in found.figures if row.first != row.second} <= {"time to compile"}


def test_what_was_asked_for_and_what_came_out(folders):
    first, second = read_report(folders["a"]), read_report(folders["b"])
    found = compare(first, second)
    assert [(row.name, row.first, row.second) for row in found.settings] == [
        ("target.crossbar.rows", "128", "64"),
        ("target.adc.bits", "8", "7"),
    ]
    figures = {row.name: row for row in found.figures}
    assert figures["energy an inference"].first == first.totals.energy_j
    assert figures["energy an inference"].second == second.totals.energy_j
    layers = {layer.name: {row.name: (row.first, row.second) for row in layer.rows} for layer in found.layers}
    assert layers["conv2"]["crossbars"] == (1, 2)
    assert "crossbars" not in layers["fc1"]
    assert found.same_layers == 4 - len(layers)


def test_commands_data_and_dies_that_differ_are_named(tmp_path):
    for name, flags in (("a", ["--trials", "2"]), ("b", ["--trials", "3", "--weight-bits", "4"])):
        words = [str(MODELS / "digits_mlp.onnx"), "--data", str(MODELS / "digits_test.npz"), *flags]
        command = [*words, "--device", "ideal?lognormal.sigma=0.1", "-q", "-o", str(tmp_path / name)]
        subprocess.run([sys.executable, "-m", "rcompile", *command], check=True)
    found = {row.name: row for row in compare(read_report(tmp_path / "a"), read_report(tmp_path / "b")).settings}
    assert (found["dies"].first, found["dies"].second) == ("2", "3")
    assert "--weight-bits 4" in str(found["command"].second)
    assert str(tmp_path) not in str(found["command"].second)


def test_layers_that_only_one_has(folders, tmp_path):
    compile_model(MODELS / "digits_mlp.onnx", output=tmp_path / "mlp", options=Options(verify=False))
    found = compare(read_report(folders["a"]), read_report(tmp_path / "mlp"))
    there = {layer.name: layer.there for layer in found.layers}
    assert there["conv1"] == "first"
    assert "second" in there.values()


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Row("x", "s", 2.0, 2.0), "same"),
        (Row("x", "s", 2.0, 2.5), "+25 %"),
        (Row("x", "s", 2.0, 1.0), "-50 %"),
        (Row("x", "J", 2.0, 8.0), "x 4"),
        (Row("x", "J", 2.0, 0.5), "x 0.25"),
        (Row("x", "%", 0.5, 0.25), "-25.00 points"),
        (Row("x", "%", 0.5, 0.50001), "less than 0.01 points"),
        (Row("x", "J", None, 8.0), ""),
        (Row("x", "J", 0.0, 8.0), ""),
        (Row("x", "", "pass", "fail"), ""),
    ],
)
def test_changes_in_words(row, text):
    assert change(row) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5e-6, "s", "1.5 us"),
        (0.25, "%", "25.00 %"),
        (8.5e-5, "m2", "85 mm2"),
        (None, "J", "-"),
        (16128, "", "16,128"),
    ],
)
def test_figures_in_units(value, unit, text):
    assert shown(value, unit) == text


def test_the_page_holds_both_and_runs_nothing(folders):
    page = comparison_page(compare(read_report(folders["a"]), read_report(folders["b"])))
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "target.crossbar.rows" in page
    assert "conv2" in page


def test_the_command_prints_and_writes(folders, tmp_path, capsys):
    page, data = tmp_path / "c.html", tmp_path / "c.json"
    assert app(["compare", str(folders["a"]), str(folders["b"]), "--html", str(page), "--json", str(data)]) == 0
    text = capsys.readouterr().out
    assert "target.crossbar.rows" in text
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert json.loads(data.read_text())["settings"][0]["name"] == "target.crossbar.rows"
    assert app(["compare", str(folders["a"]), str(folders["b"]), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["same_layers"] in range(5)
