"""How long cells hold what was written: how soon they must be written again."""

from collections.abc import Sequence

import numpy as np

from rcompile.devices.device import Device
from rcompile.devices.model import Model, Siemens
from rcompile.devices.streams import Moment, Streams

CELLS, MOST_CELLS = 4096, 2**17
"""Drawn for each level, and for all of them."""

LOST = 0.01
"""Share of a level's cells from which on it counts as not held."""

SHORTEST_S, LONGEST_S = 1e-6, 1e10
"""Times that are looked at; the longest are 300 years."""

STEPS = 48
"""Of halving the ratio between two times: to less than a millionth."""


def holds_s(device: Device, cell_bits: int) -> float | None:
    """Return after how long 1 % of the cells of some level have moved by more than half a level since their writing.

    What is drawn anew at each moment, such as flicker, is noise and no loss: writing does not cure it.

    Args:
        device: of the cells.
        cell_bits: that a cell holds.

    Returns:
        seconds by the clock; None where they hold for 300 years.
    """
    cell, shape = device.cell, (2**cell_bits, min(CELLS, MOST_CELLS // 2**cell_bits))
    half = cell.span_s / (2**cell_bits - 1) / 2
    g = np.repeat(np.linspace(cell.g_min_s, cell.g_max_s, shape[0])[:, None], shape[1], axis=1)
    for model in device.models.values():
        g = model.aimed(g, cell)
    streams = Streams(0, 0)
    models = [model.on_cells(shape, streams.of(0, Moment.MAKING, number)) for number, model in device.numbered()]
    for number, model in enumerate(models):
        g = model.program(g, cell, streams.of(0, Moment.PROGRAMMING, number))
    written = drifted(device, models, g, 0.0)

    def lost(seconds: float) -> bool:
        away = np.abs(drifted(device, models, g, seconds) - written) > half
        return float(away.mean(axis=1).max()) >= LOST

    if not lost(LONGEST_S):
        return None
    kept, gone = SHORTEST_S, LONGEST_S
    if lost(kept):
        return kept
    for _ in range(STEPS):
        middle = (kept * gone) ** 0.5
        kept, gone = (kept, middle) if lost(middle) else (middle, gone)
    return gone


def drifted(device: Device, models: Sequence[Model], g: Siemens, seconds: float) -> Siemens:
    """Return conductances some seconds after their writing."""
    faster = device.temperature.acceleration if device.temperature else 1.0
    streams = Streams(0, 0)
    for number, model in enumerate(models):
        if not model.momentary:
            passed = seconds * (faster if model.thermal else 1.0)
            g = model.drift(g, passed, device.cell, streams.of(0, Moment.DRIFT, number))
    return g
