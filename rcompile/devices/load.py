"""Read devices: NAME, NAME@TIME, NAME?SECTION.FIELD=VALUE&..., or a .toml file in place of the name."""

import re

from rcompile.circuits.converters import Converters
from rcompile.circuits.wires import Wires
from rcompile.devices.device import NO_ERRORS, NO_WIRES, Device
from rcompile.devices.model import Cell, Model
from rcompile.devices.models import MODELS
from rcompile.errors import UsageError
from rcompile.toml_file import Kind, TomlFile

DEVICE = Kind(
    name="device",
    package="rcompile.devices",
    sections={"cell": Cell, **MODELS, "wires": Wires, "converters": Converters},
    always=("cell",),
    option="?",
    shown="`rcompile devices hfo2_1t1r`",
)
"""What a device file is."""

UNITS = {
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "day": 86400.0,
    "week": 604_800.0,
    "month": 2_629_746.0,
    "year": 31_556_952.0,
}
"""Seconds; a year is the Gregorian calendar's."""


def list_devices() -> dict[str, str]:
    """Return the name and summary of each preset."""
    return DEVICE.presets()


def resolve_device(text: str) -> Device:
    """Return a device.

    Args:
        text: a preset's name or a path that ends in .toml; then, each optional, @ and the time after writing at which
            it is read (10s, 5min, 1h, 2day, 1year), and ? and fields that replace those of the file
            (lognormal.sigma=0.1&stuck.at_g_min=0).

    Raises:
        UsageError: no such device, or mistakes in it.
    """
    rest, _, changes = text.partition("?")
    name, at, time = rest.rpartition("@")
    if not at or "/" in time:  # a folder may have an @ in its name
        name, time = rest, ""
    content, file = DEVICE.text_of(name)
    source = TomlFile(DEVICE, content, file, overrides_of(changes))
    found = source.content()
    cell: Cell = found.sections.pop("cell")
    wires: Wires = found.sections.pop("wires", NO_WIRES)
    converters: Converters = found.sections.pop("converters", NO_ERRORS)
    models: dict[str, Model] = found.sections
    if cell.g_max_s <= cell.g_min_s:
        source.mistake("cell.g_max_s", f"must be larger than cell.g_min_s ({cell.g_min_s:g} S), is {cell.g_max_s:g}")
    for section, model in models.items():
        for key, problem in model.contradictions(cell):
            source.mistake(f"{section}.{key}", problem)
    source.finish()
    return Device(
        name=f"{found.name}?{changes}" if changes else found.name,
        summary=found.summary,
        cell=cell,
        models=models,
        wires=wires,
        converters=converters,
        age_s=seconds(time) if time else 0.0,
        sources=found.sources,
        assumed_fields=found.assumed,
    )


def overrides_of(text: str) -> dict[str, str]:
    """Return the fields after ?, by dotted name."""
    found = {}
    for part in filter(None, text.split("&")):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError(
                f"?: '{part}' is not SECTION.FIELD=VALUE", hint="for example hfo2_1t1r?lognormal.sigma=0.1"
            )
        found[name.strip()] = value.strip()
    return found


def seconds(text: str) -> float:
    """Return a time like 1day in seconds."""
    match = re.fullmatch(r"([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]+?)s?", text.strip())
    unit = UNITS.get(match[2]) if match else None
    try:
        value = float(match[1]) if match and unit else None
    except ValueError:
        value = None
    if value is None or unit is None:
        raise UsageError(f"'{text}' is not a time", hint=f"a number and one of {', '.join(UNITS)}, for example 1day")
    return value * unit
