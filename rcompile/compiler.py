"""The compiler on one page: from an ONNX file to a placed, executed and verified program."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rcompile.backends.compensation import Correction
from rcompile.calibration import Chosen, Samples, Seen, in_batches
from rcompile.devices.faults import FaultMap
from rcompile.errors import InternalError, Origin, RcompileError, UnsupportedError, UsageError
from rcompile.frontend.blame import blame
from rcompile.frontend.calibrate import calibrate
from rcompile.frontend.export import to_model
from rcompile.frontend.load import Source, load, needs_conversion, original_model
from rcompile.frontend.parse import file_digest, release
from rcompile.ir import container
from rcompile.ir.arrays import trim_memory
from rcompile.ir.container import Compiled
from rcompile.ir.converter import Adc
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.graph import Graph
from rcompile.ir.matrix import MatrixProgram
from rcompile.ir.placed import PlacedProgram
from rcompile.mapper.clock import PS, Clock
from rcompile.mapper.faults import with_spares
from rcompile.mapper.fit import copies_for, fitted
from rcompile.mapper.replication import Replication, cost, one_copy, shortest_interval, shortest_latency
from rcompile.mapper.timing import layers_of
from rcompile.options import Objective, Options
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.assign_partial_sums import assign_partial_sums
from rcompile.passes.avoid_faults import avoid_faults
from rcompile.passes.canonicalize import canonicalize
from rcompile.passes.expand import expand
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.fold_batch_norm import fold_batch_norm
from rcompile.passes.fold_constants import fold_constants
from rcompile.passes.lower import lower, require_mapped
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.quantize import is_float, needs_ranges, quantize
from rcompile.passes.replicate import replicate
from rcompile.passes.schedule import schedule
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.pipeline import Trace
from rcompile.result import Origins, Result
from rcompile.simplify import simplify
from rcompile.targets import Target
from rcompile.targets.schema import as_dict
from rcompile.verification.accuracy import FloatModel
from rcompile.verification.curve import AtBits, accuracy_curve
from rcompile.verification.data import DataSet, load_data, random_data
from rcompile.verification.trials import Conditions
from rcompile.verification.verify import IDEAL_CONDITIONS, Verified, verify_file

PASSES = (
    fold_constants, expand, canonicalize, fold_batch_norm, quantize, lower, partition, slice_inputs, flip_weights,
    assign_adcs, assign_partial_sums, replicate, place, avoid_faults, schedule,
)  # fmt: skip
"""In the order in which they run."""


@dataclass(frozen=True)
class Given:
    """What was given beside the model.

    Attributes:
        data: samples to verify on; None: random ones are drawn.
        calibration: samples for the ranges of activations and converters; None: those of `data`.
        faults: of the die; None where any will do.
    """

    data: DataSet | None
    calibration: DataSet | None
    faults: FaultMap | None


@dataclass(frozen=True)
class Mapped:
    """What `map_matrices` gives.

    Attributes:
        placed: the program.
        target: with another chip where the smallest one was asked for.
        replication: how layers were copied.
        converters_from: where the converters' ranges come from; '' where none were calibrated.
        curve: converters of all layers by other resolutions that were asked for.
    """

    placed: PlacedProgram
    target: Target
    replication: Replication
    converters_from: str
    curve: dict[int, tuple[Adc, ...]]


def compile_file(
    path: Path,
    target: Target,
    program_path: Path,
    options: Options,
    trace: Trace,
    *,
    data_path: Path | None = None,
    calibration_path: Path | None = None,
    conditions: Conditions = IDEAL_CONDITIONS,
) -> Result:
    """Compile an ONNX file, write program.rcx, then verify what was written by executing it.

    Args:
        path: the model; it is not changed.
        target: the architecture.
        program_path: where to write the program.
        options: choices.
        trace: records what happens.
        data_path: samples to verify on; without, seeded random ones.
        calibration_path: samples for the activation ranges of a float model; without, those of `data_path`.
        conditions: what dies the program is run on besides; faults of a die are avoided.
    """
    asked = not conditions.device.ideal or conditions.correct is not Correction.NONE
    if options.adc_curve and (options.weightless or not options.verify):
        raise UsageError(
            "--adc-curve takes executions of the program", hint="leave --no-verify and --weightless out, or --adc-curve"
        )
    if asked and (options.weightless or not options.verify):
        raise UsageError(
            f"the accuracy on {conditions.device.name} takes an execution of the program",
            hint="leave --no-verify and --weightless out, or --device and --correct",
        )
    conditions.require_samples(given=calibration_path is not None)
    conditions.require_target(target)
    with trace.phase("load"):
        source = Source(options.dimensions, weightless=options.weightless, seed=options.seed)
        with blamed(path):
            graph = load(path, source)
            require_tensors(graph)
        sha256 = file_digest(path)
        given = Given(
            data_for(graph, data_path), data_for(graph, calibration_path), die_faults(conditions, target, options)
        )
        if given.faults is not None:
            target = with_spares(target, given.faults)

    with blamed(path):
        compiled, mapped, origins = compile_graph(graph, path, source, target, options, trace, given)
    with trace.phase("write"):
        program_hash = container.save(compiled, program_path)
    corrected = conditions.correct is not Correction.NONE  # on calibration samples, whatever else they are for
    came_quantized, macs = compiled.quantized_by == "model", compiled.placed.program.source.macs
    del compiled  # what follows rests on the file alone
    trim_memory()

    verified: Verified | None = None
    curve: tuple[AtBits, ...] = ()
    if options.verify and not options.weightless:
        samples = given.data or random_data(graph, options.seed, given.calibration, macs)
        original = None if came_quantized or needs_conversion(graph) else FloatModel(path, graph)
        with blamed(path):
            verified = verify_file(
                program_path,
                samples,
                trace,
                exact_samples=options.exact_samples,
                original=original,
                conditions=conditions,
                calibration=given.calibration,
            )
            curve = accuracy_curve(verified, mapped.curve, conditions, trace, given.calibration)
    return Result(
        path=path,
        sha256=sha256,
        graph=graph,
        compiled=verified.compiled if verified is not None else container.load(program_path),
        program_hash=program_hash,
        target=mapped.target,
        device=conditions.device,
        correct=conditions.correct,
        options=options,
        origins=origins,
        replication=mapped.replication,
        ignored=ignored(options, None if corrected else calibration_path, origins) if came_quantized else (),
        verified=verified,
        curve=curve,
        faults=given.faults,
    )


def die_faults(conditions: Conditions, target: Target, options: Options) -> FaultMap | None:
    """Return a die's fault map, which must fit the target."""
    faults = conditions.faults
    if faults is None:
        return None
    if options.fit is not None:
        raise UsageError("--faults is of a die that exists, --fit designs one", hint="leave one of them out")
    faults.require_on(target.positions, *target.lines)
    return faults


def require_tensors(graph: Graph) -> None:
    """Refuse models that are fed with what a data set cannot hold."""
    for value in graph.inputs:
        if value.kind or value.dtype == "object":
            raise UnsupportedError(
                f"the input '{value.name}' is no tensor of numbers",
                at=graph.origin,
                hint="export the model with tensors as inputs",
            )


@contextlib.contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Turn what no pass expected into the model's mistake, where onnxruntime finds one."""
    try:
        yield
    except InternalError as error:
        raise blame(path, error) from error
    except RcompileError as error:
        if error.at is None or not error.at.file:
            error.at = replace(error.at or Origin(), file=str(path))
        raise
    except Exception as error:
        raise blame(path, error) from error


def compile_graph(
    graph: Graph,
    path: Path,
    source: Source,
    target: Target,
    options: Options,
    trace: Trace,
    given: Given,
) -> tuple[Compiled, Mapped, Origins]:
    """Compile a graph that was read from `path`.

    Returns:
        What program.rcx holds, how it was mapped, and where its ranges come from.
    """
    simple = simplify(graph, trace)
    quantized, ranges_from = quantize_floats(
        simple, options, trace, Samples(simple, given.calibration, given.data, options.seed).chosen
    )
    matrices = require_mapped(trace.run(lower, quantized))
    options.precision.require_matches((matrix.name for matrix in matrices.matrices), options.layers_from)
    samples = Samples(quantized, given.calibration, given.data, options.seed).chosen
    mapped = map_matrices(matrices, target, options, trace, samples, given.faults)

    came_quantized = quantized is simple
    as_written = came_quantized and not needs_conversion(graph) and not options.weightless
    reference = original_model(path, source) if as_written else to_model(quantized)
    quantized_by = "model" if came_quantized else "rcompile"
    compiled = Compiled(mapped.placed, reference.proto, reference.weights, quantized_by, as_dict(mapped.target))
    return compiled, mapped, Origins(ranges_from, mapped.converters_from)


def ignored(options: Options, calibration_path: Path | None, origins: Origins) -> tuple[str, ...]:
    """Return the options that had no effect on a model that came quantized, where they are not at their defaults."""
    asked = {
        "--weight-bits": options.weight_bits != Options.weight_bits,
        "--input-bits": options.input_bits != Options.input_bits,
        "--calibration": calibration_path is not None and not origins.converters,
        "weight_bits and input_bits of layers": any(
            bits.weight_bits is not None or bits.input_bits is not None for _, bits in options.layers
        ),
    }
    return tuple(name for name, given in asked.items() if given)


def quantize_floats(graph: Graph, options: Options, trace: Trace, samples: Chosen) -> tuple[Graph, str]:
    """Quantize what is float; return the graph and where its ranges come from. Quantized models stay as they are."""
    precision = options.precision
    tensors = needs_ranges(graph, precision)
    if not tensors:
        return (trace.run(quantize, graph, {}, precision) if is_float(graph) else graph), "model"
    chosen, origin = samples()
    with trace.phase("calibrate"):
        ranges = calibrate(graph, tensors, in_batches(graph.batch, chosen, chosen.samples))
        for array in graph.constants.values():
            release(array)
    return trace.run(quantize, graph, ranges, precision), origin


def map_matrices(
    matrices: MatrixProgram,
    target: Target,
    options: Options,
    trace: Trace,
    samples: Chosen,
    faults: FaultMap | None = None,
) -> Mapped:
    """Cut integer matrices into blocks and put them on the target's crossbars."""
    seen = Seen(matrices, samples, trace)
    program = trace.run(partition, matrices, target)
    program = trace.run(slice_inputs, program, target)
    by_samples = seen.sums(program) if target.weights.flip_by == "measured" else None
    program = trace.run(flip_weights, program, by_samples)
    converter_bits = tuple(adc_bits(item.matrix.name, target, options) for item in program.matrices)
    curve = other_converters(program, target, options, seen) if options.adc_curve else {}
    program = trace.run(assign_adcs, program, target, seen.sums(program), converter_bits)
    program = trace.run(assign_partial_sums, program, target, seen.partial_sums(program))
    replication = replication_of(program, target, options)
    program = trace.run(replicate, program, replication.copies)
    if options.fit is not None:
        target = fitted(program, target, options.effort)
    placed = trace.run(place, program, target, options.effort, options.rounds)
    if faults is not None:
        placed = trace.run(avoid_faults, placed, faults, target)
    return Mapped(trace.run(schedule, placed, target), target, replication, seen.origin, curve)


def other_converters(
    program: CrossbarProgram, target: Target, options: Options, seen: Seen
) -> dict[int, tuple[Adc, ...]]:
    """Return the converters of all layers at the resolutions of the curve; rules that ask for fewer bits hold.

    Raises:
        UsageError: the target's converters have no resolution.
    """
    if target.adc.kind in {"none", "sense_amplifier"}:
        raise UsageError(
            f"--adc-curve: {target.name} has converters without a choice of bits (adc.kind {target.adc.kind})",
            hint="leave it out, or --set adc.kind=sar",
        )
    found = {}
    for bits in options.adc_curve:
        changed = replace(target, adc=replace(target.adc, bits=bits))
        most = (options.precision.of(item.matrix.name).adc_bits or bits for item in program.matrices)
        assigned = assign_adcs(program, changed, seen.sums(program), tuple(min(bits, own) for own in most))
        found[bits] = tuple(item.converter for item in assigned.matrices)
    return found


def adc_bits(layer: str, target: Target, options: Options) -> int:
    """Return the resolution of a layer's converters: the target's, or fewer bits by a rule.

    Raises:
        UsageError: the rule asks for more than the target has.
    """
    wanted = options.precision.of(layer).adc_bits
    if wanted is not None and wanted > target.adc.bits:
        raise UsageError(
            f"adc_bits of {layer} is {wanted}: the converters of {target.name} have {target.adc.bits} bits",
            at=Origin(options.layers_from),
            hint=f"--set adc.bits={wanted}, or at most {target.adc.bits} in the rule",
        )
    return target.adc.bits if wanted is None else wanted


def replication_of(program: CrossbarProgram, target: Target, options: Options) -> Replication:
    """Return how many copies of each matrix the objective asks for; one, where not even that fits."""
    layers, tick = layers_of(program, Clock.of(target))
    single = one_copy(layers)
    budget = target.crossbars_available
    if options.fit:
        return copies_for(layers, options.fit, tick * PS, program.source.origin)
    if options.fit is not None or options.objective is Objective.CROSSBARS or cost(layers, single.copies) > budget:
        return single
    if options.objective is Objective.THROUGHPUT:
        return replace(shortest_interval(layers, budget), tick_s=tick * PS)
    found = shortest_latency(layers, budget, program.source.matrix_order(), options.effort)
    return replace(found, tick_s=tick * PS)


def data_for(graph: Graph, path: Path | None) -> DataSet | None:
    """Read a data set for a model."""
    return load_data(path, graph.inputs, leading_axis=graph.batch.leading_axis) if path else None
