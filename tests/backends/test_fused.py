"""The fused engine gives the reference's accumulators bit for bit: random programs, converters and dies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_converters import calibrated
from test_dies import device, program_for
from test_engines import SCHEMES, matrices, random_codes, targets

from rcompile.backends.chip import Chip
from rcompile.backends.die import Die
from rcompile.backends.fused import Fused
from rcompile.backends.mixed import Mixed
from rcompile.backends.reference import Reference
from rcompile.circuits.amplifiers import Amplifiers
from rcompile.circuits.converters import Converters
from rcompile.circuits.drivers import Drivers
from rcompile.circuits.wires import Wires
from rcompile.devices.lognormal import Lognormal
from rcompile.devices.model import Cell
from rcompile.devices.read_noise import ReadNoise
from rcompile.devices.sinh import Sinh


def same(placed, chip_of, vectors) -> None:
    """Both engines on chips of their own, so that neither sees what the other has kept."""
    reference, fused = Reference(placed, chip_of()), Fused(placed, chip_of())
    expected = reference.accumulate(0, vectors)
    if fused.can_run(0):
        np.testing.assert_array_equal(fused.accumulate(0, vectors), expected)
        some = np.arange(len(vectors))[::3]
        np.testing.assert_array_equal(
            fused.accumulate(0, vectors[::3], some, 1), reference.accumulate(0, vectors[::3], some, 1)
        )
    np.testing.assert_array_equal(Mixed(placed, chip_of()).accumulate(0, vectors), expected)


@given(data=st.data(), matrix=matrices(), copies=st.integers(1, 3), count=st.sampled_from([1, 2, 7, 31, 33]))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_lossless_and_lossy_programs(data, matrix, copies, count):
    target = data.draw(targets(matrix))
    if data.draw(st.booleans()):
        resolution = data.draw(st.sampled_from(["calibrated", "adaptive", "per_column"]))
        target = replace(target, adc=replace(target.adc, resolution=resolution, bits=data.draw(st.integers(1, 6))))
    placed = calibrated(matrix, target, random_codes(matrix, 9), copies)
    same(placed, lambda: Chip(placed), random_codes(matrix, count))


@given(
    data=st.data(),
    matrix=matrices(),
    bits=st.integers(2, 10),
    reference_column=st.booleans(),
    errors=st.booleans(),
    count=st.sampled_from([1, 7, 65]),
)
@settings(max_examples=12, deadline=None, derandomize=True)
def test_dies_with_everything_on_them(data, matrix, bits, reference_column, errors, count):
    """The same draws in both: of cells, reads, drivers, amplifiers and converters."""
    target = data.draw(targets(matrix))
    target = replace(target, adc=replace(target.adc, resolution="calibrated", bits=bits))
    placed = calibrated(matrix, target, random_codes(matrix, 9))
    models = {"lognormal": Lognormal(0.2), "read_noise": ReadNoise(0.05)}
    if data.draw(st.booleans()):
        own = device(None, 10.0, Cell(5e-6, 1e-4), **models, sinh=Sinh(0.2))
    else:
        own = device(Wires(5.0, 5.0), 10.0, Cell(5e-6, 1e-4), **models)
    own = replace(own, drivers=Drivers(noise=0.02, gain=0.02), amplifiers=Amplifiers(gain=0.02, noise_a=1e-7))
    if errors:
        own = replace(own, converters=Converters(0.3, 0.02, 0.3, 0.1, 0.2))
    die = Die(own, lines=target.lines, reference_column=reference_column)
    same(placed, lambda: Chip(placed, die), random_codes(matrix, count))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", ["sar", "ramp", "tdc", "sense_amplifier"])
def test_each_scheme_and_kind_of_converter(scheme, kind):
    matrix, _, target = program_for(scheme)
    resolution = "lossless" if kind == "sense_amplifier" else "calibrated"
    target = replace(
        target, adc=replace(target.adc, kind=kind, resolution=resolution, bits=24 if kind == "sense_amplifier" else 5)
    )
    vectors = random_codes(matrix, 40)
    placed = calibrated(matrix, target, vectors)
    die = Die(replace(device(lognormal=Lognormal(0.1)), converters=Converters(noise_lsb=0.3)), lines=target.lines)
    same(placed, lambda: Chip(placed), vectors)
    same(placed, lambda: Chip(placed, die), vectors)
