"""Two reports side by side: what differs in what was asked for, and by how much in what came out."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rcompile.report.schema import LayerInfo, Report

Value = str | float | None

APART = {"sources", "assumptions", "assumed_fields", "paper", "summary"}
"""Keys of targets and devices that say where values come from, not what they are."""


@dataclass(frozen=True)
class Row:
    """One figure or setting of both.

    Attributes:
        name: of it.
        unit: "s", "J", "W", "m2", "%" (of a share), "byte", "" of counts and texts.
        first: of the first report; None where it is not known, or not there.
        second: of the second one.
    """

    name: str
    unit: str
    first: Value
    second: Value

    @property
    def ratio(self) -> float | None:
        """The second over the first; None where that says nothing."""
        numbers = isinstance(self.first, int | float) and isinstance(self.second, int | float)
        return self.second / self.first if numbers and self.first else None  # type: ignore[operator]


@dataclass(frozen=True)
class LayerRows:
    """One layer of both: the figures that differ.

    Attributes:
        name: of the layer.
        there: "both", "first" or "second": where it is.
        rows: that differ.
    """

    name: str
    there: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Comparison:
    """Two reports.

    Attributes:
        titles: of both.
        settings: of model, target, device and choices that differ.
        figures: of the whole programs, equal ones too.
        layers: those that differ.
        same_layers: how many do not.
    """

    titles: tuple[str, str]
    settings: tuple[Row, ...]
    figures: tuple[Row, ...]
    layers: tuple[LayerRows, ...]
    same_layers: int


def compare(first: Report, second: Report) -> Comparison:
    """Return what differs between two reports."""
    ours, theirs = settings(first), settings(second)
    if first.target["name"] != second.target["name"]:  # what components there are goes without saying
        ours, theirs = ({k: v for k, v in s.items() if not k.startswith("target.components.")} for s in (ours, theirs))
    differing = [
        Row(name, "", ours.get(name), theirs.get(name))
        for name in {**ours, **theirs}
        if ours.get(name) != theirs.get(name)
    ]
    layers = layer_rows(first, second)
    return Comparison(
        titles=(title(first), title(second)),
        settings=tuple(differing),
        figures=tuple(Row(name, unit, value(first), value(second)) for name, unit, value in FIGURES),
        layers=tuple(layer for layer in layers if layer.rows or layer.there != "both"),
        same_layers=sum(layer.there == "both" and not layer.rows for layer in layers),
    )


def title(report: Report) -> str:
    """Return what a report is of."""
    return f"{report.model.name} on {report.target['name']}, {report.device['name']} cells"


def settings(report: Report) -> dict[str, str]:
    """Return what was asked for, by dotted name."""
    found = {
        "model": report.model.name,
        "model.sha256": report.model.sha256[:12],
        "model.ranges_from": report.model.ranges_from,
        "objective": report.mapping.replication.objective,
        "seed": str(report.seed),
        "rcompile": report.tool.version,
    }
    if report.command[0] == "rcompile":
        found["command"] = flags_of(report.command)
    accuracy = report.verification.accuracy
    if accuracy is not None:
        found |= {"data": accuracy.data, "samples": str(accuracy.samples), "dies": str(len(accuracy.trials))}
    target = {key: value for key, value in report.target.items() if key not in APART}
    components = {item["name"]: item for item in target.pop("components", [])}
    found |= flat(target, "target") | flat(components, "target.components")
    return found | flat({key: value for key, value in report.device.items() if key not in APART}, "device")


def flags_of(command: Sequence[str]) -> str:
    """Return a command without the model and where it is written."""
    words, found = list(command[2:]), []
    while words:
        word = words.pop(0)
        if word in {"-o", "--output"}:
            words = words[1:]
        elif not word.startswith(("-o=", "--output=")):
            found.append(word)
    return shlex.join(found)


def flat(values: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Return nested values as texts by dotted name."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}.{name}")
        else:
            found[f"{prefix}.{name}"] = ", ".join(map(text_of, value if isinstance(value, list | tuple) else [value]))
    return found


def text_of(value: object) -> str:
    """Return a value as a file would give it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} {text_of(own)}" for key, own in value.items() if own is not None) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def interval_of(report: Report) -> str | None:
    """Return where the mean of all dies lies, with 95 % confidence."""
    accuracy = report.verification.accuracy
    if accuracy is None or accuracy.ci95 is None:
        return None
    return " to ".join(f"{100 * end:.2f}" for end in accuracy.ci95) + " %"


def accuracy_of(report: Report, name: str) -> float | None:
    """Return one of the accuracies, where there are any."""
    accuracy = report.verification.accuracy
    return None if accuracy is None else getattr(accuracy, name)


FIGURES: tuple[tuple[str, str, Callable[[Report], Value]], ...] = (
    ("verdict", "", lambda r: r.verification.exact.status),
    ("accuracy of the quantized model", "%", lambda r: accuracy_of(r, "quantized")),
    ("accuracy of the mapped program", "%", lambda r: accuracy_of(r, "ideal")),
    ("accuracy on the device", "%", lambda r: accuracy_of(r, "mean")),
    ("95 % interval of its mean", "", interval_of),
    ("same top-1 as onnxruntime", "%", lambda r: accuracy_of(r, "agreement")),
    ("crossbars", "", lambda r: r.totals.crossbars_used),
    ("cells used", "%", lambda r: r.totals.cell_utilization),
    ("tiles", "", lambda r: r.totals.tiles_used),
    ("chips", "", lambda r: r.totals.chips_used),
    ("rounds", "", lambda r: r.mapping.rounds),
    ("latency", "s", lambda r: r.totals.latency_s),
    ("interval", "s", lambda r: r.totals.interval_s),
    ("energy an inference", "J", lambda r: r.totals.energy_j),
    ("not counted in it", "", lambda r: ", ".join(r.cost.missing) or None),
    ("power", "W", lambda r: r.totals.power_w),
    ("area", "m2", lambda r: r.totals.area_m2),
    ("converters' share of the energy", "%", lambda r: r.totals.adc_energy_share),
    ("conversions an inference", "", lambda r: sum(round(x.cost.actions["conversion"]) for x in r.layers)),
    ("bytes x hops an inference", "byte", lambda r: r.mapping.placement.byte_hops),
    ("multiply-accumulates on crossbars", "%", lambda r: r.totals.macs_on_crossbars_share),
    ("cells to program", "", lambda r: r.totals.programming.cells),
    ("programming energy", "J", lambda r: r.totals.programming.energy_j),
    ("time to compile", "s", lambda r: r.elapsed_s),
)
"""Name, unit and value of what whole programs come to."""

LAYER_FIGURES: tuple[tuple[str, str, Callable[[LayerInfo], Value]], ...] = (
    ("inputs", "", lambda x: x.rows),
    ("outputs", "", lambda x: x.columns),
    ("weight bits", "", lambda x: x.weight_bits),
    ("input bits", "", lambda x: x.input_bits),
    ("sign scheme", "", lambda x: x.sign_scheme),
    ("copies", "", lambda x: x.replicas),
    ("crossbars", "", lambda x: x.crossbars),
    ("cells used", "%", lambda x: x.utilization),
    ("converter bits", "", lambda x: x.adc_bits),
    ("lossless", "", lambda x: "yes" if x.lossless else "no"),
    ("conversions", "", lambda x: round(x.cost.actions["conversion"])),
    ("time", "s", lambda x: x.latency_s),
    ("energy", "J", lambda x: x.energy_j),
)
"""Name, unit and value of what layers come to."""


def layer_rows(first: Report, second: Report) -> list[LayerRows]:
    """Return all layers of both, those of the first one first, with the figures that differ."""
    ours, theirs = ({layer.name: layer for layer in report.layers} for report in (first, second))
    found = []
    for name in {**ours, **theirs}:
        mine, other = ours.get(name), theirs.get(name)
        if mine is None or other is None:
            found.append(LayerRows(name, "second" if mine is None else "first", ()))
            continue
        rows = tuple(
            Row(label, unit, value(mine), value(other))
            for label, unit, value in LAYER_FIGURES
            if value(mine) != value(other)
        )
        found.append(LayerRows(name, "both", rows))
    return found
