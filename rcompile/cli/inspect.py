"""What `rcompile inspect` and `rcompile targets NAME` print."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rcompile.api import program_file
from rcompile.frontend.load import load
from rcompile.frontend.macs import macs_of
from rcompile.frontend.operators import Refusal, recognise
from rcompile.ir import container
from rcompile.passes.canonicalize import canonicalize
from rcompile.passes.fold_batch_norm import fold_batch_norm
from rcompile.passes.fold_constants import fold_constants
from rcompile.targets import Target
from rcompile.targets.schema import SECTIONS, rules
from rcompile.verification.checker import Unsound, check_program


def inspect_file(path: Path, console: Console, *, blocks: bool) -> None:
    """Show a program or a model."""
    if path.suffix == ".rcx" or (path.is_dir() and (path / "program.rcx").exists()):
        inspect_program(program_file(path), console, blocks=blocks)
    else:
        inspect_model(path, console)


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
    for step in program.source.steps():
        console.print(escape(f"  step {step}"), soft_wrap=True)
    plan = placed.floorplan
    console.print(
        f"{len(program.blocks)} blocks on {plan.crossbars_used} of {plan.crossbars_available} crossbars, "
        f"{len(plan.slots)} tiles; digest {container.file_digest(path)[:16]}"
    )
    try:
        check_program(path)
        console.print(
            "[green]sound[/]: each weight bit sits in one cell, no two blocks share a column, "
            "each partial sum is reduced once"
        )
    except Unsound as rule:
        console.print(f"[bold red]UNSOUND[/]: {escape(str(rule))}")


def inspect_model(path: Path, console: Console) -> None:
    """Show where each operator of a model would go, without compiling it."""
    graph = fold_batch_norm(canonicalize(fold_constants(load(path))))
    console.print(escape(f"{path}: opset {graph.opsets.get('', '?')}, batch axis {graph.batch}"))
    for value in (*graph.inputs, *graph.outputs):
        console.print(escape(f"  {'input' if value in graph.inputs else 'output'} {value}"))
    rows: Counter[tuple[str, str, str]] = Counter()
    macs: Counter[tuple[str, str, str]] = Counter()
    types = dict(graph.source_nodes)
    for name, reason in graph.folded.items():
        rows[types[name], "folded", reason] += 1
    for node in graph.nodes:
        operator = recognise(node, graph)
        where, reason = ("digital", operator.reason) if isinstance(operator, Refusal) else ("crossbar", "")
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            where, reason = "digital or folded", "depends on the operators around it"
        key = (node.op_type, where, reason)
        rows[key] += 1
        macs[key] += macs_of(node, graph)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("operator", "nodes", "MACs", "goes to", "reason"):
        table.add_column(heading, justify="right" if heading in {"nodes", "MACs"} else "left")
    for (op_type, where, reason), count in rows.items():
        table.add_row(op_type, str(count), f"{macs[op_type, where, reason]:,}", where, escape(reason))
    console.print(table)


def show_target(target: Target, console: Console) -> None:
    """Show a target: each field with its unit, and where values come from."""
    console.print(f"[bold]{escape(target.name)}[/]: {escape(target.summary)}")
    known = rules()
    for section in SECTIONS:
        console.print(
            f"[bold]{escape(f'[{section}]')}[/]  [dim]{escape(target.sources.get(section, ''))}[/]", soft_wrap=True
        )
        for key, value in asdict(getattr(target, section)).items():
            name = f"{section}.{key}"
            rule = known[name]
            note = " (assumed)" if name in target.assumed_fields else ""
            source = f"  {target.sources[name]}" if name in target.sources else ""
            console.print(
                escape(f"  {key} = {value}{f' {rule.unit}' if rule.unit else ''}{note}  # {rule.doc}{source}"),
                soft_wrap=True,
            )
    console.print(f"{target.crossbars_available:,} crossbars in {target.hierarchy.chips} chip(s)")
