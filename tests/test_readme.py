"""The README shows what its first command prints."""

import shutil
import subprocess
import sys

from conftest import ROOT


def block_after(marker: str) -> str:
    """The text of the code block after a marker."""
    rest = (ROOT / "README.md").read_text("utf-8").split(marker, 1)[1]
    return rest.split("```sh\n", 1)[1].split("```", 1)[0].strip()


def test_the_shown_output_is_what_the_first_command_prints(tmp_path):
    shutil.copytree(ROOT / "models", tmp_path / "models")
    command = block_after("<!-- run -->").split(" && ")[-1].split()
    assert command[0] == ".venv/bin/rcompile"
    result = subprocess.run(
        [sys.executable, "-m", "rcompile", *command[1:]], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    text = (ROOT / "README.md").read_text("utf-8").split("<!-- run -->", 1)[1].split("\n## ", 1)[0]
    shown = "\n".join(line[4:].rstrip() for line in text.splitlines() if line.startswith("    "))
    assert shown == "\n".join(line.rstrip() for line in result.stderr.splitlines())


def test_the_python_example_runs(tmp_path):
    code = (ROOT / "README.md").read_text("utf-8").split("```python\n", 1)[1].split("```", 1)[0]
    shutil.copytree(ROOT / "models", tmp_path / "models")
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout == "pass 4\n"
