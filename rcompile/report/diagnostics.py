"""What the user should know beyond figures: one line for everything that was assumed, clipped or limited."""

from rcompile.report.schema import Diagnostic
from rcompile.result import Result
from rcompile.verification.exact import REAL_TOLERANCE


def diagnose(result: Result) -> list[Diagnostic]:
    """Return the diagnostics of a compilation, gravest first."""
    found = [
        *adc_beyond_target(result),
        *random_inputs(result),
        *limited_work(result),
        *rounding(result),
        *digital_products(result),
        *assumed_fields(result),
    ]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda item: order[item.severity])


def adc_beyond_target(result: Result) -> list[Diagnostic]:
    """Warn where losslessness takes finer converters than the target has."""
    have = result.target.adc.bits
    beyond = [item for item in result.compiled.placed.program.matrices if item.adc is not None and item.adc.bits > have]
    return [
        Diagnostic(
            severity="warning",
            code="ADC_BEYOND_TARGET",
            node=item.matrix.name,
            message=f"needs {item.adc.bits}-bit converters to lose nothing; {result.target.name} has {have} bits: "
            f"{item.adc.bits} were assumed",
            hint="fewer rows (crossbar.rows), cell bits or DAC bits, or weights.sign = offset_flip, need fewer",
        )
        for item in beyond
        if item.adc is not None
    ]


def random_inputs(result: Result) -> list[Diagnostic]:
    """Warn where figures rest on random inputs."""
    found = []
    if result.ranges_from == "random":
        found.append(
            Diagnostic(
                severity="warning",
                code="RANDOM_RANGES",
                node="",
                message="activation ranges come from random inputs: accuracy will suffer on real ones",
                hint="give samples: --calibration FILE.npz (or --data FILE.npz)",
            )
        )
    if result.verified is not None and result.verified.data.labels is None:
        origin = result.verified.data.origin
        found.append(
            Diagnostic(
                severity="note",
                code="NO_LABELS",
                node="",
                message=f"no accuracy: {origin}, without labels",
                hint="give --data FILE.npz with an array 'labels'",
            )
        )
    if (
        result.verified is not None
        and result.verified.data.labels is not None
        and result.verified.accuracy.metric != "top1"
    ):
        labels = result.verified.data.labels
        found.append(
            Diagnostic(
                severity="warning",
                code="LABELS_DO_NOT_FIT",
                node="",
                message=f"no accuracy: labels run from {labels.min()} to {labels.max()}, and the first output of the "
                "model has fewer values a sample",
                hint="labels are class numbers from 0, positions in the model's first output",
            )
        )
    return found


def limited_work(result: Result) -> list[Diagnostic]:
    """Note where the exact comparison did not take all samples."""
    found = result.verified
    if found is None or found.exact.samples == found.data.samples:
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
    if found is None or not found.exact.passed:
        return []
    if found.accuracy.output_difference <= REAL_TOLERANCE * found.accuracy.output_range:
        return []
    same = found.accuracy.agreement
    agreement = "" if same is None else f" ({100 * same:.2f} % same top-1)"
    return [
        Diagnostic(
            severity="note",
            code="ROUNDING",
            node="",
            message=f"outputs differ by up to {found.accuracy.output_difference:.3g} from onnxruntime on the quantized "
            f"model{agreement}: it sums some products in floating point, and a sum on the border "
            "of two codes can then round the other way; the program equals the integer arithmetic exactly",
            hint="docs/semantics.md, section 6",
        )
    ]


def digital_products(result: Result) -> list[Diagnostic]:
    """Note multiply-accumulates that stay off the crossbars."""
    placements = result.compiled.placed.program.source.placements
    digital = [item for item in placements if item.placed == "digital" and item.macs]
    total = sum(item.macs for item in placements)
    return [
        Diagnostic(
            severity="note",
            code="DIGITAL_PRODUCT",
            node=item.node,
            message=f"{item.op_type} stays digital ({100 * item.macs / total:.1f} % of the multiply-accumulates): "
            f"{item.reason}",
            hint="",
        )
        for item in digital
    ]


def assumed_fields(result: Result) -> list[Diagnostic]:
    """Note fields that the target leaves out."""
    if not result.target.assumed_fields:
        return []
    return [
        Diagnostic(
            severity="note",
            code="ASSUMED_FIELDS",
            node="",
            message=f"{result.target.name} does not state {', '.join(result.target.assumed_fields)}: "
            "defaults were assumed",
            hint="",
        )
    ]
