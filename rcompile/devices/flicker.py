"""1/f noise of reads: slow against an inference for the most part."""

from dataclasses import dataclass
from math import log

import numpy as np

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule

MICRO = 1e-6


@dataclass(frozen=True)
class Flicker(Model):
    """Noise of spectral density 1/f: its variance is (sigma S)^2 ln((t + t_read) / (2 t_read)) after t seconds.

    S = G, g_max, or log10(G / uS) uS. What is faster than a run of `hold_s` seconds differs from read to read; what is
    slower stays as it is found, anew at each time. (aihwkit, inference/noise, takes all of it as slow.)
    """

    thermal = False
    momentary = True

    sigma: float = rule(float, "relative to S", low=0.0, high=1.0)
    read_s: float = rule(float, "t_read, duration of a read", unit="s", low=1e-12, high=1.0)
    hold_s: float = rule(
        float, "duration of a run; 0: as of a read, all noise is slow", unit="s", low=0.0, high=1e12, default=0.0
    )
    of: str = rule(str, "S", choices=("value", "g_max", "log10"), default="value", choice=True)

    def size_s(self, g: Siemens, cell: Cell) -> Siemens:
        """Return sigma S, in siemens."""
        if self.of == "log10":
            return self.sigma * np.abs(np.log10(np.maximum(g / MICRO, MICRO))) * MICRO
        return self.sigma * (g if self.of == "value" else np.full_like(g, cell.g_max_s))

    def decades(self, seconds: float) -> float:
        """Return ln((t + t_read) / (2 t_read)), 0 before t_read: the spectrum's width in powers of e."""
        return max(log((seconds + self.read_s) / (2 * self.read_s)), 0.0)

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Add what is slow."""
        slow = max(self.decades(seconds) - self.decades(self.hold_s), 0.0)
        return np.maximum(g + slow**0.5 * self.size_s(g, cell) * rng.standard_normal(g.shape), 0.0)

    def read_sigma(self, g: Siemens, cell: Cell) -> Siemens | None:
        """Return the standard deviation of what differs from read to read."""
        fast = self.decades(self.hold_s)
        return self.size_s(g, cell) * fast**0.5 if fast else None
