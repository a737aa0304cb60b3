"""The stretched exponential, by which cells lose what was written to them."""

from math import exp

import numpy as np

from rcompile.devices.model import Siemens


def stretched(g: Siemens, end: float, share: float, beta: float, sigma: float, rng: np.random.Generator) -> Siemens:
    """Return end + (G - end) exp(-(share / f)^beta) with f = exp(N(0, sigma^2)) of each cell: its own pace.

    Args:
        g: conductances, in siemens.
        end: where they end, in siemens.
        share: of a typical cell's time that has passed.
        beta: how the loss is spread over time; 1: exponential.
        sigma: of the logarithm of cells' times; 0: all are typical.
        rng: draws.
    """
    if sigma == 0:
        return end + (g - end) * exp(-(share**beta))
    left: Siemens = np.exp(-((share * np.exp(-sigma * rng.standard_normal(g.shape))) ** beta))
    return end + (g - end) * left
