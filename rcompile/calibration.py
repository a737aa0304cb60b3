"""What calibrates ranges: samples, and what a program's sums are on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rcompile.backends.executor import runs_of
from rcompile.backends.observe import capture, largest_partial_sums, measure
from rcompile.encodings.observed import Observed
from rcompile.frontend.macs import macs_of
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.graph import Array, Batch, Graph
from rcompile.ir.matrix import MatrixProgram
from rcompile.pipeline import Trace
from rcompile.verification.data import DataSet, random_data

BATCH = 16

OBSERVED_SAMPLES = 64
"""Calibration samples whose column sums are looked at."""

Chosen = Callable[[], tuple[DataSet, str]]
"""The samples that calibrate, and where they come from."""


@dataclass(frozen=True)
class Samples:
    """The samples given for calibration, else those of the data, else random ones."""

    graph: Graph
    calibration: DataSet | None
    data: DataSet | None
    seed: int

    def chosen(self) -> tuple[DataSet, str]:
        """Return the samples and where they come from: 'calibration', 'data' or 'random'."""
        if self.calibration is not None:
            return self.calibration, "calibration"
        if self.data is not None:
            return self.data, "data"
        macs = sum(macs_of(node, self.graph) for node in self.graph.nodes)
        return random_data(self.graph, self.seed, None, macs), "random"


def in_batches(batch: Batch, samples: DataSet, count: int) -> Iterator[dict[str, Array]]:
    """Yield what the model is fed for the first `count` samples, a few at a time."""
    for start in range(0, count, BATCH):
        yield from runs_of(batch, samples.inputs, start, min(start + BATCH, count))


class Seen:
    """What a program's sums are on calibration samples; nothing is run before it is asked for."""

    def __init__(self, matrices: MatrixProgram, samples: Chosen, trace: Trace) -> None:
        self._matrices, self._samples, self._trace = matrices, samples, trace
        self.origin = ""
        """Where ranges come from, once there are any."""

    @cached_property
    def vectors(self) -> list[np.ndarray]:
        """Return input vectors of each matrix."""
        data, self.origin = self._samples()
        batch = self._matrices.batch
        with self._trace.phase("observe"):
            return capture(self._matrices, list(in_batches(batch, data, min(data.samples, OBSERVED_SAMPLES))))

    def sums(self, program: CrossbarProgram) -> Callable[[int], Observed]:
        """Return what measures the sums of a matrix of a program, by its index."""
        return lambda index: measure(program.matrices[index], self.vectors[index])

    def partial_sums(self, program: CrossbarProgram) -> Callable[[int], tuple[float, float]]:
        """Return what measures the partial sums of a matrix and their totals, by its index."""
        return lambda index: largest_partial_sums(program.matrices[index], self.vectors[index])
