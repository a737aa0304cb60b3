"""Run a placed program on data: digital segments by onnxruntime, matrices by an engine."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chunks import FEWEST
from rcompile.backends.epilogue import apply
from rcompile.backends.im2col import tensor_of, vectors_of
from rcompile.errors import UnsupportedError
from rcompile.frontend.runtime import Session
from rcompile.ir.graph import Batch, Value
from rcompile.ir.matrix import Loop, Matrix, MatrixProgram, Segment, Step
from rcompile.ir.placed import PlacedProgram
from rcompile.workers import in_parallel, limits, share

Tensors = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Observation:
    """What happened at one matrix: input codes run by run, accumulators and outputs (vectors, G * N)."""

    codes: list[np.ndarray]
    accumulators: NDArray[np.int64]
    outputs: np.ndarray


Observer = Callable[[int, Observation], None]

PART_BYTES = 2**21
"""Input vectors that a thread handles at once."""

BYTES_EACH = 24
"""Of an accumulator on its way to an output."""


class Engine(Protocol):
    """What computes accumulators.

    Attributes:
        name: of the engine.
        placed: the program.
    """

    name: str
    placed: PlacedProgram

    @property
    def splits(self) -> bool:
        """Whether vectors may be handed over in parts, by several threads."""
        ...

    def prepare(self, index: int) -> None:
        """Work out what all vectors of a matrix share, before several threads hand over theirs."""
        ...

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K).

        Args:
            index: of the matrix.
            vectors: what its rows are driven with.
            positions: which of all vectors these are; without, they are all.
            call: how often the matrix has been read for these positions before, in a loop.
        """
        ...


Product = Callable[[int, list[np.ndarray]], list[np.ndarray]]
"""A matrix's index and its input codes, run by run, to its outputs."""


class Interpreter:
    """Executes a program's steps: segments and loops here, matrices by `product`."""

    def __init__(self, source: MatrixProgram, product: Product) -> None:
        self._source = source
        self._product = product
        self.first = 0
        """Number of the run that the product's first codes belong to."""
        self._sessions = [Session(segment.model, conform=True) for segment in source.segments]

    def run(self, runs: Sequence[Tensors]) -> list[dict[str, np.ndarray]]:
        """Return the outputs of each run."""
        tensors: dict[str, list[np.ndarray]] = {name: [run[name] for run in runs] for name in runs[0]}
        self._steps(self._source.order, tensors, len(runs))
        for value in self._source.outputs:
            require_rank(value, tensors[value.name])
        names = [value.name for value in self._source.outputs]
        return [{name: tensors[name][index] for name in names} for index in range(len(runs))]

    def _steps(self, order: tuple[Step, ...], tensors: dict[str, list[np.ndarray]], runs: int) -> None:
        for step in order:
            item = self._source.at(step)
            if isinstance(item, Segment):
                session = self._sessions[step.index]
                found = [session.run({name: tensors[name][i] for name in item.inputs}) for i in range(runs)]
                tensors.update({name: [result[name] for result in found] for name in item.outputs})
            elif isinstance(item, Matrix):
                tensors[item.output] = self._product(step.index, tensors[item.input.tensor])
            else:
                self._loop(item, tensors, runs)

    def _loop(self, loop: Loop, tensors: dict[str, list[np.ndarray]], runs: int) -> None:
        """Repeat a loop's steps; all runs advance together as long as their sequences last."""
        lengths = [len(array) for array in tensors[loop.scanned[0].outside]]
        if len(set(lengths)) > 1:
            apart = [self._loop_of_one(loop, tensors, index) for index in range(runs)]
            tensors.update({name: [one[name] for one in apart] for name in loop.outputs})
            return
        inside = {state.inside: tensors[state.initial] for state in loop.states}
        collected: dict[str, list[list[np.ndarray]]] = {stream.outside: [] for stream in loop.collected}
        for number in range(lengths[0]):
            local = {**tensors, **inside}
            local |= {s.inside: [array[number] for array in tensors[s.outside]] for s in loop.scanned}
            self._steps(loop.order, local, runs)
            inside = {state.inside: local[state.following] for state in loop.states}
            for stream in loop.collected:
                collected[stream.outside].append(local[stream.inside])
        tensors.update({state.final: inside[state.inside] for state in loop.states})
        for name, parts in collected.items():
            tensors[name] = [np.stack([part[index] for part in parts]) for index in range(runs)]

    def _loop_of_one(self, loop: Loop, tensors: dict[str, list[np.ndarray]], index: int) -> dict[str, np.ndarray]:
        own = {name: [arrays[index]] for name, arrays in tensors.items()}
        self.first = index
        self._loop(loop, own, 1)
        self.first = 0
        return {name: own[name][0] for name in loop.outputs}


def require_rank(value: Value, arrays: Sequence[np.ndarray]) -> None:
    """Refuse an output that contradicts what the model says of it: an evaluator erred."""
    for array in arrays:
        if value.shape is not None and isinstance(array, np.ndarray) and array.ndim != len(value.shape):
            raise UnsupportedError(
                f"the output '{value.name}' has {array.ndim} axes, the model says {len(value.shape)}",
                hint="an evaluator of digital operators errs, or the model states a wrong shape: export it again",
            )


class Executor:
    """A program ready to run on an engine.

    Args:
        engine: computes accumulators.
        observe: called with the index of each matrix and what happened there.
    """

    def __init__(self, engine: Engine, observe: Observer | None = None) -> None:
        self.engine = engine
        self.source = engine.placed.program.source
        self._observe = observe
        self._interpreter = Interpreter(self.source, self._matrix)
        self._start, self._samples, self._runs = 0, 1, 1
        self._calls: Counter[tuple[int, int]] = Counter()

    def run(
        self, inputs: Tensors, progress: Callable[[int], None] | None = None, *, together: bool = False
    ) -> dict[str, np.ndarray]:
        """Return the model's outputs, samples along axis 0.

        Args:
            inputs: one array per model input, samples along axis 0.
            progress: called with the number of samples done since the last call.
            together: run all samples layer after layer, not as many as memory suggests.
        """
        samples = len(next(iter(inputs.values())))
        at_once = samples if together else self.samples_at_once()
        parts = []
        for start in range(0, samples, at_once):
            stop = min(start + at_once, samples)
            self._start, self._samples = start, stop - start
            self._calls.clear()
            parts.append(self._run_chunk(list(runs_of(self.source.batch, inputs, start, stop)), stop - start))
            if progress is not None:
                progress(stop - start)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def samples_at_once(self) -> int:
        """Return how many samples keep the tensors of the largest matrix within memory."""
        held = not self.engine.splits  # all input vectors at once
        sizes = (
            m.vectors * m.groups * (m.columns * BYTES_EACH + held * m.rows * -(-m.input.bits // 8))
            for m in self.source.matrices
        )
        return max(1, limits().memory_bytes // max([*sizes, 1]))

    def run_once(self, inputs: Tensors) -> dict[str, np.ndarray]:
        """Return the outputs for exactly what the model is fed."""
        return self._interpreter.run([inputs])[0]

    def _run_chunk(self, runs: Sequence[Tensors], samples: int) -> dict[str, np.ndarray]:
        self._runs = len(runs)
        return joined_runs(self.source.batch, self._interpreter.run(runs), samples)

    def _matrix(self, index: int, codes: list[np.ndarray]) -> list[np.ndarray]:
        matrix = self.source.matrices[index]
        samples, first = self._samples // self._runs, self._interpreter.first
        each = [vectors_in(matrix, run) for run in codes]
        positions = np.concatenate(
            [
                positions_of(
                    vectors, samples, self._start + (first + number) * samples, steps_first=matrix.samples_axis == 1
                )
                for number, vectors in enumerate(each)
            ]
        )
        call = self._calls[index, first]
        self._calls[index, first] += 1

        def compute(part: tuple[np.ndarray, NDArray[np.int64]]) -> tuple[NDArray[np.int64] | None, np.ndarray]:
            found = self.engine.accumulate(index, vectors_of(matrix, part[0]), part[1], call)
            return (found if self._observe else None), apply(matrix.epilogue, found)

        self.engine.prepare(index)
        done = in_parallel(compute, list(self._parts(matrix, codes, positions)))
        outputs = np.concatenate([outputs for _, outputs in done])
        if self._observe is not None:
            accumulators = np.concatenate([found for found, _ in done if found is not None])
            self._observe(index, Observation(codes, accumulators, outputs))
        pieces = np.split(outputs, np.cumsum(each)[:-1])
        return [tensor_of(matrix, piece, run.shape) for piece, run in zip(pieces, codes, strict=True)]

    def _parts(
        self, matrix: Matrix, codes: list[np.ndarray], positions: NDArray[np.int64]
    ) -> Iterator[tuple[np.ndarray, NDArray[np.int64]]]:
        """Yield a matrix's inputs, samples along axis 0, and the positions of their vectors, a cacheful at a time."""
        together = np.concatenate([run if matrix.window else run.reshape(-1, run.shape[-1]) for run in codes])
        per_sample = matrix.window.positions if matrix.window else 1
        size = per_sample * matrix.groups * matrix.rows * -(-matrix.input.bits // 8)
        count = share(len(together), PART_BYTES // size, FEWEST // per_sample) if self.engine.splits else len(together)
        for start in range(0, max(len(together), 1), max(count, 1)):
            own = slice(start * per_sample, (start + count) * per_sample)
            yield together[start : start + count], positions[own]


def vectors_in(matrix: Matrix, codes: np.ndarray) -> int:
    """Return how many input vectors a tensor presents."""
    return len(codes) * matrix.window.positions if matrix.window else codes.size // codes.shape[-1]


def positions_of(vectors: int, samples: int, first: int, *, steps_first: bool) -> NDArray[np.int64]:
    """Return the positions of a run's vectors among all: those of a sample follow each other.

    Args:
        vectors: of the run.
        samples: of the run.
        first: number of its first sample.
        steps_first: whether the tensor has steps along its first axis and samples along its second.
    """
    each = -(-vectors // samples)
    if steps_first:
        step, sample = np.divmod(np.arange(vectors), samples)
        return (first + sample) * each + step
    return first * each + np.arange(vectors)


def runs_of(batch: Batch, inputs: Tensors, start: int, stop: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield what the model is fed for samples start..stop-1: all at once where its batch axis is free."""
    if batch.free:
        yield {name: array[start:stop] for name, array in inputs.items()}
        return
    for index in range(start, stop):
        yield {name: array[index : index + 1] if batch.leading_axis else array[index] for name, array in inputs.items()}


def joined_runs(batch: Batch, runs: Sequence[Tensors], samples: int) -> dict[str, np.ndarray]:
    """Return the outputs of all runs, samples along axis 0.

    Raises:
        UnsupportedError: an output does not have the samples along its first axis.
    """
    joined = {}
    for name, first in runs[0].items():
        arrays = [run[name] for run in runs]
        if batch.leading_axis and first.ndim and sum(len(array) for array in arrays) == samples:
            joined[name] = np.concatenate(arrays)
        elif not batch.free:
            joined[name] = np.stack(arrays)
        else:
            raise UnsupportedError(
                f"the output '{name}' has the shape {list(first.shape)}: its first axis does not count the samples",
                hint="export the model with the batch axis first in every output, or with a fixed batch of 1",
            )
    return joined
