"""The schema of report.json, version 1. SI units: s, J, W, m2, bytes. None: not computed by this version."""

from typing import Any

import msgspec

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
    """Operators of one type that went to the same place for the same reason."""

    op_type: str
    count: int
    macs: int
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

    input_cycles: input slices of a vector; reads_per_cycle: sections that are read one after another for each.
    subtraction: 'analog' where two polarities meet before the converter. unit_columns: that measure the sum of the
    inputs, beside the others. latency_s: how long it is busy, between start_s and stop_s (it may wait for input in
    between). partial_sum_bytes: partial_sums.bytes. traffic_bytes: what its input brings from other
    layers. writes: cells that hold its weights, all copies.
    """

    name: str
    op_type: str
    rows: int
    columns: int
    vectors: int
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
    partial_sums: PartialSumInfo
    partial_sum_bytes: int
    traffic_bytes: int
    writes: int


class Programming(msgspec.Struct, frozen=True, kw_only=True):
    """What writing the weights costs.

    cells: written once, at installation. cells_per_repetition: written again each time that all rounds are run, for a
    batch of inferences of any size; 0 for one round.
    """

    cells: int
    cells_per_repetition: int
    pulses: int | None
    time_s: float | None
    energy_j: float | None
    lifetime_s: float | None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over layers and the chip."""

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


class Replication(msgspec.Struct, frozen=True, kw_only=True):
    """What copies of layers reach.

    objective: crossbars, throughput or latency. interval_s: the busiest layer's time. bound_s: no copies within the
    crossbars available have a shorter interval (throughput) or latency (latency); null where there is no bound: one
    copy was asked for, layers share crossbars, or the model runs in rounds. optimal: whether the bound is reached; for
    one copy, whether no packing takes fewer crossbars.
    """

    objective: str
    interval_s: float
    bound_s: float | None
    optimal: bool


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """Crossbars used.

    sharing: layer, concurrent or exclusive, what may share a crossbar. lower_bound: no packing takes fewer crossbars
    under that rule. cells_bound: what the cells would fill without gaps.
    """

    sharing: str
    crossbars: int
    lower_bound: int
    cells_bound: int


class PlacementInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How far data travels in one inference.

    chip_bytes: bytes that pass from chip to chip, of which no cut into as few chips has fewer than chip_bytes_bound.
    """

    byte_hops: int
    lower_bound: int
    snake_byte_hops: int
    max_link_bytes: int
    proven: bool
    chip_bytes: int
    chip_bytes_bound: int
    round_bytes: int
    """Kept from round to round."""


class TileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A used tile: where it is, and how many crossbars of which layer it holds (index into layers).

    round: in which it computes; a resident tile stays programmed in all rounds.
    """

    tile: int
    round: int
    resident: bool
    crossbars_used: int
    """Crossbars that hold something; layers may share them."""
    waiting_bytes: int
    """Inputs that wait in it at most."""
    chip: int
    row: int
    column: int
    crossbars: list[tuple[int, int]]


class LinkInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that one tile sends another in one inference."""

    source: int
    destination: int
    bytes: int


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """What limits the pipeline, and what waits in its tiles.

    limited_by: crossbars, digital units, links, or links between chips. crossbars_s, digital_units_s, links_s,
    chip_links_s: how long the busiest is busy with one inference; null where the target does not say how fast it is.
    waiting_bytes: inputs that wait in the fullest tile, `fullest_tile`, at most; buffer_bytes: what a tile holds.
    deadlock_free: whether all that waits fits, so that the schedule can be kept; null where buffers are not known.
    """

    limited_by: str
    crossbars_s: float
    digital_units_s: float | None
    links_s: float | None
    chip_links_s: float | None
    waiting_bytes: int
    fullest_tile: int
    buffer_bytes: int | None
    deadlock_free: bool | None


class FaultInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a die's faults do to the weights.

    stuck_cells: of the crossbars used, those of dead rows, columns and crossbars included. weight_error: root mean
    square of the errors relative to that of the weights, with the lines that were chosen; in_order_error: with each
    row and column on the line of its number.
    """

    file: str
    stuck_cells: int
    weight_error: float
    in_order_error: float


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """What the mapper decided, with bounds."""

    rounds: int
    replication: Replication
    packing: Packing
    placement: PlacementInfo
    faults: FaultInfo | None
    schedule: Schedule
    tiles: list[TileInfo]
    traffic: list[LinkInfo]
    deterministic_hash: str


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
    """One run with its own random draws."""

    seed: int
    value: float


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
    ci95: tuple[float, float] | None
    snr_db_per_layer: list[float] | None


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
    verification: Verification
    diagnostics: list[Diagnostic]


def to_json(report: Report) -> bytes:
    """Serialize a report, readable."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def from_json(data: bytes) -> Report:
    """Read a report back."""
    return msgspec.json.decode(data, type=Report)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of report.json."""
    return msgspec.json.schema(Report)
