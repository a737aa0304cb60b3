"""Errors of what drives the rows: digital-to-analog converters, and the lengths of pulses.

A row that is driven with 0 is held at ground by a switch, and has no error. Offsets and steps count in units of one
digit (LSB) of the converter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.fields import rule

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Drivers:
    """How far the drivers of rows are from ideal ones; all 0: they are ideal. All columns of a read see the same."""

    offset_lsb: float = rule(
        float, "standard deviation of each row's offset", unit="LSB", low=0.0, high=1e3, default=0.0, choice=True
    )
    gain: float = rule(
        float, "standard deviation of each row's gain, relative", low=0.0, high=1.0, default=0.0, choice=True
    )
    dnl_lsb: float = rule(
        float, "standard deviation of the steps between digits", unit="LSB", low=0.0, high=1.0, default=0.0, choice=True
    )
    inl_lsb: float = rule(
        float, "bow of the characteristic at mid-scale", unit="LSB", low=-1e3, high=1e3, default=0.0, choice=True
    )
    noise: float = rule(
        float,
        "thermal noise: standard deviation of each read's voltage, relative to the largest",
        low=0.0,
        high=1.0,
        default=0.0,
        choice=True,
    )
    jitter: float = rule(
        float,
        "standard deviation of each pulse's length, relative to the shortest pulse; a voltage is one pulse",
        low=0.0,
        high=1.0,
        default=0.0,
        choice=True,
    )

    @property
    def none(self) -> bool:
        """Whether drivers are ideal."""
        return not self.draws and self.inl_lsb == 0

    @property
    def draws(self) -> bool:
        """Whether dies differ by them."""
        return any((self.offset_lsb, self.gain, self.dnl_lsb, self.noise, self.jitter))

    @property
    def noisy(self) -> bool:
        """Whether reads differ by them."""
        return bool(self.noise or self.jitter)

    def drawn(self, rows: int, top: int, rng: np.random.Generator) -> Rows:
        """Return what the drivers of rows give for each digit: (rows, top + 1)."""
        digits = np.arange(top + 1.0)
        offset, gain = rng.standard_normal((2, rows, 1))
        steps = np.cumsum(self.dnl_lsb * rng.standard_normal((rows, top + 1)), axis=1)
        place = digits / top
        walked = steps - steps[:, :1] - place * (steps[:, -1:] - steps[:, :1])  # the ends are what offset and gain are
        bow = 4 * self.inl_lsb * place * (1 - place)
        found: Rows = digits * (1 + self.gain * gain) + self.offset_lsb * offset + walked + bow
        found[:, 0] = 0
        return found

    def driven(self, table: Rows, digits: NDArray[np.integer]) -> Rows:
        """Return what rows are really driven with (rows, vectors); of negative digits the negative."""
        found = np.take_along_axis(table, np.abs(digits), axis=1)
        return np.where(digits < 0, -found, found)

    def blurred(self, driven: Rows, top: int, noise: Rows, jitter: Rows, *, pulses: bool) -> Rows:
        """Return what one read integrates of rows, given standard normal draws (rows, vectors)."""
        size, length = np.abs(driven), driven != 0
        if pulses:  # of one voltage, as long as the digit says
            error = size * self.noise * noise + length * self.jitter * jitter
        else:
            error = length * top * self.noise * noise + size * self.jitter * jitter
        found: Rows = driven + error
        return found
