"""Runs the notebooks of docs/notebooks in a copy of models/, and keeps what they show.

    python docs/notebooks.py            # writes their outputs anew

tests/test_notebooks.py runs them, too, and compares what they show with what is kept.
"""

import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "notebooks"


def executed(path: Path) -> nbformat.NotebookNode:
    """Return a notebook as it is after running it, where models/ is the current folder."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "models", Path(folder) / "models")
        client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(Path(folder) / "models")}})
        client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return notebook


def main() -> None:
    """Run all notebooks."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(executed(path), path)


if __name__ == "__main__":
    main()
