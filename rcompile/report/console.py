"""The summary on the terminal: one screen."""

import os
import shlex
from enum import StrEnum

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rcompile.report.drivers import drivers
from rcompile.report.schema import Accuracy, LayerInfo, Report
from rcompile.report.words import adc_text, age, dies, plural, si
from rcompile.toml_file import GIVEN
from rcompile.verification.instructions import InstructionRun
from rcompile.verification.trials import Trials

MANY_LAYERS = 24
NAME_WIDTHS = (12, 32)
GAP = 2

VERIFYING = {
    "--data", "--device", "--faults", "--trials", "--until-ci", "--at", "--correct", "--calibration", "--seed",
    "--exact-samples",
}  # fmt: skip
"""Flags of compiling that verifying has, too."""


def short(name: str, width: int) -> str:
    """Return a name that fits a column: its ends tell more than its middle."""
    if len(name) <= width:
        return name
    tail = (width - 3) // 2
    return f"{name[: width - 3 - tail]}...{name[-tail:]}"


class Detail(StrEnum):
    """How much is printed: the verdict and warnings, one screen, or every layer, note and phase."""

    BRIEF = "brief"
    SCREEN = "screen"
    ALL = "all"


def print_summary(report: Report, console: Console, output: str, detail: Detail = Detail.SCREEN) -> None:
    """Print what was mapped, where, how well, and whether it is right."""
    if detail is not Detail.BRIEF:
        print_mapping(report, console, detail)
    print_diagnostics(report, console, detail)
    print_verdict(report, console)
    print_faults(report, console)
    print_trials(report, console)
    print_curve(report, console)
    if detail is Detail.BRIEF:
        return
    if detail is Detail.ALL:
        for phase in report.phases:
            console.print(f"{phase.name}: {si(phase.elapsed_s, 's')}", highlight=False)
    console.print(
        f"wrote {escape(output)}: program.rcx, report.json, report.html, report.csv, trace.json", highlight=False
    )
    if report.verification.exact.status != "skipped":
        console.print(f"again: {escape(replay(report, output))}", highlight=False, soft_wrap=True)


def print_mapping(report: Report, console: Console, detail: Detail) -> None:
    """Print what was mapped where, and what that takes."""
    model, totals = report.model, report.totals
    console.print(
        f"[bold]{escape(model.name)}[/] on [bold]{escape(str(report.target['name']))}[/]{changed(report)}: "
        f"{model.macs:,} MACs, {model.parameters:,} parameters, opset {model.opset}"
    )
    console.print(operators_line(report))
    console.print(layer_table(report, console.width, len(report.layers) if detail is Detail.ALL else MANY_LAYERS))
    console.print(
        f"crossbars {totals.crossbars_used:,} {in_rounds(report)} {totals.crossbars_available:,}, "
        f"{100 * totals.cell_utilization:.1f} % of their cells used; "
        f"{plural(totals.tiles_used, 'tile')}, {plural(totals.chips_used, 'chip')}"
    )
    console.print(
        f"latency {si(totals.latency_s, 's')}, interval {si(totals.interval_s, 's')}, "
        f"{totals.throughput_per_s:,.0f} inferences/s, limited by {report.mapping.schedule.limited_by}; "
        f"{100 * totals.macs_on_crossbars_share:.1f} % of the MACs on crossbars"
    )
    console.print(cost_line(report))
    for driver in drivers(report):
        console.print(
            f"  {100 * driver.share:.0f} % {escape(driver.component)}: {escape(driver.lever)} would change it",
            highlight=False,
        )


def changed(report: Report) -> str:
    """Say how many fields of the target --set changed."""
    count = sum(text == GIVEN for text in report.target["sources"].values())
    return f" with {plural(count, 'field')} changed" if count else ""


def print_diagnostics(report: Report, console: Console, detail: Detail) -> None:
    """Print what the user should know; hints of notes with all details only, and no notes in brief."""
    for item in report.diagnostics:
        if item.severity == "note" and detail is Detail.BRIEF:
            continue
        colour = {"error": "red", "warning": "yellow"}.get(item.severity, "dim")
        at = f" {item.node}:" if item.node and item.node not in item.message else ""
        console.print(f"[{colour}]{item.severity}[/]{escape(at)} {escape(item.message)}", highlight=False)
        if item.hint and (item.severity != "note" or detail is Detail.ALL):
            console.print(f"  [dim]hint: {escape(item.hint)}[/]", highlight=False)


def replay(report: Report, output: str) -> str:
    """Return the command that verifies the program again, on the same samples and dies."""
    words, found = report.command, ["rcompile", "verify", output.rstrip(os.sep)]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        flag, equals, _ = word.partition("=")
        if flag in VERIFYING:
            found += [word] if equals else [word, following]
    return shlex.join(found)


def cost_line(report: Report) -> str:
    """Say what an inference takes, and how large the chips are; of what is not known, why."""
    totals, missing = report.totals, report.cost.missing
    found = []
    least = "at least " if missing else ""
    if totals.energy_j is not None and totals.power_w is not None:
        share = totals.adc_energy_share
        converting = "" if share is None else f" ({100 * share:.0f} % converters)"
        found.append(
            f"energy {least}{si(totals.energy_j, 'J')} an inference{converting}, {si(totals.power_w, 'W')} on average"
        )
    if totals.area_m2 is not None:
        found.append(f"area {totals.area_m2 * 1e6:.3g} mm2")
    unknown = [name for name, value in (("energy", totals.energy_j), ("area", totals.area_m2)) if value is None]
    if unknown:
        found.append(f"{' and '.join(unknown)} not known")
    return "; ".join(found) + (f" (not stated: {escape(', '.join(missing))})" if missing else "")


def operators_line(report: Report) -> str:
    """Say how many nodes went where."""
    counts = {"crossbar": 0, "digital": 0, "folded": 0}
    for item in report.model.operators:
        counts[item.placed] += item.count
    digital = sorted({item.op_type for item in report.model.operators if item.placed == "digital"})
    names = f" ({escape(', '.join(digital))})" if digital else ""
    return (
        f"{plural(counts['crossbar'], 'operator')} on crossbars, {counts['digital']} digital{names}, "
        f"{counts['folded']} folded"
    )


def layer_table(report: Report, width: int, most: int = MANY_LAYERS) -> Table:
    """Return the per-layer table; of many layers, those with the most crossbars."""
    layers = report.layers
    shown = layers
    if len(layers) > most:
        largest = sorted(range(len(layers)), key=lambda i: -layers[i].crossbars)[:most]
        shown = [layers[i] for i in sorted(largest)]
    headings = ("matrix", "vectors", "weights", "crossbars", "used", "ADC", "time")
    rows = [figures_of(layer) for layer in shown]
    widths = [max(len(heading), *(len(row[index]) for row in rows)) for index, heading in enumerate(headings)]
    left = min(max(width - sum(widths) - GAP * len(widths), NAME_WIDTHS[0]), NAME_WIDTHS[1])  # only names are cut
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    table.add_column("layer", no_wrap=True)
    for heading, column in zip(headings, widths, strict=True):
        table.add_column(heading, justify="right", no_wrap=True, min_width=column)
    for layer, row in zip(shown, rows, strict=True):
        table.add_row(escape(short(layer.name, left)), *row)
    if len(shown) < len(layers):
        table.add_row(f"and {len(layers) - len(shown)} smaller layers", *[""] * 7)
    return table


def figures_of(layer: LayerInfo) -> tuple[str, ...]:
    """Return a layer's cells of the table, its name excepted."""
    groups = f"{layer.groups}x" if layer.groups > 1 else ""
    return (
        f"{groups}{layer.rows}x{layer.columns}",
        f"{layer.vectors:,}",
        f"{layer.weight_bits}b/{layer.input_bits}b",
        f"{layer.crossbars:,}",
        f"{100 * layer.utilization:.0f} %",
        adc_text(layer),
        si(layer.latency_s, "s"),
    )


def print_verdict(report: Report, console: Console) -> None:
    """Print whether the program is right, and the accuracy."""
    exact, accuracy = report.verification.exact, report.verification.accuracy
    if exact.status == "skipped":
        console.print(f"[yellow]not verified[/]: {escape(exact.reason)}")
        return
    if exact.status == "fail":
        console.print(f"[bold red]FAIL[/] {escape(exact.reason)}")
    else:
        console.print(
            f"[bold green]PASS[/] {plural(len(exact.layers), 'layer')}, each equal to integer arithmetic bit for bit, "
            f"on {plural(exact.samples, 'sample')}{rounded(sum(not layer.lossless for layer in report.layers))}"
        )
    if accuracy is not None:
        parts = [
            ("float model", accuracy.float_),
            ("quantized model", accuracy.quantized),
            ("mapped program", accuracy.ideal),
        ]
        figures = ", ".join(f"{name} {100 * value:.2f} %" for name, value in parts if value is not None)
        if figures:
            console.print(f"top-1: {figures} ({plural(accuracy.samples, 'sample')})")
        same = "" if accuracy.agreement is None else f"same top-1 on {100 * accuracy.agreement:.2f} %, "
        console.print(
            f"against onnxruntime on the quantized model, {plural(accuracy.samples, 'sample')}: {same}"
            f"outputs differ by at most {exact.output_max_abs_difference:.3g}"
        )


def print_faults(report: Report, console: Console) -> None:
    """Print what a die's faults do to weights."""
    faults = report.mapping.faults
    if faults is None:
        return
    console.print(
        f"die of {escape(faults.file)}: {plural(faults.stuck_cells, 'stuck cell')} in the crossbars used; weights are "
        f"off by {100 * faults.weight_error:.2g} % (RMS); with lines in the order of their numbers they were by "
        f"{100 * faults.in_order_error:.2g} %",
        highlight=False,
    )


def print_trials(report: Report, console: Console) -> None:
    """Print what accuracy survives on dies that are not ideal."""
    accuracy = report.verification.accuracy
    if accuracy is None or not accuracy.trials:
        return
    metric = metric_of(accuracy)
    faults = report.mapping.faults
    for found in accuracy.over_time:
        series = Trials(tuple(found.values), report.seed, (), found.age_s)
        line = trials_line(str(report.device["name"]), faults.file if faults else None, series)
        console.print(f"{metric} {escape(line)}", highlight=False)


def metric_of(accuracy: Accuracy) -> str:
    """Say what is measured."""
    return "top-1" if accuracy.metric == "top1" else "same top-1 as onnxruntime"


def print_curve(report: Report, console: Console) -> None:
    """Print the accuracy with other converters."""
    accuracy = report.verification.accuracy
    if accuracy is None:
        return
    for at in accuracy.over_adc_bits:
        on_dies = "" if at.mean is None else f", on {report.device['name']} {100 * at.mean:.2f} %"
        low, high = at.ci95 or (0.0, 0.0)
        spread = "" if at.ci95 is None else f" (95 %: {100 * max(low, 0):.2f} to {100 * min(high, 1):.2f} %)"
        ideal = "no metric" if at.ideal is None else f"{100 * at.ideal:.2f} %"
        what = f"{metric_of(accuracy)} with converters of {plural(at.adc_bits, 'bit')}"
        console.print(f"{what}: {ideal} on ideal cells{escape(on_dies)}{spread}", highlight=False)


def trials_line(device: str, faults: object, series: Trials) -> str:
    """Say what accuracy survived on some dies."""
    where = device + (f" with the faults of {faults}" if faults else "")
    when = f" after {age(series.age_s)}" if series.age_s else ""
    if series.mean is None:
        return f"on {where}{when}: no metric"
    spread = ""
    if series.ci95 is not None:
        low, high = series.ci95
        spread = f" (95 %: {100 * max(low, 0):.2f} to {100 * min(high, 1):.2f} %)"
    return f"on {where}{when}: {100 * series.mean:.2f} %{spread}, {dies(len(series.values))}"


def print_streams(run: InstructionRun, console: Console) -> None:
    """Print what running a program's instruction streams showed."""
    compared = f"outputs equal the program's on {plural(run.samples, 'sample')}"
    verdict = "[bold green]PASS[/] "
    if not run.samples:
        verdict = "[yellow]outputs not compared[/]: one sample takes long (--exact-samples 1 does it all the same); "
        compared = "the clock alone"
    console.print(
        f"{verdict}instructions: {run.instructions:,} an inference in {plural(run.threads, 'thread')} of "
        f"{plural(run.tiles, 'tile')}; {compared}; no thread waits for ever",
        highlight=False,
    )
    for name, found, planned in (
        ("latency", run.latency_s, run.planned_latency_s),
        ("interval", run.interval_s, run.planned_interval_s),
    ):
        off = round(100 * (found / planned - 1), 2) + 0.0  # no minus zero
        console.print(
            f"{name} on the machine: {si(found, 's')}, of the schedule: {si(planned, 's')} ({off:+.2f} %)",
            highlight=False,
        )
    over = f", more than its buffer of {si(run.buffer_bytes, 'B')} holds" if run.overflows else ""
    console.print(f"inputs that waited in the fullest tile: {si(run.held_bytes, 'B')}{over}", highlight=False)


def rounded(layers: int) -> str:
    """Say what a PASS leaves out, where converters of some layers round."""
    return f"; the converters of {plural(layers, 'layer')} round, which only the accuracy counts" if layers else ""


def in_rounds(report: Report) -> str:
    """Say how used crossbars stand to those that there are."""
    return "of" if report.mapping.rounds == 1 else f"in {report.mapping.rounds} rounds on"
