"""What the mapper reaches on standard networks, against bounds and simple rules. Writes docs/mapper.md.

    python benchmarks/mapper.py                    # every network of zoo.py
    python benchmarks/mapper.py resnet18 vgg16     # some; nothing is written then

Networks are taken without their weights, 16-bit weights and inputs. Copies are counted on PIMCOMP's geometry
(targets/pimcomp.toml), packing and placement on `isaac` with as many chips as one copy fills and, for placement,
copies of layers on all of their crossbars. Counts, bytes and bounds are the same on any machine; seconds are not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import zoo

from rcompile.frontend.load import Source, load
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.matrix import MatrixProgram
from rcompile.ir.placed import PlacementQuality, Sharing
from rcompile.mapper.clock import Clock
from rcompile.mapper.packing import Packing, pack
from rcompile.mapper.replication import Replication, cost, shortest_interval, shortest_latency
from rcompile.mapper.timing import interval, latency, layers_of
from rcompile.options import Effort
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.assign_partial_sums import assign_partial_sums
from rcompile.passes.lower import lower
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.passes.replicate import replicate
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.simplify import simplify
from rcompile.targets import Target, resolve_target

FOLDER = Path(__file__).parent
BITS = Precision(16, 16)

CYCLES, PRODUCT_PS = 16, 4_000_000
"""Of a matrix-vector product on PIMCOMP's chip, in which its figures are counted."""
T = TypeVar("T")


@dataclass(frozen=True)
class Timed(Generic[T]):
    """A result and the seconds that it took."""

    value: T
    seconds: float


@dataclass(frozen=True)
class Copies:
    """On PIMCOMP's chip: one copy, the shortest interval and the shortest latency, in products of 16 cycles."""

    one_copy: int
    interval: Timed[Replication]
    used: int
    latency: Timed[Replication]
    latency_at_shortest_interval: float
    interval_at_shortest_latency: int


@dataclass(frozen=True)
class Row:
    """What was found for one network; copies are None where one does not fit PIMCOMP's chip."""

    name: str
    copies: Copies | None
    one_copy: int
    packings: dict[Sharing, Timed[Packing]]
    chips: int
    placement: Timed[PlacementQuality]


def timed(action: Callable[[], T]) -> Timed[T]:
    """Run something and time it."""
    start = time.perf_counter()
    value = action()
    return Timed(value, time.perf_counter() - start)


def matrices_of(name: str) -> MatrixProgram:
    """Return a network's integer matrices, with random weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = zoo.write(name, Path(folder))
        graph = simplify(load(path, Source({}, weightless=True, seed=0)), Trace())
        graph = quantize(graph, dict.fromkeys(needs_ranges(graph, BITS), (0.0, 1.0)), BITS)
        return lower(graph)


def blocks_of(matrices: MatrixProgram, target: Target) -> CrossbarProgram:
    """Return a network cut into blocks, with converters that lose nothing."""
    program = slice_inputs(partition(matrices, target), target)
    return assign_partial_sums(assign_adcs(program, target, {}.get), target, None)


def copies_of(matrices: MatrixProgram, target: Target) -> Copies | None:
    """Return what copies of layers reach on a chip."""
    program = blocks_of(matrices, target)
    layers, tick = layers_of(program, Clock.of(target))
    if CYCLES * tick != PRODUCT_PS:
        raise ValueError(f"{CYCLES} ticks of {tick} ps are no product")
    order, budget = program.source.matrix_order(), target.crossbars_available
    one_copy = sum(layer.crossbars for layer in layers)
    if one_copy > budget:
        return None
    fastest = timed(lambda: shortest_interval(layers, budget))
    soonest = timed(lambda: shortest_latency(layers, budget, order, Effort.NORMAL))
    return Copies(
        one_copy,
        fastest,
        cost(layers, fastest.value.copies),
        soonest,
        latency(layers, fastest.value.copies, order),
        interval(layers, soonest.value.copies),
    )


def measure(name: str) -> Row:
    """Map one network in every way."""
    matrices = matrices_of(name)
    copies = copies_of(matrices, resolve_target(str(FOLDER / "targets" / "pimcomp.toml")))
    # flips change no count; a router for each tile is the harder placement
    settings = {
        "weights.sign": "offset",
        "adc.resolution": "lossless",
        "noc.router_rows": "1",
        "noc.router_columns": "1",
    }
    target = resolve_target("isaac", settings)
    program = blocks_of(matrices, target)
    packings = {sharing: timed(lambda s=sharing: pack(program, s, Effort.NORMAL)) for sharing in Sharing}
    one_copy = packings[Sharing.LAYER].value.crossbars
    chips = -(-one_copy // target.usable_per_chip)
    several = resolve_target("isaac", {**settings, "hierarchy.chips": str(chips)})
    filled = shortest_interval(layers_of(program, Clock.of(several))[0], several.crossbars_available).copies
    placed = timed(lambda: place(replicate(program, filled), several, Effort.NORMAL).quality)
    return Row(name, copies, one_copy, packings, chips, placed)


def page(rows: list[Row]) -> str:
    """Return the page."""
    lines = ["# What the mapper reaches", "", "<!-- made by benchmarks/mapper.py -->", ""]
    lines += [line.strip() for line in (__doc__ or "").splitlines()[4:8] if line.strip()]
    lines += [
        "",
        "## Copies of layers on 9,216 logical crossbars",
        "",
        "PIMCOMP's chip: 12 x 12 cores of 64 crossbars of 128 x 128 16-bit weights. Interval and latency in products",
        "of 4 us (crossbars alone: no transfers, no digital units). The interval is proven to be the shortest.",
        "",
        "| Network | One copy | Interval | Crossbars | ms | Latency | Lower bound | Interval then | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.copies is None:
            lines.append(f"| {row.name} | does not fit | | | | | | | |")
            continue
        c = row.copies
        lines.append(
            f"| {row.name} | {c.one_copy:,} | {c.interval.value.reached / CYCLES:,.0f} | {c.used:,} | "
            f"{1000 * c.interval.seconds:.1f} | {c.latency.value.reached / CYCLES:,.0f} | "
            f"{c.latency.value.bound / CYCLES:,.0f} | {c.interval_at_shortest_latency / CYCLES:,.0f} | "
            f"{c.latency.seconds:.1f} |"
        )
    lines += [
        "",
        "## Crossbars of one copy on `isaac`",
        "",
        "128 x 128 cells of 2 bits, by what may share a crossbar (`crossbar.sharing`), with the bound under",
        "that rule.",
        "",
        "| Network | layer | concurrent | bound | s | exclusive | bound | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        both = (row.packings[Sharing.CONCURRENT], row.packings[Sharing.EXCLUSIVE])
        cells = " | ".join(f"{p.value.crossbars:,} | {p.value.bound:,} | {p.seconds:.2f}" for p in both)
        lines.append(f"| {row.name} | {row.one_copy:,} | {cells} |")
    lines += [
        "",
        "## Placement on `isaac`, with a router for each tile",
        "",
        "Copies of layers on all crossbars of the chips. Bytes x hops of one inference relative to the snake order,",
        "how far above the lower bound, and bytes between chips.",
        "",
        "| Network | Chips | Bytes x hops | of the snake's | above the bound | Between chips | s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        q = row.placement.value
        above = f"{100 * (q.byte_hops / q.lower_bound - 1):.0f} %" if q.lower_bound else "no bound"
        share = f"{q.byte_hops / q.snake_byte_hops:.3f}" if q.snake_byte_hops else "one tile"
        lines.append(
            f"| {row.name} | {row.chips} | {q.byte_hops:,} | {share} | {above} | {q.chip_bytes:,} | "
            f"{row.placement.seconds:.1f} |"
        )
    lines += [
        "",
        "## Growth",
        "",
        "Seconds of the mapper and of the independent checker against blocks, one network on smaller and smaller",
        "crossbars (`python benchmarks/blocks.py --network resnet18`).",
        "",
        "![Seconds against blocks](mapper-growth.svg)",
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure the networks named on the command line, or all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names
    rows = []
    for name in names or zoo.NETWORKS:
        rows.append(measure(name))
        print(name, file=sys.stderr)
    text = page(rows)
    if names:
        print(text)
    else:
        (FOLDER.parent / "docs" / "mapper.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
