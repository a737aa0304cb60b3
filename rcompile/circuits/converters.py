"""Errors of analog-to-digital converters: offset, gain, noise, and uneven codes.

All in units of one code (LSB): the step of a conversion, in levels. Each converter has its own offset, gain and code
widths; noise is drawn for each conversion.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.fields import rule

Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """One converter's draws.

    Attributes:
        offset: in codes.
        gain: relative error.
        nonlinearity: (codes,) integral nonlinearity of the threshold below each code, in codes; empty: there is none.
    """

    offset: float
    gain: float
    nonlinearity: NDArray[np.float64]


@dataclass(frozen=True)
class Converters:
    """How far the converters of a chip are from ideal ones; all 0: they are ideal."""

    offset_lsb: float = rule(
        float, "standard deviation of the offset", unit="LSB", low=0.0, high=1e3, default=0.0, choice=True
    )
    gain: float = rule(float, "standard deviation of the gain, relative", low=0.0, high=1.0, default=0.0, choice=True)
    noise_lsb: float = rule(
        float, "standard deviation of each conversion", unit="LSB", low=0.0, high=1e3, default=0.0, choice=True
    )
    dnl_lsb: float = rule(
        float, "standard deviation of the widths of codes", unit="LSB", low=0.0, high=1.0, default=0.0, choice=True
    )
    inl_lsb: float = rule(
        float, "bow of the characteristic at mid-scale", unit="LSB", low=-1e3, high=1e3, default=0.0, choice=True
    )

    @property
    def none(self) -> bool:
        """Whether converters are ideal."""
        return not any((self.offset_lsb, self.gain, self.noise_lsb, self.dnl_lsb, self.inl_lsb))

    @property
    def draws(self) -> bool:
        """Whether dies differ by them."""
        return any((self.offset_lsb, self.gain, self.noise_lsb, self.dnl_lsb))

    def drawn(self, codes: int, rng: np.random.Generator) -> Errors:
        """Return the errors of one converter of so many codes."""
        offset, gain = rng.standard_normal(2) * (self.offset_lsb, self.gain)
        if not (self.dnl_lsb or self.inl_lsb):
            return Errors(float(offset), float(gain), np.zeros(0))
        place = np.arange(codes) / max(codes - 1, 1)
        steps = np.cumsum(self.dnl_lsb * rng.standard_normal(codes))
        walked = steps - steps[0] - place * (steps[-1] - steps[0])  # end points are what offset and gain are about
        return Errors(float(offset), float(gain), walked + 4 * self.inl_lsb * place * (1 - place))


def disturbed(sums: Sums, low: Sums, step: Sums, errors: Sequence[Errors], noise: Sums) -> Sums:
    """Return sums as ideal converters would have to see them to give the codes that real ones give.

    Args:
        sums: (columns, vectors), in levels.
        low: (columns, 1), the sum that code 0 stands for.
        step: (columns, 1), of a code.
        errors: of each column's converter.
        noise: (columns, vectors), in codes.
    """
    offset, gain = (np.array([getattr(own, name) for own in errors])[:, None] for name in ("offset", "gain"))
    codes = (sums - low) / step * (1 + gain) + offset + noise
    for row, own in enumerate(errors):
        if own.nonlinearity.any():
            # an ideal converter takes code k from half a level below its least whole sum on
            ideal = np.arange(len(own.nonlinearity)) - 0.5 / step[row]
            thresholds = np.maximum.accumulate(ideal + own.nonlinearity)
            codes[row] = np.searchsorted(thresholds[1:], codes[row], side="right")
    return low + step * codes
