"""Accuracy on a data set: of the float model, of its quantized form, and of the mapped program."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rcompile.backends.executor import joined_runs, runs_of
from rcompile.errors import InputError, UnsupportedError
from rcompile.frontend.export import to_model
from rcompile.frontend.parse import Model, release
from rcompile.frontend.runtime import Session
from rcompile.ir.graph import Batch, Graph
from rcompile.ir.matrix import MatrixProgram
from rcompile.verification.data import DataSet
from rcompile.verification.exact import difference

BATCH = 256

LARGE_BYTES = 2**30
"""Weights that onnxruntime's optimizer would copy are left where they are."""


@dataclass(frozen=True)
class FloatModel:
    """A float model: its file, and the graph that was read from it."""

    path: Path
    graph: Graph


@dataclass(frozen=True)
class AccuracyResult:
    """Top-1 accuracies in 0..1; None without labels (or labels that are no classes), or without a float model."""

    metric: str
    float_model: float | None
    quantized_model: float | None
    mapped_program: float | None
    agreement: float | None
    quantization_error: float | None
    """Quantized against float outputs: root mean square of the difference, relative to that of the float outputs."""
    output_difference: float
    output_range: float


def measure_accuracy(
    source: MatrixProgram,
    data: DataSet,
    found: dict[str, np.ndarray],
    quantized: dict[str, np.ndarray],
    real: dict[str, np.ndarray] | None,
) -> AccuracyResult:
    """Compare what the program made of all samples with what onnxruntime makes of them.

    Args:
        source: what the program was made of.
        data: inputs and, for top-1, labels.
        found: the program's outputs.
        quantized: those of the quantized model.
        real: those of the float model; None where the model came quantized.
    """
    name = source.outputs[0].name
    classified = is_classified(source, data, found[name])

    def top1(outputs: dict[str, np.ndarray]) -> float | None:
        return float((scores(outputs[name]).argmax(axis=1) == data.labels).mean()) if classified else None

    return AccuracyResult(
        metric="top1" if classified else "agreement",
        float_model=None if real is None else top1(real),
        quantized_model=top1(quantized),
        mapped_program=top1(found),
        agreement=same_top1(scores(found[name]), scores(quantized[name])) if scores(found[name]).shape[1] > 1 else None,
        quantization_error=None if real is None else relative_error(quantized[name], real[name]),
        output_difference=max(difference(found[key], quantized[key]) for key in quantized),
        output_range=max(float(np.abs(quantized[key].astype(np.float64)).max(initial=0.0)) for key in quantized),
    )


def is_classified(source: MatrixProgram, data: DataSet, outputs: np.ndarray) -> bool:
    """Tell whether labels are classes of the outputs, one a sample."""
    labels = data.labels
    one_sample_a_row = (source.batch.free or source.batch.leading_axis) and is_vector(outputs)
    classes = scores(outputs).shape[1]
    return one_sample_a_row and labels is not None and int(labels.min()) >= 0 and int(labels.max()) < classes


def score(
    source: MatrixProgram, data: DataSet, found: dict[str, np.ndarray], quantized: dict[str, np.ndarray]
) -> float | None:
    """Return the metric of some outputs: top-1 with labels, else agreement with the quantized model; None of neither.

    Args:
        source: what the program was made of.
        data: labels.
        found: outputs.
        quantized: those of the quantized model.
    """
    name = source.outputs[0].name
    outputs = scores(found[name])
    if is_classified(source, data, found[name]):
        return float((outputs.argmax(axis=1) == data.labels).mean())
    return same_top1(outputs, scores(quantized[name])) if outputs.shape[1] > 1 else None


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the root mean square of a difference, relative to that of what was expected."""
    wanted = expected.astype(np.float64)
    size = float(np.sqrt(np.mean(wanted**2)))
    return float(np.sqrt(np.mean((found - wanted) ** 2))) / size if size else 0.0


def same_top1(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of samples with the same largest output."""
    return float((first.argmax(axis=1) == second.argmax(axis=1)).mean())


def is_vector(outputs: np.ndarray) -> bool:
    """Tell whether each sample's output is a list of values, not a map or a sequence of them."""
    return sum(size > 1 for size in outputs.shape[1:]) <= 1


def scores(outputs: np.ndarray) -> np.ndarray:
    """Return outputs as (samples, values)."""
    return outputs.reshape(len(outputs), -1)


def loadable_session(model: Path | Model, *, optimize: bool) -> Session:
    """Return a session, without onnxruntime's fusions where these break a model that is sound."""
    source, weights = (model, None) if isinstance(model, Path) else (model.proto, model.weights)
    try:
        return Session(source, optimize=optimize, weights=weights)
    except InputError:
        if not optimize:
            raise
        return Session(source, optimize=False, weights=weights)


def run_original(model: FloatModel, data: DataSet) -> dict[str, np.ndarray]:
    """Run a float model from its file or, where that states stale shapes or a name twice, as it was read."""
    batch = model.graph.batch
    if sum(array.nbytes for array in model.graph.constants.values()) > LARGE_BYTES:
        found = run_model(to_model(model.graph), batch, data, optimize=False)
        for array in model.graph.constants.values():
            release(array)
        return found
    try:
        return run_model(model.path, batch, data, optimize=True)
    except (InputError, UnsupportedError):
        return run_model(to_model(model.graph), batch, data, optimize=True)


def run_model(model: Path | Model, batch: Batch, data: DataSet, *, optimize: bool) -> dict[str, np.ndarray]:
    """Run a model by onnxruntime on all samples, in batches where its batch axis is free."""
    session = loadable_session(model, optimize=optimize)
    size = BATCH if batch.free else 1
    runs = [
        session.run(feeds)
        for start in range(0, data.samples, size)
        for feeds in runs_of(batch, data.inputs, start, min(start + size, data.samples))
    ]
    return joined_runs(batch, runs, data.samples)
