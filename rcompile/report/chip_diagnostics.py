"""What the user should know of the chip: what was assumed, what does not keep pace, what waits."""

from collections.abc import Sequence

import numpy as np

from rcompile.mapper.clock import ROUNDING
from rcompile.options import Objective
from rcompile.report.schema import Diagnostic
from rcompile.report.words import age
from rcompile.result import Result

RATE_MISSED = "RATE_MISSED"
"""The code where what was asked for is not reached."""

BEFORE = 0.99
"""Of a time, rounded to three digits: not later than it."""

SHOWN = 8
"""Names that a message lists at most."""


def assumed_fields(result: Result) -> list[Diagnostic]:
    """Note what the target file leaves out; of times, `unknown_times` says more."""
    assumed = [name for name in result.target.assumed_fields if name.partition(".")[0] not in {"tile", "noc"}]
    if not assumed:
        return []
    return [
        Diagnostic(
            severity="note",
            code="ASSUMED_FIELDS",
            node="",
            message=f"{result.target.name} does not state {listed(assumed)}: values were assumed",
            hint="rcompile targets NAME shows them",
        )
    ]


def listed(names: Sequence[str]) -> str:
    """Return names in a row, of many the first ones."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def rounds(result: Result) -> list[Diagnostic]:
    """Warn where a program is larger than the target."""
    placed = result.compiled.placed
    plan = placed.floorplan
    if plan.round_count == 1:
        return []
    crossbars = np.unique(placed.places["crossbar"])
    moving = int((placed.tile_of(crossbars) < plan.resident).sum())
    return [
        Diagnostic(
            severity="warning",
            code="ROUNDS",
            node="",
            message=f"runs in {plan.round_count} rounds: {moving:,} crossbars are written anew for each batch of "
            f"inferences, {placed.quality.round_bytes:,} bytes an inference are kept in between; times do not count it",
            hint="every batch wears the cells: take large batches, more chips, or fewer bits",
        )
    ]


def smallest_chip(result: Result) -> list[Diagnostic]:
    """Note that the chip is another than the target's."""
    if result.options.fit is None:
        return []
    hierarchy = result.target.hierarchy
    layers = f", {hierarchy.mesh_layers} layers of them" if hierarchy.mesh_layers > 1 else ""
    return [
        Diagnostic(
            severity="note",
            code="SMALLEST_CHIP",
            node="",
            message=f"the smallest chip of {result.target.name}'s tiles that does: {hierarchy.mesh_rows} x "
            f"{hierarchy.mesh_columns}{layers}",
            hint="",
        )
    ]


def reference_columns(result: Result) -> list[Diagnostic]:
    """Note what reference columns take."""
    if not result.target.crossbar.reference_column:
        return []
    crossbars = result.compiled.placed.crossbars_filled
    rows = result.target.crossbar.rows
    return [
        Diagnostic(
            severity="note",
            code="REFERENCE_COLUMNS",
            node="",
            message=f"{crossbars:,} crossbars have one more column each for reference: {crossbars * rows:,} cells",
            hint="",
        )
    ]


def retention(result: Result, lost: float | None) -> list[Diagnostic]:
    """Warn where cells lose their levels, after so many seconds, before they are written again; None: never."""
    device, placed = result.device, result.compiled.placed
    if lost is None or (device.refresh is not None and device.refresh.every_s <= lost):
        return []
    anew = "" if device.refresh is None else f", and are written anew each {age(device.refresh.every_s)}"
    return [
        Diagnostic(
            severity="note" if device.refresh is None else "warning",
            code="RETENTION",
            node="",
            message=f"cells of {device.name} hold their {2**placed.program.cell_bits} levels for {age(lost)}: then 1 % "
            f"of those of some level are off by more than half a level{anew}",
            hint=f"write them anew before (--device '...?refresh.every_s={lost * BEFORE:.3g}'), measure what it costs "
            "(--at), or fewer bits a cell (--set crossbar.cell_bits=...)",
        )
    ]


def missed_rate(result: Result) -> list[Diagnostic]:
    """Warn where the chip is slower than --fit asked for: copies were chosen by the crossbars of each layer alone."""
    wanted, interval_s = result.options.fit, result.compiled.placed.interval_s
    if wanted is None or interval_s * wanted <= 1 + ROUNDING:
        return []
    return [
        Diagnostic(
            severity="warning",
            code=RATE_MISSED,
            node="",
            message=f"the {wanted:g} inferences/s of --fit are not reached: {1 / interval_s:.6g} are, limited by "
            f"{result.compiled.placed.pace.limited_by}",
            hint="faster links and digital units where these limit it, crossbars that layers do not share "
            "(crossbar.sharing=layer) where they do, or a higher rate to leave room",
        )
    ]


def slow_movement(result: Result) -> list[Diagnostic]:
    """Note where crossbars wait for digital units or links."""
    placed = result.compiled.placed
    pace = placed.pace
    if pace.slowest_s <= pace.crossbars_s:
        return []
    copied = any(item.replicas > 1 for item in placed.program.matrices)
    fields = {"digital units": "tile.elements_per_s", "links": "noc.link_bytes_per_s"}
    field = fields.get(pace.limited_by, "noc.chip_link_bytes_per_s")
    return [
        Diagnostic(
            severity="warning" if result.options.objective is Objective.THROUGHPUT else "note",
            code="SLOW_MOVEMENT",
            node="",
            message=f"{pace.limited_by} limit the interval to {pace.slowest_s:.3g} s; crossbars alone would take "
            f"{pace.crossbars_s:.3g} s" + ("; copies were chosen by crossbars alone" if copied else ""),
            hint=f"{'fewer copies would do, or ' if copied else ''}faster ones (--set {field}=...)",
        )
    ]


def full_buffers(result: Result) -> list[Diagnostic]:
    """Warn where more waits in a tile than it holds."""
    waiting, room = result.compiled.placed.waiting_bytes, result.target.tile.buffer_bytes
    over = [tile for tile, count in enumerate(waiting) if room and count > room]
    if not over:
        return []
    worst = max(over, key=lambda tile: waiting[tile])
    return [
        Diagnostic(
            severity="warning",
            code="FULL_BUFFERS",
            node="",
            message=f"more inputs wait than {len(over)} of {len(waiting)} tiles hold: up to {waiting[worst]:,} bytes "
            f"in tile {worst}, which holds {room:,}; the pipeline stalls there, and may not run at all",
            hint=f"larger buffers (--set tile.buffer_bytes={waiting[worst]}), fewer crossbars a tile, or fewer bits",
        )
    ]


def unknown_times(result: Result) -> list[Diagnostic]:
    """Note what times leave out, since the target does not say it."""
    target = result.target
    known = {
        "tile.elements_per_s": target.tile.elements_per_s,
        "noc.link_bytes_per_s": target.noc.link_bytes_per_s,
        "noc.hop_s": target.noc.hop_s,
        "noc.chip_link_bytes_per_s": target.noc.chip_link_bytes_per_s or target.hierarchy.chips == 1,
    }
    unknown = [name for name, value in known.items() if not value]
    if not unknown:
        return []
    return [
        Diagnostic(
            severity="note",
            code="UNKNOWN_TIMES",
            node="",
            message=f"{target.name} does not state {', '.join(unknown)}: latency and interval leave that out",
            hint="",
        )
    ]
