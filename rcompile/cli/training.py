"""What `rcompile inspect --training` prints."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rcompile.api import program_file
from rcompile.cost.programming import endurance_of, writing_of
from rcompile.cost.training import OUTER_PRODUCT_S, OUTER_PRODUCT_W, SURVEY, Pulse, Training, Way, training
from rcompile.devices import Device
from rcompile.errors import Origin, UsageError
from rcompile.ir import container
from rcompile.report.words import plural, si

FIGURES = ("time", "energy", "endurance")


def print_training(path: Path, console: Console, device: Device | None, samples: int, batch: int) -> None:
    """Show what training a program's weights on the chip would take."""
    if path.suffix == ".onnx":
        raise UsageError(
            "training is estimated for a mapped program",
            at=Origin(str(path)),
            hint=f"rcompile {path} --no-verify, then rcompile inspect {path.stem}.rcompile --training",
        )
    placed = container.load(program_file(path)).placed
    pulse = pulse_of(device)
    found = training(placed, pulse, samples, batch)
    console.print(
        f"[bold]{escape(placed.program.source.name)}[/]: {si(pulse.time_s, 's')} and {si(pulse.energy_j, 'J')} a "
        f"write, {pulse.endurance:,.0f} writes a cell ({sources(device)}); outer products in "
        f"{si(OUTER_PRODUCT_S, 's')} at {si(OUTER_PRODUCT_W, 'W')} a crossbar (PANTHER)"
    )
    for title, ways in (("all layers", found.ways), ("the last layer only", found.last_only)):
        console.print(f"\none update of {title}", highlight=False)
        console.print(table(ways, found.updates))
    console.print(epoch_line(found, samples, batch), highlight=False)


def pulse_of(device: Device | None) -> Pulse:
    """Return a device's write; what it does not say is the survey's."""
    if device is None:
        return SURVEY
    writing, endurance = writing_of(device), endurance_of(device)
    return Pulse(
        time_s=SURVEY.time_s if writing is None else writing.time_s or SURVEY.time_s,
        energy_j=SURVEY.energy_j if writing is None else writing.energy_j or SURVEY.energy_j,
        endurance=endurance or SURVEY.endurance,
    )


def sources(device: Device | None) -> str:
    """Say where the figures of a write come from."""
    rest = "Krestinskaya et al., IEEE NANO 2022"
    if device is None:
        return rest
    writing = writing_of(device)
    known = (writing and writing.time_s, writing and writing.energy_j, endurance_of(device))
    own = [name for name, figure in zip(FIGURES, known, strict=True) if figure]
    stated = f"{', '.join(own)} as {device.name} states" if own else f"{device.name} states none of them"
    return stated if len(own) == len(FIGURES) else f"{stated}; else {rest}"


def table(ways: tuple[Way, ...], updates: int) -> Table:
    """Return the ways of an update, and what they take in an epoch."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("way", "writes", "one after another", "time", "energy", "time of an epoch", "energy of an epoch"):
        found.add_column(heading, justify="left" if heading == "way" else "right")
    for way in ways:
        found.add_row(
            way.name, f"{way.writes:,}", f"{way.steps:,}", si(way.time_s, "s"), si(way.energy_j, "J"),
            si(way.time_s * updates, "s"), si(way.energy_j * updates, "J"),
        )  # fmt: skip
    return found


def epoch_line(found: Training, samples: int, batch: int) -> str:
    """Say what an epoch takes beside its writes."""
    return (
        f"\nan epoch of {plural(samples, 'sample')}, {batch:,} an update: {plural(found.updates, 'update')}, "
        f"{found.macs:.4g} MACs forward and backward; a batch keeps {si(found.activation_bytes, 'B')} of activations, "
        f"weights {si(found.master_bytes, 'B')} of 32-bit accumulators; {100 * found.endurance_used:.3g} % of the "
        f"endurance of a cell that each update writes, which lasts {found.epochs:,.0f} epochs"
    )
