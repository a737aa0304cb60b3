"""What the event-driven machine says of the schedule, and how long it takes. Writes the table of docs/instructions.md.

    python benchmarks/instructions.py                        # every case below
    python benchmarks/instructions.py squeezenet resnet18    # some networks; nothing is written then

Standard networks without their weights, 8 bits, on `isaac`; own models with theirs. One copy of each layer, or the
copies that make the shortest interval. Latency is that of one inference alone; the interval is that between inferences
whose inputs come as fast as the schedule says, but for the first and the last one.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import zoo

from rcompile.backends.machine import Machine
from rcompile.compiler import compile_file
from rcompile.mapper.clock import PS
from rcompile.options import Objective, Options
from rcompile.passes.emit import emit
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "instructions.md"
BEGIN, END = "<!-- made by benchmarks/instructions.py -->\n", "<!-- end -->\n"
OWN = ("digits_lenet_int8", "digits_row_lstm")
ONE, FAST = Objective.CROSSBARS, Objective.THROUGHPUT
CASES = (
    *((name, objective) for name in OWN for objective in (ONE, FAST)),
    ("lenet5", ONE),
    ("lenet5", FAST),
    ("squeezenet", ONE),
    ("resnet18", ONE),
    ("resnet50", ONE),
    ("googlenet", ONE),
    ("mobilenet_v2", ONE),
    ("vgg16", ONE),
    ("vit_b16", ONE),
)
CHIPS = {"vgg16": 3, "vit_b16": 2}
INFERENCES = 5


@dataclass(frozen=True)
class Row:
    """What one case showed; times in seconds."""

    name: str
    objective: Objective
    threads: int
    instructions: int
    latency: tuple[float, float]
    interval: tuple[float, float]
    limited_by: str
    stuck: int
    seconds: float
    rate: float


def measure(name: str, objective: Objective) -> Row:
    """Compile a network, run its streams, and time that."""
    with tempfile.TemporaryDirectory() as folder:
        own = name in OWN
        path = ROOT / "models" / f"{name}.onnx" if own else zoo.write(name, Path(folder))
        options = Options(weightless=not own, verify=False, objective=objective)
        target = resolve_target("isaac", {"hierarchy.chips": str(CHIPS.get(name, 1))})
        result = compile_file(path, target, Path(folder) / "program.rcx", options, Trace())
    placed = result.compiled.placed
    start = time.perf_counter()
    stream = emit(placed, result.target)
    every = round(placed.interval_s / PS)
    alone, machine = Machine(stream, 1, every).run(), Machine(stream, INFERENCES, every)
    following = machine.run()
    seconds = time.perf_counter() - start
    return Row(
        name,
        objective,
        len(stream.threads),
        stream.instructions,
        (alone.finished_ps[0] * PS, max(stage.stop_s for stage in placed.stages)),
        (following.interval_ps * PS, placed.interval_s),
        placed.pace.limited_by,
        len(following.stuck),
        seconds,
        stream.instructions * (INFERENCES + 1) / seconds,
    )


def line(row: Row) -> str:
    """Return a row of the table."""
    both = row.latency, row.interval
    figures = (f"{1e6 * found:,.1f} | {100 * (found / plan - 1):+.2f} %" for found, plan in both)
    copies = "one" if row.objective is ONE else "many"
    ends = "yes" if not row.stuck else f"{row.stuck} stuck"
    return (
        f"| {row.name} | {copies} | {row.threads:,} | {row.instructions:,} | {' | '.join(figures)} "
        f"| {row.limited_by} | {ends} | {row.seconds:.1f} | {row.rate:,.0f} |"
    )


COLUMNS = (
    *("Network", "Copies", "Threads", "Instructions", "Latency, us", "against the schedule", "Interval, us"),
    *("against it", "Limited by", "All end", "s", "Instructions/s"),
)
HEAD = f"\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names
    lines = []
    for name, objective in CASES:
        if not names or name in names:
            lines.append(line(measure(name, objective)))
            print(lines[-1], file=sys.stderr)
    if not names:
        text = PAGE.read_text("utf-8")
        first, rest = text.split(BEGIN)
        PAGE.write_text(first + BEGIN + HEAD + "\n".join(lines) + "\n" + END + rest.split(END)[1], "utf-8")


if __name__ == "__main__":
    main()
