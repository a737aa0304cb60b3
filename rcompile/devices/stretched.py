"""The stretched exponential, by which cells lose what was written to them."""

import numpy as np

from rcompile.devices.model import Siemens

ALL = 10.0
"""Exponent at which all is lost: e^-22,000 is left."""


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
    own = sigma * rng.standard_normal(g.shape) if sigma else 0.0
    with np.errstate(divide="ignore"):
        exponent = beta * (np.log(share) - own)
    left: Siemens = np.exp(-np.exp(np.minimum(exponent, ALL)))
    return end + (g - end) * left
