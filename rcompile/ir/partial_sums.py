"""Partial sums: what row partitions send to the adder tree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quantizer:
    """step * clip(round(sum / step), -2^(bits-1), 2^(bits-1) - 1); halves round up. `step` is a power of two."""

    bits: int
    step: int

    def __call__(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what is left of sums."""
        half = 2.0 ** (self.bits - 1)
        return self.step * np.clip(np.floor(sums / self.step + 0.5), -half, half - 1)

    def __str__(self) -> str:
        return f"{self.bits}b in steps of {self.step}"


@dataclass(frozen=True)
class PartialSums:
    """The partial sums of a matrix.

    A partial sum is what one row partition adds up to, slices, cycles and signs recombined where they are read.

    Attributes:
        count: of one inference: row partitions x outputs x vectors.
        bits: what holds every possible one.
        depth: levels of the adder tree that adds the row partitions.
        bytes: of one inference, each partial sum in whole bytes.
        quantizer: what each is rounded to before it is added; None where it is kept whole.
        merge: what their total is rounded to; None where it is kept whole.
    """

    count: int
    bits: int
    depth: int
    bytes: int
    quantizer: Quantizer | None = None
    merge: Quantizer | None = None

    @property
    def exact(self) -> bool:
        """Tell whether nothing is rounded."""
        return self.quantizer is None and self.merge is None

    @property
    def sent_bits(self) -> int:
        """Bits of a partial sum on its way to the adder tree."""
        return self.bits if self.quantizer is None else self.quantizer.bits

    @property
    def bytes_each(self) -> int:
        """Bytes of a partial sum on its way."""
        return -(-self.sent_bits // 8)

    def __str__(self) -> str:
        rounded = "" if self.quantizer is None else f", rounded to {self.quantizer}, their total to {self.merge}"
        return f"{self.count} partial sums of {self.bits}b, adder tree of depth {self.depth}{rounded}"
