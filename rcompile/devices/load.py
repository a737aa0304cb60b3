"""Read devices: NAME, NAME@TIME, NAME?SECTION.FIELD=VALUE&..., or a .toml file in place of the name."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rcompile.circuits.wires import Wires
from rcompile.devices.access import Access
from rcompile.devices.ageing import Temperature
from rcompile.devices.device import CIRCUITS, Device
from rcompile.devices.measured import Measured
from rcompile.devices.model import Cell, Model
from rcompile.devices.models import MODELS
from rcompile.devices.states import States
from rcompile.errors import UsageError
from rcompile.toml_file import Kind, TomlFile

DEVICE = Kind(
    name="device",
    package="rcompile.devices",
    sections={"cell": Cell, **MODELS, **CIRCUITS},
    always=("cell",),
    option="?",
    shown="`rcompile devices hfo2_1t1r`",
    paths={"measured": "file"},
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

LONGEST_S = 1e12
"""30,000 years."""


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
    circuits = {section: found.sections.pop(section) for section in CIRCUITS if section in found.sections}
    models: dict[str, Model] = found.sections
    if isinstance(table := models.get("measured"), Measured):
        models["measured"] = replace(table, file=str(Path(file).parent / table.file))
    if cell.g_max_s <= cell.g_min_s:
        source.mistake("cell.g_max_s", f"must be larger than cell.g_min_s ({cell.g_min_s:g} S), is {cell.g_max_s:g}")
    for section, model in models.items():
        for key, problem in model.contradictions(cell):
            source.mistake(f"{section}.{key}", problem)
    for section, problem in exclusive(cell, models, circuits):
        source.mistake(section, problem)
    source.finish()
    return Device(
        name=f"{found.name}?{changes}" if changes else found.name,
        summary=found.summary,
        cell=cell,
        models=models,
        **circuits,
        age_s=seconds(time) if time else 0.0,
        sources=found.sources,
        assumptions=found.assumptions,
        assumed_fields=found.assumed,
    )


def exclusive(cell: Cell, models: dict[str, Model], circuits: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield (section, what is wrong) where sections do not go together."""
    bent = [section for section, model in models.items() if model.terms(cell)]
    for other in bent[1:]:
        yield other, f"and {bent[0]} both say how current depends on voltage: leave one of them out"
    for lines in ("wires", "gated", "access"):
        if bent and lines in {**circuits, **models}:
            yield bent[0], f"bends currents, and {lines} takes cells to be ohmic: leave one of them out"
    states, access = models.get("states"), models.get("access")
    if isinstance(states, States) and isinstance(access, Access) and states.count and access.verified and access.ohm:
        problem = "spaces the cell's own states evenly, and access.verified aims at levels that are even behind it: "
        yield "states.count", problem + "list them (states.listed_s), or set access.verified = false"
    heat = circuits.get("temperature")
    if isinstance(heat, Temperature):
        yield from ((f"temperature.{key}", problem) for key, problem in heat.contradictions())
    if {"wires", "gated"} <= set(circuits):
        yield "gated", "and wires both say how lines run: leave one of them out"
    wires = circuits.get("wires")
    if isinstance(wires, Wires) and wires.idle == "floating" and wires.drive == "both":
        yield "wires.idle", "must be grounded where rows are driven at both ends"
    written = [section for section in ("measured", "exp_step", "soft_bounds", "write_verify") if section in models]
    for other in written[1:]:
        yield other, f"and {written[0]} both say how cells are written: leave one of them out"


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
    if value is not None and unit is not None and not value * unit <= LONGEST_S:
        raise UsageError(f"'{text}' is more than {LONGEST_S:g} s", hint="no law of a device holds that long")
    if value is None or unit is None:
        raise UsageError(f"'{text}' is not a time", hint=f"a number and one of {', '.join(UNITS)}, for example 1day")
    return value * unit
