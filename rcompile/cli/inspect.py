"""What `rcompile inspect` and `rcompile targets NAME` print."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rcompile.api import program_file
from rcompile.compiler import blamed
from rcompile.cost.prices import price, unpriced
from rcompile.devices import IDEAL, Device
from rcompile.devices.device import CIRCUITS
from rcompile.devices.load import DEVICE
from rcompile.errors import Origin, VerificationFailed
from rcompile.frontend.load import Source, load
from rcompile.inheritance import origin_of
from rcompile.ir import container
from rcompile.passes.lower import lower
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.report.console import plural
from rcompile.report.roll_up import roll_up_lines
from rcompile.simplify import simplify
from rcompile.targets import Target
from rcompile.targets.schema import TARGET
from rcompile.toml_file import Kind
from rcompile.verification.checker import Unsound, check_program


def inspect_file(path: Path, console: Console, source: Source, *, blocks: bool) -> None:
    """Show a program or a model."""
    if path.suffix == ".rcx" or (path.is_dir() and (path / "program.rcx").exists()):
        inspect_program(program_file(path), console, blocks=blocks)
    else:
        inspect_model(path, console, source)


def inspect_program(path: Path, console: Console, *, blocks: bool) -> None:
    """Show a program file and what the checker says of it."""
    compiled = container.load(path)
    placed = compiled.placed
    program = placed.program
    console.print(
        f"[bold]{escape(program.source.name)}[/] on {escape(compiled.target['name'])}, "
        f"quantized by the {'model' if compiled.quantized_by == 'model' else 'compiler'}"
    )
    if blocks:
        console.print(escape(str(placed)), soft_wrap=True)
    else:
        lines = [line for line in program.lines() if not line.startswith("    ")]
        console.print(escape("\n".join(lines)), soft_wrap=True)
    for line in program.source.lines(program.source.order, "  step "):
        console.print(escape(line), soft_wrap=True)
    plan = placed.floorplan
    there = "of" if plan.round_count == 1 else f"in {plan.round_count} rounds on"
    console.print(
        f"{plural(len(program.blocks), 'block')} on {placed.crossbars_filled:,} {there} "
        f"{plan.crossbars_available:,} crossbars, {plural(len(set(plan.slots)), 'tile')}; "
        f"digest {container.file_digest(path)[:16]}"
    )
    try:
        check_program(path)
        console.print(
            "[green]sound[/]: each weight bit sits in one cell, no two blocks share a cell, "
            "each partial sum is reduced once"
        )
    except Unsound as rule:
        raise VerificationFailed(f"the program is unsound: {rule}", at=Origin(str(path))) from rule


def inspect_model(path: Path, console: Console, source: Source) -> None:
    """Show where each operator of a model would go; ranges are made up, since they decide nothing about that."""
    with blamed(path):
        graph = simplify(load(path, source), Trace())
    console.print(escape(f"{path}: opset {graph.opsets.get('', '?')}, batch axis {graph.batch}"))
    for value in (*graph.inputs, *graph.outputs):
        console.print(escape(f"  {'input' if value in graph.inputs else 'output'} {value}"))
    precision = Precision()
    quantized = quantize(graph, dict.fromkeys(needs_ranges(graph, precision), (-1.0, 1.0)), precision)
    count: Counter[tuple[str, str, str]] = Counter()
    macs: Counter[tuple[str, str, str]] = Counter()
    for item in lower(quantized).placements:
        key = (item.op_type, item.placed, item.reason)
        count[key] += 1
        macs[key] += item.macs
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("operator", "nodes", "MACs", "goes to", "reason"):
        table.add_column(heading, justify="right" if heading in {"nodes", "MACs"} else "left")
    for (op_type, where, reason), number in count.items():
        table.add_row(op_type, f"{number:,}", f"{macs[op_type, where, reason]:,}", where, escape(reason))
    console.print(table)


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
