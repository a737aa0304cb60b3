"""Errors of analog-to-digital converters: offset, gain, noise, and uneven codes.

All in units of one code (LSB): the step of a conversion, in levels. Each converter has its own offset, gain and code
widths; noise is drawn for each conversion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from rcompile.fields import rule

Sums = NDArray[np.float64]

COUNTING = {"tdc", "integrate_and_fire"}
"""Kinds whose codes count events."""


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
    """How far the converters of a chip are from ideal ones; all 0: they are ideal.

    How codes come to be uneven (dnl_lsb) follows from adc.kind of the target. sar: binary weighted capacitors err, so
    that steps spread most where many bits change, as stated at mid-scale. flash: each threshold is a comparator's own,
    and codes count those that are passed. ramp: one ramp with uneven steps serves all columns of a crossbar. Others:
    uneven steps add up, each converter's own. Noise is that of a comparison; where codes count events (tdc,
    integrate_and_fire) that of each event adds up, to noise_lsb times the root of the code.
    """

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

    def drawn(
        self, codes: int, rng: np.random.Generator, kind: str = "", shared: np.random.Generator | None = None
    ) -> Errors:
        """Return the errors of one converter.

        Args:
            codes: that it has.
            rng: draws what is its own.
            kind: of converter.
            shared: draws what it shares with those of the same crossbar.
        """
        offset, gain = rng.standard_normal(2) * (self.offset_lsb, self.gain)
        if not (self.dnl_lsb or self.inl_lsb):
            return Errors(float(offset), float(gain), np.zeros(0))
        place = np.arange(codes) / max(codes - 1, 1)
        uneven = self._uneven(codes, shared if kind == "ramp" and shared is not None else rng, kind)
        uneven = uneven - uneven[0] - place * (uneven[-1] - uneven[0])  # end points are what offset and gain are about
        return Errors(float(offset), float(gain), uneven + 4 * self.inl_lsb * place * (1 - place))

    def _uneven(self, codes: int, rng: np.random.Generator, kind: str) -> NDArray[np.float64]:
        """Return how far the threshold below each code is off."""
        if kind == "sar":
            bits = max((codes - 1).bit_length(), 1)
            weights = 2.0 ** np.arange(bits)
            unit = self.dnl_lsb / sqrt(weights.sum())
            errors = unit * np.sqrt(weights) * rng.standard_normal(bits)
            return ((np.arange(codes)[:, None] >> np.arange(bits)) & 1) @ errors
        if kind == "flash":
            ideal = np.arange(1.0, codes)
            own = np.sort(ideal + self.dnl_lsb / sqrt(2) * rng.standard_normal(codes - 1))
            return np.concatenate([[0.0], own - ideal])
        return np.cumsum(self.dnl_lsb * rng.standard_normal(codes))

    def noise_of(self, codes: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
        """Return the standard deviation of conversions near some codes."""
        if kind in COUNTING:
            return self.noise_lsb * np.sqrt(np.maximum(codes, 0.0))
        return np.full_like(codes, self.noise_lsb)


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
