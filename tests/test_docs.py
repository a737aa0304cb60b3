"""Generated pages are what the code says today."""

import importlib.util

import pytest
from conftest import ROOT


def pages():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGES


@pytest.mark.parametrize("name", ["targets.md", "operators.md"])
def test_generated_pages_are_up_to_date(name):
    assert (ROOT / "docs" / name).read_text("utf-8") == pages()[name](), "run python docs/generate.py"
