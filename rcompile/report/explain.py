"""Why a node is where it is, and what would change it: from the report alone."""

from collections.abc import Iterator
from difflib import get_close_matches
from math import ceil

from rcompile.errors import UsageError
from rcompile.report.codes import CODES, Code
from rcompile.report.schema import LayerInfo, OperatorInfo, Report
from rcompile.report.words import adc_text, plural, si

SLOWER = 1.001
"""By how much a layer's time may exceed that of its reads without a reason: times are whole picoseconds."""


def explain(report: Report, what: str) -> list[str]:
    """Return lines about a node of the model, or about a diagnostic's code.

    Args:
        report: of a compilation.
        what: the name of a node, or a code.

    Raises:
        UsageError: the report has neither.
    """
    if what in CODES:
        found = [item for item in report.diagnostics if item.code == what]
        lines = [f"here: {item.message}" + (f" ({item.hint})" if item.hint else "") for item in found]
        return [*code_lines(what, CODES[what]), *(lines or [f"not so for {report.model.name}"])]
    layers = [layer for layer in report.layers if what in {layer.name, layer.node}]
    operator = next((item for item in report.model.operators if what in item.nodes), None)
    if layers:
        lines = [line for layer in layers for line in layer_lines(report, layer)]
    elif operator is not None:
        lines = operator_lines(what, operator)
    else:
        raise unknown(report, what)
    about = [item for item in report.diagnostics if item.node == what or what in item.message.split()]
    return [*lines, *(f"{item.severity} {item.code}: {item.message}" for item in about)]


def unknown(report: Report, what: str) -> UsageError:
    """Return what to say of a name that is neither a node nor a code."""
    names = [name for item in report.model.operators for name in item.nodes]
    close = get_close_matches(what, [*names, *CODES], n=1, cutoff=0.5)
    return UsageError(
        f"'{what}' is neither a node of {report.model.name} nor the code of a diagnostic",
        hint=f"did you mean '{close[0]}'?" if close else "rcompile explain FOLDER lists what there is",
    )


def contents(report: Report) -> list[str]:
    """Return what of a report can be explained."""
    lines = [f"{report.model.name} on {report.target['name']}: rcompile explain FOLDER NODE, or CODE"]
    for where in ("crossbar", "digital", "folded"):
        names = [name for item in report.model.operators if item.placed == where for name in item.nodes]
        if names:
            lines.append(f"{where}: {', '.join(names)}")
    codes = sorted({item.code for item in report.diagnostics})
    return [*lines, *([f"diagnostics: {', '.join(codes)}"] if codes else [])]


def code_lines(name: str, code: Code) -> list[str]:
    """Return what a code means, and what changes it."""
    return [f"{name}: {code.meaning}", *([f"what would change it: {code.remedy}"] if code.remedy else [])]


def operator_lines(name: str, operator: OperatorInfo) -> list[str]:
    """Explain a node that is not on crossbars."""
    lines = [f"{name} ({operator.op_type}) is {operator.placed}: {operator.reason}"]
    if operator.placed == "folded":
        return [*lines, "it takes neither time nor energy of its own"]
    if operator.macs:
        lines.append(f"{operator.op_type} nodes with this reason take {operator.macs:,} multiply-accumulates")
    if operator.elements:
        lines.append(f"digital units work on {operator.elements:,} elements an inference for nodes of this kind")
    return lines


def layer_lines(report: Report, layer: LayerInfo) -> Iterator[str]:
    """Explain a matrix on crossbars, and say what would change it."""
    crossbar, groups = report.target["crossbar"], f"{layer.groups} groups of " if layer.groups > 1 else ""
    slices = " + ".join(f"{s.bits}{' in SRAM' if s.memory == 'sram' else ''}" for s in layer.weight_slices)
    each = layer.crossbars // layer.replicas or 1
    yield (
        f"{layer.name} ({layer.op_type}) is on crossbars: its weights are constant, {groups}{layer.rows} inputs x "
        f"{layer.columns} outputs, presented {plural(layer.vectors, 'vector')} an inference"
    )
    yield (
        f"  weights: {layer.weight_bits} bits as {layer.sign_scheme}, in slices of {slices} bits "
        f"(cells hold {crossbar['cell_bits']})" + flipped(layer)
    )
    yield (
        f"  crossbars: {layer.row_partitions} row x {layer.column_partitions} column partitions of "
        f"{crossbar['rows']} x {crossbar['columns']} crossbars: {plural(layer.blocks, 'block')} on "
        f"{plural(layer.crossbars, 'crossbar')}, {100 * layer.utilization:.3g} % of their cells used"
        + (f"; {plural(layer.replicas, 'copy') if layer.replicas == 1 else f'{layer.replicas} copies'} of {each}")
    )
    yield f"  places: {places(report, layer)}; {layer.traffic_bytes:,} bytes of input from other layers an inference"
    yield f"  converters: {converters(report, layer)}"
    yield f"  time: {times(report, layer)}"
    yield from (f"  {line}" for line in energies(report, layer))
    yield "  what would change it:"
    yield from (f"    {line}" for line in levers(report, layer))


def flipped(layer: LayerInfo) -> str:
    """Say what storing columns inverted saves."""
    saved = layer.adc_bits_required.weights_unflipped - layer.adc_bits_required.weights
    if not layer.flipped_columns:
        return ""
    return f"; {plural(layer.flipped_columns, 'column')} stored inverted" + (
        f", which saves {plural(saved, 'bit')} of the converters" if saved > 0 else ""
    )


def places(report: Report, layer: LayerInfo) -> str:
    """Say on which tiles a layer is."""
    plan = {tile.tile: tile for tile in report.mapping.tiles}
    stacked = report.target["hierarchy"].get("mesh_layers", 1) > 1
    named = [
        f"tile {t} (chip {plan[t].chip}" + (f", layer {plan[t].layer}" if stacked else "")
        + f", row {plan[t].row}, column {plan[t].column})"
        for t in layer.tiles[:3]
    ]  # fmt: skip
    more = len(layer.tiles) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def converters(report: Report, layer: LayerInfo) -> str:
    """Say what resolution a layer needs, and what it has."""
    if layer.converters.kind == "none":
        return "none, its sums stay analog"
    need = layer.adc_bits_required
    have = report.target["adc"]["bits"]
    verdict = "nothing is lost" if layer.lossless else "only signs are read" if layer.converters.keeps_signs else (
        "sums are rounded, which the accuracy counts"
    )  # fmt: skip
    return (
        f"{adc_text(layer)} of the target's {have}; {need.exact} would do for any weights, {need.weights} do for "
        f"these: {verdict}; {layer.converters.conversions:,} conversions an inference"
    )


def times(report: Report, layer: LayerInfo) -> str:
    """Say how long a layer takes, and why."""
    target = report.target
    each, reads = ceil(layer.vectors / layer.replicas), layer.input_cycles * layer.reads_per_cycle
    cycle = target["timing"]["read_cycle_s"]
    text = f"{si(layer.latency_s, 's')} an inference, {each:,} vectors a copy x {layer.input_cycles} input cycles" + (
        f" x {layer.reads_per_cycle} reads" if layer.reads_per_cycle > 1 else ""
    )
    if target["inputs"]["encoding"] == "pulse_width":
        return f"{text}, each a pulse of several read cycles of {si(cycle, 's')}"
    text += f" x {si(cycle, 's')}"
    if layer.latency_s <= each * reads * cycle * SLOWER:
        return text
    return (
        f"{text} = {si(each * reads * cycle, 's')} of reads; converters that columns share, layers that share the "
        "crossbar, digital units or links make it longer"
    )


def energies(report: Report, layer: LayerInfo) -> Iterator[str]:
    """Say what a layer's energy goes to."""
    total = report.totals.energy_j
    if not total or layer.energy_j is None:
        return
    largest = sorted(layer.cost.energy_by_component.items(), key=lambda item: -item[1])[:3]
    parts = ", ".join(f"{name} {100 * value / layer.energy_j:.3g} %" for name, value in largest if value)
    yield f"energy: {si(layer.energy_j, 'J')} an inference, {100 * layer.energy_j / total:.3g} % of all: {parts}"


def levers(report: Report, layer: LayerInfo) -> Iterator[str]:
    """Say what would change a layer's mapping, with the sizes that the report knows."""
    totals, schedule = report.totals, report.mapping.schedule
    free = totals.crossbars_available - totals.crossbars_used
    each = max(1, layer.crossbars // layer.replicas)
    slowest = max(other.latency_s for other in report.layers)
    if layer.latency_s >= slowest / SLOWER:
        copies = min(layer.vectors // layer.replicas, free // each)
        yield f"it is the slowest layer and sets the interval of {si(totals.interval_s, 's')}" + (
            f": --objective throughput copies it ({each} a copy, {free:,} crossbars are free)" if copies > 1 else ""
        )
    else:
        yield (
            f"its time does not set the interval ({si(slowest, 's')}, {schedule.limited_by}): copies of it alone gain "
            "nothing"
        )
    if layer.utilization < 0.5 and report.target["crossbar"]["sharing"] == "layer":
        yield (
            f"{100 * (1 - layer.utilization):.0f} % of its crossbars' cells are empty: crossbar.sharing=concurrent or "
            "exclusive lets other layers use them"
        )
    if layer.input_cycles > 1:
        yield (
            f"{layer.input_bits}-bit inputs take {layer.input_cycles} cycles: fewer bits (--input-bits, --precision) "
            "or inputs.dac_bits take fewer, with time and conversions in proportion"
        )
    have = report.target["adc"]["bits"]
    if layer.lossless and layer.converters.bits_most < have and layer.converters.kind != "none":
        yield (
            f"{have}-bit converters are more than it needs: adc.bits={layer.converters.bits_most} would lose nothing "
            "here"
        )
    if not layer.lossless and not layer.converters.keeps_signs:
        yield f"adc.bits={layer.adc_bits_required.weights} would lose nothing; fewer rows at once need fewer bits"
