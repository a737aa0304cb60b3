"""Compiled lookups give the reference's accumulators bit for bit, on every instruction set that runs here."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_converters import calibrated
from test_dies import device, program_for, wide_matrix
from test_engines import SCHEMES, matrices, random_codes, targets

from rcompile.backends.chip import Chip
from rcompile.backends.die import Die
from rcompile.backends.functional import Functional
from rcompile.backends.lookup import Lookup
from rcompile.backends.reference import Reference
from rcompile.circuits.wires import Wires
from rcompile.devices.access import Access
from rcompile.devices.lognormal import Lognormal
from rcompile.devices.model import Cell
from rcompile.devices.read_noise import ReadNoise
from rcompile.devices.stuck import Stuck
from rcompile.kernels import all_kernels
from rcompile.targets import resolve_target

KERNELS = [kernels for kernels in all_kernels() if kernels.runs]

pytestmark = pytest.mark.skipif(not KERNELS, reason="kernels were not compiled: there was no compiler")


def check(placed, chip_of, vectors) -> int:
    """Compare all kernels with the reference, on chips of their own; return how many could run."""
    expected = Reference(placed, chip_of()).accumulate(0, vectors)
    some, again = np.arange(len(vectors))[::3], None
    ran = 0
    for kernels in KERNELS:
        engine = Lookup(placed, kernels, chip_of())
        if engine.can_run(0):
            ran += 1
            np.testing.assert_array_equal(engine.accumulate(0, vectors), expected, err_msg=kernels.name)
            if again is None:
                again = Reference(placed, chip_of()).accumulate(0, vectors[::3], some, 1)
            np.testing.assert_array_equal(engine.accumulate(0, vectors[::3], some, 1), again, err_msg=kernels.name)
    return ran


@given(
    data=st.data(), matrix=matrices(), copies=st.integers(1, 3), bits=st.integers(1, 9),
    count=st.sampled_from([1, 2, 7, 31, 33, 70]),
)  # fmt: skip
@settings(max_examples=330, deadline=None, derandomize=True)
def test_programs_with_converters_that_matter(data, matrix, copies, bits, count):
    target = data.draw(targets(matrix))
    if data.draw(st.booleans()):
        resolution = data.draw(st.sampled_from(["calibrated", "per_column", "adaptive"]))
        left_out = data.draw(st.sampled_from([{}, {"truncated_bits": 1}, {"skipped_below": 3}]))
        target = replace(target, adc=replace(target.adc, resolution=resolution, bits=bits, **left_out))
    placed = calibrated(matrix, target, random_codes(matrix, 9), copies)
    check(placed, lambda: Chip(placed), random_codes(matrix, count))


@given(
    data=st.data(), matrix=matrices(), bits=st.integers(2, 10), noise=st.sampled_from([0.0, 0.1]),
    wires=st.booleans(), reference_column=st.booleans(), count=st.sampled_from([1, 7, 65]),
)  # fmt: skip
@settings(max_examples=170, deadline=None, derandomize=True)
def test_dies(data, matrix, bits, noise, wires, reference_column, count):
    target = data.draw(targets(matrix))
    target = replace(target, adc=replace(target.adc, resolution="calibrated", bits=bits))
    placed = calibrated(matrix, target, random_codes(matrix, 9))
    models = {"lognormal": Lognormal(0.3), "stuck": Stuck(0.05, 0.05)}
    if noise:
        models["read_noise"] = ReadNoise(noise)
    own = device(Wires(5.0, 5.0) if wires else None, 10.0, Cell(5e-6, 1e-4), **models)
    die = Die(own, lines=target.lines, reference_column=reference_column)
    check(placed, lambda: Chip(placed, die), random_codes(matrix, count))


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("dac_bits", [1, 2, 4])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme_is_read(scheme, dac_bits, noise):
    """Kernels run it, unless noise is drawn for crossbars that are subtracted or for digits of several bits."""
    matrix, _, target = program_for(scheme, **{"inputs.dac_bits": str(dac_bits)})
    target = replace(target, adc=replace(target.adc, resolution="calibrated", bits=6))
    placed = calibrated(matrix, target, random_codes(matrix, 9))
    models = {"lognormal": Lognormal(0.2)} | ({"read_noise": ReadNoise(noise)} if noise else {})
    die = Die(device(**models), lines=target.lines)
    vectors = random_codes(matrix, 40)
    assert check(placed, lambda: Chip(placed), vectors) == len(KERNELS)
    ran = check(placed, lambda: Chip(placed, die), vectors)
    item = placed.program.matrices[0]
    needs_more = noise and (dac_bits > 1 or item.analog or item.rows_per_weight > 1)
    assert ran == (0 if needs_more else len(KERNELS))


@pytest.mark.parametrize("device_of", [None, Lognormal(0.1)])
@pytest.mark.parametrize("scheme", ["offset", "differential_columns", "differential_rows"])
def test_cells_of_six_bits_take_two_planes(scheme, device_of):
    matrix, _, target = program_for(scheme, **{"crossbar.cell_bits": "6", "inputs.dac_bits": "1"})
    target = replace(target, adc=replace(target.adc, resolution="calibrated", bits=5))
    placed = calibrated(matrix, target, random_codes(matrix, 9))
    die = Die() if device_of is None else Die(device(lognormal=device_of), lines=target.lines)
    assert check(placed, lambda: Chip(placed, die), random_codes(matrix, 40)) == len(KERNELS)


def test_noise_of_so_many_rows_that_variances_would_overflow_is_left_to_numpy():
    matrix = replace(wide_matrix(), weights=np.random.default_rng(0).integers(-127, 128, (1, 1000, 6)))
    settings = {"weights.sign": "offset", "crossbar.rows": "1024", "adc.resolution": "calibrated", "adc.bits": "8"}
    settings |= {"inputs.dac_bits": "1", "crossbar.cell_bits": "2"}
    target = resolve_target("classroom", settings)
    vectors = random_codes(matrix, 30)
    vectors[::2] = 255
    placed = calibrated(matrix, target, vectors)
    noisy = device(cell=Cell(9e-5, 1e-4), lognormal=Lognormal(0.01), read_noise=ReadNoise(0.05))
    assert check(placed, lambda: Chip(placed, Die(noisy, lines=target.lines)), vectors) == 0
    assert check(placed, lambda: Chip(placed), vectors) == len(KERNELS)


def test_cells_that_differ_from_level_zero_by_rounding_alone():
    """Of an array of negative weights where there are none: no step is finer than 2^-15 of a level."""
    matrix, _, target = program_for("differential_arrays", **{"inputs.dac_bits": "1"})
    matrix = replace(matrix, weights=np.abs(matrix.weights))
    target = replace(target, adc=replace(target.adc, resolution="calibrated", bits=5))
    placed = calibrated(matrix, target, random_codes(matrix, 9))
    die = Die(device(None, 0.0, Cell(5e-6, 1e-4), access=Access(1e3)), lines=target.lines)
    chip = Chip(placed, die)
    assert min(chip.steps(crossbar).size for crossbar in range(placed.crossbars)) >= 2.0**-15
    check(placed, lambda: Chip(placed, die), random_codes(matrix, 40))


def test_no_vectors():
    matrix, placed, _ = program_for("offset", **{"inputs.dac_bits": "1"})
    none = random_codes(matrix, 1)[:0]
    for engine in (*(Lookup(placed, kernels) for kernels in KERNELS), Reference(placed), Functional(placed)):
        assert engine.accumulate(0, none).shape == (0, matrix.groups * matrix.columns)


@pytest.mark.parametrize("below", [0, 1, 3, 5])
@pytest.mark.parametrize("input_bits", [3, 4, 6, 8])
def test_conversions_that_are_skipped_count_nothing(input_bits, below):
    """Neither do the lanes between the last bit of a vector and the next vector."""
    matrix = wide_matrix()
    matrix = replace(matrix, input=replace(matrix.input, bits=input_bits))
    settings = {"weights.sign": "differential_columns", "weights.subtraction": "analog", "inputs.dac_bits": "1"}
    settings |= {"adc.resolution": "calibrated", "adc.bits": "5", "adc.skipped_below": str(below)}
    vectors = random_codes(matrix, 40)
    for sign in ({}, {"weights.sign": "offset", "weights.subtraction": "digital"}):
        placed = calibrated(matrix, resolve_target("classroom", settings | sign), vectors)
        die = Die(device(lognormal=Lognormal(0.1)))
        for chip in (Chip(placed), Chip(placed, die)):
            assert check(placed, lambda chip=chip: chip, vectors) == len(KERNELS)
