"""Verify a program file: check it, execute it, compare it with the model that it implements."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rcompile.backends.executor import Engine, Executor
from rcompile.backends.functional import Functional
from rcompile.backends.mixed import Mixed
from rcompile.errors import Origin, UsageError, VerificationFailed
from rcompile.frontend.load import load_model
from rcompile.frontend.parse import Model
from rcompile.ir import container
from rcompile.ir.arrays import trim_memory
from rcompile.ir.container import Compiled
from rcompile.ir.converter import Adc
from rcompile.ir.graph import Graph
from rcompile.ir.matrix import MatrixProgram
from rcompile.ir.placed import PlacedProgram
from rcompile.passes.lower import lower
from rcompile.pipeline import Trace
from rcompile.simplify import simplify
from rcompile.targets import Target
from rcompile.targets.schema import from_dict
from rcompile.verification.accuracy import (
    AccuracyResult,
    FloatModel,
    measure_accuracy,
    run_model,
    run_original,
)
from rcompile.verification.checker import Unsound, check_program
from rcompile.verification.data import DataSet
from rcompile.verification.exact import ExactResult, OwnNetwork, affordable_samples, verify_exact
from rcompile.verification.trials import Conditions, Trials, run_trials

IDEAL_CONDITIONS = Conditions()

LARGE_WEIGHTS = 2**28
"""More are dequantized layer by layer: onnxruntime would hold all of them as floats at once."""


@dataclass(frozen=True)
class Verified:
    """What checking and executing a program showed."""

    compiled: Compiled
    data: DataSet
    exact: ExactResult
    accuracy: AccuracyResult
    engine: str
    trials: tuple[Trials, ...]
    """On dies that are not ideal, for each time at which they were read."""
    quantized: dict[str, np.ndarray]
    """Outputs of the quantized model."""


def verify_file(
    path: Path,
    data: DataSet,
    trace: Trace,
    *,
    exact_samples: int = 0,
    original: FloatModel | None = None,
    adc_bits: int | None = None,
    conditions: Conditions = IDEAL_CONDITIONS,
    calibration: DataSet | None = None,
) -> Verified:
    """Verify what a program file holds; nothing is taken from the compiler's memory.

    Args:
        path: program.rcx.
        data: samples.
        trace: where to record phases.
        exact_samples: samples of the exact comparison; 0: as many as the work limit allows.
        adc_bits: resolution that adjustable converters are lowered to; None leaves them.
        conditions: what dies the program is run on besides.
        calibration: samples that corrections of dies are fitted on.
        original: the float model, for its accuracy; None where the model came quantized or is not at hand.

    Raises:
        VerificationFailed: the checker finds the program unsound.
    """
    real = None
    if original is not None:
        with trace.phase("float model"):
            real = run_original(original, data)
    with trace.phase("check"):
        try:
            check_program(path)
        except Unsound as rule:
            raise VerificationFailed(f"the program is unsound: {rule}", at=Origin(str(path))) from rule
        compiled = container.load(path)
        if adc_bits is not None:
            compiled = with_resolution(compiled, adc_bits, path)
        graph, matrices = reference_of(compiled)
        target = target_of(compiled, conditions)
    placed = compiled.placed
    samples = min(exact_samples, data.samples) if exact_samples else affordable_samples(placed, data.samples)
    with trace.phase("exact", samples) as advance:
        exact = verify_exact(placed, graph, matrices, data, samples, advance, spot_check=not exact_samples)
    trim_memory()
    engine = fastest_engine(placed)
    with trace.phase("accuracy", data.samples) as advance:
        whole = exact.samples == data.samples and all(item.lossless for item in placed.program.matrices)
        found = exact.results if whole else Executor(engine).run(data.inputs, advance)
        if sum(matrix.weights.size for matrix in matrices.matrices) > LARGE_WEIGHTS:
            quantized = OwnNetwork(graph, matrices).run(data.inputs)
        else:
            # fused, as onnxruntime would run the user's model; not what rcompile quantized, whose biases fusions
            # round once more
            fused = compiled.quantized_by == "model"
            quantized = run_model(reference_model(compiled), graph.batch, data, optimize=fused)
        accuracy = measure_accuracy(placed.program.source, data, found, quantized, real)
    dies = [] if conditions.ideal else conditions.dies(target)
    trials: list[Trials] = []
    for die in dies:
        with trace.phase(f"trials at {die.device.age_s:g} s", conditions.count * data.samples) as advance:
            first = not trials
            series = run_trials(placed, die, data, quantized, conditions, advance, calibration, compare=first)
        trials.append(series)
    return Verified(compiled, data, exact, accuracy, engine.name, tuple(trials), quantized)


def target_of(compiled: Compiled, conditions: Conditions) -> Target:
    """Return the target of a program, which a fault map and a circuit must fit."""
    target = from_dict(compiled.target)
    conditions.require_target(target)
    if conditions.faults is not None:
        conditions.faults.require_on(target.positions, *target.lines)
    return target


def with_resolution(compiled: Compiled, bits: int, path: Path) -> Compiled:
    """Return a program whose converters stop after so many bits.

    Raises:
        UsageError: the target's converters are not adjustable.
    """
    if not compiled.target["adc"]["adjustable"]:
        raise UsageError(
            f"the converters of {compiled.target['name']} are not adjustable at run time",
            at=Origin(str(path)),
            hint=f"compile with --set adc.adjustable=true, or with --set adc.bits={bits}",
        )
    lowered = [item.converter.at_most(bits) for item in compiled.placed.program.matrices]
    return replace(compiled, placed=with_converters(compiled.placed, lowered))


def with_converters(placed: PlacedProgram, adcs: Sequence[Adc]) -> PlacedProgram:
    """Return a program whose layers have other converters."""
    program = placed.program
    matrices = tuple(replace(item, adc=adc) for item, adc in zip(program.matrices, adcs, strict=True))
    return replace(placed, program=replace(program, matrices=matrices))


def reference_of(compiled: Compiled) -> tuple[Graph, MatrixProgram]:
    """Return the model that a program implements, and its lowering, from the ONNX that the file carries."""
    graph = simplify(load_model(reference_model(compiled), "reference.onnx"), Trace())
    return graph, lower(graph)


def reference_model(compiled: Compiled) -> Model:
    """Return the model that a program carries."""
    return Model(compiled.reference, compiled.weights)


def fastest_engine(placed: PlacedProgram) -> Engine:
    """Return the functional engine; for layers that round their sums, beside the reference."""
    few = sum(item.matrix.weights.size for item in placed.program.matrices) <= LARGE_WEIGHTS
    if all(item.lossless for item in placed.program.matrices):
        return Functional(placed, keep=few)
    return Mixed(placed, keep=few)
