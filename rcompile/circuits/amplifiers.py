"""What lies between a column and its converter: a transimpedance amplifier, and a capacitor that samples and holds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.fields import rule

Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Amplifiers:
    """How far amplifiers and capacitors are from ideal ones; all 0: they are ideal. Each column has its own."""

    gain: float = rule(
        float, "standard deviation of each column's gain, relative", low=0.0, high=1.0, default=0.0, choice=True
    )
    offset_a: float = rule(
        float, "standard deviation of each column's offset", unit="A", low=0.0, high=1.0, default=0.0, choice=True
    )
    noise_a: float = rule(
        float, "standard deviation of each sample", unit="A", low=0.0, high=1.0, default=0.0, choice=True
    )
    droop: float = rule(
        float, "share of a sample that is lost until it is converted", low=0.0, high=1.0, default=0.0, choice=True
    )

    @property
    def none(self) -> bool:
        """Whether they are ideal."""
        return not self.draws and self.droop == 0

    @property
    def draws(self) -> bool:
        """Whether dies differ by them."""
        return any((self.gain, self.offset_a, self.noise_a))

    def drawn(self, columns: int, rng: np.random.Generator) -> tuple[Sums, Sums]:
        """Return (gain, offset in A) of each column."""
        gain, offset = rng.standard_normal((2, columns))
        return (1 + self.gain * gain) * (1 - self.droop), self.offset_a * offset
