"""Pulses whose steps shrink in proportion to what is left up to the end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.devices.pulses import Bounds, Pulsed, Weights


@dataclass(frozen=True, kw_only=True)
class SoftBounds(Pulsed):
    """Steps 1 - w / w_upper up and 1 - w / w_lower down, w = -1 at g_min and 1 at g_max (aihwkit's SoftBoundsDevice).

    Cells start at g_min and are read after each pulse until they lie within the tolerance.
    """

    def step(self, w: Weights, up: NDArray[np.bool_], bounds: Bounds) -> Weights:
        """Return the size of a step up or down at w, in units of dw."""
        upper, lower = np.maximum(bounds.upper, 1e-12), np.minimum(bounds.lower, -1e-12)
        found: Weights = np.maximum(np.where(up, 1 - w / upper, 1 - w / lower), 0.0)
        return found
