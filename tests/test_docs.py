"""Generated pages are what the code says today."""

import pytest
from conftest import ROOT, script


@pytest.mark.parametrize(
    "name",
    ["architectures.md", "architectures.svg", "targets.md", "devices.md", "supported-operators.md", "diagnostics.md"],
)
def test_generated_pages_are_up_to_date(name):
    assert (ROOT / "docs" / name).read_text("utf-8") == script("generate").PAGES[name](), "run python docs/generate.py"
