"""Hold published figures against what the targets' components add up to. Writes docs/published.md.

    python docs/published.py

Nothing is tuned to a headline: a figure that does not follow from its own paper's components is listed as such.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rcompile.cost.roll_up import Level, levels, peak
from rcompile.errors import Origin
from rcompile.frontend.load import Source, load
from rcompile.ir.converter import exact_adc_bits
from rcompile.mapper.clock import PS, Clock
from rcompile.mapper.fit import copies_for
from rcompile.mapper.packing import crossbars_per_copy
from rcompile.mapper.replication import cost, one_copy
from rcompile.mapper.timing import interval, layers_of
from rcompile.passes.lower import lower
from rcompile.passes.partition import partition
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.simplify import simplify
from rcompile.targets import resolve_target

FOLDER = Path(__file__).parent
MM2, MIB = 1e-6, 2**20

ISAAC = "Shafiee et al., ISCA 2016, recalled"
PUMA = "Ankit et al., ASPLOS 2019, recalled"
SURVEY = "Krestinskaya et al., IEEE NANO 2022"


@dataclass(frozen=True)
class Figure:
    """A published figure.

    Attributes:
        what: it is of.
        published: the value.
        unit: of it.
        source: where it was published.
        formula: how it follows from components.
        ours: what that gives.
        tolerance: relative, within which ours must be; None: it does not follow from the paper's own components.
        note: why not, or what to mind.
    """

    what: str
    published: float
    unit: str
    source: str
    formula: str
    ours: Callable[[], float]
    tolerance: float | None
    note: str = ""


def level(target: str, name: str) -> Level:
    """Return a level of a target with what it adds up to."""
    return next(item for item in levels(resolve_target(target)) if item.name == name)


def power(target: str, name: str) -> Callable[[], float]:
    """Return what computes the power of a level, in W."""
    return lambda: level(target, name).power_w or 0.0


def area(target: str, name: str) -> Callable[[], float]:
    """Return what computes the area of a level, in mm2."""
    return lambda: (level(target, name).area_m2 or 0.0) / MM2


def share(target: str, name: str, what: str) -> Callable[[], float]:
    """Return what computes the converters' share of a level's power or area, in %."""

    def computed() -> float:
        found = level(target, name)
        part, whole = getattr(found, f"adc_{what}"), getattr(found, what)
        return 100 * part / whole

    return computed


@cache
def crossbars(network: str) -> tuple[int, int, float]:
    """Return the crossbars of one copy, and of copies that balance its pipeline, at 16 bits on `isaac`; their interval.

    Balanced: as many as give the interval of the last convolution without copies (fully connected layers aside).
    """
    sys.path.append(str(FOLDER.parent / "benchmarks"))
    from zoo import write

    with tempfile.TemporaryDirectory() as folder:
        graph = simplify(load(write(network, Path(folder)), Source({}, weightless=True)), Trace())
    precision, target = Precision(16, 16), resolve_target("isaac")
    graph = quantize(graph, dict.fromkeys(needs_ranges(graph, precision), (0.0, 1.0)), precision)
    program = slice_inputs(partition(lower(graph), target), target)
    layers, tick = layers_of(program, Clock.of(target))
    last = [layer for layer in layers if layer.vectors > 1][-1].busy(1)
    balanced = copies_for(layers, 1 / (last * tick * PS), tick * PS, Origin(network))
    one = sum(crossbars_per_copy(program, item) for item in program.matrices)
    if one != cost(layers, one_copy(layers).copies):
        raise AssertionError(f"{network}: {one} crossbars")
    return one, cost(layers, balanced.copies), interval(layers, balanced.copies) * tick * PS * 1e6


def per_area(target: str) -> Callable[[], float]:
    """Return what computes GOPS/s/mm2."""
    return lambda: (peak(resolve_target(target)).per_area or 0.0) * MM2 / 1e9


def per_power(target: str) -> Callable[[], float]:
    """Return what computes GOPS/s/W."""
    return lambda: (peak(resolve_target(target)).per_power or 0.0) / 1e9


def storage_per_area(target: str) -> Callable[[], float]:
    """Return what computes MiB/mm2."""
    return lambda: (peak(resolve_target(target)).storage_per_area or 0.0) * MM2 / MIB


ROLL_UP = "sum of count x figure over all that the level contains"
CE = "peak_ops / area; peak_ops = crossbars x 2 x rows x columns / cells per weight / (input cycles x cycle time)"
PE = "peak_ops / power"
COUNT = "sum over layers of groups x ceil(K / rows) x ceil(N x cells per weight / columns)"

FIGURES = (
    Figure("ISAAC chip: power", 65.8, "W", ISAAC, ROLL_UP, power("isaac", "chip"), 0.005),
    Figure("ISAAC chip: area", 85.4, "mm2", ISAAC, ROLL_UP, area("isaac", "chip"), 0.005),
    Figure("ISAAC tile: power", 0.330, "W", ISAAC, ROLL_UP, power("isaac", "tile"), 0.005),
    Figure("ISAAC tile: area", 0.372, "mm2", ISAAC, ROLL_UP, area("isaac", "tile"), 0.005),
    Figure(
        "ISAAC: 12 IMAs, power", 0.289, "W", "Aayush-Ankit/puma-simulator a206f75a, src/ima_metrics.py", ROLL_UP,
        lambda: 12 * (level("isaac", "ima").power_w or 0.0), 0.005,
    ),
    Figure("ISAAC: storage density (SE)", 0.74, "MiB/mm2", ISAAC, "cells x bits / 8 / area", storage_per_area("isaac"), 0.005),
    Figure("ISAAC: computational efficiency (CE)", 478.95, "GOPS/s/mm2", ISAAC, CE, per_area("isaac"), 0.02),
    Figure(
        "ISAAC: power efficiency (PE)", 363.7, "GOPS/s/W", ISAAC, PE, per_power("isaac"), None,
        "its own table gives 41.3 TOPS at 65.8 W; 363.7 would take 113.5 W",
    ),
    Figure("ISAAC: converters of the tile's power", 58.0, "%", ISAAC, "ADC power / tile power", share("isaac", "tile", "power_w"), 0.01),
    Figure("ISAAC: converters of the tile's area", 31.0, "%", ISAAC, "ADC area / tile area", share("isaac", "tile", "area_m2"), 0.01),
    Figure(
        "converters of crossbar and periphery: power", 84.0, "%", f"{SURVEY}: 80 to 88 %", "ADC power / IMA power",
        share("isaac", "ima", "power_w"), None, "80 to 88 % are given; of ISAAC's IMA, registers included: the boundary decides",
    ),
    Figure(
        "converters of crossbar and periphery: area", 80.0, "%", f"{SURVEY}: 70 to 90 %", "ADC area / IMA area",
        share("isaac", "ima", "area_m2"), 0.125, "70 to 90 % are given; of ISAAC's IMA, registers included",
    ),
    Figure(
        "ISAAC: ADC bits without encoding", 9, "bit", ISAAC, "ceil(log2((2^1 - 1)(2^2 - 1) 128 + 1))",
        lambda: float(exact_adc_bits(1, 2, 128)), 0.0,
    ),
    Figure(
        "ISAAC: ADC bits with flipped columns", 8, "bit", ISAAC, "the same of half the sum",
        lambda: float(exact_adc_bits(1, 2, 128, flipped=True)), 0.0,
    ),
    Figure(
        "ISAAC-SE: storage density", 54.79, "MiB/mm2", ISAAC, "cells x bits / 8 / area", storage_per_area("isaac_se"), None,
        "the components of this design point are ours, scaled from ISAAC-CE",
    ),
    Figure("PUMA node: power", 62.5, "W", PUMA, ROLL_UP, power("puma", "chip"), 0.02),
    Figure("PUMA node: area", 90.638, "mm2", PUMA, ROLL_UP, area("puma", "chip"), 0.02),
    Figure("PUMA tile: power", 0.3738, "W", PUMA, ROLL_UP, power("puma", "tile"), 0.02),
    Figure("PUMA tile: area", 0.479, "mm2", PUMA, ROLL_UP, area("puma", "tile"), 0.02),
    Figure("PUMA core: power", 0.04237, "W", PUMA, ROLL_UP, power("puma", "core"), 0.005),
    Figure(
        "PUMA node: weights of 16 bits", 69.0, "MiB", PUMA, "MVM units x 128 x 128 x 2 bytes",
        lambda: peak(resolve_target("puma")).storage_bytes / MIB, 0.005,
    ),
    Figure(
        "PUMA node: peak", 52.31, "TOPS", PUMA, "peak_ops", lambda: peak(resolve_target("puma")).operations_per_s / 1e12, None,
        "implies 1,383 ns for a 16-bit product, not 16 x 100 ns: how it was counted is not public",
    ),
    Figure("PUMA node: area efficiency", 577, "GOPS/s/mm2", "Ankit et al., ASPLOS 2019, abstract", CE, per_area("puma"), None, "follows from the peak above"),
    Figure("PUMA node: power efficiency", 837, "GOPS/s/W", "Ankit et al., ASPLOS 2019, abstract", PE, per_power("puma"), None, "follows from the peak above"),
    Figure("LeNet-5, 16 bits on 2-bit cells, 128 x 128", 42, "crossbars", "counted by hand", COUNT, lambda: crossbars("lenet5")[0], 0.0),
    Figure("ResNet-18", 5724, "crossbars", "counted by hand", COUNT, lambda: crossbars("resnet18")[0], 0.0),
    Figure("ResNet-50", 12504, "crossbars", "counted by hand", COUNT, lambda: crossbars("resnet50")[0], 0.0),
    Figure("VGG-16", 67576, "crossbars", "counted by hand", COUNT, lambda: crossbars("vgg16")[0], 0.0),
    Figure(
        "MobileNetV1, depthwise kernels block-diagonally", 2408, "crossbars", "counted by hand", f"{COUNT}; 14 kernels a crossbar",
        lambda: crossbars("mobilenet_v1")[0], 0.0,
    ),
    Figure("ResNet-18, balanced: an image in 78.4 us", 19836, "crossbars", "counted by hand", "r = ceil(positions / 49)", lambda: crossbars("resnet18")[1], 0.0),
    Figure(
        "ResNet-50, balanced: an image in 78.4 us", 45168, "crossbars", "counted by hand", "r = ceil(positions / 49)", lambda: crossbars("resnet50")[1], None,
        "counted for strides in the 3 x 3 convolutions; the network here has them in the first 1 x 1, as He et al. 2016: three layers have a quarter of the positions",
    ),
    Figure("VGG-16, balanced", 100192, "crossbars", "counted by hand", "r = ceil(positions / 196)", lambda: crossbars("vgg16")[1], 0.0),
    Figure("VGG-16, balanced: interval", 313.6, "us", "counted by hand", "196 positions x 16 cycles x 100 ns", lambda: crossbars("vgg16")[2], 1e-9),
    Figure(
        "training ResNet-50: 18 M writes of 50 ns", 0.8, "s", SURVEY, "writes x time", lambda: 18e6 * 50e-9, None,
        "18 M x 50 ns are 0.9 s; at 16 bits on 2-bit cells the network has 204.0 M cells in 1.59 M rows (10.2 s, 0.080 s), its last layer 16.4 M (0.82 s): `rcompile inspect DIR --training`",
    ),
)  # fmt: skip

MEASURED = (
    ("Yin et al. 2020 (`xnor_yin_2020`)", "98.5 % MNIST, 83.5 % CIFAR-10, 24 TOPS/W, 158 GOPS"),
    ("Sun et al. 2018 (`xnor_rram_date18`)", "98.43 % MNIST, 86.08 % CIFAR-10 with 3-bit amplifiers: 0.34 and 2.39 points lost; 141.18 TOPS/W"),
    ("Liu et al. 2020 (`liu_isscc20`)", "94.4 % MNIST, 77 us, 78.4 TOPS/W; 158.8 k cells (reproduced: tests/papers/test_encodings.py)"),
    ("Xue et al. 2021 (`xue_22nm`)", "9.2 to 18.3 ns, 146.21 to 36.61 TOPS/W"),
    ("Wan et al. 2022 (`neurram`)", "99.0 % MNIST, 85.7 % CIFAR-10, 84.7 % Google speech commands at 4-bit weights"),
    ("Yao et al. 2020 (`yao_nature20`)", "more than 96 % MNIST"),
    ("Hu et al. 2018 (`hu_dpe18`)", "89.9 % MNIST"),
    ("Li et al. 2018 (`li_insitu18`)", "91.71 % MNIST, trained in situ"),
    ("Nag et al. 2018 (`newton`)", "77 % less power, 51 % more throughput per area than ISAAC; 832 of 1,152 bit conversions (reproduced: tests/papers/test_encodings.py)"),
    ("Song et al. 2017 (`pipelayer`)", "1,485 GOPS/s/mm2 and 142.9 GOPS/s/W, which on 82.63 mm2 would be 122.7 TOPS at 859 W"),
    ("Ankit et al. 2020 (`panther`)", "8.02 x less energy than digital, 54.21 x than other ReRAM, 103 x than GPUs"),
)  # fmt: skip
"""What chips and simulators showed, with their networks and data: nothing here can recompute it."""


def lines() -> list[str]:
    """Return the page, line by line."""
    found = [
        "# Published figures, recomputed",
        "",
        "<!-- made by docs/published.py -->",
        "",
        "What papers print, against what the components of the targets here add up to (`rcompile targets NAME`), or what",
        "the mapper makes of the networks. `recalled`: not verified against the paper's text.",
        "",
        "| Figure | Published | Ours | Off by | Must be within | Formula |",
        "|---|---|---|---|---|---|",
    ]
    apart = []
    for item in FIGURES:
        ours = item.ours()
        off = ours / item.published - 1
        if item.tolerance is None:
            apart.append(
                f"| {item.what} | {item.published:g} {item.unit} | {ours:.4g} | {100 * off:+.1f} % | {item.note} | {item.source} |"
            )
        else:
            note = f" ({item.note})" if item.note else ""
            within = "exactly" if item.tolerance < 1e-6 else f"{100 * item.tolerance:g} %"
            found.append(
                f"| {item.what}{note} | {item.published:g} {item.unit} | {ours:.6g} | {100 * off:+.2f} % | {within} | {item.formula} |"
            )
    return [
        *found,
        "",
        "## Figures that do not follow from their own paper",
        "",
        "| Figure | Published | Ours | Off by | Why | Source |",
        "|---|---|---|---|---|---|",
        *apart,
        "",
        "## Figures that were measured",
        "",
        "On chips or by other simulators, with networks that are not public: not recomputed here.",
        "",
        "| Paper | What it reports |",
        "|---|---|",
        *(f"| {paper} | {text} |" for paper, text in MEASURED),
    ]  # fmt: skip


def main() -> None:
    """Write the page."""
    (FOLDER / "published.md").write_text("\n".join(lines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
