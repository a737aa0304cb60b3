"""What arguments that are texts mean."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rcompile.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def limits_of(threads: int, memory: float) -> "AbstractContextManager[None]":
    """Return what lets engines take so many threads, and so many GiB."""
    from rcompile.workers import Limits, limited

    return limited(Limits(threads, int(memory * 2**30)))


def parse_settings(settings: tuple[str, ...]) -> dict[str, str]:
    """Split FIELD=VALUE texts."""
    found = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set: '{text}' is not FIELD=VALUE", hint="for example --set crossbar.rows=256")
        found[name.strip()] = value.strip()
    return found


def parse_dimensions(settings: tuple[str, ...]) -> dict[str, int]:
    """Split NAME=SIZE texts; a name may hold an equals sign."""
    found = {}
    for text in settings:
        name, _, size = text.rpartition("=")
        if not name or not size.strip().isdecimal() or int(size) < 1:
            raise UsageError(f"--dim: '{text}' is not NAME=SIZE", hint="for example --dim sequence=128")
        found[name.strip()] = int(size)
    return found


def parse_range(text: str | None, flag: str) -> tuple[int, ...]:
    """Return whole numbers: FROM:TO, both included, or a list of ranges and numbers."""
    if text is None:
        return ()
    found: list[int] = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        last = last if colon else first
        if not first.isdecimal() or not last.isdecimal() or int(last) < int(first):
            raise UsageError(f"{flag}: '{part}' is no FROM:TO, the lower first", hint=f"for example {flag} 3:8")
        found += range(int(first), int(last) + 1)
    return tuple(dict.fromkeys(found))


def require_writable(path: Path, flag: str) -> None:
    """Refuse a file that could not be written in the end, before any work is done."""
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"{flag}: {path} cannot be written", hint="name a file in a folder that you may write to")
