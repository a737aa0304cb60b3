"""The page in a real browser: every control is used, and nothing goes wrong. Skipped where there is no Chromium."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import MODELS

from rcompile.api import compile_model
from rcompile.options import Options
from rcompile.report.html import to_html
from rcompile.report.schema import Report
from rcompile.targets import resolve_target

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

WATCH = """
window.problems = [];
addEventListener("error", (event) => problems.push(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => problems.push(`rejection: ${event.reason}`));
addEventListener("securitypolicyviolation", (event) => problems.push(`policy: ${event.violatedDirective}`));
for (const level of ["error", "warn"]) {
  const plain = console[level];
  console[level] = (...what) => { problems.push(`${level}: ${what.join(" ")}`); plain(...what); };
}
"""

DRIVE = """
addEventListener("load", () => setTimeout(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const found = { lenses: [], sorts: [], filters: {}, themes: [], metrics: [], selected: [], sections: {} };
  for (const section of all("main section")) found.sections[section.id] = section.innerText.trim().length;
  for (const button of all("#floorplan-body .group button")) {
    button.click();
    found.lenses.push([button.textContent, button.getAttribute("aria-pressed"),
      new Set(all("#chips rect.part").map((part) => part.getAttribute("fill"))).size]);
  }
  const arrows = document.querySelector("#floorplan-body input[type=checkbox]");
  if (!arrows.disabled) { arrows.click(); arrows.click(); }
  const tile = document.querySelector("#chips g.tile");
  tile.focus();
  for (const key of ["ArrowRight", "ArrowDown", "Enter", "Escape"]) {
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    found.selected.push(all("[aria-pressed=true]").length);
  }
  const text = (row, at) => row.children[at].innerText;
  all("#layers-body thead th").forEach((head, at) => {
    for (const turn of [0, 1]) {
      head.querySelector("button").click();
      found.sorts.push([head.innerText, head.getAttribute("aria-sort"), all("#layers-body tbody tr").map((row) => text(row, at))]);
    }
  });
  const filter = document.querySelector("#layers-body input[type=search]");
  for (const words of ["conv", "fc1", "nothing like it", ""]) {
    filter.value = words;
    filter.dispatchEvent(new Event("input"));
    found.filters[words] = all("#layers-body tbody tr").filter((row) => !row.hidden).map((row) => text(row, 0));
  }
  const metric = document.getElementById("metric");
  for (const option of metric.options) {
    metric.value = option.value;
    metric.dispatchEvent(new Event("change"));
    found.metrics.push([option.text, all("#bars-chart svg").length]);
  }
  found.curves = all(".curves").map((panel) => [panel.querySelector("svg").getAttribute("aria-label"),
    panel.querySelectorAll("path.curve").length, panel.querySelectorAll("circle").length,
    panel.querySelectorAll("line.chosen").length]);
  const theme = document.getElementById("theme");
  for (const turn of [0, 1, 2]) {
    theme.click();
    found.themes.push([theme.textContent, document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]);
  }
  for (const details of all("details")) details.open = true;
  found.problems = problems;
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify(found);
  document.body.append(result);
}, 200));
"""


def driven(report: Report, tmp_path: Path) -> dict:
    """Return what the controls of a report's page did."""
    page = to_html(report)
    allowed = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in (WATCH, DRIVE)
    )
    page = page.replace("script-src ", f"script-src {allowed} ", 1)
    page = page.replace("<title>", f"<script>{WATCH}</script><title>", 1)
    page = page.replace("</body>", f"<script>{DRIVE}</script></body>", 1)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    result = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--window-size=1300,1000", "--virtual-time-budget=20000", "--dump-dom", f"file://{tmp_path / 'page.html'}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    text = re.search(r'<pre id="result">(.*?)</pre>', result.stdout, re.DOTALL)
    assert text, "the page's controls were not all found"
    return json.loads(html.unescape(text[1]))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chromium")
    small = {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[2, 2]"}
    report = compile_model(
        MODELS / "digits_lenet_int8.onnx",
        data=MODELS / "digits_test.npz",
        device="ideal?lognormal.sigma=0.1&power_drift.mean=0.05",
        at=("1day",),
        trials=2,
        target=resolve_target("isaac", small),
        output=folder / "out",
        options=Options(adc_curve=(2, 3, 4)),
    )
    return driven(report, folder)


def test_nothing_is_reported_on_the_console(found):
    assert found["problems"] == []


def test_every_section_says_something(found):
    assert all(length > 20 for length in found["sections"].values()), found["sections"]


def test_each_lens_colours_the_floorplan(found):
    names = [name for name, _, _ in found["lenses"]]
    assert names == ["Layer", "Occupancy", "ADC bits", "Traffic", "Error"]
    assert all(pressed == "true" for _, pressed, _ in found["lenses"])
    assert any(colours > 1 for _, _, colours in found["lenses"])


def test_tiles_are_reached_and_selected_by_keyboard(found):
    _, before, selected, after = found["selected"]
    assert selected > before
    assert after == before


def test_each_column_sorts_both_ways(found):
    assert len(found["sorts"]) > 20
    for (name, first, rows), (_, second, back) in zip(found["sorts"][::2], found["sorts"][1::2], strict=True):
        assert {first, second} == {"ascending", "descending"}, name
        assert sorted(rows) == sorted(back)
        if len(set(rows)) == len(rows):
            assert rows == back[::-1], name


def test_the_filter_leaves_what_it_says(found):
    names = {words: [row.split()[-1] for row in rows] for words, rows in found["filters"].items()}
    assert sorted(names["conv"]) == ["conv1", "conv2"]
    assert names["fc1"] == ["fc1"]
    assert names["nothing like it"] == []
    assert len(names[""]) == 4


def test_each_metric_draws_bars(found):
    assert len(found["metrics"]) > 5
    assert all(charts == 1 for _, charts in found["metrics"])


def test_accuracy_is_drawn_over_converter_bits_and_over_time(found):
    (over_bits, *counts), (over_time, *others) = found["curves"]
    assert over_bits.startswith("Accuracy against converter bits. ideal cells: 2 ")
    assert counts == [2, 6, 0]  # the program has more bits
    assert over_time.startswith("Accuracy after writing. ideal cells: at once ")
    assert others == [2, 4, 0]


def test_themes_change_colours(found):
    labels, themes, colours = zip(*found["themes"], strict=True)
    assert labels == ("Theme: light", "Theme: dark", "Theme: system")
    assert themes[:2] == ("light", "dark")
    assert colours[0] != colours[1]


def test_stacked_layers_have_plans_of_their_own(tmp_path):
    changes = {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[2, 1]", "noc.router_rows": "1",
               "noc.router_columns": "1", "hierarchy.mesh_rows": "2", "hierarchy.mesh_columns": "2",
               "hierarchy.mesh_layers": "4"}  # fmt: skip
    report = compile_model(
        MODELS / "digits_lenet_int8.onnx",
        target=resolve_target("isaac", changes),
        output=tmp_path / "out",
        options=Options(verify=False),
    )
    assert len({tile.layer for tile in report.mapping.tiles}) > 1
    assert driven(report, tmp_path)["problems"] == []
