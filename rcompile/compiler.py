"""The compiler on one page: from an ONNX file to a placed, executed and verified program."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rcompile.backends.executor import runs_of
from rcompile.devices import IDEAL
from rcompile.errors import InternalError, Origin, RcompileError, UnsupportedError
from rcompile.frontend.blame import blame
from rcompile.frontend.calibrate import calibrate
from rcompile.frontend.export import to_model
from rcompile.frontend.load import Source, load, needs_conversion, original_model
from rcompile.frontend.macs import macs_of
from rcompile.frontend.parse import file_digest, release
from rcompile.ir import container
from rcompile.ir.arrays import trim_memory
from rcompile.ir.container import Compiled
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.graph import Array, Graph
from rcompile.ir.matrix import MatrixProgram
from rcompile.ir.placed import PlacedProgram
from rcompile.mapper.packing import crossbars_per_copy
from rcompile.mapper.replication import balanced_copies
from rcompile.options import Options
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.canonicalize import canonicalize
from rcompile.passes.expand import expand
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.fold_batch_norm import fold_batch_norm
from rcompile.passes.fold_constants import fold_constants
from rcompile.passes.lower import lower, require_mapped
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.quantize import Precision, is_float, needs_ranges, quantize
from rcompile.passes.replicate import replicate
from rcompile.passes.schedule import schedule
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.pipeline import Trace
from rcompile.result import Result
from rcompile.simplify import simplify
from rcompile.targets import Target
from rcompile.targets.schema import as_dict
from rcompile.verification.accuracy import FloatModel
from rcompile.verification.data import DataSet, load_data, random_data
from rcompile.verification.verify import verify_file

CALIBRATION_BATCH = 16

PASSES = (
    fold_constants, expand, canonicalize, fold_batch_norm, quantize, lower, partition, slice_inputs, flip_weights,
    assign_adcs, replicate, place, schedule,
)  # fmt: skip
"""In the order in which they run."""


def compile_file(
    path: Path,
    target: Target,
    program_path: Path,
    options: Options,
    trace: Trace,
    *,
    data_path: Path | None = None,
    calibration_path: Path | None = None,
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
    """
    with trace.phase("load"):
        source = Source(options.dimensions, weightless=options.weightless, seed=options.seed)
        with blamed(path):
            graph = load(path, source)
            require_tensors(graph)
        sha256 = file_digest(path)
        data = data_for(graph, data_path)
        calibration = data_for(graph, calibration_path)

    with blamed(path):
        compiled, ranges_from = compile_graph(graph, path, source, target, options, trace, data, calibration)
    with trace.phase("write"):
        program_hash = container.save(compiled, program_path)
    came_quantized, macs = compiled.quantized_by == "model", compiled.placed.program.source.macs
    del compiled  # what follows rests on the file alone
    trim_memory()

    verified = None
    if options.verify and not options.weightless:
        samples = data or random_data(graph, options.seed, calibration, macs)
        original = None if came_quantized or needs_conversion(graph) else FloatModel(path, graph)
        with blamed(path):
            verified = verify_file(program_path, samples, trace, exact_samples=options.exact_samples, original=original)
    return Result(
        path=path,
        sha256=sha256,
        graph=graph,
        compiled=verified.compiled if verified is not None else container.load(program_path),
        program_hash=program_hash,
        target=target,
        device=IDEAL,
        options=options,
        ranges_from=ranges_from,
        ignored=ignored(options, calibration_path) if came_quantized else (),
        verified=verified,
    )


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
    data: DataSet | None,
    calibration: DataSet | None,
) -> tuple[Compiled, str]:
    """Compile a graph that was read from `path`; return what program.rcx holds, and where its ranges come from."""
    simple = simplify(graph, trace)
    quantized, ranges_from = quantize_floats(simple, calibration, data, options, trace)
    matrices = require_mapped(trace.run(lower, quantized))
    placed = map_matrices(matrices, target, options, trace)

    came_quantized = quantized is simple
    as_written = came_quantized and not needs_conversion(graph) and not options.weightless
    reference = original_model(path, source) if as_written else to_model(quantized)
    quantized_by = "model" if came_quantized else "rcompile"
    return Compiled(placed, reference.proto, reference.weights, quantized_by, as_dict(target)), ranges_from


def ignored(options: Options, calibration_path: Path | None) -> tuple[str, ...]:
    """Return the options that only float models take, where they are not at their defaults."""
    asked = {
        "--weight-bits": options.weight_bits != Options.weight_bits,
        "--input-bits": options.input_bits != Options.input_bits,
        "--calibration": calibration_path is not None,
    }
    return tuple(name for name, given in asked.items() if given)


def quantize_floats(
    graph: Graph, calibration: DataSet | None, data: DataSet | None, options: Options, trace: Trace
) -> tuple[Graph, str]:
    """Quantize what is float; return the graph and where its ranges come from. Quantized models stay as they are."""
    precision = Precision(options.weight_bits, options.input_bits)
    tensors = needs_ranges(graph, precision)
    if not tensors:
        return (trace.run(quantize, graph, {}, precision) if is_float(graph) else graph), "model"
    if calibration is not None:
        samples, origin = calibration, "calibration"
    elif data is not None:
        samples, origin = data, "data"
    else:
        macs = sum(macs_of(node, graph) for node in graph.nodes)
        samples, origin = random_data(graph, options.seed, None, macs), "random"
    with trace.phase("calibrate"):
        ranges = calibrate(graph, tensors, in_batches(graph, samples))
        for array in graph.constants.values():
            release(array)
    return trace.run(quantize, graph, ranges, precision), origin


def in_batches(graph: Graph, samples: DataSet) -> Iterator[dict[str, Array]]:
    """Yield what the model is fed for all samples, a few at a time."""
    for start in range(0, samples.samples, CALIBRATION_BATCH):
        yield from runs_of(graph.batch, samples.inputs, start, min(start + CALIBRATION_BATCH, samples.samples))


def map_matrices(matrices: MatrixProgram, target: Target, options: Options, trace: Trace) -> PlacedProgram:
    """Cut integer matrices into blocks and put them on the target's crossbars."""
    program = trace.run(partition, matrices, target)
    program = trace.run(slice_inputs, program, target)
    program = trace.run(flip_weights, program)
    program = trace.run(assign_adcs, program)
    program = trace.run(replicate, program, copies_of(program, target, options))
    placed = trace.run(place, program, target)
    return trace.run(schedule, placed, target)


def copies_of(program: CrossbarProgram, target: Target, options: Options) -> tuple[int, ...]:
    """Return the copies of each matrix: one, or with --replicate what the shortest pipeline interval takes."""
    costs = [crossbars_per_copy(program, item) for item in program.matrices]
    if not options.replicate or sum(costs) > target.crossbars_available:
        return (1,) * len(costs)
    vectors = [item.matrix.vectors for item in program.matrices]
    serial = [item.matrix.serial for item in program.matrices]
    return balanced_copies(vectors, costs, target.crossbars_available, serial)


def data_for(graph: Graph, path: Path | None) -> DataSet | None:
    """Read a data set for a model."""
    return load_data(path, graph.inputs, leading_axis=graph.batch.leading_axis) if path else None
