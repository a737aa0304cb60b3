"""Three published trends, measured again. Writes docs/trends.md and docs/trends.svg.

    python docs/trends.py MLP.onnx DATA CALIBRATION BNN.onnx DATA CALIBRATION CNN.onnx DATA CALIBRATION

MLP is a quantized model with a few hundred rows: its accuracy against the size of crossbars whose wires have
resistance. BNN is a binary one: its loss where column sums are sensed with 3 bits, on three times the samples. CNN is
quantized: its accuracy while cells of 4 bits relax, on a quarter of the samples. `--samples` and `--trials` say how
much is measured.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import rcompile
from rcompile.report.schema import Accuracy
from rcompile.targets import resolve_target

FOLDER = Path(__file__).parent
SIZES = (32, 64, 128, 256, 512)
WIRES = "ideal?cell.g_min_s=1e-6&cell.g_max_s=1e-4&wires.row_ohm=1&wires.column_ohm=1&amplifiers.noise_a=4e-6"
RELAXING = "wan_2022@1s"
LATER = ("1day", "2day")
SUN_2018 = 0.34
"""Points that a 3-bit sense costs on MNIST: Sun et al., XNOR-RRAM, DATE 2018."""


@dataclass(frozen=True)
class Job:
    """A model with its samples."""

    model: Path
    data: Path
    calibration: Path


@dataclass(frozen=True)
class Point:
    """An accuracy with its 95 % interval, where there are dies that differ."""

    at: float
    accuracy: float
    interval: tuple[float, float] | None


def measured(
    job: Job, samples: int, settings: dict[str, str], device: str = "ideal", at: Sequence[str] = (), trials: int = 1
) -> Accuracy:
    """Compile and execute a model."""
    given = {"crossbar.rows": "128", "crossbar.columns": "128", "inputs.dac_bits": "1", "hierarchy.chips": "512"}
    with tempfile.TemporaryDirectory() as folder, np.load(job.data) as arrays:
        few = Path(folder) / "data.npz"
        np.savez(few, **{name: arrays[name][:samples] for name in arrays.files})
        report = rcompile.compile_model(
            job.model,
            target=resolve_target("classroom", given | settings),
            data=few,
            calibration=job.calibration,
            output=Path(folder) / "out",
            options=rcompile.Options(exact_samples=1),
            device=device,
            at=at,
            trials=trials,
        )
    found = report.verification.accuracy
    assert found is not None
    return found


def array_sizes(job: Job, samples: int, trials: int) -> list[Point]:
    """Return the accuracy for each size of the crossbars."""
    found = []
    for size in SIZES:
        settings = {"weights.sign": "differential_columns", "crossbar.cell_bits": "2", "adc.resolution": "lossless"}
        settings |= {"crossbar.rows": str(size), "crossbar.columns": str(size), "adc.bits": "12"}
        accuracy = measured(job, samples, settings, device=WIRES, trials=trials if size < max(SIZES) else 1)
        found.append(point(size, accuracy))
        show("array size", found[-1])
    return found


def sensed_bits(job: Job, samples: int) -> list[Point]:
    """Return the accuracy of a binary network for each resolution of the sense amplifiers; at 0 bits, lossless."""
    found = []
    for bits in (0, 2, 3, 4):
        settings = {"weights.sign": "xnor_pair", "crossbar.cell_bits": "1", "adc.bits": str(bits or 12)}
        settings["adc.resolution"] = "calibrated" if bits else "lossless"
        accuracy = measured(job, samples, settings)
        assert accuracy.ideal is not None
        found.append(Point(bits, accuracy.ideal, None))
        show("sensed bits", found[-1])
    return found


def relaxation(job: Job, samples: int, trials: int) -> dict[int, list[Point]]:
    """Return the accuracy at each time after writing, for cells of 2 and 4 bits."""
    found = {}
    for bits in (2, 4):
        settings = {"weights.sign": "differential_columns", "crossbar.cell_bits": str(bits), "adc.bits": "12"}
        settings["adc.resolution"] = "lossless"
        accuracy = measured(job, samples, settings, device=RELAXING, at=LATER, trials=trials)
        found[bits] = [Point(each.age_s, each.mean, each.ci95) for each in accuracy.over_time]
        for each in found[bits]:
            show(f"{bits}-bit cells", each)
    return found


def point(at: float, accuracy: Accuracy) -> Point:
    """Return what dies showed."""
    assert accuracy.mean is not None
    return Point(at, accuracy.mean, accuracy.ci95)


def show(name: str, found: Point) -> None:
    """Print a figure as soon as it is there."""
    sys.stdout.write(json.dumps({"of": name, **asdict(found)}) + "\n")
    sys.stdout.flush()


def page(
    jobs: Sequence[Job],
    samples: int,
    sizes: Sequence[Point],
    bits: Sequence[Point],
    relaxed: dict[int, list[Point]],
) -> str:
    """Return the page."""
    best = max(sizes, key=lambda each: each.accuracy)
    loss = 100 * (bits[0].accuracy - next(each.accuracy for each in bits if each.at == 3))
    times = ["1 s", *LATER]
    lines = [
        "# Trends",
        "",
        "<!-- made by docs/trends.py -->",
        "",
        f"Three trends that papers report, measured here on up to {samples} samples.",
        "",
        "## Larger arrays need fewer conversions, and lose more in their wires",
        "",
        f"`{jobs[0].model.stem}` on cells of 10 kohm to 1 Mohm, wires of 1 ohm a cell, amplifiers with 4 uA of noise,",
        "top-1 in %. Each conversion adds its noise, so that small arrays are noisy; wires take the more the larger an",
        f"array is: best are {best.at:g} x {best.at:g}.",
        "",
        *table([f"{each.at:g} x {each.at:g}" for each in sizes], [[shown(each) for each in sizes]]),
        "",
        "## Three bits are nearly enough for a binary network",
        "",
        f"`{jobs[1].model.stem}`, XNOR pairs on 128 x 128, calibrated ranges, top-1 in %. Three bits cost {loss:.2f}",
        f"points; Sun et al. (DATE 2018) report {SUN_2018} on MNIST for their network.",
        "",
        *table(
            ["lossless" if each.at == 0 else f"{each.at:g} bits" for each in bits], [[shown(each) for each in bits]]
        ),
        "",
        "## Cells of four bits suffer from relaxation",
        "",
        f"`{jobs[2].model.stem}` on cells as Wan et al. (Nature 2022) measured them (`wan_2022`), top-1 in % some time",
        "after writing, the same dies at all times. Most of the loss comes within the first day, as in the measured",
        "polynomials.",
        "",
        *table(["Cells", *times], [[f"{n} bits", *map(shown, series)] for n, series in relaxed.items()]),
        "",
        "![The three trends](trends.svg)",
        "",
    ]
    return "\n".join(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as Markdown, line by line."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def shown(found: Point) -> str:
    """Return an accuracy in %, with half of its interval."""
    if found.interval is None:
        return f"{100 * found.accuracy:.2f}"
    return f"{100 * found.accuracy:.2f} ± {50 * (found.interval[1] - found.interval[0]):.2f}"


WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 420, 300, 56, 40, 250
COLOURS = ("#1b6ca8", "#c8553d")


def panel(title: str, labels: Sequence[str], series: dict[str, Sequence[Point]]) -> list[str]:
    """Return a panel: accuracy in % over labelled places."""
    values = [100 * each.accuracy for line in series.values() for each in line]
    floor, ceiling = min(values) - 1, max(values) + 1

    def x(index: int) -> float:
        return LEFT + 20 + index * (WIDTH - LEFT - 90) / max(len(labels) - 1, 1)

    def y(percent: float) -> float:
        return BOTTOM - (percent - floor) / (ceiling - floor) * (BOTTOM - TOP)

    parts = [f'<text x="{LEFT}" y="20" font-weight="bold">{title}</text>']
    for step in range(5):
        value = floor + step * (ceiling - floor) / 4
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 50}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.1f} %</text>')
    for index, label in enumerate(labels):
        parts.append(f'<text x="{x(index):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{label}</text>')
    for colour, (name, line) in zip(COLOURS, series.items(), strict=False):
        places = [(x(index), y(100 * each.accuracy)) for index, each in enumerate(line)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in places]
        parts.append(f'<text x="{places[-1][0] + 6:.1f}" y="{places[-1][1] + 4:.1f}" fill="{colour}">{name}</text>')
    return parts


def picture(sizes: Sequence[Point], bits: Sequence[Point], relaxed: dict[int, list[Point]]) -> str:
    """Return the three panels side by side."""
    lossless, *sensed = bits
    panels = [
        panel("Accuracy against array size", [f"{each.at:g}" for each in sizes], {"": sizes}),
        panel(
            "Accuracy against bits of the sense",
            [*(f"{each.at:g} bits" for each in sensed), "lossless"],
            {"": [*sensed, lossless]},
        ),
        panel(
            "Accuracy after writing",
            ["1 s", *LATER],
            {f"{bits} bits": series for bits, series in relaxed.items()},
        ),
    ]
    size = f'viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}" font-family="sans-serif" font-size="11"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>']
    for index, lines in enumerate(panels):
        parts += [f'<g transform="translate({index * WIDTH} 0)">', *lines, "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measure the models named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=9, type=Path)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--trials", type=int, default=3)
    arguments = parser.parse_args()
    jobs = [Job(*arguments.files[start : start + 3]) for start in (0, 3, 6)]
    bits = sensed_bits(jobs[1], 3 * arguments.samples)  # nothing is drawn: one run each
    relaxed = relaxation(jobs[2], arguments.samples // 4, arguments.trials)
    sizes = array_sizes(jobs[0], arguments.samples, arguments.trials)
    text = page(jobs, 3 * arguments.samples, sizes, bits, relaxed)
    (FOLDER / "trends.md").write_text(text, encoding="utf-8")
    (FOLDER / "trends.svg").write_text(picture(sizes, bits, relaxed), encoding="utf-8")


if __name__ == "__main__":
    main()
