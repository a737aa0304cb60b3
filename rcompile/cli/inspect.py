"""What `rcompile inspect` prints."""

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rcompile.api import program_file
from rcompile.compiler import blamed
from rcompile.errors import Origin, VerificationFailed
from rcompile.frontend.load import Source, load
from rcompile.ir import container
from rcompile.passes.lower import lower
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.report.words import plural
from rcompile.simplify import simplify
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
