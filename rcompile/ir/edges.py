"""What flows from matrix to matrix, and how much of it must be there before each input vector can be read."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Along:
    """Which indices of an axis of one tensor those of an axis of another need.

    Index i needs floor((step * i + first) / per) .. floor((step * i + last) / per), as far as the axis has them.

    Attributes:
        axis: of the tensor that needs.
        step: of the first index that is needed, times `per`.
        first: offset of the first index.
        last: offset of the last index.
        per: indices that share what they need (what enlarges a tensor, a transposed convolution).
    """

    axis: int
    step: int = 1
    first: int = 0
    last: int = 0
    per: int = 1

    def span(self, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first and the last index that each index needs, whether or not the axis has them."""
        return (self.step * index + self.first) // self.per, (self.step * index + self.last) // self.per

    def after(self, outer: "Along") -> "Along":
        """Return what is needed through a tensor between, whose indices `outer` says: no less than that.

        floor((a floor(x) + b) / d) is at most floor((a x + b) / d); a first index is too early by less than one
        index between.
        """
        per = self.per * outer.per
        early = self.step * (outer.per - 1)
        return Along(
            outer.axis,
            self.step * outer.step,
            self.step * outer.first + self.first * outer.per - early,
            self.step * outer.last + self.last * outer.per,
            per,
        )

    def also(self, other: "Along") -> "Along | None":
        """Return what either of two needs; None (everything) where their steps differ."""
        if (self.axis, self.step, self.per) != (other.axis, other.step, other.per):
            return None
        return Along(self.axis, self.step, min(self.first, other.first), max(self.last, other.last), self.per)


@dataclass(frozen=True)
class Edge:
    """Data that flows from one matrix, through digital operators, to another, once per inference.

    Vectors are counted along the axes of their tensor, the last one fastest.

    Attributes:
        producer: index of the matrix that makes it.
        consumer: index of the matrix that reads it.
        bytes: of an inference.
        made: vectors of the producer along each axis.
        read: vectors of the consumer along each axis.
        along: for each axis of `made`, which of its indices a vector of the consumer needs; None: all.
    """

    producer: int
    consumer: int
    bytes: int
    made: tuple[int, ...]
    read: tuple[int, ...]
    along: tuple[Along | None, ...]

    @cached_property
    def needed(self) -> NDArray[np.int64]:
        """For each vector of the consumer, in order, how many of the producer's must be there, the first ones."""
        return np.maximum.accumulate(self._ends(last=True))

    @cached_property
    def finished(self) -> NDArray[np.int64]:
        """For each vector of the consumer, how many of the producer's neither it nor a later one needs."""
        return np.minimum.accumulate(self._ends(last=False)[::-1])[::-1]

    @property
    def head(self) -> int:
        """Vectors of the producer that the first one of the consumer needs."""
        return int(self.needed[0])

    @property
    def tail(self) -> int:
        """Vectors of the consumer that need the last one of the producer."""
        return int(np.count_nonzero(self.needed == self.needed[-1])) if self.needed[-1] else 0

    @cached_property
    def between(self) -> tuple[tuple[int, int], ...]:
        """What may hold the consumer up between head and tail, however fast both are.

        Each is (vectors of the producer that must be there, vectors of the consumer that then follow); of all of them
        the corners of their hull.
        """
        there, first = np.unique(self.needed, return_index=True)
        follow = len(self.needed) - first
        found, pending = [], [(0, len(there) - 1)]
        while pending:
            low, high = pending.pop()
            width, height = there[high] - there[low], follow[high] - follow[low]
            above = (follow[low : high + 1] - follow[low]) * width - (there[low : high + 1] - there[low]) * height
            best = low + int(above.argmax())
            if above[best - low] > 0:
                found.append((int(there[best]), int(follow[best])))
                pending += [(low, best), (best, high)]
        return tuple(sorted(found))

    def held(self, copies: int = 1) -> int:
        """Return how many vectors of the producer the consumer needs at a time, of which copies take turns, at most."""
        last = np.minimum(np.arange(len(self.needed)) + copies, len(self.needed)) - 1
        return int((self.needed[last] - self.finished).max())

    def needed_by(self, vectors: NDArray[np.int64]) -> int:
        """Return how many vectors of the producer some of the consumer need, each of these counted once."""
        where = np.unravel_index(vectors, self.read)
        found = np.ones(len(vectors), bool)
        ends = []
        for size, along in zip(self.made, self.along, strict=True):
            first, last = np.zeros(len(vectors), np.int64), np.full(len(vectors), size - 1)
            if along is not None:
                first, last = along.span(where[along.axis])
                found &= (last >= 0) & (first < size)
                first, last = np.clip(first, 0, size - 1), np.clip(last, 0, size - 1)
            ends.append((first, last + 1))
        # each needs a box: add one at its corners, with signs, and sum up along the axes
        shape = tuple(size + 1 for size in self.made)
        total = np.zeros(prod(shape), np.int64)
        for corner in product((0, 1), repeat=len(shape)):
            at = np.ravel_multi_index([both[c][found] for both, c in zip(ends, corner, strict=True)], shape)
            total += (1 - 2 * (sum(corner) % 2)) * np.bincount(at, minlength=len(total))
        covered = total.reshape(shape)
        for axis in range(len(shape)):
            covered = np.cumsum(covered, axis=axis)
        return int(np.count_nonzero(covered))

    def _ends(self, *, last: bool) -> NDArray[np.int64]:
        """Return the number of the last vector that each one needs, plus one; or of the first one that it needs."""
        where = np.indices(self.read).reshape(len(self.read), -1)
        found = np.zeros(where.shape[1], np.int64)
        none = np.zeros(where.shape[1], bool)
        for size, along in zip(self.made, self.along, strict=True):
            index = np.full(where.shape[1], size - 1 if last else 0)
            if along is not None:
                index = along.span(where[along.axis])[last]
                none |= index < 0
            found = found * size + np.clip(index, 0, size - 1)
        return np.where(none & last, 0, found + last)
