"""Converter errors: a ramp measures what was configured."""

import numpy as np
import pytest

from rcompile.circuits.converters import Converters, Errors, disturbed

RAMP = np.linspace(-3, 260, 1_000_000)


def seen_by(errors: Errors, sums: np.ndarray, low: float, step: float) -> np.ndarray:
    """One column's sums as `disturbed` makes them, without noise."""
    ends = np.full((1, 1), low), np.full((1, 1), step)
    return disturbed(sums[None], *ends, [errors], np.zeros((1, len(sums))))[0]


def codes_of(errors: Errors, *, low: float = 0.0, step: float = 1.0) -> np.ndarray:
    """Codes that a converter of 256 codes gives for a ramp of codes: those of an ideal one behind the disturbance."""
    sums = low + step * RAMP
    seen = seen_by(errors, sums, low, step)
    return np.clip(np.floor((seen + 0.5 - low) / step), 0, 255)


def thresholds(codes: np.ndarray) -> np.ndarray:
    """Where the ramp first reaches each code from 1 on, in codes."""
    return RAMP[np.searchsorted(codes, np.arange(1, 256))]


def measured(errors: Errors) -> tuple[np.ndarray, np.ndarray]:
    """Integral and differential nonlinearity of the thresholds, in codes, against a line through the ends."""
    found = thresholds(codes_of(errors))
    line = np.linspace(found[0], found[-1], len(found))
    return found - line, np.diff(found) - (found[-1] - found[0]) / (len(found) - 1)


def test_without_errors_nothing_changes():
    errors = Converters().drawn(256, np.random.default_rng(0))
    assert Converters().none
    sums = np.arange(-5.0, 300.0)
    np.testing.assert_array_equal(seen_by(errors, sums, 2.0, 4.0), sums)


@pytest.mark.parametrize(("low", "step"), [(0, 1), (-7, 1), (5, 4), (-64, 16)])
def test_whole_sums_keep_their_codes_through_even_thresholds(low, step):
    """With a nonlinearity too small to matter, a real converter takes the code that an ideal one does."""
    errors = Errors(0.0, 0.0, np.full(64, 1e-9))
    sums = np.arange(low, low + 64 * step, dtype=float)
    seen = seen_by(errors, sums, low, step)
    np.testing.assert_array_equal(np.floor((seen - low) / step), np.floor((sums - low) / step))


def test_offset_and_gain_move_the_thresholds():
    found = thresholds(codes_of(Errors(2.5, 0.02, np.zeros(256))))
    ideal = np.arange(1, 256) - 0.5
    np.testing.assert_allclose(found, (ideal - 2.5) / 1.02, atol=1e-3)


def test_the_bow_is_what_was_configured():
    inl, _ = measured(Converters(inl_lsb=1.5).drawn(256, np.random.default_rng(0)))
    assert inl.max() == pytest.approx(1.5, rel=0.02)
    assert abs(int(inl.argmax()) - 127) < 3


def test_code_widths_spread_as_configured():
    spread = [measured(Converters(dnl_lsb=0.1).drawn(256, np.random.default_rng(seed)))[1].std() for seed in range(40)]
    assert np.mean(spread) == pytest.approx(0.1, rel=0.02)


def test_draws_have_the_spread_configured():
    drawn = [Converters(offset_lsb=0.7, gain=0.03).drawn(4, np.random.default_rng(seed)) for seed in range(20_000)]
    assert np.std([errors.offset for errors in drawn]) == pytest.approx(0.7, rel=0.02)
    assert np.std([errors.gain for errors in drawn]) == pytest.approx(0.03, rel=0.02)


def test_a_missing_code_is_never_given():
    """A threshold that comes after the next one takes its code's place."""
    nonlinearity = np.zeros(256)
    nonlinearity[100] = 2.0
    codes = codes_of(Errors(0.0, 0.0, nonlinearity))
    assert 100 not in codes
    assert (np.diff(codes) >= 0).all()


def test_capacitors_make_the_widest_error_where_most_bits_change():
    """SAR: the step at mid-scale has the spread configured, those around it less and less."""
    drawn = [Converters(dnl_lsb=0.2).drawn(256, np.random.default_rng(seed), "sar") for seed in range(4000)]
    steps = np.array([np.diff(errors.nonlinearity) for errors in drawn]).std(axis=0)
    assert steps[127] == pytest.approx(0.2, rel=0.04)  # from 01111111 to 10000000
    assert steps[63] == pytest.approx(0.2 / 2**0.5, rel=0.05)
    assert steps[0] < 0.2 / 10
    dnl = [measured(errors)[1][126] for errors in drawn[:400]]
    assert np.std(dnl) == pytest.approx(0.2, rel=0.1)


def test_comparators_of_a_flash_converter_err_one_by_one():
    """Steps have the spread configured, but errors do not add up along the codes."""
    drawn = [Converters(dnl_lsb=0.1).drawn(256, np.random.default_rng(seed), "flash") for seed in range(40)]
    dnl = np.array([measured(errors)[1] for errors in drawn])
    inl = np.array([measured(errors)[0] for errors in drawn])
    assert dnl.std() == pytest.approx(0.1, rel=0.03)
    assert inl[:, 100:150].std() < 0.15
    walked = [Converters(dnl_lsb=0.1).drawn(256, np.random.default_rng(seed), "tdc") for seed in range(40)]
    assert np.array([measured(errors)[0] for errors in walked])[:, 100:150].std() > 0.4
    assert (np.diff(drawn[0].nonlinearity + np.arange(256)) >= 0).all()


def test_columns_that_share_a_ramp_share_its_steps():
    def drawn(own, kind):
        generators = np.random.default_rng(own), np.random.default_rng(99)
        return Converters(offset_lsb=1.0, dnl_lsb=0.1).drawn(64, generators[0], kind, generators[1])

    np.testing.assert_array_equal(drawn(1, "ramp").nonlinearity, drawn(2, "ramp").nonlinearity)
    assert drawn(1, "ramp").offset != drawn(2, "ramp").offset
    assert (drawn(1, "tdc").nonlinearity != drawn(2, "tdc").nonlinearity).any()


def test_noise_of_counts_adds_up():
    codes = np.array([0.0, 4.0, 100.0])
    errors = Converters(noise_lsb=0.1)
    np.testing.assert_allclose(errors.noise_of(codes, "sar"), 0.1)
    for kind in ("tdc", "integrate_and_fire"):
        np.testing.assert_allclose(errors.noise_of(codes, kind), [0.0, 0.2, 1.0])
