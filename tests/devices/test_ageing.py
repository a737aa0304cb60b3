"""What cells lose in time, by reads and by writes; heat, and refresh."""

from math import exp, log

import numpy as np
import pytest
from scipy import stats

from rcompile.devices import resolve_device
from rcompile.devices.ageing import Age, Refresh, Temperature
from rcompile.devices.flicker import Flicker
from rcompile.devices.model import Cell
from rcompile.devices.read_disturb import ReadDisturb
from rcompile.devices.retention import Retention
from rcompile.devices.wear import Wear

CELL = Cell(5e-6, 1e-4)
MILLION = (1000, 1000)
G = np.full(MILLION, 5e-5)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("t", [0.0, 1.0, 86400.0, 1e8])
@pytest.mark.parametrize("beta", [0.4, 1.0])
@pytest.mark.parametrize(("to", "end"), [("g_min", 5e-6), ("g_max", 1e-4)])
def test_retention_and_disturb_follow_their_laws(t, beta, to, end):
    kept = exp(-((t / 1e6) ** beta))
    expected = end + (5e-5 - end) * kept
    found = Retention(1e6, beta, to=to).drift(G[:1], t, CELL, rng())
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    found = ReadDisturb(100.0, 1e8, beta, to=to).drift(G[:1], t, CELL, rng())
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_retention_times_are_lognormal_from_cell_to_cell():
    found = Retention(1e6, 0.5, 0.8).drift(G, 1e5, CELL, rng())
    kept = (found - CELL.g_min_s) / (5e-5 - CELL.g_min_s)
    times = 1e5 / (-np.log(kept)) ** 2
    assert np.log(times).mean() == pytest.approx(log(1e6), rel=0.02)
    assert np.log(times).std() == pytest.approx(0.8, rel=0.02)
    assert stats.kstest(np.log(times.reshape(-1)[:20_000]), stats.norm(log(1e6), 0.8).cdf).pvalue > 0.01


@pytest.mark.parametrize("writes", [1, 30_000, 1_000_000])
def test_wear_follows_weibull_and_cells_that_failed_stay(writes):
    model = Wear(1e6, 1.5, 1e5, 0.3)
    found = model.stick(G, writes, CELL, rng())
    share = 1 - exp(-(((1e5 + writes) / 1e6) ** 1.5))
    assert (found != 5e-5).mean() == pytest.approx(share, rel=0.02)
    assert (found == CELL.g_max_s).mean() == pytest.approx(0.3 * share, rel=0.02)
    later = model.stick(G, 10 * writes, CELL, rng())
    failed = found != 5e-5
    np.testing.assert_array_equal(found[failed], later[failed])


@pytest.mark.parametrize("t", [1e-3, 1.0, 3600.0, 3e7])
@pytest.mark.parametrize(("of", "size"), [("value", 5e-5), ("g_max", 1e-4), ("log10", log(50, 10) * 1e-6)])
def test_flicker_has_the_variance_of_its_spectrum(t, of, size):
    """All slow where a run takes no time, split in two where it takes some; the sum is the same."""
    expected = (0.02 * size) ** 2 * log((t + 1e-6) / 2e-6)
    slow = Flicker(0.02, 1e-6, 0.0, of)
    assert slow.drift(G, t, CELL, rng()).var() == pytest.approx(expected, rel=0.02)
    assert slow.read_sigma(G, CELL) is None
    split = Flicker(0.02, 1e-6, 1e-4, of)
    fast = split.read_sigma(G[:1, :1], CELL)
    assert fast is not None
    assert split.drift(G, t, CELL, rng()).var() + float(fast[0, 0]) ** 2 == pytest.approx(expected, rel=0.02)


def test_slow_noise_has_a_key_for_each_time():
    model = Flicker(0.02, 1e-6)
    assert model.momentary
    keys = {Age(5.0, 5.0, 0, t).moment for t in (0.1, 0.9, 60.0, 3600.0)}
    assert len(keys) == 4
    assert Age(5.0, 5.0, 0, 60.0).moment == Age(9.0, 7.0, 3, 60.0).moment


def test_heat_makes_time_pass_faster():
    """An activation energy of 1 eV between 300 K and 350 K: 251 times."""
    assert Temperature(350.0, 300.0, 1.0).acceleration == pytest.approx(exp(11604.518 * (1 / 300 - 1 / 350)), rel=1e-6)
    assert Temperature(300.0, 300.0, 1.0).acceleration == 1
    device = resolve_device(
        "ideal@10s?temperature.kelvin=350&temperature.measured_kelvin=300&temperature.activation_ev=0"
    )
    assert device.age() == Age(10.0, 10.0, 0, 10.0)
    hot = resolve_device("ideal@10s?temperature.kelvin=350&temperature.measured_kelvin=300&temperature.activation_ev=1")
    assert hot.age().real_s == 10
    assert hot.age().seconds == pytest.approx(2511, rel=0.01)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, (0.0, 0)), (59.0, (59.0, 0)), (60.0, (60.0, 0)), (61.0, (1.0, 1)), (180.0, (60.0, 2))],
)
def test_refresh_starts_time_anew(seconds, expected):
    """A time of refresh is that just before it: the worst moment."""
    assert Refresh(60.0).after(seconds) == pytest.approx(expected)


@pytest.mark.parametrize("every", [0.1, 0.3, 0.7, 1 / 3])
def test_moments_of_refresh_are_those_before_it(every):
    for count in range(1, 200):
        seconds, times = Refresh(every).after(count * every)
        assert times == count - 1
        assert seconds == pytest.approx(every, rel=1e-9)


@pytest.mark.parametrize("shape", [0.1, 50.0])
def test_extremes_of_wear_and_loss_are_numbers(shape):
    assert Wear(1.0, shape, 1e15).failed(1) == pytest.approx(1.0, abs=1e-3)
    assert Wear(1e15, shape, 0.0).failed(1) == pytest.approx(0.0, abs=0.05)
    for beta in (0.05, 5.0):
        lost = Retention(1e-9, beta, 5.0).drift(G[:2], 1e12, CELL, rng())
        assert np.isfinite(lost).all()
        np.testing.assert_array_equal(Retention(1.0, beta).drift(G[:2], 0.0, CELL, rng()), G[:2])
