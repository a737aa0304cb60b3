"""Corrections act on what cells give, whatever is computed beside them."""

import numpy as np
import pytest
from test_dies import device, program_for, wide_matrix
from test_engines import SCHEMES, integer_product, random_codes

from rcompile.backends.chip import Chip
from rcompile.backends.compensation import Blank, Compensated, Correction, Unclipped
from rcompile.backends.die import Die
from rcompile.backends.functional import Functional
from rcompile.backends.mixed import Mixed
from rcompile.devices.model import Cell
from rcompile.devices.power_drift import PowerDrift
from rcompile.devices.read_noise import ReadNoise


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_gain_recovers_drift_with_every_scheme(scheme):
    """All cells conduct half: doubling what cells give, and nothing that is computed, is the remedy."""
    matrix, placed, target = program_for(scheme, **{"adc.bits": "24"})
    vectors = random_codes(matrix, 200)
    die = Die(device(age_s=16.0, cell=Cell(0.0, 1e-4), power_drift=PowerDrift(0.25)), lines=target.lines)
    expected = integer_product(matrix, vectors).astype(float)
    errors = {}
    for kind in (Correction.NONE, Correction.DRIFT):
        engine = Mixed(placed, Chip(placed, die)) if kind is Correction.NONE else Compensated(placed, die, kind)
        if isinstance(engine, Compensated):  # as `fit` does for whole models
            engine._ideal = Functional(placed, ideal_converters=True)
            engine.accumulate(0, vectors)
            engine._ideal = None
        errors[kind] = np.sqrt(np.square(engine.accumulate(0, vectors) - expected).mean())
    assert errors[Correction.DRIFT] < 0.75 * errors[Correction.NONE]  # sums that are halved are rounded
    assert 1.4 < engine._fits[0].line()[0][0, 0] < 2.1  # less than 2 where rounding is as large as sums


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "xnor_pair"])
def test_what_is_computed_beside_cells_is_what_a_blank_chip_gives(scheme):
    matrix, placed, _ = program_for(scheme)
    vectors = random_codes(matrix, 20)
    fast = Functional(placed, Blank(placed), ideal_converters=True).accumulate(0, vectors)
    np.testing.assert_array_equal(fast, Unclipped(placed, Blank(placed)).accumulate(0, vectors))


def test_calibration_sees_other_noise_than_what_is_corrected():
    """The same vectors, read to fit and read to be corrected, are two reads."""
    _, placed, target = program_for("offset")
    die = Die(device(read_noise=ReadNoise(0.2)), lines=target.lines)
    vectors, chip = random_codes(wide_matrix(), 30), Chip(placed, die)
    engine = Compensated(placed, die, Correction.OFFSET)
    engine._ideal = Functional(placed, ideal_converters=True)
    fitted = engine.accumulate(0, vectors)
    engine._ideal = None
    assert (engine.accumulate(0, vectors) != fitted).any()
    plain = Mixed(placed, chip)
    assert (plain.accumulate(0, vectors) == plain.accumulate(0, vectors)).all()
