"""How fast engines execute crossbars: against a straightforward numpy loop and the machine's own matrix product.

    python benchmarks/engine.py                # each regime, growth; prints tables
    python benchmarks/engine.py --threads 2    # what a second thread gains, beside what BLAS gains from it
    python benchmarks/engine.py --write        # docs/performance.svg as well

A layer of 1024 x 768 8-bit weights, 512 vectors of 8 bits. Yardsticks and engines take turns within one process, and
the least time of each over all rounds counts, since machines are shared: CPU time with one thread, else wall time.
Ratios within one run are what to compare. A cell-MAC is one cell of a driven row in one cycle.

loop: for each bit, row partition and slice, a float32 product, a conversion, an addition.
sgemm: a float32 product of 2048 x 1024 x 768; its MACs in a second are what BLAS makes of the machine.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from rcompile.backends.chip import Chip
from rcompile.backends.die import Die
from rcompile.backends.executor import Engine
from rcompile.backends.functional import Functional
from rcompile.backends.fused import Fused
from rcompile.backends.lookup import Lookup
from rcompile.backends.observe import measure
from rcompile.devices import resolve_device
from rcompile.errors import Origin
from rcompile.ir.graph import Batch, Value
from rcompile.ir.matrix import Epilogue, InputCode, Matrix, MatrixProgram, Step, StepKind
from rcompile.ir.placed import PlacedProgram
from rcompile.kernels import all_kernels
from rcompile.options import Effort
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.assign_partial_sums import assign_partial_sums
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.replicate import replicate
from rcompile.passes.schedule import schedule
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.targets import resolve_target
from rcompile.workers import Limits, limited

ROWS, COLUMNS, VECTORS, BITS = 1024, 768, 512, 8
PLOT = Path(__file__).parent.parent / "docs" / "performance.svg"


@dataclass(frozen=True)
class Regime:
    """A layer on a kind of crossbar.

    Attributes:
        name: of the regime.
        device: cells.
        settings: of the target, beside 128 x 128 crossbars of 2-bit cells, offset codes and 1-bit DACs.
    """

    name: str
    device: str = "ideal"
    settings: tuple[tuple[str, str], ...] = ()


LOSSY = (("adc.resolution", "calibrated"), ("adc.bits", "6"))
SUBTRACTED = (("weights.sign", "differential_columns"), ("weights.subtraction", "analog"))
SPREAD = "ideal?lognormal.sigma=0.05"
REGIMES = (
    Regime("converters lose nothing"),
    Regime("ideal cells, 6-bit converters", "ideal", LOSSY),
    Regime("cells that vary", SPREAD, LOSSY),
    Regime("and read noise of one size", f"{SPREAD}&read_noise.sigma=0.01&read_noise.of=g_max", LOSSY),
    Regime("and read noise by value", f"{SPREAD}&read_noise.sigma=0.01", LOSSY),
    Regime("256 rows, 4-bit cells", "ideal", (*LOSSY, ("crossbar.rows", "256"), ("crossbar.cell_bits", "4"))),
    Regime("2-bit DACs", "ideal", (*LOSSY, ("inputs.dac_bits", "2"))),
    Regime("subtracted columns", "ideal", (*LOSSY, *SUBTRACTED)),
    Regime("subtracted columns that vary", SPREAD, (*LOSSY, *SUBTRACTED)),
)


def layer(rows: int = ROWS) -> Matrix:
    """Return a matrix of normal weights."""
    weights = np.clip(np.rint(np.random.default_rng(0).standard_normal((1, rows, COLUMNS)) * 32), -127, 127)
    return Matrix(
        name="layer",
        op_type="MatMul",
        origin=Origin(),
        weights=weights.astype(np.int64),
        weight_bits=BITS,
        weight_low=np.full((1, COLUMNS), -(2 ** (BITS - 1))),
        weight_step=np.ones((1, COLUMNS), np.int64),
        input=InputCode("x", "uint8", BITS, 0, 0),
        output="y",
        window=None,
        vectors=1,
        epilogue=Epilogue(np.ones(COLUMNS, np.float32), None, None, None),
    )


def inputs(count: int, rows: int = ROWS) -> np.ndarray:
    """Return vectors as a ReLU leaves them: half of them zero, the others half-normal."""
    drawn = np.random.default_rng(1).standard_normal((count, 1, rows)) * 64
    return np.clip(np.rint(drawn), 0, 2**BITS - 1).astype(np.uint8)


def program(matrix: Matrix, settings: dict[str, str]) -> PlacedProgram:
    """Map a matrix."""
    plain = {"weights.sign": "offset", "crossbar.cell_bits": "2", "crossbar.rows": "128", "crossbar.columns": "128"}
    plain |= {"inputs.dac_bits": "1", "adc.resolution": "lossless", "adc.bits": "24", "hierarchy.chips": "64"}
    target = resolve_target("classroom", plain | settings)
    source = MatrixProgram(
        name="layer", origin=Origin(), inputs=(Value("x", "uint8", None),), outputs=(Value("y", "float32", None),),
        batch=Batch(free=True, leading_axis=True), segments=(), matrices=(matrix,), loops=(),
        order=(Step(StepKind.MATRIX, 0),), edges=(), placements=(), parameters=0,
    )  # fmt: skip
    found = flip_weights(slice_inputs(partition(source, target), target))
    seen = measure(found.matrices[0], inputs(64, matrix.rows))
    found = replicate(assign_partial_sums(assign_adcs(found, target, lambda _: seen), target, None), (1,))
    return schedule(place(found, target, Effort.LOW), target)


def loop(placed: PlacedProgram, vectors: np.ndarray, *, analog: bool) -> Callable[[], np.ndarray]:
    """Return the straightforward loop on float32 cells of as many slices, and converters of 7 bits."""
    item = placed.program.matrices[0]
    height, slices = item.row_cuts[1] - item.row_cuts[0], len(item.weight_slices)
    cuts = range(0, item.matrix.rows, height)
    digits = [s.of(vectors[:, 0].astype(np.int64)).astype(np.float32) for s in item.presented.slices]
    rng = np.random.default_rng(2)
    cells = [
        [s.of(item.encoding.codes[0, 0, start : start + height]).astype(np.float32) for s in item.weight_slices]
        for start in cuts
    ]
    if analog:
        cells = [[c + 0.05 * rng.standard_normal(c.shape).astype(np.float32) for c in row] for row in cells]
    polarities = item.encoding.polarities

    def run() -> np.ndarray:
        total = np.zeros((len(vectors), item.matrix.columns), np.float32)
        for cycle, digit in zip(item.presented.slices, digits, strict=True):
            for start, row in zip(cuts, cells, strict=True):
                for index in range(slices):
                    for _ in range(polarities):
                        sums = digit[:, start : start + height] @ row[index]
                        if analog:
                            sums = np.floor(sums + np.float32(0.5))
                        total += np.clip(sums, 0, 127) * np.float32(
                            cycle.weight * 2.0 ** item.weight_slices[index].shift
                        )
        return total

    return run


def engines(placed: PlacedProgram, device: str) -> dict[str, Engine]:
    """Return the engines that can run a program on a die, by name."""

    def chip() -> Chip:
        return Chip(placed, Die(resolve_device(device)))

    found: dict[str, Engine] = {}
    functional, fused = Functional(placed, chip()), Fused(placed, chip())
    if functional.can_run(0):
        return {"product": functional}
    for kernels in all_kernels():
        if kernels.runs and kernels.name != "portable" and (one := Lookup(placed, kernels, chip())).can_run(0):
            found[kernels.name] = one
    return found | {"numpy": fused}


def least(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the least CPU time of each call, all in turns."""
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - start)
    return best


def sgemm() -> tuple[Callable[[], object], int]:
    """Return the machine's product, and its MACs."""
    left, right = np.ones((2048, ROWS), np.float32), np.ones((ROWS, COLUMNS), np.float32)
    return (lambda: left @ right), 2048 * ROWS * COLUMNS


def cell_macs(placed: PlacedProgram, vectors: int) -> int:
    """Return the cells of driven rows, in all cycles, of so many vectors."""
    item = placed.program.matrices[0]
    per_weight = len(item.weight_slices) * item.encoding.polarities * len(item.presented.slices)
    return vectors * item.matrix.rows * item.matrix.columns * per_weight


def regimes(rounds: int) -> list[tuple[str, str, float, float, float]]:
    """Print and return (regime, engine, G cell-MAC/s, times the loop, times sgemm's MACs)."""
    vectors, (product, macs) = inputs(VECTORS), sgemm()
    found = []
    print(f"{'regime':32} {'engine':12} {'G cell-MAC/s':>13} {'x loop':>7} {'x sgemm':>8}")
    for regime in REGIMES:
        placed = program(layer(), dict(regime.settings))
        own = engines(placed, regime.device)
        calls: dict[str, Callable[[], object]] = {
            "sgemm": product, "loop": loop(placed, vectors, analog=regime.device != "ideal")
        }  # fmt: skip
        calls |= {name: (lambda e=engine: e.accumulate(0, vectors)) for name, engine in own.items()}
        times = least(calls, rounds)
        work = cell_macs(placed, VECTORS)
        for name in ("loop", *own):
            row = (regime.name, name, work / times[name] / 1e9, times["loop"] / times[name])
            row = (*row, work / times[name] / (macs / times["sgemm"]))
            print(f"{row[0]:32} {row[1]:12} {row[2]:13.1f} {row[3]:7.1f} {row[4]:8.2f}", flush=True)
            found.append(row)
    print(f"sgemm: {macs / times['sgemm'] / 1e9:.1f} G MAC/s")
    return found


def growth(rounds: int) -> None:
    """Print how time per cell-MAC changes with vectors, rows of a crossbar and cell bits, and trials."""
    print("\ntime per cell-MAC, relative to 512 vectors, 128 rows, 2-bit cells (6-bit converters)")
    cases = {
        **{f"{count} vectors": (count, {}) for count in (512, 64, 2048)},
        **{f"{rows} rows": (512, {"crossbar.rows": str(rows)}) for rows in (32, 64, 256, 512)},
        **{f"{bits}-bit cells": (512, {"crossbar.cell_bits": str(bits)}) for bits in (1, 4)},
    }
    for kind, device in (("ideal cells", "ideal"), ("cells that vary", SPREAD)):
        calls, work = {}, {}
        for name, (count, settings) in cases.items():
            placed = program(layer(), dict(LOSSY) | settings)
            engine, vectors = next(iter(engines(placed, device).values())), inputs(count)
            calls[name] = lambda e=engine, v=vectors: e.accumulate(0, v)
            work[name] = cell_macs(placed, count)
        times = least(calls, rounds)
        base = times["512 vectors"] / work["512 vectors"]
        print(f"  {kind}: " + ", ".join(f"{name} {times[name] / work[name] / base:.2f}" for name in cases))
    placed = program(layer(), dict(LOSSY))
    vectors, first = inputs(64), Chip(placed, Die(resolve_device(SPREAD)))
    start = time.process_time()
    one = Lookup(placed, next(k for k in all_kernels() if k.runs), first)
    one.accumulate(0, vectors)
    middle = time.process_time()
    other = Chip(placed, Die(resolve_device(SPREAD), trial=1), first.crossbars)
    Lookup(placed, next(k for k in all_kernels() if k.runs), other, one.plans).accumulate(0, vectors)
    print(
        f"  a further trial takes {(time.process_time() - middle) / (middle - start):.2f} of the first, of 64 vectors"
    )


def gains(threads: int, rounds: int) -> None:
    """Print what more threads gain, in wall time, of 4096 vectors, beside what BLAS gains from them."""
    vectors, (product, _) = inputs(8 * VECTORS), sgemm()
    print(f"{'regime':32} {'engine':12} {'x one thread':>13} {'x, sgemm':>9}")
    for regime in REGIMES[1:5]:
        placed = program(layer(), dict(regime.settings))
        name, engine = next(iter(engines(placed, regime.device).items()))
        best: dict[tuple[str, int], float] = {}
        for _ in range(rounds):
            for count in (1, threads):
                with limited(Limits(count)), threadpool_limits(count):
                    for what, call in (("engine", lambda e=engine: e.accumulate(0, vectors)), ("blas", product)):
                        start = time.perf_counter()
                        call()
                        best[what, count] = min(best.get((what, count), np.inf), time.perf_counter() - start)
        gain, blas = (best[what, 1] / best[what, threads] for what in ("engine", "blas"))
        print(f"{regime.name:32} {name:12} {gain:13.2f} {blas:9.2f}", flush=True)


def plot(rows: list[tuple[str, str, float, float, float]]) -> None:
    """Write a bar chart of the ratios to the loop, on a logarithmic scale."""
    shown = [row for row in rows if row[1] != "loop"]
    height, left = 24 * len(shown) + 40, 400
    scale = 300 / np.log10(400)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="780" height="{height}" font-family="sans-serif">']
    parts.append('<g font-size="12"><rect width="780" height="100%" fill="white"/>')
    for tick in (1, 2, 5, 10, 20, 50, 150):
        x = left + scale * np.log10(tick)
        parts.append(f'<path d="M{x:.1f} 24V{height - 6}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="16" text-anchor="middle">{tick} x</text>')
    for number, (regime, engine, _, ratio, _) in enumerate(shown):
        y, start, end = 30 + 24 * number, sorted((0.0, scale * np.log10(ratio)))[0], abs(scale * np.log10(ratio))
        colour = "#999" if engine == "numpy" else "#0072b2"
        parts.append(f'<text x="{left - 140}" y="{y + 13}" text-anchor="end">{regime}: {engine}</text>')
        parts.append(f'<rect x="{left + start:.1f}" y="{y}" width="{end:.1f}" height="17" fill="{colour}"/>')
        parts.append(f'<text x="{left + 6 + start + end:.1f}" y="{y + 13}">{ratio:.1f}</text>')
    PLOT.write_text("\n".join([*parts, "</g></svg>"]) + "\n")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of engines and of BLAS")
    parser.add_argument("--rounds", type=int, default=7, help="of which the fastest counts")
    parser.add_argument("--write", action="store_true", help="write docs/performance.svg")
    arguments = parser.parse_args()
    if arguments.threads > 1:
        gains(arguments.threads, arguments.rounds)
        return
    with limited(Limits(threads=1)), threadpool_limits(1):
        rows = regimes(arguments.rounds)
        growth(arguments.rounds)
    if arguments.write:
        plot(rows)


if __name__ == "__main__":
    main()
