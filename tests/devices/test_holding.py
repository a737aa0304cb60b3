"""How long cells hold their levels, against the laws that make them lose them."""

from math import log

import pytest

from rcompile.devices import resolve_device
from rcompile.devices.holding import holds_s

EXPONENTIAL = "ideal?retention.tau_s=1e6&retention.beta=1"


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_an_exponential_loss_reaches_half_a_level_when_its_law_says(bits):
    half = 0.5 / (2**bits - 1)  # of the span, which the highest level loses all of
    assert holds_s(resolve_device(EXPONENTIAL), bits) == pytest.approx(-1e6 * log(1 - half), rel=1e-6)


def test_one_cell_in_a_hundred_counts_where_cells_differ():
    found = holds_s(resolve_device(EXPONENTIAL + "&retention.sigma=0.5"), 1)
    assert found == pytest.approx(1e6 * log(2) * 2.718281828 ** (-0.5 * 2.3263), rel=0.05)  # their 1 % quantile


def test_heat_shortens_the_time_by_what_it_makes_time_faster():
    hot = EXPONENTIAL + "&temperature.kelvin=350&temperature.measured_kelvin=300&temperature.activation_ev=1"
    device = resolve_device(hot)
    assert device.temperature is not None
    cold = holds_s(resolve_device(EXPONENTIAL), 2)
    assert holds_s(device, 2) * device.temperature.acceleration == pytest.approx(cold, rel=1e-6)


def test_cells_that_do_not_change_or_only_flicker_hold_for_ever():
    assert holds_s(resolve_device("ideal"), 4) is None
    assert holds_s(resolve_device("ideal?telegraph.share=1&telegraph.amplitude=0.9"), 4) is None
