"""Pulses up and down: their curves, and what writing by them leaves."""

import numpy as np
import pytest

from rcompile.devices import resolve_device
from rcompile.devices.exp_step import ExpStep
from rcompile.devices.model import Cell
from rcompile.devices.pulses import Pulsed
from rcompile.devices.soft_bounds import SoftBounds

CELL = Cell(5e-6, 1e-4)
NO_SPREAD = {
    "up_down": 0.0,
    "cycle": 0.0,
    "cell_steps": 0.0,
    "upper_spread": 0.0,
    "lower_spread": 0.0,
    "write_noise": 0.0,
    "tolerance": 0.02,
    "pulses": 2000,
}
GONG = {"a_up": -1.18445, "a_down": -0.081404, "gamma_up": 5.0, "gamma_down": 5.0, "slope": -0.5, "shift": -0.5}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def curve(model: Pulsed, start: float, count: int, *, up: bool) -> np.ndarray:
    """What one cell is after each of so many pulses."""
    bounds = model.drawn((1, 1), rng())
    w, found = np.full((1, 1), start), [start]
    for _ in range(count):
        w = model.moved(w, np.full((1, 1), up), bounds, rng())
        found.append(float(w[0, 0]))
    return np.array(found)


def test_soft_bounds_approach_their_end_exponentially():
    """Each step is a share of what is left: 1 - (1 - dw)^n of the way (with the end at 1 from the middle)."""
    model = SoftBounds(dw=0.05, **NO_SPREAD)
    n = np.arange(101)
    np.testing.assert_allclose(curve(model, -1.0, 100, up=True), 1 - 2 * 0.95**n, rtol=1e-12)
    np.testing.assert_allclose(curve(model, 1.0, 100, up=False), -1 + 2 * 0.95**n, rtol=1e-12)


def test_exponential_steps_replay_the_curve_of_gong_2018():
    """Steps as aihwkit's ExpStepDevice computes them, pulse by pulse."""
    model = ExpStep(dw=0.00135, **{**NO_SPREAD, "up_down": 0.259359}, **GONG)
    for up, start in ((True, -1.0), (False, 1.0)):
        w, expected = start, [start]
        for _ in range(1500):
            z = 2 * w / 2 * -0.5 - 0.5
            if up:
                w += 0.00135 * max(1 + 1.18445 * np.exp(5 * z), 0)
            else:
                w -= 0.00135 * (1 - 0.259359) * max(1 + 0.081404 * np.exp(-5 * z), 0)
            w = min(max(w, -1.0), 1.0)
            expected.append(w)
        np.testing.assert_allclose(curve(model, start, 1500, up=up), expected, rtol=1e-12)
    up, down = curve(model, -1.0, 200, up=True), curve(model, 1.0, 200, up=False)
    assert np.diff(up)[0] > 1.2 * np.diff(up)[150]  # steps shrink
    assert abs(np.diff(down)[0]) > 2 * abs(np.diff(up)[0])  # and differ by direction


@pytest.mark.parametrize("model", [SoftBounds(dw=0.01, **NO_SPREAD), ExpStep(dw=0.00135, **NO_SPREAD, **GONG)])
def test_cells_are_written_to_the_tolerance(model):
    targets = np.tile(np.linspace(-0.9, 0.9, 50), (4, 1))
    seen, count = model.written(targets, model.drawn(targets.shape, rng(3)), rng())
    assert np.abs(seen - targets).max() <= 0.02
    assert (np.diff(count[0]) >= 0).all()  # farther takes more pulses


def test_spread_acts_as_configured():
    bounds = SoftBounds(
        dw=0.1, **{**NO_SPREAD, "cell_steps": 0.3, "upper_spread": 0.2, "lower_spread": 0.1, "up_down": 0.2}
    ).drawn((1000, 1000), rng())
    assert np.log(bounds.up).std() == pytest.approx(0.3, rel=0.02)
    assert bounds.up.mean() == pytest.approx(1.0, rel=0.02)
    np.testing.assert_allclose(bounds.down, 0.8 * bounds.up)
    assert bounds.upper.std() == pytest.approx(0.2, rel=0.02)
    assert bounds.lower.std() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("name", ["hfo2_array", "hfo2_array_optimized", "gong_2018"])
def test_the_mean_number_of_pulses_is_that_of_other_cells(name):
    """What the report states comes from a few thousand cells; it is that of any others to 2 % of pulses."""
    device = resolve_device(name)
    (model,) = (m for m in device.models.values() if isinstance(m, Pulsed))
    targets = np.linspace(-1, 1, 20_000).reshape(100, 200)
    _, count = model.written(targets, model.drawn(targets.shape, rng(8)), rng(7))
    assert model.writing(device.cell).pulses == pytest.approx(count.mean(), rel=0.05)
