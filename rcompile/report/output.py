"""Output: folders and files are written aside and moved into place, so that nothing half-written is ever left."""

import os
import secrets
import shutil
from pathlib import Path
from types import TracebackType

from rcompile.errors import Origin, UsageError


class OutputFolder:
    """A folder that appears, complete, at `commit`; before that and after an error nothing is left behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._draft: Path | None = None

    def __enter__(self) -> "OutputFolder":
        at = Origin(str(self._folder))
        if self._folder.exists() and not self._folder.is_dir():
            raise UsageError(
                "the output must be a folder, but this is a file", at=at, hint="choose another with -o DIR"
            )
        try:
            self._make()
        except OSError as error:
            self.__exit__(None, None, None)
            raise UsageError(
                f"the output folder cannot be written: {error.strerror}", at=at, hint="choose another with -o DIR"
            ) from error
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _make(self) -> None:
        """Make the folder that is written to; OSError where that, or moving it into place, is not allowed."""
        parent = self._folder.absolute().parent
        if not parent.is_dir():
            raise NotADirectoryError(2, f"there is no folder {parent}")
        # named before it is made: an interruption in between must find what to remove
        self._draft = parent / f".{self._folder.name}.{secrets.token_hex(4)}"
        self._draft.mkdir()
        if self._folder.exists() and not os.access(self._folder, os.W_OK):
            raise PermissionError(13, "permission denied")

    def path(self, name: str) -> Path:
        """Return where to write a file of the folder."""
        assert self._draft is not None
        return self._draft / name

    def commit(self) -> None:
        """Move everything into place; files of the folder that were not written anew stay."""
        assert self._draft is not None
        if not self._folder.exists():
            self._draft.replace(self._folder)
            return
        for file in sorted(self._draft.iterdir()):
            file.replace(self._folder / file.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._draft is not None:
            shutil.rmtree(self._draft, ignore_errors=True)
        if isinstance(error, OSError):  # a full disk, a quota, a folder that went away
            raise UsageError(
                f"the output folder cannot be written: {error.strerror or error}",
                at=Origin(str(self._folder)),
                hint="make room, or choose another with -o DIR",
            ) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or leave it as it was."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", at=Origin(str(path))) from error
    finally:
        part.unlink(missing_ok=True)
