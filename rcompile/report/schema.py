"""The schema of report.json, version 1. SI units: s, J, W, m2, bytes. None: not computed by this version."""

from typing import Any

import msgspec

from rcompile.cost.programming import Programming
from rcompile.report.cost_schema import CostInfo, LayerCostInfo
from rcompile.report.mapping_schema import Mapping

SCHEMA_VERSION = 1


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """What wrote the report."""

    name: str
    version: str


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the compiler and its time."""

    name: str
    elapsed_s: float


class TensorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output of the model; free dimensions are names or null."""

    name: str
    dtype: str
    shape: list[int | str | None] | None


class OperatorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Operators of one type that went to the same place for the same reason.

    elements: on which digital units work for them, for one inference.
    """

    op_type: str
    count: int
    macs: int
    elements: int
    placed: str
    reason: str
    nodes: list[str]


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The ONNX file."""

    name: str
    file: str
    sha256: str
    opset: int
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    macs: int
    parameters: int
    operators: list[OperatorInfo]
    quantized_by: str
    """'model': it came quantized; 'rcompile': post-training quantization."""
    ranges_from: str
    """Where activation ranges come from: 'model', 'calibration', 'data' or 'random'."""
    converter_ranges_from: str
    """Where the ranges of converters and partial sums come from; '' where none were calibrated."""


class SliceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Bits shift..shift+bits-1, in 'rram' or 'sram'."""

    shift: int
    bits: int
    memory: str


class AdcBits(msgspec.Struct, frozen=True, kw_only=True):
    """Resolution that a lossless conversion needs.

    paper: by the survey's formula; one bit short where its argument is a power of two. exact: whatever the weights are.
    weights: with these weights, the largest of all columns. weights_mean: their mean over columns, cycles and slices.
    weights_unflipped, weights_unflipped_mean: the same, were no column stored inverted.
    """

    paper: int
    exact: int
    weights: int
    weights_mean: float
    weights_unflipped: int
    weights_unflipped_mean: float


class ConverterInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How the sums of a layer are converted.

    bits_mean: over all conversions, skipped ones as 0. conversions: of one inference, skipped ones left out.
    keeps_signs: each sum is compared once with its threshold; nothing but its sign is read, and that is exact.
    """

    kind: str
    bits_least: int
    bits_most: int
    bits_mean: float
    conversions: int
    skipped_share: float
    lossless: bool
    keeps_signs: bool


class PartialSumInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What row partitions send to the adder tree.

    count and bytes: of one inference. bits: what holds every one. rounded_bits, rounded_step: what they are rounded to
    before they are added; merged_step: what their total is; null where nothing is rounded.
    """

    count: int
    bits: int
    adder_tree_depth: int
    bytes: int
    rounded_bits: int | None
    rounded_step: int | None
    merged_step: int | None


class LayerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One matrix operator on crossbars.

    node: of the file that it computes, or helps to compute: gates of an LSTM are layers of one node. input_cycles:
    input slices of a vector; reads_per_cycle: sections that are read one after another for each. subtraction: 'analog'
    where two polarities meet before the converter. unit_columns: that measure the sum of the inputs, beside the others.
    latency_s: how long it is busy, between start_s and stop_s (it may wait for input in between). energy_j: of one
    inference, leakage apart, as far as it is known (cost.missing). partial_sum_bytes: partial_sums.bytes.
    traffic_bytes: what its input brings from other layers. writes: cells that hold its weights, all copies.
    """

    name: str
    node: str
    op_type: str
    rows: int
    columns: int
    vectors: int
    serial: bool
    """Whether each vector waits for the one before: copies do not help."""
    groups: int
    macs: int
    weight_bits: int
    input_bits: int
    weight_slices: list[SliceInfo]
    input_cycles: int
    reads_per_cycle: int
    input_scheme: str
    sign_scheme: str
    subtraction: str
    unit_columns: int
    row_partitions: int
    column_partitions: int
    blocks: int
    crossbars: int
    replicas: int
    tiles: list[int]
    adc_bits_required: AdcBits
    adc_bits: int
    lossless: bool
    converters: ConverterInfo
    flipped_columns: int
    utilization: float
    start_s: float
    stop_s: float
    latency_s: float
    energy_j: float | None
    cost: LayerCostInfo
    partial_sums: PartialSumInfo
    partial_sum_bytes: int
    traffic_bytes: int
    writes: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over layers and the chip.

    energy_j: of an inference in steady state, leakage in an interval included; power_w: energy_j over interval_s.
    area_m2: of the chips used, whole. adc_energy_share: of energy_j. null: the target does not state what they take.
    """

    crossbars_used: int
    crossbars_one_copy: int
    crossbars_available: int
    tiles_used: int
    chips_used: int
    cell_utilization: float
    latency_s: float
    interval_s: float
    throughput_per_s: float
    energy_j: float | None
    power_w: float | None
    area_m2: float | None
    adc_energy_share: float | None
    macs_on_crossbars_share: float
    programming: Programming


class LayerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One layer against onnxruntime.

    max_abs_difference: accumulators against integer arithmetic, must be 0. output_difference: outputs against the
    model's own operators, in quantization steps of the output (or, for real outputs, relative to their range).
    """

    name: str
    max_abs_difference: int
    output_difference: float
    output_unit: str


class Exact(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the mapped program computes what the quantized model says."""

    status: str
    reason: str
    samples: int
    crossbar_share: float
    """Of each layer's vectors, read crossbar by crossbar and cycle by cycle; the others by the functional engine."""
    layers: list[LayerCheck]
    integer_output_max_abs_difference: float | None
    """Outputs against a network of onnxruntime's integer operators: 0."""
    output_max_abs_difference: float | None
    """Outputs against `reference`, whose floating-point kernels may round differently."""
    reference: str


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One die with random draws of its own, which its seed and its number give again."""

    seed: int
    trial: int
    value: float


class AtAge(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy some time after writing, die by die."""

    age_s: float
    values: list[float]
    mean: float
    ci95: tuple[float, float] | None


class AtResolution(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy of the program with converters of so many bits: on ideal cells, and die by die."""

    adc_bits: int
    ideal: float | None
    values: list[float]
    mean: float | None
    ci95: tuple[float, float] | None


class CorrectionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What correcting outputs digitally takes: numbers that are stored, and products and additions an inference."""

    kind: str
    coefficients: int
    products: int
    additions: int


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy on the data set: of the float model, its quantized form and the mapped program."""

    samples: int
    data: str
    metric: str
    float_: float | None = msgspec.field(name="float")
    quantized: float | None
    ideal: float | None
    """Of the mapped program on ideal cells, with the converters that it has."""
    agreement: float | None
    """Share of samples on which the program's largest output is the quantized model's."""
    quantization_error: float | None
    """Outputs of the quantized model against the float one: relative root mean square of the difference."""
    trials: list[Trial]
    mean: float | None
    """Of the trials."""
    ci95: tuple[float, float] | None
    """Where the mean of all dies lies on these samples, with 95 % confidence (Student's t); null for one die."""
    snr_db_per_layer: list[float | None] | None
    """Variance of ideal accumulators over the mean square error of the first die's, same inputs; null: no error."""
    over_time: list[AtAge]
    """At each time that was asked for; the first is that of the trials."""
    over_adc_bits: list[AtResolution]
    """With converters of other resolutions, where those were asked for."""
    correction: CorrectionInfo | None
    """Of the trials' outputs; null: they are taken as they come."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Exactness and accuracy."""

    exact: Exact
    accuracy: Accuracy | None


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """Something the user should know: severity 'note', 'warning' or 'error'."""

    severity: str
    code: str
    node: str
    message: str
    hint: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one compilation."""

    schema_version: int
    tool: Tool
    command: list[str]
    seed: int
    started: str
    elapsed_s: float
    peak_memory_bytes: int
    phases: list[Phase]
    model: ModelInfo
    target: dict[str, Any]
    device: dict[str, Any]
    layers: list[LayerInfo]
    totals: Totals
    mapping: Mapping
    cost: CostInfo
    verification: Verification
    diagnostics: list[Diagnostic]

    def __repr__(self) -> str:
        return (
            f"<report of {self.model.name} on {self.target['name']}: {self.verification.exact.status}, "
            f"{self.totals.crossbars_used} crossbars, latency {self.totals.latency_s:.3g} s>"
        )

    def _repr_html_(self) -> str:
        """Return what notebooks show: key figures, and the page's name."""
        from rcompile.report.notebook import summary_html

        return summary_html(self)


def to_json(report: Report) -> bytes:
    """Serialize a report, readable."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def from_json(data: bytes) -> Report:
    """Read a report back."""
    return msgspec.json.decode(data, type=Report)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of report.json."""
    return msgspec.json.schema(Report)
