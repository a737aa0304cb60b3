"""Does the mapped program compute what the quantized model says?

Converters and partial sums that round are taken as ideal here: what is compared is the mapping; what they cost in
accuracy is measured beside it. Three comparisons, none of which shares code with slicing, signs, flips, partitions or
placement:

1. each layer's accumulators, of the program executed crossbar by crossbar, against onnxruntime's ConvInteger and
   MatMulInteger in a network of integer operators: equal bit for bit, and so are that network's outputs;
2. each layer's outputs against the model's own operators, given the same input: within one quantization step
   (onnxruntime may compute them in floating point, which can round a border case the other way);
3. the outputs against the model as a whole: reported.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rcompile.backends.executor import Executor, Interpreter, Observation, joined_runs, runs_of
from rcompile.backends.reference import Reference, cell_reads
from rcompile.backends.spot_check import SpotCheck
from rcompile.frontend.export import part_to_model
from rcompile.frontend.integer_operator import IntegerOperator
from rcompile.frontend.runtime import Session
from rcompile.ir.graph import Batch, Graph, Node
from rcompile.ir.matrix import Matrix, MatrixProgram
from rcompile.ir.placed import PlacedProgram
from rcompile.verification.data import DataSet

CELL_READS = 30e9
"""Work limit of an exact run: cell reads (rows x columns x cycles), some seconds."""

SPOT_CHECK_READS = 10e9
"""Work limit of a spot check, beside which all vectors pass the functional engine."""

REAL_TOLERANCE = 1e-4
"""Real outputs: float32 sums of some thousand terms, relative to the layer's range."""


@dataclass(frozen=True)
class LayerDifference:
    """One layer's largest differences; `unit` is 'step' or 'range'."""

    name: str
    accumulators: int
    outputs: float
    unit: str

    @property
    def equal(self) -> bool:
        """Tell whether the layer passes."""
        return self.accumulators == 0 and self.outputs <= (1 if self.unit == "step" else REAL_TOLERANCE)


@dataclass(frozen=True)
class ExactResult:
    """The outcome; `outputs` is the largest difference of the program's outputs to the integer network's.

    `share`: of each matrix's vectors that were read crossbar by crossbar; the others by the functional engine.
    """

    samples: int
    share: float
    results: dict[str, np.ndarray]
    """The program's outputs."""
    layers: tuple[LayerDifference, ...]
    outputs: float

    @property
    def passed(self) -> bool:
        """Tell whether everything is equal; nothing compared is no pass."""
        return self.samples > 0 and self.outputs == 0 and all(layer.equal for layer in self.layers)

    def first_failure(self) -> str:
        """Say what differs first."""
        for layer in self.layers:
            if not layer.equal:
                return (
                    f"layer {layer.name}: accumulators differ by up to {layer.accumulators}, "
                    f"outputs by {layer.outputs:.3g} {layer.unit}s"
                )
        return f"the outputs differ by up to {self.outputs:.3g}"


def affordable_samples(placed: PlacedProgram, samples: int) -> int:
    """Return how many of the samples the work limit allows; at least one."""
    return max(1, min(samples, int(CELL_READS // max(cell_reads(placed), 1))))


def verify_exact(
    placed: PlacedProgram,
    graph: Graph,
    matrices: MatrixProgram,
    data: DataSet,
    samples: int,
    progress: Callable[[int], None],
    *,
    spot_check: bool,
) -> ExactResult:
    """Compare the program with the model that it implements on the first `samples` samples.

    Args:
        placed: the program, as read from program.rcx.
        graph: the quantized model.
        matrices: its lowering.
        data: inputs.
        samples: how many samples to compare.
        progress: called with the number of samples done since the last call.
        spot_check: where one sample is beyond the work limit, read only a share of the vectors cycle by cycle.
    """
    comparison = Comparison(graph, matrices, len(placed.program.matrices))
    share = SPOT_CHECK_READS / max(cell_reads(placed), 1)
    spot = spot_check and cell_reads(placed) > CELL_READS
    engine = SpotCheck(placed, share) if spot else Reference(placed, ideal_converters=True)
    executor = Executor(engine, comparison.observe)
    network = IntegerNetwork(matrices, placed.program.source.batch)
    worst = 0.0
    parts = []
    step = executor.samples_at_once()
    for start in range(0, samples, step):
        stop = min(start + step, samples)
        feeds = {name: array[start:stop] for name, array in data.inputs.items()}
        found = executor.run(feeds)
        parts.append(found)
        expected = network.run(feeds)
        comparison.compare(network.accumulators)
        for name, array in expected.items():
            worst = max(worst, difference(found[name], array))
        progress(stop - start)
    results = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return ExactResult(samples, share if spot else 1.0, results, comparison.layers(), worst)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest difference of two tensors; infinite where their shapes or NaNs differ."""
    if first.shape != second.shape:
        return float("inf")
    if first.size == 0 or np.array_equal(first, second):
        return 0.0
    gap = np.abs(first.astype(np.float64) - second.astype(np.float64))
    gap[(first == second) | (np.isnan(first.astype(np.float64)) & np.isnan(second.astype(np.float64)))] = 0.0
    return float("inf") if np.isnan(gap).any() else float(gap.max())


class IntegerNetwork:
    """The quantized model on onnxruntime's integer operators, from end to end."""

    def __init__(self, matrices: MatrixProgram, batch: Batch) -> None:
        self._program = matrices
        self._batch = batch
        self._operators = [IntegerOperator(matrix) for matrix in matrices.matrices]
        self._interpreter = Interpreter(matrices, self._product)
        self.accumulators: dict[int, list[np.ndarray]] = {}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs; keep the accumulators of each matrix, call by call and run by run."""
        self.accumulators = {index: [] for index in range(len(self._program.matrices))}
        samples = len(next(iter(inputs.values())))
        runs = self._interpreter.run(list(runs_of(self._batch, inputs, 0, samples)))
        return joined_runs(self._batch, runs, samples)

    def _product(self, index: int, codes: list[np.ndarray]) -> list[np.ndarray]:
        found = [self._operators[index].run(run) for run in codes]
        self.accumulators[index] += [accumulators for accumulators, _ in found]
        return [outputs for _, outputs in found]


class Comparison:
    """Collects the largest difference of each layer."""

    def __init__(self, graph: Graph, matrices: MatrixProgram, count: int) -> None:
        self._matrices = matrices
        self._own = [OwnOperators(graph, matrix) for matrix in matrices.matrices]
        self._accumulators = [0.0] * count
        self._outputs = [0.0] * count
        self._seen: dict[int, list[Observation]] = {index: [] for index in range(count)}

    def observe(self, index: int, seen: Observation) -> None:
        """Take what the executor saw at one matrix; several chunks may come before they are compared."""
        self._seen[index].append(seen)

    def compare(self, expected: dict[int, list[np.ndarray]]) -> None:
        """Compare what was seen with the integer network's accumulators and the model's own operators."""
        for index, seen in self._seen.items():
            matrix = self._matrices.matrices[index]
            rows = joined([flat(matrix, part) for part in expected[index]])
            worst = difference(rows, joined([part.accumulators for part in seen]))
            self._accumulators[index] = max(self._accumulators[index], worst)
            self._outputs[index] = max(self._outputs[index], *map(self._own[index].difference, seen))
            seen.clear()

    def layers(self) -> tuple[LayerDifference, ...]:
        """Return the differences."""
        return tuple(
            LayerDifference(matrix.name, countable(self._accumulators[index]), self._outputs[index], unit_of(matrix))
            for index, matrix in enumerate(self._matrices.matrices)
        )


def unit_of(matrix: Matrix) -> str:
    """Return what output differences are counted in."""
    return "step" if matrix.epilogue.requantize is not None or matrix.epilogue.integer else "range"


def flat(matrix: Matrix, tensor: np.ndarray) -> np.ndarray:
    """Return a result tensor as (vectors, outputs)."""
    if matrix.window is not None:
        tensor = np.moveaxis(tensor, 1, -1)
    return tensor.reshape(-1, matrix.groups * matrix.columns)


class OwnOperators:
    """The nodes that a matrix stands for, as the model has them, executed by onnxruntime."""

    def __init__(self, graph: Graph, matrix: Matrix) -> None:
        self._matrix = matrix
        graph = holder(graph, matrix.output)
        nodes = nodes_between(graph, matrix.input.tensor, matrix.output)
        part = part_to_model(graph, nodes, (matrix.input.tensor,), (matrix.output,))
        self._session = Session(part.proto, optimize=False, weights=part.weights)

    def run(self, codes: np.ndarray) -> np.ndarray:
        """Return the output for a tensor of input codes."""
        return self._session.run({self._matrix.input.tensor: codes})[self._matrix.output]

    def difference(self, seen: Observation) -> float:
        """Return the largest difference of outputs, in quantization steps or relative to the range."""
        matrix = self._matrix
        own = [self.run(run) for run in seen.codes]
        expected = joined([flat(matrix, part) for part in own])
        worst = difference(seen.outputs, expected)
        if worst == 0 or unit_of(matrix) == "step":
            return worst
        return worst / max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))


class OwnNetwork:
    """The quantized model layer by layer on its own operators: what it computes as a whole, with less in memory."""

    def __init__(self, graph: Graph, matrices: MatrixProgram) -> None:
        self._matrices = matrices
        self._graph = graph
        self._interpreter = Interpreter(matrices, self._product)

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs, samples along axis 0."""
        samples = len(next(iter(inputs.values())))
        runs = self._interpreter.run(list(runs_of(self._matrices.batch, inputs, 0, samples)))
        return joined_runs(self._matrices.batch, runs, samples)

    def _product(self, index: int, codes: list[np.ndarray]) -> list[np.ndarray]:
        own = OwnOperators(self._graph, self._matrices.matrices[index])
        return [own.run(run) for run in codes]


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """Concatenate, without a copy where there is one part."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def countable(difference: float) -> int:
    """Return a difference of integers as one; shapes that differ count as 2^62."""
    return int(difference) if np.isfinite(difference) else 2**62


def holder(graph: Graph, tensor: str) -> Graph:
    """Return the graph, or the body in it, that computes a tensor."""
    if tensor in graph.producers:
        return graph
    bodies = [node.body for node in graph.all_nodes() if node.body is not None]
    return next((body for body in bodies if tensor in body.producers), graph)


def nodes_between(graph: Graph, source: str, destination: str) -> tuple[Node, ...]:
    """Return the nodes on which a tensor depends, down to another tensor, in order."""
    wanted, found = [destination], {}
    while wanted:
        node = graph.producers.get(wanted.pop())
        if node is not None and node.name not in found:
            found[node.name] = node
            wanted += [name for name in node.reads() if name != source]
    return tuple(sorted(found.values(), key=lambda node: graph.positions[node.name]))
