"""What the user should know beyond figures: one line for everything that was assumed, ignored or limited."""

import difflib
from collections.abc import Sequence

import numpy as np

from rcompile.frontend.operators import UNFOLDED
from rcompile.ir.matrix import Placement
from rcompile.report.chip_diagnostics import (
    assumed_fields,
    full_buffers,
    missed_rate,
    reference_columns,
    retention,
    rounds,
    slow_movement,
    smallest_chip,
    unknown_times,
)
from rcompile.report.schema import Diagnostic
from rcompile.result import Result
from rcompile.verification.exact import REAL_TOLERANCE

NAMED_NODES = 3
LARGE_DIGITAL_SHARE = 0.05
LARGE_QUANTIZATION_ERROR = 0.2


def diagnose(result: Result, holds_s: float | None) -> list[Diagnostic]:
    """Return the diagnostics of a compilation, gravest first.

    Args:
        result: of the compilation.
        holds_s: how long its cells hold their levels; None: for ever.
    """
    found = [
        *adc_beyond_target(result),
        *rounded_sums(result),
        *kept_signs(result),
        *digital_products(result),
        *uncounted_products(result),
        *ignored_options(result),
        *random_ranges(result),
        *random_weights(result),
        *endless_outputs(result),
        *data_without_labels(result),
        *unused_arrays(result),
        *quantization_loss(result),
        *limited_work(result),
        *rounding(result),
        *assumed_fields(result),
        *rounds(result),
        *smallest_chip(result),
        *reference_columns(result),
        *retention(result, holds_s),
        *missed_rate(result),
        *slow_movement(result),
        *full_buffers(result),
        *unknown_times(result),
    ]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda item: order[item.severity])


def listed(names: Sequence[str]) -> str:
    """Name the first few of some nodes."""
    more = len(names) - NAMED_NODES
    return ", ".join(names[:NAMED_NODES]) + (f" and {more} more" if more > 0 else "")


def adc_beyond_target(result: Result) -> list[Diagnostic]:
    """Warn where losslessness was asked for and takes finer converters than the target has."""
    have = result.target.adc.bits
    needs = {
        item.matrix.name: item.converter.widest
        for item in result.compiled.placed.program.matrices
        if item.converter.widest > have
    }
    if not needs:
        return []
    return [
        Diagnostic(
            severity="warning",
            code="ADC_BEYOND_TARGET",
            node=next(iter(needs)),
            message=f"{listed(list(needs))} need converters of up to {max(needs.values())} bits to lose nothing; "
            f"{result.target.name} has {have} bits: what each layer needs was assumed",
            hint="leave adc.resolution out to see what the target's converters cost; fewer rows (crossbar.rows), cell "
            "bits or DAC bits, or weights.sign=offset_flip, need fewer",
        )
    ]


def rounded_sums(result: Result) -> list[Diagnostic]:
    """Warn where converters or partial sums round, and say by what."""
    items = [i for i in result.compiled.placed.program.matrices if not (i.lossless or i.keeps_signs)]
    if not items:
        return []
    names = [item.matrix.name for item in items]
    needed = max(item.converter.column.most for item in items)
    have = max(item.converter.widest for item in items)
    resolution = result.target.adc.resolution
    if any(not item.converter.lossless for item in items):
        what = f"converters of up to {needed} bits would lose nothing, these have {have} ({resolution})"
    else:
        what = f"partial sums are rounded to {result.target.partial_sums.bits} bits"
    origin = result.origins.converters
    seen = f"; ranges were calibrated on {'random inputs' if origin == 'random' else origin} samples" if origin else ""
    return [
        Diagnostic(
            severity="warning",
            code="ROUNDED_SUMS",
            node=names[0],
            message=f"{listed(names)}: {what}{seen.replace('inputs samples', 'inputs')}: the accuracy of the mapped "
            "program includes what that costs",
            hint="adc.resolution=lossless assumes converters that lose nothing; fewer rows (crossbar.rows, "
            "crossbar.rows_at_once), cell bits or DAC bits, or weights.sign=offset_flip, need fewer bits",
        )
    ]


def kept_signs(result: Result) -> list[Diagnostic]:
    """Note which layers are read by one comparison a column."""
    names = [i.matrix.name for i in result.compiled.placed.program.matrices if i.keeps_signs and not i.lossless]
    if not names:
        return []
    return [
        Diagnostic(
            severity="note",
            code="SIGNS_ONLY",
            node=names[0],
            message=f"{listed(names)}: sense amplifiers compare each column once with its threshold; only its sign is "
            "read, and that is exact",
            hint="",
        )
    ]


def digital_products(result: Result) -> list[Diagnostic]:
    """Say which multiply-accumulates stay off the crossbars, and why."""
    placements = result.compiled.placed.program.source.placements
    total = sum(item.macs for item in placements)
    groups: dict[tuple[str, str], list[Placement]] = {}
    for item in placements:
        if item.placed == "digital" and item.macs:
            groups.setdefault((item.op_type, item.reason), []).append(item)
    found = []
    for (op_type, reason), items in groups.items():
        share = sum(item.macs for item in items) / total
        found.append(
            Diagnostic(
                severity="warning" if share > LARGE_DIGITAL_SHARE else "note",
                code="DIGITAL_PRODUCT",
                node=items[0].node,
                message=f"{op_type} {listed([item.node for item in items])} ({100 * share:.1f} % of the "
                f"multiply-accumulates) stays digital: {reason}",
                hint="latency and throughput count the crossbars only; however fast they are, the products as a whole "
                f"become at most {1 / share:.3g} times as fast (Amdahl)",
            )
        )
    return found


def uncounted_products(result: Result) -> list[Diagnostic]:
    """Warn where a product's multiply-accumulates are not known, so that shares are too favourable."""
    placements = result.compiled.placed.program.source.placements
    products = {*UNFOLDED, "If", "Loop", "Scan"}
    names = [i.node for i in placements if i.placed == "digital" and not i.macs and i.op_type in products]
    if not names:
        return []
    return [
        Diagnostic(
            severity="warning",
            code="UNCOUNTED_PRODUCT",
            node=names[0],
            message=f"what {listed(names)} may multiply is not counted: the share on crossbars may be smaller "
            "than stated",
            hint="",
        )
    ]


def ignored_options(result: Result) -> list[Diagnostic]:
    """Warn of options that do not apply."""
    if not result.ignored:
        return []
    return [
        Diagnostic(
            severity="warning",
            code="OPTION_IGNORED",
            node="",
            message=f"the model came quantized and keeps its own scales: {', '.join(result.ignored)} had no effect",
            hint="compile the float model to choose its precision",
        )
    ]


def endless_outputs(result: Result) -> list[Diagnostic]:
    """Warn where the model's own outputs are no numbers: nothing that is compared with them says anything."""
    found = result.verified
    if found is None or np.isfinite(found.accuracy.output_range):
        return []
    return [
        Diagnostic(
            severity="warning",
            code="OUTPUTS_NOT_FINITE",
            node="",
            message="the model's outputs hold NaN or infinite values on these samples: accuracy and differences "
            "mean nothing",
            hint="check the weights of the model and the samples",
        )
    ]


def random_weights(result: Result) -> list[Diagnostic]:
    """Warn where a model was mapped without its weights."""
    if not result.options.weightless:
        return []
    return [
        Diagnostic(
            severity="warning",
            code="RANDOM_WEIGHTS",
            node="",
            message="mapped by its shapes: weights that the file lacks are random, and nothing was verified",
            hint="compile the model with its weights for an accuracy",
        )
    ]


def random_ranges(result: Result) -> list[Diagnostic]:
    """Warn where activation ranges rest on random inputs."""
    if result.origins.activations != "random":
        return []
    return [
        Diagnostic(
            severity="warning",
            code="RANDOM_RANGES",
            node="",
            message="activation ranges come from random inputs: accuracy will suffer on real ones",
            hint="give samples: --calibration FILE.npz (or --data FILE.npz)",
        )
    ]


def data_without_labels(result: Result) -> list[Diagnostic]:
    """Say why there is no accuracy."""
    if result.verified is None or result.verified.accuracy.metric == "top1":
        return []
    labels = result.verified.data.labels
    if labels is None:
        return [
            Diagnostic(
                severity="note",
                code="NO_LABELS",
                node="",
                message=f"no accuracy: {result.verified.data.origin}, without labels",
                hint="give --data FILE.npz with an array 'labels'",
            )
        ]
    return [
        Diagnostic(
            severity="warning",
            code="LABELS_DO_NOT_FIT",
            node="",
            message=f"no accuracy: labels run from {labels.min()} to {labels.max()}, and the first output of the model "
            "does not have as many values for each sample",
            hint="labels are class numbers from 0, positions in the model's first output",
        )
    ]


def unused_arrays(result: Result) -> list[Diagnostic]:
    """Warn of arrays of the data file that nothing reads."""
    if result.verified is None or not result.verified.data.unused:
        return []
    unused = result.verified.data.unused
    meant = difflib.get_close_matches("labels", unused, n=1)
    return [
        Diagnostic(
            severity="warning",
            code="UNUSED_ARRAYS",
            node="",
            message=f"{result.verified.data.origin} holds arrays that are not used: {', '.join(unused)}",
            hint=f"rename '{meant[0]}' to 'labels'?" if meant and result.verified.data.labels is None else "",
        )
    ]


def quantization_loss(result: Result) -> list[Diagnostic]:
    """Warn where the quantized model is far from the float one."""
    found = result.verified
    loss = None if found is None else found.accuracy.quantization_error
    if loss is None or loss < LARGE_QUANTIZATION_ERROR:
        return []
    return [
        Diagnostic(
            severity="warning",
            code="QUANTIZATION_LOSS",
            node="",
            message=f"quantization changes the outputs by {100 * loss:.0f} % of their size (root mean square)",
            hint="more --weight-bits or --input-bits, or calibration samples that are like the data",
        )
    ]


def limited_work(result: Result) -> list[Diagnostic]:
    """Note where the exact comparison did not take all samples."""
    found = result.verified
    if found is None:
        return []
    if found.exact.share < 1:
        return [
            Diagnostic(
                severity="note",
                code="EXACT_ON_SOME",
                node="",
                message=f"compared exactly on {found.exact.samples} of {found.data.samples} samples; "
                f"{100 * found.exact.share:.2g} % of each layer's vectors (one at least) were read cycle by cycle "
                "(work limit), the others by the functional engine",
                hint=f"--exact-samples {found.exact.samples} reads all, cycle by cycle",
            )
        ]
    if found.exact.samples == found.data.samples:
        return []
    return [
        Diagnostic(
            severity="note",
            code="EXACT_ON_SOME",
            node="",
            message=f"compared exactly, crossbar by crossbar, on {found.exact.samples} of {found.data.samples} samples "
            f"(work limit); accuracy is measured on all, by the {found.engine} engine",
            hint=f"--exact-samples {found.data.samples} compares all",
        )
    ]


def rounding(result: Result) -> list[Diagnostic]:
    """Note where onnxruntime's floating-point kernels round differently."""
    found = result.verified
    lossless = all(item.lossless for item in result.compiled.placed.program.matrices)
    if found is None or not found.exact.passed or not lossless:
        return []
    if found.accuracy.output_difference <= REAL_TOLERANCE * found.accuracy.output_range:
        return []
    return [
        Diagnostic(
            severity="note",
            code="ROUNDING",
            node="",
            message="onnxruntime sums some products of the quantized model in floating point, and a sum on the border "
            "of two codes can then round the other way; the program equals the integer arithmetic exactly",
            hint="docs/semantics.md, section 6",
        )
    ]
