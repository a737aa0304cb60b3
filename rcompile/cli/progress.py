"""Progress on the terminal: a line per long phase, with the time left; nothing where stderr is no terminal."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LABELS = {"exact": "comparing bit by bit", "accuracy": "measuring accuracy", "place": "placing tiles"}


class RichProgress:
    """Shows the phase that runs."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "RichProgress":
        if not self._progress.disable:  # even a disabled display ends with a newline in some versions of rich
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._progress.disable:
            self._progress.stop()

    def start(self, name: str, total: int) -> None:
        """Show a phase."""
        self._task = self._progress.add_task(LABELS.get(name, name.replace("_", " ")), total=total or None)

    def advance(self, count: int) -> None:
        """Show that units of the phase are done."""
        if self._task is not None:
            self._progress.advance(self._task, count)

    def stop(self) -> None:
        """Take the phase away."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
