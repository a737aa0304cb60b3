"""Pulses whose steps shrink exponentially towards the end, other upwards than downwards (Gong et al. 2018)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.pulses import Bounds, Pulsed, Weights
from rcompile.fields import rule

LARGEST = 100.0
"""Exponent beyond which steps reach the end at once, or are none."""


@dataclass(frozen=True, kw_only=True)
class ExpStep(Pulsed):
    """Steps max(1 - a_up exp(gamma_up z), 0) up and max(1 - a_down exp(-gamma_down z), 0) down.

    z = 2 slope w / (w_upper - w_lower) + shift, w = -1 at g_min and 1 at g_max (aihwkit's ExpStepDevice). Cells start
    at g_min and are read after each pulse until they lie within the tolerance.
    """

    a_up: float = rule(float, "A of steps up", low=-1e6, high=1e6)
    a_down: float = rule(float, "A of steps down", low=-1e6, high=1e6)
    gamma_up: float = rule(float, "gamma of steps up", low=0.0, high=1e3)
    gamma_down: float = rule(float, "gamma of steps down", low=0.0, high=1e3)
    slope: float = rule(float, "of z against w", low=-10.0, high=10.0)
    shift: float = rule(float, "z at w = 0", low=-10.0, high=10.0)

    def step(self, w: Weights, up: NDArray[np.bool_], bounds: Bounds) -> Weights:
        """Return the size of a step up or down at w, in units of dw."""
        width = np.maximum(bounds.upper - bounds.lower, 1e-12)
        z = 2 * self.slope * w / width + self.shift
        upwards = 1 - self.a_up * np.exp(np.minimum(self.gamma_up * z, LARGEST))
        downwards = 1 - self.a_down * np.exp(np.minimum(-self.gamma_down * z, LARGEST))
        found: Weights = np.maximum(np.where(up, upwards, downwards), 0.0)
        return found
