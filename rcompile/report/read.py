"""Reports that were written before."""

from pathlib import Path

import msgspec

from rcompile.errors import InputError, Origin
from rcompile.report.schema import Report, from_json


def read_report(path: Path) -> Report:
    """Return the report in a folder that rcompile wrote, or in a report.json.

    Raises:
        InputError: there is none, or this version cannot read it.
    """
    file = path / "report.json" if path.is_dir() else path
    at = Origin(str(file))
    if file.exists() and file.suffix != ".json":
        raise InputError("this is no report", at=at, hint="name the folder that rcompile wrote, or its report.json")
    try:
        return from_json(file.read_bytes())
    except FileNotFoundError as error:
        raise InputError(
            "there is no report", at=at, hint="name the folder that rcompile wrote, MODEL.rcompile, or its report.json"
        ) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", at=at) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"this is no report of this version of rcompile: {error}", at=at, hint="compile the model again"
        ) from error
