"""report.html: self-contained, safe with any names, and it holds exactly the report."""

import base64
import hashlib
import re
import zlib
from html.parser import HTMLParser

import msgspec
import pytest

from rcompile.report.html import LARGE, asset, to_html
from rcompile.report.schema import Report, from_json

HOSTILE = '</script><img src=x onerror="alert(1)">{{script}}<!--<script>\u2028&amp;'
MAX_BYTES = 2 << 20

LAYER = {
    "name": "conv", "node": "conv", "op_type": "Conv", "rows": 9, "columns": 4, "vectors": 16, "serial": False, "groups": 1, "macs": 576,
    "weight_bits": 8, "input_bits": 8, "weight_slices": [{"shift": 0, "bits": 2, "memory": "rram"}], "input_cycles": 8,
    "reads_per_cycle": 1, "input_scheme": "unsigned", "subtraction": "digital", "unit_columns": 1,
    "sign_scheme": "offset", "row_partitions": 1, "column_partitions": 1, "blocks": 4, "crossbars": 1, "replicas": 1,
    "tiles": [0], "adc_bits_required": {"paper": 6, "exact": 5, "weights": 5, "weights_mean": 4.5, "weights_unflipped": 5,
                                        "weights_unflipped_mean": 4.5},
    "adc_bits": 5, "lossless": True,
    "converters": {"kind": "sar", "bits_least": 5, "bits_most": 5, "bits_mean": 5.0, "conversions": 2048,
                   "skipped_share": 0.0, "lossless": True, "keeps_signs": False},
    "partial_sums": {"count": 64, "bits": 20, "adder_tree_depth": 0, "bytes": 192, "rounded_bits": None,
                     "rounded_step": None, "merged_step": None},
    "flipped_columns": 0, "utilization": 0.25, "start_s": 0.0, "stop_s": 1e-6, "latency_s": 1e-6, "energy_j": None,
    "cost": {"actions": {"read": 8.0}, "conversions": [[8, 2048.0]], "at_work_s": {"crossbar": 1e-6},
             "energy_by_component": {}},
    "partial_sum_bytes": 256, "traffic_bytes": 0, "writes": 144,
}  # fmt: skip

REPORT = {
    "schema_version": 1, "tool": {"name": "rcompile", "version": "0.1.0"}, "command": ["rcompile", "a b.onnx"],
    "seed": 0, "started": "2026-01-01T00:00:00+00:00", "elapsed_s": 1.0, "peak_memory_bytes": 1000,
    "phases": [{"name": "load", "elapsed_s": 0.1}],
    "model": {
        "name": "tiny", "file": "a b.onnx", "sha256": "0" * 64, "opset": 18, "macs": 576, "parameters": 40,
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", 1, None]}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": None}],
        "operators": [{"op_type": "Conv", "count": 1, "macs": 576, "elements": 0, "placed": "crossbar", "reason": "1 matrix",
                       "nodes": ["conv"]}],
        "quantized_by": "model", "ranges_from": "model", "converter_ranges_from": "",
    },
    "target": {"name": "toy", "summary": "A toy", "crossbar": {"rows": 16, "columns": 16, "cell_bits": 2},
               "hierarchy": {"levels": ["core", "tile"], "counts": [2, 2], "mesh_rows": 1, "mesh_columns": 2},
               "sources": {"crossbar": "invented"}, "assumed_fields": ["hierarchy.chips"]},
    "device": {"name": "ideal", "assumed_fields": []},
    "layers": [LAYER],
    "totals": {
        "crossbars_used": 1, "crossbars_one_copy": 1, "crossbars_available": 8, "tiles_used": 1, "chips_used": 1,
        "cell_utilization": 0.25, "latency_s": 1e-6, "interval_s": 1e-6, "throughput_per_s": 1e6, "energy_j": None,
        "power_w": None, "area_m2": None, "adc_energy_share": None, "macs_on_crossbars_share": 1.0,
        "programming": {"cells": 144, "cells_per_repetition": 0, "pulses": None, "time_s": None, "energy_j": None,
                        "repetition_time_s": None, "repetition_energy_j": None, "lifetime_s": None,
                        "holds_s": 1e6, "refresh_power_w": None},
    },
    "mapping": {
        "rounds": 1, "replication": {"objective": "crossbars", "interval_s": 1e-6, "bound_s": None, "optimal": True},
        "packing": {"sharing": "layer", "crossbars": 1, "lower_bound": 1, "cells_bound": 1},
        "placement": {"byte_hops": 0, "lower_bound": 0, "snake_byte_hops": 0, "max_link_bytes": 0, "proven": True,
                      "chip_bytes": 0, "chip_bytes_bound": 0, "round_bytes": 0},
        "faults": None,
        "schedule": {"limited_by": "crossbars", "crossbars_s": 1e-6, "digital_units_s": 1e-7, "links_s": None, "chip_links_s": None,
                     "waiting_bytes": 0, "fullest_tile": 0, "buffer_bytes": None, "deadlock_free": None},
        "tiles": [{"tile": 0, "round": 0, "resident": False, "crossbars_used": 1, "waiting_bytes": 0, "chip": 0, "layer": 0, "row": 0, "column": 0, "crossbars": [[0, 1]]}], "traffic": [],
        "deterministic_hash": "f" * 64,
    },
    "cost": {"components": [], "digital": LAYER["cost"], "missing": ["any components"], "formulas": {}},
    "verification": {
        "exact": {"status": "pass", "reason": "", "samples": 2, "crossbar_share": 1.0, "reference": "onnxruntime on the model itself",
                  "layers": [{"name": "conv", "max_abs_difference": 0, "output_difference": 0.0,
                              "output_unit": "step"}],
                  "integer_output_max_abs_difference": 0.0, "output_max_abs_difference": 0.0},
        "accuracy": None,
    },
    "diagnostics": [{"severity": "note", "code": "X", "node": "", "message": "something", "hint": ""}],
}  # fmt: skip


class Tags(HTMLParser):
    """Collects the tags of a page and the text inside scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.texts = {}
        self.inside = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = (tag, dict(attrs).get("id"))

    def handle_endtag(self, tag):  # noqa: ARG002
        self.inside = None

    def handle_data(self, data):
        self.texts[self.inside] = self.texts.get(self.inside, "") + data


def report_with(change=None):
    data = msgspec.json.decode(msgspec.json.encode(REPORT))
    if change:
        change(data)
    return msgspec.convert(data, Report)


def everywhere(value, text):
    """Return a structure with `text` in front of all strings but the status."""
    if isinstance(value, dict):
        return {key: item if key == "status" else everywhere(item, text) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [everywhere(item, text) for item in value]
    return text + value if isinstance(value, str) else value


def embedded(page):
    """Return the report in a page."""
    found = re.search(r'<script type="([a-z/]+)" id="report"(?: data-encoding="deflate")?>([^<]*)</script>', page)
    kind, text = found.groups()
    return from_json(text.encode() if kind == "application/json" else zlib.decompress(base64.b64decode(text)))


@pytest.fixture(scope="module")
def page():
    return to_html(report_with())


def test_self_contained(page):
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    for tag, attributes in Tags(page).tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")


def test_size_and_shape(page):
    assert len(page.encode()) < 128 << 10
    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert "{{" not in page
    tags = [tag for tag, _ in Tags(page).tags]
    assert tags.count("main") == 1
    assert tags.count("h2") == tags.count("section")


def test_sections_that_the_script_fills_exist(page):
    identifiers = {attributes.get("id") for _, attributes in Tags(page).tags}
    for name in re.findall(r'body\("(\w+)"\)', asset("page.js")):
        assert f"{name}-body" in identifiers
    for _, attributes in Tags(page).tags:
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in identifiers


def test_policy_allows_own_script_and_style_only(page):
    tags = Tags(page)
    policy = next(a["content"] for _, a in tags.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(tags.texts[tag, None].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_no_handlers_and_no_markup_from_data(page):
    assert not any(name.startswith("on") or name == "style" for _, attributes in Tags(page).tags for name in attributes)
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "fetch("):
        assert word not in asset("page.js")


def test_same_report_same_page(page):
    assert to_html(report_with()) == page
    assert not re.search(r"Math\.random|Date\.now|new Date", asset("page.js"))


def test_holds_the_report(page):
    assert embedded(page) == report_with()


def test_hostile_names_are_inert(page):
    report = msgspec.convert(everywhere(msgspec.to_builtins(report_with()), HOSTILE), Report)
    hostile = to_html(report)
    assert embedded(hostile) == report
    assert Tags(hostile).tags[:3] == Tags(page).tags[:3]
    assert [tag for tag, _ in Tags(hostile).tags] == [tag for tag, _ in Tags(page).tags]
    assert "<img" not in hostile
    assert hostile.count("</script>") == 2
    assert Tags(hostile).texts["script", None] == asset("page.js")
    assert "tiny" in Tags(hostile).texts["title", None]


def test_unusual_text_survives():
    def change(data):
        data["model"]["name"] = 'Ä "quoted" \\u003c \x00 漢字 \\'

    report = report_with(change)
    assert embedded(to_html(report)) == report


def test_skipped_verification():
    def change(data):
        data["verification"]["exact"].update(
            status="skipped", reason="switched off", samples=0, layers=[],
            integer_output_max_abs_difference=None, output_max_abs_difference=None)  # fmt: skip

    report = report_with(change)
    assert embedded(to_html(report)) == report
    assert "Not verified" in asset("page.js")


def test_target_without_name():
    page = to_html(report_with(lambda data: data["target"].pop("name")))
    assert "<title>tiny on  - rcompile report</title>" in page


def test_large_reports_are_compressed():
    def change(data):
        data["layers"] = [LAYER | {"name": f"layer_{i}", "tiles": list(range(40 * i, 40 * i + 40))} for i in range(400)]
        data["mapping"]["tiles"] = [
            {
                "tile": i,
                "round": 0,
                "resident": False,
                "crossbars_used": 1,
                "waiting_bytes": 0,
                "chip": 0,
                "layer": 0,
                "row": i // 125,
                "column": i % 125,
                "crossbars": [[i // 40, 2 + i % 90]],
            }
            for i in range(16000)
        ]
        data["mapping"]["traffic"] = [
            {"source": i % 16000, "destination": (i * 7) % 16000, "bytes": 17 * i} for i in range(30000)
        ]

    report = report_with(change)
    assert len(msgspec.json.encode(report)) > LARGE
    page = to_html(report)
    assert 'data-encoding="deflate"' in page
    assert len(page.encode()) < MAX_BYTES
    assert embedded(page) == report
