"""trace.json and report.csv are views of report.json."""

import csv
import io
import json

import pytest
from conftest import MODELS

import rcompile


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views") / "out"
    data = MODELS / "digits_test.npz"
    rcompile.compile_model(
        MODELS / "digits_lenet.onnx", data=data, output=folder, options=rcompile.Options(exact_samples=1)
    )
    return folder


def test_the_trace_shows_each_layer_of_inferences_that_follow_at_the_interval(folder):
    report = json.loads((folder / "report.json").read_text())
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    names = [event["args"]["name"] for event in events if event["name"] == "thread_name"]
    assert names == [layer["name"] for layer in report["layers"]]
    shown = [event for event in events if event["ph"] == "X"]
    assert len(shown) == 4 * len(names)
    for event in shown:
        layer, number = report["layers"][event["tid"]], int(event["name"].split()[1])
        assert event["ts"] == pytest.approx(1e6 * (layer["start_s"] + number * report["totals"]["interval_s"]))
        assert event["dur"] == pytest.approx(1e6 * (layer["stop_s"] - layer["start_s"]))


def test_the_table_has_a_row_a_layer(folder):
    report = json.loads((folder / "report.json").read_text())
    rows = list(csv.DictReader(io.StringIO((folder / "report.csv").read_text())))
    assert [row["name"] for row in rows] == [layer["name"] for layer in report["layers"]]
    for row, layer in zip(rows, report["layers"], strict=True):
        assert int(row["crossbars"]) == layer["crossbars"]
        assert float(row["latency_s"]) == layer["latency_s"]
        assert "weight_slices" not in row
