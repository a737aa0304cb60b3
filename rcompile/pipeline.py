"""Trace: runs passes one by one, verifies, times and prints what each leaves behind."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from rcompile.errors import InternalError, RcompileError


class Level(Protocol):
    """A program level: it checks its own invariants and prints itself."""

    def verify(self) -> None:
        """Raise InternalError where an invariant is broken."""
        ...


class Progress(Protocol):
    """Where progress is shown."""

    def start(self, name: str, total: int) -> None:
        """Begin a phase of `total` units."""
        ...

    def advance(self, count: int) -> None:
        """Finish some units of the phase."""
        ...

    def stop(self) -> None:
        """End the phase."""
        ...


class Silent:
    """Progress that is not shown."""

    def start(self, name: str, total: int) -> None:
        """Ignore."""

    def advance(self, count: int) -> None:
        """Ignore."""

    def stop(self) -> None:
        """Ignore."""


P = ParamSpec("P")
In = TypeVar("In")
Out = TypeVar("Out", bound=Level)


@dataclass
class Trace:
    """What happened in one compilation.

    Attributes:
        print_after: names of the passes after which the program is printed.
        show: prints a program's text.
        progress: shows how far long phases are.
        phases: (name, seconds) of what has run.
    """

    print_after: tuple[str, ...] = ()
    show: Callable[[str], None] = print
    progress: Progress = field(default_factory=Silent)
    phases: list[tuple[str, float]] = field(default_factory=list)
    passes: list[str] = field(default_factory=list)

    def run(self, step: Callable[Concatenate[In, P], Out], program: In, *args: P.args, **options: P.kwargs) -> Out:
        """Run one pass and verify its result; what goes wrong carries the pass's name."""
        name = step.__name__
        self.passes.append(name)
        with self.phase(name):
            try:
                result = step(program, *args, **options)
                result.verify()
            except MemoryError:
                raise
            except RcompileError as error:
                if isinstance(error, InternalError):
                    error.add_note(f"in pass {name}, after {', '.join(self.passes[:-1]) or 'nothing'}")
                raise
            except Exception as error:
                raise InternalError(f"pass {name} failed: {type(error).__name__}: {error}") from error
        if name in self.print_after:
            self.show(f"# after {name}\n{result}")
        return result

    @contextlib.contextmanager
    def phase(self, name: str, total: int = 0) -> Iterator[Callable[[int], None]]:
        """Time a phase and show its progress; yields the function to call with finished units."""
        start = time.perf_counter()
        self.progress.start(name, total)
        try:
            yield self.progress.advance
        finally:
            self.progress.stop()
            self.phases.append((name, time.perf_counter() - start))
