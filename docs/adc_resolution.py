"""Measure what converters need, and accuracy against resolution. Writes docs/adc-resolution.md and .svg.

    python docs/adc_resolution.py MODEL.onnx DATA.npz CALIBRATION.npz [MODEL.onnx DATA.npz CALIBRATION.npz ...]

Each model is compiled for `isaac` (128 x 128 cells of 2 bits, 1-bit DACs, columns flipped) with calibrated converters
of 4 to 8 bits, and executed on its samples. `--samples N` takes the first N of each.
"""

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import rcompile
from rcompile.report.schema import Report
from rcompile.targets import resolve_target

FOLDER = Path(__file__).parent
BITS = (8, 7, 6, 5, 4)


@dataclass(frozen=True)
class Figures:
    """Of one model: mean lossless resolutions over conversions, and top-1 by calibrated resolution."""

    model: str
    samples: int
    unflipped: float
    flipped: float
    lossless: float
    calibrated: dict[int, float]


def measure(model: Path, data: Path, calibration: Path, samples: int) -> Figures:
    """Compile and execute one model at each resolution."""
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "data.npz"
        with np.load(data) as arrays:
            np.savez(few, **{name: arrays[name][:samples] for name in arrays.files})

        def compiled(**settings: str) -> Report:
            target = resolve_target("isaac", {name.replace("_", ".", 1): text for name, text in settings.items()})
            return rcompile.compile_model(
                model, target=target, data=few, calibration=calibration, output=Path(folder) / "out",
                options=rcompile.Options(exact_samples=1),
            )  # fmt: skip

        exact = compiled()
        assert exact.verification.accuracy is not None
        samples = exact.verification.accuracy.samples
        needs = [(layer.converters.conversions, layer.adc_bits_required) for layer in exact.layers]
        total = sum(count for count, _ in needs)
        calibrated = {bits: accuracy(compiled(adc_resolution="calibrated", adc_bits=str(bits))) for bits in BITS}
    return Figures(
        model.stem,
        samples,
        sum(count * need.weights_unflipped_mean for count, need in needs) / total,
        sum(count * need.weights_mean for count, need in needs) / total,
        accuracy(exact),
        calibrated,
    )


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
        "On `isaac` (128 x 128 cells of 2 bits, 1-bit DACs): what a conversion needs to lose nothing, by the exact",
        "bound of its own column, averaged over all conversions of an inference, without and with flipped columns; ISAAC",
        "gives each 8 bits. Then top-1 with converters of fewer bits, their ranges calibrated per layer, slice and input",
        "bit by least squares (`adc.resolution=calibrated`).",
        "",
        "| Model | Samples | Lossless, mean bits | flipped | Top-1 lossless | "
        + " | ".join(f"{b} b" for b in BITS)
        + " |",
        "|---|---|---|---|---|" + "---|" * len(BITS),
    ]
    for item in found:
        cells = " | ".join(f"{100 * item.calibrated[b]:.2f}" for b in BITS)
        lines.append(
            f"| {item.model} | {item.samples} | {item.unflipped:.2f} | {item.flipped:.2f} | {100 * item.lossless:.2f} "
            f"| {cells} |"
        )
    return "\n".join([*lines, "", "![Change of top-1 against resolution](adc-resolution.svg)", ""])


def picture(found: list[Figures]) -> str:
    """Return the curves: change of top-1 in points against bits."""
    width, height, left, bottom, floor = 640, 360, 60, 320, -10.0
    colours = ("#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#c58b00", "#4a4a4a", "#0aa2a2", "#a23b72")

    def x(bits: int) -> float:
        return left + (bits - min(BITS)) * (width - left - 190) / (max(BITS) - min(BITS))

    def y(points: float) -> float:
        return bottom + (max(points, floor) - floor) / (1 - floor) * (30 - bottom)

    head = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    parts = [f'<svg {head} font-family="sans-serif" font-size="11">']
    for points in (0, -2, -4, -6, -8, -10):
        parts.append(f'<line x1="{left}" x2="{x(max(BITS))}" y1="{y(points)}" y2="{y(points)}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(points) + 4}" text-anchor="end">{points}</text>')
    parts += [f'<text x="{x(b)}" y="{bottom + 16}" text-anchor="middle">{b} bit</text>' for b in BITS]
    parts.append(f'<text x="{left}" y="18">change of top-1, points (-10 and less at the bottom)</text>')
    for index, item in enumerate(found):
        colour = colours[index % len(colours)]
        dash = "" if index < len(colours) else ' stroke-dasharray="4 3"'
        line = " ".join(f"{x(b):.1f},{y(100 * (item.calibrated[b] - item.lossless)):.1f}" for b in BITS)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>')
        parts.append(f'<text x="{x(max(BITS)) + 10}" y="{40 + 17 * index}" fill="{colour}">{item.model}</text>')
    return "\n".join([*parts, "</svg>", ""])


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
        print(json.dumps(asdict(found[-1])), flush=True)  # noqa: T201 - progress
    (FOLDER / "adc-resolution.md").write_text(page(found), encoding="utf-8")
    (FOLDER / "adc-resolution.svg").write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
