"""Verify a program file: check it, execute it, compare it with the model that it implements."""

from dataclasses import dataclass
from pathlib import Path

from rcompile.backends.executor import Engine
from rcompile.backends.functional import Functional
from rcompile.backends.reference import Reference
from rcompile.errors import Origin, VerificationFailed
from rcompile.frontend.load import load_model
from rcompile.frontend.parse import Model
from rcompile.ir import container
from rcompile.ir.container import Compiled
from rcompile.ir.graph import Graph
from rcompile.ir.matrix import MatrixProgram
from rcompile.ir.placed import PlacedProgram
from rcompile.passes.lower import lower
from rcompile.simplify import simplify
from rcompile.pipeline import Trace
from rcompile.verification.accuracy import AccuracyResult, FloatModel, measure_accuracy
from rcompile.verification.checker import Unsound, check_program
from rcompile.verification.data import DataSet
from rcompile.verification.exact import ExactResult, affordable_samples, verify_exact


@dataclass(frozen=True)
class Verified:
    """What checking and executing a program showed."""

    data: DataSet
    exact: ExactResult
    accuracy: AccuracyResult
    engine: str


def verify_file(
    path: Path,
    data: DataSet,
    trace: Trace,
    *,
    exact_samples: int = 0,
    original: FloatModel | None = None,
) -> Verified:
    """Verify what a program file holds; nothing is taken from the compiler's memory.

    Args:
        path: program.rcx.
        data: samples.
        trace: where to record phases.
        exact_samples: samples of the exact comparison; 0: as many as the work limit allows.
        original: the float model, for its accuracy; None where the model came quantized or is not at hand.

    Raises:
        VerificationFailed: the checker finds the program unsound.
    """
    with trace.phase("check"):
        try:
            check_program(path)
        except Unsound as rule:
            raise VerificationFailed(f"the program is unsound: {rule}", at=Origin(str(path))) from rule
        compiled = container.load(path)
        graph, matrices = reference_of(compiled)
    placed = compiled.placed
    samples = min(exact_samples, data.samples) if exact_samples else affordable_samples(placed, data.samples)
    with trace.phase("exact", samples) as advance:
        exact = verify_exact(placed, graph, matrices, data, samples, advance)
    engine = fastest_engine(placed)
    with trace.phase("accuracy", data.samples) as advance:
        accuracy = measure_accuracy(
            engine, original, reference_model(compiled), data, advance, fused=compiled.quantized_by == "model"
        )
    return Verified(data, exact, accuracy, engine.name)


def reference_of(compiled: Compiled) -> tuple[Graph, MatrixProgram]:
    """Return the model that a program implements, and its lowering, from the ONNX that the file carries."""
    graph = simplify(load_model(reference_model(compiled), "reference.onnx"), Trace())
    return graph, lower(graph)


def reference_model(compiled: Compiled) -> Model:
    """Return the model that a program carries."""
    return Model(compiled.reference, compiled.weights)


def fastest_engine(placed: PlacedProgram) -> Engine:
    """Return the functional engine where converters lose nothing, else the reference."""
    lossless = all(item.adc is not None and item.adc.lossless for item in placed.program.matrices)
    return Functional(placed) if lossless else Reference(placed)
