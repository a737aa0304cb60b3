"""Where people read, and lists that they read."""

from pathlib import Path
from typing import TYPE_CHECKING

from rcompile.cli.arguments import require_writable
from rcompile.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console


def plot_targets(path: Path, name: str | None) -> None:
    """Draw all presets, and a target beside them."""
    from rcompile.report.plots import draw
    from rcompile.targets import list_targets, resolve_target

    if path.suffix != ".svg":
        raise UsageError(f"--plot: {path} must end in .svg")
    require_writable(path, "--plot")
    own = None if name is None else resolve_target(name)
    text, absent = draw([resolve_target(preset) for preset in list_targets() if preset != name], own)
    path.write_text(text, encoding="utf-8")
    without = f"; without a known power and area, and so only in the first picture: {', '.join(absent)}"
    human_console(to_stderr=False).print(f"wrote {path}{without if absent else ''}", highlight=False)


def list_presets(presets: dict[str, str]) -> None:
    """Print names and summaries."""
    console, width = human_console(to_stderr=False), max(map(len, presets))
    for name, summary in presets.items():
        console.print(
            f"[bold]{name:{width}}[/] {summary}",
            highlight=False, no_wrap=True, overflow="ellipsis", soft_wrap=not console.is_terminal,
        )  # fmt: skip


def human_console(*, to_stderr: bool) -> "Console":
    """Return where people read; colours only on terminals."""
    from rich.console import Console

    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, highlight=False, width=110, soft_wrap=False)
    return console
