"""Every command of the docs runs, and every flag is in one."""

import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from rcompile.cli.app import app

PAGES = ("tutorial", "commands")


def commands(page: str) -> list[list[str]]:
    """Return the commands of a page, in order."""
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_a_page_runs(page, tmp_path):
    shutil.copytree(ROOT / "models", tmp_path / "models")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "models" / "precision.toml").write_text('[layers."fc*"]\nweight_bits = 4\n')
    np.savez(tmp_path / "models" / "die.npz", stuck_at_g_max=np.array([[0, 3, 5]]), dead_rows=np.array([[0, 7]]))
    for words in commands(page):
        assert words[0] == "rcompile"
        result = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path / "models", capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, (shlex.join(words), result.stderr)


def verb_of(words: list[str]) -> str:
    """Return the verb of a command, '' for that of compiling."""
    return words[1] if len(words) > 1 and words[1] in verbs() else ""


def verbs() -> list[str]:
    return [name for name in app if not name.startswith("-")]


def flags_of(verb: str) -> list[tuple[str, ...]]:
    """Return the names of each flag of a verb."""
    arguments = (app[verb] if verb else app).assemble_argument_collection()
    found = [tuple(name for name in argument.names if name.startswith("-")) for argument in arguments]
    return [names for names in found if names]


@pytest.mark.parametrize("verb", ["", *verbs()])
def test_each_flag_is_in_a_command(verb):
    used = {word for words in commands("commands") if verb_of(words) == verb for word in words}
    missing = [names for names in flags_of(verb) if not used & {*names, *(f"--no-{n[2:]}" for n in names)}]
    assert not missing
