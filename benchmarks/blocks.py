"""How the mapper's time grows with blocks. Writes docs/mapper-growth.svg and prints the table.

    python benchmarks/blocks.py [--network vgg16]

One network, 16-bit weights on 2-bit cells, on crossbars from 1024 x 1024 down: four times the blocks at each step, on
as many chips as they take. Each compilation runs in a process of its own, without verification; what counts are the
passes from `partition` to `schedule`, and the independent checker. Growth is a ratio within one run: seconds over
n log n, relative to the smallest program.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import zoo

from rcompile.verification.checker import check_program

PASSES = {
    "partition",
    "slice_inputs",
    "flip_weights",
    "assign_adcs",
    "assign_partial_sums",
    "replicate",
    "place",
    "schedule",
}
SIZES = (1024, 512, 256, 128, 64)
FOLDER = Path(__file__).parent
WIDTH, HEIGHT, MARGIN = 520, 360, 60
FONT = 'font-family="sans-serif" font-size="12"'


@dataclass(frozen=True)
class Point:
    """One program: its blocks, and the seconds of the mapper and of the checker."""

    size: int
    blocks: int
    mapper_s: float
    checker_s: float

    @property
    def seconds(self) -> float:
        """Of both."""
        return self.mapper_s + self.checker_s

    @property
    def per_step(self) -> float:
        """Seconds over n log n."""
        return self.seconds / (self.blocks * math.log2(self.blocks))


def measure(network: Path, size: int, folder: Path) -> Point:
    """Compile a network for crossbars of one size."""
    settings = {"crossbar.rows": size, "crossbar.columns": size, "hierarchy.chips": 64, "adc.resolution": "lossless"}
    flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    command = [
        sys.executable,
        "-m",
        "rcompile",
        str(network),
        "--weightless",
        "--weight-bits",
        "16",
        "--input-bits",
        "16",
    ]
    run = subprocess.run(
        [*command, *flags, "--no-verify", "--json", "-", "-o", str(folder)], check=True, capture_output=True
    )
    report = json.loads(run.stdout)
    start = time.perf_counter()
    check_program(folder / "program.rcx")
    checker = time.perf_counter() - start
    mapper = sum(phase["elapsed_s"] for phase in report["phases"] if phase["name"] in PASSES)
    return Point(size, sum(layer["blocks"] for layer in report["layers"]), mapper, checker)


def picture(points: list[Point], name: str) -> str:
    """Draw seconds against blocks, both logarithmic, with the line of n log n through the first point."""
    first, last = points[0], points[-1]
    low, high = math.log10(first.blocks), math.log10(last.blocks)
    line = [first.per_step * p.blocks * math.log2(p.blocks) for p in points]
    values = [*(p.seconds for p in points), *line]
    bottom, top = math.log10(min(values)), math.log10(max(values))

    def place(blocks: float, seconds: float) -> str:
        x = MARGIN + (WIDTH - 2 * MARGIN) * (math.log10(blocks) - low) / (high - low)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (math.log10(seconds) - bottom) / (top - bottom)
        return f"{x:.1f},{y:.1f}"

    def path(seconds: list[float], style: str) -> str:
        corners = " ".join(place(p.blocks, s) for p, s in zip(points, seconds, strict=True))
        return f'<polyline fill="none" {style} points="{corners}"/>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        path(line, 'stroke="#888" stroke-dasharray="5 4"'),
        path([p.seconds for p in points], 'stroke="#005ea2" stroke-width="2"'),
    ]
    for point in points:
        x, y = place(point.blocks, point.seconds).split(",")
        parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="#005ea2"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{point.blocks:,}</text>')
        parts.append(f'<text x="{float(x) + 6:.1f}" y="{float(y) - 6:.1f}">{point.seconds:.2f} s</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 18}" text-anchor="middle">blocks of {name}</text>')
    parts.append(f'<text x="{MARGIN}" y="24">mapper and checker; dashed: n log n through the first point</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="vgg16", help="a network of zoo.py")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        network = zoo.write(arguments.network, Path(folder))
        points = []
        for size in SIZES:
            point = measure(network, size, Path(folder) / str(size))
            points.append(point)
            sys.stdout.write(
                f"{size:5} x {size:<5} {point.blocks:9,} blocks: mapper {point.mapper_s:6.2f} s, checker "
                f"{point.checker_s:6.2f} s, over n log n {point.per_step / points[0].per_step:5.2f}\n"
            )
            sys.stdout.flush()
    (FOLDER.parent / "docs" / "mapper-growth.svg").write_text(picture(points, arguments.network), encoding="utf-8")


if __name__ == "__main__":
    main()
