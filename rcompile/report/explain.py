"""Why a node is where it is, and what would change it: from the report alone."""

from collections.abc import Iterator
from difflib import get_close_matches
from math import ceil

from rcompile.errors import UsageError
from rcompile.report.codes import CODES, Code
from rcompile.report.schema import LayerInfo, OperatorInfo, Report
from rcompile.report.words import adc_text, plural, si
from rcompile.targets.consistency import FLASH_BITS

SHOWN = 6
"""Names that a message lists at most."""

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
    what = meant(report, what)
    layers = [layer for layer in report.layers if what in {layer.name, layer.node}]
    operator = next((item for item in report.model.operators if what in item.nodes), None)
    if layers:
        lines = [line for layer in layers for line in layer_lines(report, layer)]
    else:
        assert operator is not None
        lines = operator_lines(what, operator)
    about = [item for item in report.diagnostics if what in {item.node, *item.message.partition(": ")[0].split(", ")}]
    return [*lines, *(f"{item.severity} {item.code}: {item.message}" for item in about)]


def meant(report: Report, what: str) -> str:
    """Return the node or layer that a name means: itself, #N of the table of layers, or a part of only one name.

    Raises:
        UsageError: none has it, or several do.
    """
    names = list(dict.fromkeys([x.name for x in report.layers] + [n for o in report.model.operators for n in o.nodes]))
    if what in names:
        return what
    number = what.removeprefix("#")
    if number.isdecimal() and int(number) < len(report.layers):
        return report.layers[int(number)].name
    found = [name for name in names if what.lower() in name.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"'{what}' is part of {plural(len(found), 'name')}", hint=f"which: {', '.join(found[:SHOWN])}")
    close = get_close_matches(what, [*names, *CODES], n=1, cutoff=0.6)
    raise UsageError(
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
        + (", which other layers may share" if shares(report) else "")
    )
    yield f"  places: {places(report, layer)}; {layer.traffic_bytes:,} bytes of input from other layers an inference"
    yield f"  converters: {converters(report, layer)}"
    yield f"  time: {times(report, layer)}"
    yield from (f"  {line}" for line in energies(report, layer))
    yield "  what would change it:"
    yield from (f"    {line}" for line in levers(report, layer))


def shares(report: Report) -> bool:
    """Tell whether some crossbars hold several layers."""
    return sum(other.crossbars for other in report.layers) > report.totals.crossbars_used


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
    verdict = lost(layer)
    units = round(layer.cost.actions["conversion"]) - layer.converters.conversions
    return (
        f"{adc_text(layer)} of the target's {have}; {need.exact} would do for any weights, {need.weights} do for "
        f"these: {verdict}; {layer.converters.conversions:,} conversions an inference"
        + (f", and {units:,} of unit columns" if units else "")
    )


def lost(layer: LayerInfo) -> str:
    """Say what rounds, if anything does."""
    if layer.lossless:
        return "nothing is lost"
    if layer.converters.keeps_signs:
        return "only signs are read"
    if layer.converters.lossless:
        return f"partial sums are rounded to {layer.partial_sums.rounded_bits} bits, which the accuracy counts"
    return "sums are rounded, which the accuracy counts"


def lossless_bits(report: Report, layer: LayerInfo) -> int | None:
    """Return the resolution of all converters with which a layer's lose nothing; None where it is not known."""
    adc, bits = report.target["adc"], layer.adc_bits_required.weights
    plain = adc["resolution"] in {"uniform", "per_column"} and not (adc["truncated_bits"] or adc["skipped_below"])
    possible = adc["kind"] not in {"none", "sense_amplifier"} and (adc["kind"] != "flash" or bits <= FLASH_BITS)
    rounded = layer.partial_sums.rounded_bits is not None or layer.converters.keeps_signs
    rounded |= layer.subtraction == "analog"  # whose sums have a sign, and ranges of their own
    return bits if plain and possible and not rounded else None


def times(report: Report, layer: LayerInfo) -> str:
    """Say how long a layer takes, and why."""
    target = report.target
    each, reads = ceil(layer.vectors / layer.replicas), layer.input_cycles * layer.reads_per_cycle
    cycle = target["timing"]["read_cycle_s"]
    text = (
        f"{si(layer.latency_s, 's')} an inference, {plural(each, 'vector')} a copy x {layer.input_cycles} input cycles"
        + (f" x {layer.reads_per_cycle} reads" if layer.reads_per_cycle > 1 else "")
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
    yield pace(report, layer)
    if layer.utilization < 0.5 and report.target["crossbar"]["sharing"] == "layer":
        yield (
            f"{100 * (1 - layer.utilization):.0f} % of its crossbars' cells are empty: crossbar.sharing=concurrent or "
            "exclusive lets other layers use them"
        )
    if layer.input_cycles > 1:
        fewer = "" if report.model.quantized_by == "model" else "fewer bits (--input-bits, --precision) or "
        yield (
            f"{layer.input_bits}-bit inputs take {layer.input_cycles} cycles: {fewer}inputs.dac_bits would take fewer, "
            "with time and conversions in proportion"
        )
    bits, have = lossless_bits(report, layer), report.target["adc"]["bits"]
    if bits is None:
        return
    others = [found for other in report.layers if (found := lossless_bits(report, other)) and found > bits]
    beside = f"; other layers need up to {max(others)}" if others else ""
    if layer.lossless and bits < have:
        yield f"{have}-bit converters are more than it needs: adc.bits={bits} would lose nothing here{beside}"
    if not layer.lossless:
        yield f"adc.bits={bits} would lose nothing here{beside}; fewer rows at once need fewer bits"


def pace(report: Report, layer: LayerInfo) -> str:
    """Say what sets the interval, and whether copies of a layer would shorten it."""
    totals, mapping = report.totals, report.mapping
    interval = f"the interval of {si(totals.interval_s, 's')}"
    if mapping.schedule.limited_by != "crossbars":
        return f"{mapping.schedule.limited_by} set {interval}: copies of layers do not shorten it"
    if mapping.rounds > 1:
        return f"rounds follow each other and add up to {interval}"
    slowest = max(other.latency_s for other in report.layers)
    if totals.interval_s > slowest * SLOWER:
        return f"layers that take turns on one crossbar set {interval}: crossbar.sharing=concurrent or layer ends that"
    if layer.latency_s < slowest / SLOWER:
        names = [other.name for other in report.layers if other.latency_s >= slowest / SLOWER]
        sets = "sets" if len(names) == 1 else "set"
        return f"{', '.join(names[:SHOWN])} {sets} {interval}: copies of this layer alone would not shorten it"
    if layer.serial:
        return f"it sets {interval}; each of its vectors waits for the one before, so that copies would not help"
    free, each = totals.crossbars_available - totals.crossbars_used, max(1, layer.crossbars // layer.replicas)
    copied = mapping.replication.objective == "throughput"
    more = min(layer.vectors // layer.replicas, free // each) > 1 and not copied
    return f"it sets {interval}" + (
        f": --objective throughput copies it ({each} a copy, {free:,} crossbars are free)" if more else ""
    )
