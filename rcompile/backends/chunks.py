"""What engines that read crossbars share: vectors in chunks that fit a cache, copy by copy, chunks on all cores."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.correction import copy_of_vector, corrected
from rcompile.backends.die import Vectors
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.matrix import IntegerArray
from rcompile.ir.placed import PlacedProgram
from rcompile.workers import in_parallel, share

CHUNK_ELEMENTS = 2**20
"""Inputs and column sums handled at once: the working set stays near a core's cache."""

FEWEST = 64
"""Vectors that are worth a thread's while."""

Group = TypeVar("Group")
"""What an engine reads together: a crossbar, or two whose columns are subtracted."""


class Chunked(ABC, Generic[Group]):
    """An engine that reads a copy's crossbars one after the other.

    Attributes:
        splits: see Engine.

    Args:
        placed: the program.
        chip: that it runs on; without, one whose cells hold what is written.
    """

    splits = True

    def __init__(self, placed: PlacedProgram, chip: Chip | None = None) -> None:
        self.placed = placed
        self.chip = chip or Chip(placed)
        self._found: dict[tuple[int, int], list[Group]] = {}

    def prepare(self, index: int) -> None:
        """Lay out all copies of a matrix; see Engine."""
        for replica in range(self.placed.program.matrices[index].replicas):
            self._groups(index, replica)

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the accumulators (vectors, G * N) of unsigned input vectors (vectors, G, K); see Engine."""
        positions = np.arange(len(vectors)) if positions is None else positions
        item = self.placed.program.matrices[index]
        count = share(len(vectors), self._vectors_at_once(item), FEWEST)
        starts = range(0, max(len(vectors), 1), count)
        for replica in np.unique(copy_of_vector(item, positions)).tolist():
            self._groups(index, replica)  # before the threads that read them
        chunks = [slice(start, start + count) for start in starts]
        return np.concatenate(in_parallel(lambda s: self._chunk(index, vectors[s], positions[s], call), chunks))

    def _chunk(self, index: int, vectors: np.ndarray, positions: NDArray[np.int64], call: int) -> NDArray[np.int64]:
        item = self.placed.program.matrices[index]
        inputs = item.presented.inputs_of(vectors)
        # rounded partial sums are added up by row partition first
        partitions = 1 if self._takes_as_ideal(item) or item.sums_exactly else item.row_partitions
        sums = np.zeros((partitions, item.matrix.groups, item.matrix.columns, len(vectors)))
        copies = copy_of_vector(item, positions)
        for replica in range(item.replicas):
            own = slice(None) if item.replicas == 1 else np.flatnonzero(copies == replica)
            if replica not in copies:
                continue  # none of the vectors asked for is this copy's
            part = np.zeros((*sums.shape[:-1], len(positions[own])))
            self._run(item, self._groups(index, replica), inputs[own], part, Vectors(positions[own], (index, call)))
            sums[..., own] = part
        return corrected(item, sums.transpose(0, 3, 1, 2), inputs)

    def _groups(self, index: int, replica: int) -> list[Group]:
        """Return what is read together of one copy of a matrix; that of one matrix is kept."""
        if (index, replica) not in self._found:
            self._found = {key: found for key, found in self._found.items() if key[0] == index}
            self._found[index, replica] = self._prepare(index, replica)
        return self._found[index, replica]

    def _takes_as_ideal(self, item: CrossbarMatrix) -> bool:
        """Tell whether a matrix's rounding is left out."""
        del item
        return False

    @abstractmethod
    def _prepare(self, index: int, replica: int) -> list[Group]:
        """Return what is read together of one copy of a matrix."""

    def _vectors_at_once(self, item: CrossbarMatrix) -> int:
        """Return for how many vectors crossbars are read at once."""
        width = item.matrix.columns * len(item.weight_slices) * item.encoding.polarities
        return max(1, CHUNK_ELEMENTS // (item.matrix.groups * (item.matrix.rows + width)))

    @abstractmethod
    def _run(
        self,
        item: CrossbarMatrix,
        groups: list[Group],
        inputs: IntegerArray,
        sums: NDArray[np.float64],
        which: Vectors,
    ) -> None:
        """Read one copy of a matrix with all input slices; shift and add its columns into `sums`.

        Args:
            item: the matrix that is computed.
            groups: what is read.
            inputs: (vectors, G, K).
            sums: (row partitions or 1, G, N, vectors), added to.
            which: of all vectors these are.
        """


class OneByOne(Chunked[Group]):
    """An engine that reads groups one after the other."""

    def _run(
        self,
        item: CrossbarMatrix,
        groups: list[Group],
        inputs: IntegerArray,
        sums: NDArray[np.float64],
        which: Vectors,
    ) -> None:
        """Read one copy, group by group; see Chunked."""
        # vectors last, so that what is done to a column runs along memory
        columns = np.ascontiguousarray(inputs.transpose(1, 2, 0))
        for group in groups:
            self._read(item, group, columns, sums, which)

    @abstractmethod
    def _read(
        self, item: CrossbarMatrix, group: Group, inputs: IntegerArray, sums: NDArray[np.float64], which: Vectors
    ) -> None:
        """Drive what is read together with all input slices; shift and add its columns into `sums`.

        Args:
            item: the matrix that is computed.
            group: what is read.
            inputs: (G, K, vectors).
            sums: (row partitions or 1, G, N, vectors), added to.
            which: of all vectors these are.
        """
