"""Drivers and amplifiers: errors as configured, none where nothing is driven."""

import numpy as np
import pytest

from rcompile.circuits.amplifiers import Amplifiers
from rcompile.circuits.drivers import Drivers


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_without_errors_nothing_changes():
    drivers = Drivers()
    assert drivers.none
    np.testing.assert_array_equal(drivers.drawn(5, 7, rng()), np.tile(np.arange(8.0), (5, 1)))


def test_gain_and_offset_spread_from_row_to_row():
    table = Drivers(offset_lsb=0.3, gain=0.05).drawn(200_000, 3, rng())
    assert (table[:, 0] == 0).all()
    slope = (table[:, 3] - table[:, 1]) / 2
    assert slope.std() == pytest.approx(0.05, rel=0.02)
    assert (table[:, 1] - slope).std() == pytest.approx(0.3, rel=0.02)


def test_steps_and_bow_are_those_configured():
    table = Drivers(dnl_lsb=0.1).drawn(20_000, 15, rng())
    steps = np.diff(table[:, 1:], axis=1)
    ideal = (table[:, -1] - table[:, 1]) / 14
    # against a line through both ends of 15 steps, each of spread s: s sqrt(1 - 1/15)
    assert (steps - 1).std() == pytest.approx(0.1 * np.sqrt(14 / 15), rel=0.02)
    assert ideal.mean() == pytest.approx(1, rel=1e-3)
    bow = Drivers(inl_lsb=0.5).drawn(1, 14, rng())[0] - np.arange(15.0)
    assert bow[7] == pytest.approx(0.5)
    assert bow[14] == pytest.approx(0)


def test_negative_digits_are_driven_with_the_negative():
    drivers = Drivers(offset_lsb=0.3, gain=0.1)
    table = drivers.drawn(4, 3, rng())
    digits = np.array([[0, 1, 3], [0, -1, -3], [2, 0, -2], [1, 1, 1]])
    found = drivers.driven(table, digits)
    assert found[1, 1] == -table[1, 1]
    assert found[0, 2] == table[0, 3]
    assert found[2, 1] == 0


@pytest.mark.parametrize("digit", [1, 3, 7])
def test_noise_of_voltages_and_pulses(digit):
    """Thermal noise moves a voltage by as much whatever it is, a pulse with its length; jitter the other way round."""
    driven = np.full((1, 200_000), float(digit))
    draws = rng().standard_normal((2, 1, 200_000))
    for drivers, pulses, spread in (
        (Drivers(noise=0.02), False, 7 * 0.02),
        (Drivers(noise=0.02), True, digit * 0.02),
        (Drivers(jitter=0.1), False, digit * 0.1),
        (Drivers(jitter=0.1), True, 0.1),
    ):
        found = drivers.blurred(driven, 7, *draws, pulses=pulses)
        assert found.std() == pytest.approx(spread, rel=0.02)
        assert (drivers.blurred(0 * driven, 7, *draws, pulses=pulses) == 0).all()


def test_amplifiers_spread_from_column_to_column():
    gain, offset = Amplifiers(gain=0.03, offset_a=2e-7, droop=0.1).drawn(200_000, rng())
    assert gain.mean() == pytest.approx(0.9, rel=1e-3)
    assert (gain / 0.9).std() == pytest.approx(0.03, rel=0.02)
    assert offset.std() == pytest.approx(2e-7, rel=0.02)
    assert Amplifiers().none
    assert not Amplifiers(droop=0.1).draws
