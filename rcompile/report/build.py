"""From a compilation's result to its report."""

import resource
import sys
from collections.abc import Sequence
from importlib import metadata
from math import isfinite, prod
from typing import Any

import numpy as np

from rcompile.cost.estimate import Cost, LayerCost, estimate
from rcompile.cost.programming import Programming, programming
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.graph import Value
from rcompile.ir.placed import PlacedProgram
from rcompile.report.corrections import correction_info
from rcompile.report.cost import cost_info, layer_cost_info
from rcompile.report.diagnostics import diagnose
from rcompile.report.mapping import mapping
from rcompile.report.schema import (
    SCHEMA_VERSION,
    Accuracy,
    AdcBits,
    AtAge,
    AtResolution,
    ConverterInfo,
    Exact,
    LayerCheck,
    LayerInfo,
    ModelInfo,
    OperatorInfo,
    PartialSumInfo,
    Phase,
    Report,
    SliceInfo,
    TensorInfo,
    Tool,
    Totals,
    Trial,
    Verification,
)
from rcompile.result import Result
from rcompile.verification.curve import AtBits
from rcompile.verification.trials import Trials


def build_report(
    result: Result, *, command: Sequence[str], started: str, elapsed_s: float, phases: Sequence[tuple[str, float]]
) -> Report:
    """Compute a report; everything but times and memory depends on the inputs only."""
    placed = result.compiled.placed
    unit = result.target.crossbar.unit_columns
    cost = estimate(placed, result.target)
    layers = [layer_info(placed, index, unit, own) for index, own in enumerate(cost.layers)]
    written = programming(placed, result.device)
    return Report(
        schema_version=SCHEMA_VERSION,
        tool=Tool(name="rcompile", version=metadata.version("rcompile")),
        command=list(command),
        seed=result.options.seed,
        started=started,
        elapsed_s=elapsed_s,
        peak_memory_bytes=peak_memory_bytes(),
        phases=[Phase(name=name, elapsed_s=seconds) for name, seconds in phases],
        model=model_info(result),
        target=result.compiled.target,
        device=result.device.as_dict(),
        layers=layers,
        totals=totals(placed, layers, written, cost),
        mapping=mapping(result),
        cost=cost_info(cost),
        verification=verification(result),
        diagnostics=diagnose(result, written.holds_s),
    )


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def tensor_info(value: Value) -> TensorInfo:
    """Describe an input or output."""
    return TensorInfo(name=value.name, dtype=value.dtype, shape=None if value.shape is None else list(value.shape))


def model_info(result: Result) -> ModelInfo:
    """Describe the model, every node accounted for."""
    source = result.compiled.placed.program.source
    groups: dict[tuple[str, str, str], list[int]] = {}
    for index, item in enumerate(source.placements):
        groups.setdefault((item.op_type, item.placed, item.reason), []).append(index)
    operators = [
        OperatorInfo(
            op_type=op_type,
            count=len(members),
            macs=sum(source.placements[i].macs for i in members),
            elements=sum(source.placements[i].elements for i in members),
            placed=where,
            reason=reason,
            nodes=[source.placements[i].node for i in members],
        )
        for (op_type, where, reason), members in groups.items()
    ]
    return ModelInfo(
        name=result.path.stem,
        file=str(result.path),
        sha256=result.sha256,
        opset=result.graph.opsets.get("", result.graph.opsets.get("ai.onnx", 0)),
        inputs=[tensor_info(value) for value in source.inputs],
        outputs=[tensor_info(value) for value in source.outputs],
        macs=sum(item.macs for item in source.placements),
        parameters=source.parameters,
        operators=operators,
        quantized_by=result.compiled.quantized_by,
        ranges_from=result.origins.activations,
        converter_ranges_from=result.origins.converters,
    )


def layer_info(placed: PlacedProgram, index: int, unit_columns: int, cost: LayerCost) -> LayerInfo:
    """Describe one matrix operator on its crossbars."""
    item = placed.program.matrices[index]
    matrix, adc, sums = item.matrix, item.converter, partial_sum_info(item)
    own = placed.program.blocks["matrix"] == index
    crossbars = np.unique(placed.places["crossbar"][own])
    cells = item.cells
    stage = next(stage for stage in placed.stages if stage.matrix == index)
    size = placed.program.crossbar_rows * placed.program.crossbar_columns
    return LayerInfo(
        name=matrix.name,
        node=matrix.origin.node,
        op_type=matrix.op_type,
        rows=matrix.rows,
        columns=matrix.columns,
        vectors=matrix.vectors,
        serial=matrix.serial,
        groups=matrix.groups,
        macs=matrix.macs,
        weight_bits=matrix.weight_bits,
        input_bits=matrix.input.bits,
        weight_slices=[SliceInfo(shift=s.shift, bits=s.bits, memory=str(s.memory)) for s in item.weight_slices],
        input_cycles=len(item.presented.slices),
        reads_per_cycle=item.reads_per_cycle,
        input_scheme=str(item.presented.scheme),
        sign_scheme=str(item.encoding.scheme),
        subtraction="analog" if item.analog else "digital",
        unit_columns=unit_columns * len(crossbars) if item.needs_input_sums else 0,
        row_partitions=item.row_partitions,
        column_partitions=item.column_partitions,
        blocks=int(own.sum()),
        crossbars=len(crossbars),
        replicas=item.replicas,
        tiles=[int(t) for t in np.unique(placed.tile_of(crossbars))],
        adc_bits_required=AdcBits(
            paper=adc.paper,
            exact=adc.exact,
            weights=adc.column.most,
            weights_mean=adc.column.mean,
            weights_unflipped=adc.unflipped.most,
            weights_unflipped_mean=adc.unflipped.mean,
        ),
        adc_bits=adc.widest,
        lossless=item.lossless,
        converters=converter_info(item),
        flipped_columns=0 if item.flips is None else int(item.flips.sum()),
        utilization=cells / (len(crossbars) * size),
        start_s=stage.start_s,
        stop_s=stage.stop_s,
        latency_s=stage.busy_s,
        energy_j=sum(cost.by_component.values()) if cost.by_component else None,
        cost=layer_cost_info(cost),
        partial_sums=sums,
        partial_sum_bytes=sums.bytes,
        traffic_bytes=sum(edge.bytes for edge in placed.program.source.edges if edge.consumer == index),
        writes=cells,
    )


def converter_info(item: CrossbarMatrix) -> ConverterInfo:
    """Describe a matrix's converters."""
    adc = item.converter
    skipped = float((adc.bits == 0).mean())
    every = prod(item.conversions) * item.matrix.vectors
    return ConverterInfo(
        kind=adc.kind,
        bits_least=int(adc.bits.min()),
        bits_most=adc.widest,
        bits_mean=float(adc.bits.mean()),
        conversions=round(every * (1 - skipped)),
        skipped_share=skipped,
        lossless=adc.lossless,
        keeps_signs=item.keeps_signs,
    )


def partial_sum_info(item: CrossbarMatrix) -> PartialSumInfo:
    """Describe a matrix's partial sums."""
    sums = item.sent
    quantizer, merge = sums.quantizer, sums.merge
    return PartialSumInfo(
        count=sums.count,
        bits=sums.bits,
        adder_tree_depth=sums.depth,
        bytes=sums.bytes,
        rounded_bits=None if quantizer is None else quantizer.bits,
        rounded_step=None if quantizer is None else quantizer.step,
        merged_step=None if merge is None else merge.step,
    )


def totals(placed: PlacedProgram, layers: Sequence[LayerInfo], written: Programming, cost: Cost) -> Totals:
    """Sum up; every figure is recomputed from the layers."""
    cells = sum(layer.writes for layer in layers)
    size = placed.program.crossbar_rows * placed.program.crossbar_columns
    plan = placed.floorplan
    interval = placed.interval_s
    all_macs = sum(item.macs for item in placed.program.source.placements)
    return Totals(
        crossbars_used=placed.crossbars_filled,
        crossbars_one_copy=sum(-(-layer.crossbars // layer.replicas) for layer in layers)
        if any(layer.replicas > 1 for layer in layers)
        else placed.crossbars_filled,
        crossbars_available=plan.crossbars_available,
        tiles_used=len(set(plan.slots)),
        chips_used=len({plan.position(tile)[0] for tile in range(len(plan.slots))}),
        cell_utilization=cells / (placed.crossbars_filled * size),
        latency_s=max(stage.stop_s for stage in placed.stages),
        interval_s=interval,
        throughput_per_s=1 / interval,
        energy_j=cost.energy_j,
        power_w=None if cost.energy_j is None else cost.energy_j / interval,
        area_m2=cost.area_m2,
        adc_energy_share=cost.adc_energy_share,
        macs_on_crossbars_share=sum(layer.macs for layer in layers) / all_macs,
        programming=written,
    )


def verification(result: Result) -> Verification:
    """Describe what executing the program showed."""
    found = result.verified
    reference = (
        "onnxruntime on the model itself"
        if result.compiled.quantized_by == "model"
        else "onnxruntime on the quantized model (QDQ), without its fusions"
    )
    if found is None:
        exact = Exact(
            status="skipped",
            reason="its weights are random (--weightless)" if result.options.weightless else "switched off",
            samples=0,
            crossbar_share=0.0,
            layers=[],
            reference=reference,
            integer_output_max_abs_difference=None,
            output_max_abs_difference=None,
        )
        return Verification(exact=exact, accuracy=None)
    exact = Exact(
        status="pass" if found.exact.passed else "fail",
        reason="" if found.exact.passed else found.exact.first_failure(),
        samples=found.exact.samples,
        crossbar_share=found.exact.share,
        layers=[
            LayerCheck(
                name=layer.name,
                max_abs_difference=layer.accumulators,
                output_difference=layer.outputs,
                output_unit=layer.unit,
            )
            for layer in found.exact.layers
        ],
        integer_output_max_abs_difference=found.exact.outputs,
        output_max_abs_difference=found.accuracy.output_difference,
        reference=reference,
    )
    accuracy = Accuracy(
        samples=found.data.samples,
        data=found.data.origin,
        metric=found.accuracy.metric,
        float_=found.accuracy.float_model,
        quantized=found.accuracy.quantized_model,
        ideal=found.accuracy.mapped_program,
        agreement=found.accuracy.agreement,
        quantization_error=found.accuracy.quantization_error,
        **of_trials(found.trials),
        over_adc_bits=[at_resolution(point) for point in result.curve],
        correction=correction_info(result.compiled.placed, result.correct),
    )
    return Verification(exact=exact, accuracy=accuracy)


def at_resolution(point: AtBits) -> AtResolution:
    """Describe the accuracy with converters of some resolution."""
    series = point.trials
    return AtResolution(
        adc_bits=point.bits,
        ideal=point.ideal,
        values=[] if series is None else [value for value in series.values if value is not None],
        mean=None if series is None else series.mean,
        ci95=None if series is None else series.ci95,
    )


def of_trials(series: Sequence[Trials]) -> dict[str, Any]:
    """Return the fields of Accuracy that dies with non-idealities give."""
    known = [found for found in series if found.mean is not None]
    if not known:
        return {"trials": [], "mean": None, "ci95": None, "snr_db_per_layer": None, "over_time": []}
    first = known[0]
    return {
        "trials": [Trial(seed=first.seed, trial=n, value=v) for n, v in enumerate(first.values) if v is not None],
        "mean": first.mean,
        "ci95": first.ci95,
        "snr_db_per_layer": [ratio if isfinite(ratio) else None for ratio in first.snr_db],
        "over_time": [
            AtAge(
                age_s=found.age_s, values=[v for v in found.values if v is not None], mean=found.mean, ci95=found.ci95
            )
            for found in known
            if found.mean is not None
        ],
    }
