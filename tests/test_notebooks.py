"""The notebooks of the docs run, and show what they are kept with."""

import nbformat
import pytest
from conftest import ROOT, script

NOTEBOOKS = sorted(path.name for path in (ROOT / "docs" / "notebooks").glob("*.ipynb"))


def shown(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what each cell of code shows, as text and as markup."""
    texts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            parts = [
                out.get("text") or "".join(str(v) for _, v in sorted(out.get("data", {}).items()))
                for out in cell.outputs
            ]
            texts.append("".join(parts))
    return texts


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 2


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_shows_what_it_is_kept_with(name):
    path = ROOT / "docs" / "notebooks" / name
    kept = shown(nbformat.read(path, as_version=4))
    assert all(kept)
    assert shown(script("notebooks").executed(path)) == kept
