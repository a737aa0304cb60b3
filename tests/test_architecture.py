"""The house rules that a machine can check."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import rcompile
from rcompile.inheritance import origin_of
from rcompile.ir.encoding import SignScheme
from rcompile.targets import consistency, list_targets, resolve_target
from rcompile.targets.schema import TARGET
from rcompile.targets.sections import SIGNS

SOURCES = sorted((ROOT / "rcompile").rglob("*.py"))
LONGEST_FILE = 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent.name == "passes"], ids=lambda p: p.stem)
def test_a_pass_is_one_public_function_named_like_its_file(path):
    if path.stem == "__init__":
        return
    functions = [node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    assert path.stem in functions


def test_links_at_the_root_lead_inside():
    for name in ("passes", "backends"):
        assert (ROOT / name).is_symlink()
        assert (ROOT / name).readlink() == Path("rcompile") / name


@pytest.mark.parametrize("name", ["passes", "backends"])
def test_the_links_cannot_be_imported(name):
    result = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert f"import rcompile.{name}, not {name}" in result.stderr


def test_public_names_are_what_is_promised():
    assert len(rcompile.__all__) <= 10
    assert all(getattr(rcompile, name) for name in rcompile.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        importlib.import_module("rcompile").nothing  # noqa: B018


@pytest.mark.parametrize("name", list_targets())
def test_every_target_loads_and_each_value_has_a_source(name):
    target = resolve_target(name)
    assert target.name == name
    assert target.summary
    left_out = set(TARGET.defaults())
    for field in target.assumed_fields:
        assert field in left_out or origin_of(field, {"assumed": target.assumptions})[1], field


def test_each_row_of_the_survey_s_table_has_a_target():
    rows = {resolve_target(name).paper.row for name in list_targets()}
    assert {*range(3, 22), 24, 25} <= rows


def test_targets_know_the_sign_schemes_that_there_are():
    """Targets and levels do not import each other: what both say must agree."""
    assert list(SIGNS) == [str(scheme) for scheme in SignScheme]
    assert {str(scheme) for scheme in SignScheme if scheme.polarities == 1} == consistency.UNIT_SCHEMES
    assert {str(scheme) for scheme in SignScheme if scheme.rows_per_weight == 2} == consistency.PAIRS_IN_ROWS
