"""Programming by pulses that move a cell up or down, read after each, until it lies close enough.

Conductances are counted as w, from -1 at g_min to 1 at g_max, and steps in the same unit, as aihwkit's pulsed devices
do (Rasch et al., AICAS 2021). Up and down differ: a law of its own for each is what subclasses state.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.model import Cell, Model, Siemens, Writing
from rcompile.fields import rule

Weights = NDArray[np.float64]

TYPICAL = (64, 64)
"""Cells on which the mean number of pulses is measured: a spread of 1 gives it to 2 %."""


@dataclass(frozen=True)
class Bounds:
    """What one array's cells are: (rows, columns) each.

    Attributes:
        up: factor of their steps up.
        down: factor of their steps down.
        upper: where they end upwards.
        lower: where they end downwards.
    """

    up: Weights
    down: Weights
    upper: Weights
    lower: Weights


@dataclass(frozen=True, kw_only=True)
class Pulsed(Model, ABC):
    """Cells start at g_min; each pulse moves those that are not yet within the tolerance, up or down."""

    dw: float = rule(float, "step of a pulse where the law is 1", low=1e-9, high=2.0)
    up_down: float = rule(float, "how far steps up are larger than steps down, relative", low=-1.0, high=1.0)
    cycle: float = rule(float, "spread of each step, relative", low=0.0, high=100.0)
    cell_steps: float = rule(float, "spread of the steps from cell to cell: sigma of a lognormal", low=0.0, high=3.0)
    upper_spread: float = rule(float, "spread of the upper end from cell to cell, relative", low=0.0, high=3.0)
    lower_spread: float = rule(float, "spread of the lower end from cell to cell, relative", low=0.0, high=3.0)
    write_noise: float = rule(
        float, "how far what is read is off what was written, in steps, anew at each pulse", low=0.0, high=1e3
    )
    tolerance: float = rule(float, "error that is accepted", low=0.0, high=2.0)
    pulses: int = rule(int, "most pulses for a cell", low=1, high=1_000_000)
    pulse_j: float = rule(
        float, "energy of a pulse; 0: not known", unit="J", low=0.0, high=1.0, default=0.0, choice=True
    )
    pulse_s: float = rule(
        float, "time of a pulse and its read; 0: not known", unit="s", low=0.0, high=1.0, default=0.0, choice=True
    )

    @abstractmethod
    def step(self, w: Weights, up: NDArray[np.bool_], bounds: Bounds) -> Weights:
        """Return the size of a step up or down at w, in units of dw."""

    def drawn(self, shape: tuple[int, int], rng: np.random.Generator) -> Bounds:
        """Return the cells of an array."""
        own = np.exp(self.cell_steps * rng.standard_normal(shape) - self.cell_steps**2 / 2)
        upper = np.maximum(1 + self.upper_spread * rng.standard_normal(shape), 0.0)
        lower = np.minimum(-1 - self.lower_spread * rng.standard_normal(shape), 0.0)
        return Bounds(own * (1 + min(self.up_down, 0.0)), own * (1 - max(self.up_down, 0.0)), upper, lower)

    def moved(self, w: Weights, up: NDArray[np.bool_], bounds: Bounds, rng: np.random.Generator) -> Weights:
        """Return cells after a pulse up or down each."""
        noise = 1 + self.cycle * rng.standard_normal(w.shape) if self.cycle else 1.0
        size = self.dw * self.step(w, up, bounds) * np.where(up, bounds.up, -bounds.down) * noise
        found: Weights = np.clip(w + size, bounds.lower, bounds.upper)
        return found

    def written(self, targets: Weights, bounds: Bounds, rng: np.random.Generator) -> tuple[Weights, NDArray[np.int64]]:
        """Return what is read of cells that were written, and the pulses of each."""
        w = np.clip(np.full(targets.shape, -1.0), bounds.lower, bounds.upper)
        seen, count = w, np.zeros(targets.shape, np.int64)
        for _ in range(self.pulses):
            pulsed = np.abs(seen - targets) > self.tolerance
            if not pulsed.any():
                break
            w = np.where(pulsed, self.moved(w, seen < targets, bounds, rng), w)
            noise = self.write_noise * self.dw * rng.standard_normal(w.shape) if self.write_noise else 0.0
            seen = np.where(pulsed, w + noise, seen)
            count += pulsed
        return seen, count

    def on_cells(self, shape: tuple[int, int], rng: np.random.Generator) -> Model:
        """Return what pulses do to cells that differ."""
        return OnCells(self, self.drawn(shape, rng))

    def writing(self, cell: Cell) -> Writing:
        """Return what writing a cell takes, for levels that are all as frequent."""
        del cell
        pulses = mean_pulses(self)
        return Writing(pulses, pulses * self.pulse_j, pulses * self.pulse_s)


class OnCells(Model):
    """Pulses on an array's cells.

    Args:
        law: of the pulses.
        bounds: of the cells.
    """

    def __init__(self, law: Pulsed, bounds: Bounds) -> None:
        self._law, self._bounds = law, bounds

    def program(self, g: Siemens, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Write each cell, until it is accepted."""
        targets = 2 * (g - cell.g_min_s) / cell.span_s - 1
        seen, _ = self._law.written(targets, self._bounds, rng)
        return np.maximum(cell.g_min_s + (seen + 1) / 2 * cell.span_s, 0.0)


@lru_cache(maxsize=64)
def mean_pulses(model: Pulsed) -> float:
    """Return the mean pulses of a cell."""
    targets = np.linspace(-1, 1, TYPICAL[0] * TYPICAL[1]).reshape(TYPICAL)
    rng = np.random.default_rng(0)
    return float(model.written(targets, model.drawn(TYPICAL, rng), rng)[1].mean())
