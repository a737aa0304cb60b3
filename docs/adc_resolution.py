"""Measure what converters need, and accuracy against resolution. Writes docs/adc-resolution.md and .svg.

    python docs/adc_resolution.py MODEL.onnx DATA.npz CALIBRATION.npz [MODEL.onnx DATA.npz CALIBRATION.npz ...]

Each model is compiled for `isaac` (128 x 128 cells of 2 bits, 1-bit DACs, columns flipped) with calibrated converters
of 4 to 8 bits, and executed on its samples. `--samples N` takes the first N of each.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import rcompile
from rcompile.report.schema import Report
from rcompile.targets import resolve_target

FOLDER = Path(__file__).parent
BITS = (6, 5, 4)
SCHEMES = ("offset_flip", "differential_columns", "center_offset")


@dataclass(frozen=True)
class Figures:
    """Of one model: mean lossless resolutions over conversions, and top-1 by scheme and calibrated resolution."""

    model: str
    samples: int
    unflipped: float
    mean: dict[str, float]
    lossless: float
    calibrated: dict[str, dict[int, float]]


def measure(model: Path, data: Path, calibration: Path, samples: int) -> Figures:
    """Compile and execute one model with each scheme at each resolution."""
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "data.npz"
        with np.load(data) as arrays:
            np.savez(few, **{name: arrays[name][:samples] for name in arrays.files})

        def compiled(sign: str, resolution: str, bits: int) -> Report:
            settings = {"weights.sign": sign, "adc.resolution": resolution, "adc.bits": str(bits)}
            return rcompile.compile_model(
                model,
                target=resolve_target("isaac", settings),
                data=few,
                calibration=calibration,
                output=Path(folder) / "out",
                options=rcompile.Options(exact_samples=1),
            )

        exact = {sign: compiled(sign, "lossless", 8) for sign in SCHEMES}
        calibrated = {sign: {bits: accuracy(compiled(sign, "calibrated", bits)) for bits in BITS} for sign in SCHEMES}
    first = exact[SCHEMES[0]]
    assert first.verification.accuracy is not None
    return Figures(
        model=model.stem,
        samples=first.verification.accuracy.samples,
        unflipped=mean_bits(first, "weights_unflipped_mean"),
        mean={sign: mean_bits(report, "weights_mean") for sign, report in exact.items()},
        lossless=accuracy(first),
        calibrated=calibrated,
    )


def mean_bits(report: Report, name: str) -> float:
    """Return a lossless need, averaged over the conversions of an inference."""
    needs = [(layer.converters.conversions, getattr(layer.adc_bits_required, name)) for layer in report.layers]
    return sum(count * bits for count, bits in needs) / sum(count for count, _ in needs)


def accuracy(report: Report) -> float:
    """Return the top-1 of the mapped program."""
    found = report.verification.accuracy
    assert found is not None
    assert found.ideal is not None, "labels are needed"
    return found.ideal


def page(found: list[Figures]) -> str:
    """Return the page."""
    lines = ["# Converter resolution", "", "<!-- made by docs/adc_resolution.py -->", ""]
    lines += [
        "On `isaac` (128 x 128 cells of 2 bits, 1-bit DACs). First what a conversion needs to lose nothing, by the",
        "exact bound of its own column, averaged over all conversions of an inference: as stored, with columns flipped",
        "(`offset_flip`), and around a centre (`center_offset`). ISAAC gives each 8 bits.",
        "",
        "| Model | offset | " + " | ".join(SCHEMES) + " |",
        "|---|---|" + "---|" * len(SCHEMES),
    ]
    for item in found:
        means = " | ".join(f"{item.mean[sign]:.2f}" for sign in SCHEMES)
        lines.append(f"| {item.model} | {item.unflipped:.2f} | {means} |")
    lines += [
        "",
        "Then top-1 in % with converters of fewer bits, ranges calibrated per layer, slice and input bit by least",
        "squares (`adc.resolution=calibrated`), the lossless one beside it.",
        "",
        "| Model | Samples | Lossless | " + " | ".join(f"{sign} {bits} b" for sign in SCHEMES for bits in BITS) + " |",
        "|---|---|---|" + "---|" * (len(BITS) * len(SCHEMES)),
    ]
    for item in found:
        cells = " | ".join(f"{100 * item.calibrated[sign][bits]:.2f}" for sign in SCHEMES for bits in BITS)
        lines.append(f"| {item.model} | {item.samples} | {100 * item.lossless:.2f} | {cells} |")
    losses = ", ".join(
        f"{max(0.0, *(100 * (item.lossless - item.calibrated[sign][BITS[0]]) for item in found)):.2f} with {sign}"
        for sign in SCHEMES
    )
    lines += [
        "",
        f"At {BITS[0]} bits, 2 fewer than ISAAC's converters, the largest loss in points is {losses}.",
        "Columns that hold an offset sum up more the more inputs are active, whatever their weights: their ranges stay",
        "wide.",
    ]
    return "\n".join([*lines, "", "![Change of top-1 against resolution](adc-resolution.svg)", ""])


WIDTH, HEIGHT, LEFT, BOTTOM, FLOOR = 640, 360, 60, 320, -10.0
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#c58b00", "#4a4a4a", "#0aa2a2", "#a23b72")


def picture(found: list[Figures]) -> str:
    """Return the curves, a panel for each scheme: change of top-1 in points against bits."""
    size = f'viewBox="0 0 {WIDTH} {HEIGHT * len(SCHEMES)}" font-family="sans-serif" font-size="11"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>']
    for index, sign in enumerate(SCHEMES):
        parts += [f'<g transform="translate(0 {index * HEIGHT})">', *panel(found, sign), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def panel(found: list[Figures], sign: str) -> Iterator[str]:
    """Yield the curves of one scheme."""

    def x(bits: int) -> float:
        return LEFT + (bits - min(BITS)) * (WIDTH - LEFT - 190) / (max(BITS) - min(BITS))

    def y(points: float) -> float:
        return BOTTOM + (max(points, FLOOR) - FLOOR) / (1 - FLOOR) * (30 - BOTTOM)

    for points in range(0, int(FLOOR) - 1, -2):
        yield f'<line x1="{LEFT}" x2="{x(max(BITS))}" y1="{y(points)}" y2="{y(points)}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y(points) + 4}" text-anchor="end">{points}</text>'
    for bits in BITS:
        yield f'<text x="{x(bits)}" y="{BOTTOM + 16}" text-anchor="middle">{bits} bit</text>'
    title = f"{sign}: change of top-1 in points ({FLOOR:g} and less at the bottom)"
    yield f'<text x="{LEFT}" y="18">{title}</text>'
    for index, item in enumerate(found):
        colour = COLOURS[index % len(COLOURS)]
        dash = "" if index < len(COLOURS) else ' stroke-dasharray="4 3"'
        curve = item.calibrated[sign]
        line = " ".join(f"{x(b):.1f},{y(100 * (curve[b] - item.lossless)):.1f}" for b in BITS)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'
        yield f'<text x="{x(max(BITS)) + 10}" y="{40 + 17 * index}" fill="{colour}">{item.model}</text>'


def main() -> None:
    """Measure the models named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--samples", type=int, default=1500)
    arguments = parser.parse_args()
    files = arguments.files
    found = []
    for index in range(0, len(files), 3):
        found.append(measure(*files[index : index + 3], arguments.samples))
        sys.stdout.write(json.dumps(asdict(found[-1])) + "\n")
        sys.stdout.flush()
    (FOLDER / "adc-resolution.md").write_text(page(found), encoding="utf-8")
    (FOLDER / "adc-resolution.svg").write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
