"""What `rcompile targets NAME` and `rcompile devices NAME` print."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from rcompile.cost.prices import price, unpriced
from rcompile.devices import IDEAL, Device
from rcompile.devices.device import CIRCUITS
from rcompile.devices.load import DEVICE
from rcompile.inheritance import origin_of
from rcompile.report.roll_up import roll_up_lines
from rcompile.targets import Target
from rcompile.targets.schema import TARGET
from rcompile.toml_file import Kind


def target_text(target: Target) -> str:
    """Return a target as a file that rcompile reads, each field with its meaning."""
    sections = {section: asdict(getattr(target, section)) for section in TARGET.sections}
    for item in target.components:
        follows = item.per == "conversion" and item.count == target.adc.per_crossbar * target.levels[item.at]
        entry = replace(item.entry, count=None) if follows else item.entry
        sections[f"components.{item.name}"] = asdict(entry)
    text = file_text(TARGET, target, sections)
    return "\n".join([*(f"# {line}" for line in roll_up_lines(target)), "", text])


def check_lines(target: Target) -> list[str]:
    """Say what a target that is sound states, what it assumes with a reason, and what it leaves out."""
    assumed = [name for name in target.assumed_fields if says_of(name, target.assumptions)]
    open_ = [name for name in target.assumed_fields if name not in assumed]
    lacking = [
        f"{item.name} ({', '.join(what)})"
        for item in target.components
        if (what := [name for name in ("energy_j", "area_m2") if getattr(price(item, target), name) is None])
    ]
    lines = [f"{target.name} is sound: each value has a source, or says that it is assumed"]
    lines += [f"assumed: {name}: {says_of(name, target.assumptions)}" for name in assumed]
    lines += [f"left out, and taken as: {name} = {json.dumps(value_of(target, name))}" for name in open_]
    if not target.components:
        return [*lines, "no components: neither energy nor area will be known"]
    lines += [f"without a price: {', '.join(lacking)}"] if lacking else []
    others = unpriced(target)
    return [*lines, *([f"no component states the energy of: {', '.join(others)}"] if others else [])]


def value_of(target: Target, name: str) -> object:
    """Return a field of a target by its dotted name."""
    section, _, key = name.partition(".")
    return getattr(getattr(target, section), key)


def device_text(device: Device) -> str:
    """Return a device as a file that rcompile reads, each field with its meaning."""
    found = device.as_dict()
    ideal = {name: getattr(IDEAL, name) for name in CIRCUITS}
    there = ["cell", *device.models, *(name for name in CIRCUITS if getattr(device, name) != ideal[name])]
    return file_text(DEVICE, device, {section: found[section] for section in there})


def file_text(kind: Kind, described: Target | Device, sections: dict[str, dict[str, object]]) -> str:
    """Return what a file says, each field with its meaning."""
    entries = [name for name in sections if "." in name]
    known, defaults = kind.rules(entries), kind.defaults(entries)
    lines = ["schema_version = 1", f"name = {json.dumps(described.name)}", f"summary = {json.dumps(described.summary)}"]
    for section, values in sections.items():
        lines += ["", f"[{section}]"]
        for key, value in values.items():
            name = f"{section}.{key}"
            rule = known[name]
            if rule.optional and value == defaults[name]:
                continue  # says nothing
            unit = f" ({rule.unit})" if rule.unit else ""
            line = f"{key} = {json.dumps(value)}  # {rule.doc}{unit}"
            left_out = name in described.assumed_fields and not says_of(name, described.assumptions)
            lines.append(f"# {line}, assumed" if left_out else line)
    for origin, texts in (("sources", described.sources), ("assumed", described.assumptions)):
        named = {json.dumps(name) if "." in name else name: text for name, text in texts.items()}
        lines += ["", f"[{origin}]", *(f"{name} = {json.dumps(text)}" for name, text in named.items())] if texts else []
    return "\n".join(lines)


def says_of(name: str, texts: Mapping[str, str]) -> str:
    """Return what is said of a field, or of the least part that holds it; or ''."""
    return origin_of(name, {"sources": texts})[1]
