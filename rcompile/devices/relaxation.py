"""Relaxation as measured at some times: a spread that depends on the conductance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import polynomial

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule

MICRO = 1e-6


@dataclass(frozen=True)
class Relaxation(Model):
    """G + N(0, s(g, t)^2), s = sum_k c_k(t) g^k in uS with g = G / g_max; below zero is zero.

    Coefficients are measured at `times_s`, linear in ln(t) between; after the last one s stays. What was measured first
    counts as error of programming; what follows adds what the variance has grown by since.
    """

    times_s: tuple[float, ...] = rule(
        float, "when it was measured, ascending", unit="s", low=1e-9, high=1e12, many=True
    )
    c0: tuple[float, ...] = rule(float, "c_0 at each time", unit="uS", low=-1e6, high=1e6, many=True)
    c1: tuple[float, ...] = rule(float, "c_1 at each time", unit="uS", low=-1e6, high=1e6, many=True)
    c2: tuple[float, ...] = rule(float, "c_2 at each time", unit="uS", low=-1e6, high=1e6, many=True)
    c3: tuple[float, ...] = rule(float, "c_3 at each time", unit="uS", low=-1e6, high=1e6, many=True)
    c4: tuple[float, ...] = rule(float, "c_4 at each time", unit="uS", low=-1e6, high=1e6, many=True)

    def contradictions(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with times and coefficients."""
        del cell
        if not self.times_s or list(self.times_s) != sorted(set(self.times_s)):
            yield "times_s", "must be ascending, at least one"
        for name in ("c0", "c1", "c2", "c3", "c4"):
            if len(getattr(self, name)) != len(self.times_s):
                yield name, f"must have {len(self.times_s)} values, one a time, has {len(getattr(self, name))}"

    def sigma_s(self, g: Siemens, seconds: float, cell: Cell) -> Siemens:
        """Return the standard deviation at a conductance after some seconds, in siemens."""
        at = np.log(np.maximum(seconds, 1e-300))
        known = np.log(self.times_s)
        series = (self.c0, self.c1, self.c2, self.c3, self.c4)
        coefficients = [float(np.interp(at, known, values)) for values in series]
        found: Siemens = np.maximum(polynomial.polyval(g / cell.g_max_s, coefficients), 0.0) * MICRO
        return found

    def program(self, g: Siemens, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Add the error that was measured first."""
        return np.maximum(g + self.sigma_s(g, self.times_s[0], cell) * rng.standard_normal(g.shape), 0.0)

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return conductances after some seconds; a cell keeps its own direction."""
        grown = self.sigma_s(g, seconds, cell) ** 2 - self.sigma_s(g, self.times_s[0], cell) ** 2
        return np.maximum(g + np.sqrt(np.maximum(grown, 0.0)) * rng.standard_normal(g.shape), 0.0)
