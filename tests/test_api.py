"""The examples of the Python interface run as they stand."""

import doctest
import shutil

from conftest import ROOT

import rcompile
from rcompile import api


def test_examples_of_the_calls(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path / "models")
    failed, tried = doctest.testmod(api)
    assert (failed, tried) == (0, 16)


def test_every_public_name_is_there_and_documented():
    for name in rcompile.__all__:
        assert getattr(rcompile, name).__doc__


def test_the_page_names_what_exists():
    for line in (ROOT / "docs" / "api.md").read_text("utf-8").splitlines():
        if line.startswith(":::"):
            module, _, name = line.split()[1].rpartition(".")
            assert getattr(__import__(module, fromlist=[name]), name).__doc__
