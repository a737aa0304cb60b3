"""Programs on dies whose circuits err: gated and floating rows, reference columns, drivers, amplifiers, refresh."""

from dataclasses import fields, replace

import numpy as np
import pytest
from test_dies import CELL, device, program_for, wide_matrix
from test_engines import random_codes

from rcompile.backends.chip import Chip
from rcompile.backends.die import Die, Vectors
from rcompile.backends.reference import Reference
from rcompile.circuits.amplifiers import Amplifiers
from rcompile.circuits.converters import Converters
from rcompile.circuits.drivers import Drivers
from rcompile.circuits.gated import Gated
from rcompile.circuits.wires import Wires
from rcompile.devices.access import Access
from rcompile.devices.ageing import Refresh, Temperature
from rcompile.devices.device import CIRCUITS as DEVICE_CIRCUITS
from rcompile.devices.faults import FaultMap
from rcompile.devices.lognormal import Lognormal
from rcompile.devices.model import Cell
from rcompile.devices.normal import Normal
from rcompile.devices.power_drift import PowerDrift
from rcompile.devices.read_noise import ReadNoise
from rcompile.devices.soft_bounds import SoftBounds
from rcompile.devices.wear import Wear
from rcompile.errors import UsageError
from rcompile.targets import resolve_target
from rcompile.verification.trials import Conditions

CIRCUITS = {
    "wires": (
        Wires(20.0, 30.0, 100.0, 50.0),
        {"row_ohm": 5.0, "column_ohm": 5.0, "driver_ohm": 10.0, "sense_ohm": 10.0, "drive": "right", "sense": "top",
         "idle": "floating"},
    ),
    "gated": (
        Gated(20.0, 30.0, 100.0, 50.0),
        {"bit_line_ohm": 5.0, "source_line_ohm": 5.0, "driver_ohm": 10.0, "sense_ohm": 10.0, "supply": "far_end"},
    ),
    "drivers": (
        Drivers(0.1, 0.1, 0.1, 0.1, 0.05, 0.05),
        {"offset_lsb": 0.2, "gain": 0.2, "dnl_lsb": 0.2, "inl_lsb": 0.2, "noise": 0.1, "jitter": 0.1},
    ),
    "amplifiers": (
        Amplifiers(0.1, 1e-6, 1e-6, 0.1),
        {"gain": 0.2, "offset_a": 2e-6, "noise_a": 2e-6, "droop": 0.2},
    ),
    "converters": (
        Converters(0.5, 0.05, 0.5, 0.2, 0.5),
        {"offset_lsb": 1.0, "gain": 0.1, "noise_lsb": 1.0, "dnl_lsb": 0.4, "inl_lsb": 1.0},
    ),
    "temperature": (Temperature(350.0, 300.0, 1.0), {"kelvin": 400.0, "measured_kelvin": 310.0, "activation_ev": 0.5}),
    "refresh": (Refresh(70.0), {"every_s": 45.0}),
}  # fmt: skip
"""Each circuit, and another value of each of its fields."""


def test_each_circuit_is_known_here():
    assert CIRCUITS.keys() == DEVICE_CIRCUITS.keys()


@pytest.mark.parametrize("section", list(CIRCUITS))
def test_every_field_of_a_circuit_changes_what_a_die_reads(section):
    """On digits of two bits: steps between them are several."""
    settings = {} if section == "gated" else {"inputs.dac_bits": "2"}
    _, placed, target = bits_program(**settings)
    vectors = random_codes(wide_matrix(), 8)

    def read(circuit):
        own = replace(device(age_s=100.0, power_drift=PowerDrift(0.1)), **{section: circuit})
        return Reference(placed, Chip(placed, Die(own, lines=target.lines))).accumulate(0, vectors)

    base, changes = CIRCUITS[section]
    assert changes.keys() == {item.name for item in fields(base)}
    before = read(base)
    for field, value in changes.items():
        assert (read(replace(base, **{field: value})) != before).any(), field


def bits_program(**settings):
    return program_for("differential_columns", **{"inputs.dac_bits": "1", **settings})


def test_gated_columns_are_read_as_their_ladder_says():
    """Row by row as they lie on the crossbar, spare lines and the order of faults' wiring included."""
    _, placed, target = bits_program()
    lines = Gated(4.0, 3.0, 100.0, 50.0, "far_end")
    chip = Chip(placed, Die(replace(device(cell=Cell(1e-6, 1e-4)), gated=lines), lines=target.lines))
    crossbar = int(placed.places["crossbar"][0])
    step = 9.9e-5 / 3
    g = 1e-6 + Chip(placed).levels(crossbar) * step
    digits = np.random.default_rng(0).integers(0, 2, (len(g), 7)).astype(float)
    found = chip.sums(crossbar, digits, 1, np.arange(g.shape[1]), Vectors(np.arange(7), (0, 0, 0, 0)))
    expected = (lines.sensed(g, digits) - 1e-6 * digits.sum(axis=0)) / step
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_gated_pulses_are_read_as_long_as_they_last():
    """A digit of 3 is three reads of bits: those in which its row is still on."""
    _, placed, target = program_for(
        "differential_columns", **{"inputs.encoding": "pulse_width", "inputs.dac_bits": "2"}
    )
    lines = Gated(40.0, 30.0)
    chip = Chip(placed, Die(replace(device(), gated=lines), lines=target.lines, pulses=True))
    crossbar = int(placed.places["crossbar"][0])
    digits = np.random.default_rng(0).integers(0, 4, (target.crossbar.rows, 5)).astype(float)
    which, columns = Vectors(np.arange(5), (0, 0, 0, 0)), np.arange(target.crossbar.columns)
    found = chip.sums(crossbar, digits, 3, columns, which)
    parts = [chip.sums(crossbar, (digits >= pulse).astype(float), 1, columns, which) for pulse in (1, 2, 3)]
    np.testing.assert_allclose(found, sum(parts), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"inputs.dac_bits": "2"}, "--set inputs.dac_bits=1"),
        ({"inputs.dac_bits": "1", "weights.sign": "differential_rows"}, "another sign scheme"),
    ],
)
def test_gated_rows_refuse_voltages(settings, remedy):
    conditions = Conditions(device=replace(device(), gated=Gated(1.0, 1.0)))
    with pytest.raises(UsageError, match=remedy):
        conditions.require_target(resolve_target("classroom", settings))


def test_floating_rows_take_what_the_network_gives_them():
    _, placed, target = bits_program()
    wires = Wires(30.0, 30.0, 200.0, 100.0, idle="floating")
    chip = Chip(placed, Die(device(wires), lines=target.lines))
    crossbar = int(placed.places["crossbar"][0])
    step = CELL.span_s / 3
    sensed, ports = wires.network(CELL.g_min_s + Chip(placed).levels(crossbar) * step)
    digits = np.random.default_rng(0).integers(0, 2, (len(sensed), 6)).astype(float)
    found = chip.sums(crossbar, digits, 1, np.arange(sensed.shape[1]), Vectors(np.arange(6), (0, 0, 0, 0)))
    expected = (sensed.T @ wires.settled(ports, digits) - CELL.g_min_s * digits.sum(axis=0)) / step
    np.testing.assert_allclose(found, expected, atol=2e-3)  # voltages count to 1/65536
    grounded = (sensed.T @ digits - CELL.g_min_s * digits.sum(axis=0)) / step
    assert np.abs(expected - grounded).max() > 0.1


def test_a_reference_column_takes_off_what_level_zero_has_become():
    """All cells conduct half of what was written: computed, level 0 is overestimated; measured, it is not."""
    _, placed, target = program_for("offset")
    crossbar = int(placed.places["crossbar"][0])
    halved = device(age_s=16.0, cell=Cell(5e-5, 1e-4), power_drift=PowerDrift(0.25))
    digits = np.random.default_rng(0).integers(0, 2, (target.crossbar.rows, 5)).astype(float)
    which, columns = Vectors(np.arange(5), (0, 0, 0, 0)), np.arange(target.crossbar.columns)
    computed, measured = (
        Chip(placed, Die(halved, lines=target.lines, reference_column=reference)).sums(
            crossbar, digits, 1, columns, which
        )
        for reference in (False, True)
    )
    expected = Chip(placed).levels(crossbar).T @ digits / 2
    np.testing.assert_allclose(measured, expected, atol=1e-9)
    level_zero = 5e-5 / (5e-5 / 3)
    np.testing.assert_allclose(computed, expected - level_zero / 2 * digits.sum(axis=0), atol=1e-9)


def test_a_reference_column_spreads_its_own_errors_over_all_columns():
    _, placed, target = program_for("offset")
    own = device(cell=Cell(5e-5, 1e-4), lognormal=Lognormal(0.2), read_noise=ReadNoise(0.05))
    chip = Chip(placed, Die(own, lines=target.lines, reference_column=True))
    crossbar = int(placed.places["crossbar"][0])
    digits = np.ones((target.crossbar.rows, 2000))
    columns = np.arange(target.crossbar.columns)
    found = chip.sums(crossbar, digits, 1, columns, Vectors(np.arange(2000), (0, 0, 0, 0)))
    steps, unit = chip.variance(crossbar)
    variance = steps.sum(axis=0) * unit
    own, shared = variance[:-1], variance[-1]
    covariance = np.cov(found[:3])
    np.testing.assert_allclose(np.diag(covariance), own[:3] + shared, rtol=0.15)
    np.testing.assert_allclose(covariance[0, 1:3], shared, rtol=0.25)


def test_refresh_writes_anew():
    """A rewrite draws its own errors; cells that age keep their own pace, and start over."""
    _, placed, target = program_for("offset")
    crossbar = int(placed.places["crossbar"][0])

    def levels(seconds, **models):
        own = replace(device(age_s=seconds, **models), refresh=Refresh(10.0))
        return Chip(placed, Die(own, lines=target.lines)).levels(crossbar)

    assert (levels(5.0, normal=Normal(0.1)) == levels(10.0, normal=Normal(0.1))).all()
    assert (levels(5.0, normal=Normal(0.1)) != levels(15.0, normal=Normal(0.1))).mean() > 0.9
    np.testing.assert_allclose(levels(15.0, power_drift=PowerDrift(0.1)), levels(5.0, power_drift=PowerDrift(0.1)))
    assert (levels(15.0, power_drift=PowerDrift(0.1)) != levels(10.0, power_drift=PowerDrift(0.1))).any()


def test_drivers_err_alike_for_all_columns_of_a_read():
    _, placed, target = bits_program()
    crossbar = int(placed.places["crossbar"][0])
    digits = np.ones((target.crossbar.rows, 3000))
    own = replace(device(cell=Cell(1e-6, 1e-4)), drivers=Drivers(noise=0.1))
    chip = Chip(placed, Die(own, lines=target.lines))
    columns = np.arange(target.crossbar.columns)
    found = chip.sums(crossbar, digits, 1, columns, Vectors(np.arange(3000), (0, 0, 0, 0)))
    g = chip.levels(crossbar) + 1e-6 / (9.9e-5 / 3)
    expected = 0.01 * g.T @ g  # covariance of sums of independent rows
    np.testing.assert_allclose(np.cov(found)[:4, :4], expected[:4, :4], rtol=0.15)


def test_amplifiers_count_in_amperes():
    """An offset of 1 uA is 1 uA over the current of one level at the read voltage."""
    _, placed, target = program_for("offset", **{"inputs.dac_bits": "3"})
    crossbar = int(placed.places["crossbar"][0])
    own = replace(device(), amplifiers=Amplifiers(offset_a=1e-6))
    digits = np.zeros((target.crossbar.rows, 1))
    found = Chip(placed, Die(own, lines=target.lines)).sums(
        crossbar, digits, 7, np.arange(target.crossbar.columns), Vectors(np.arange(1), (0, 0, 0, 0))
    )
    one = CELL.span_s / 3 * CELL.read_v / 7
    assert found.std() * one == pytest.approx(1e-6, rel=0.3)


def sums_of(placed, target, own, digits, top=1, **die):
    """What the first crossbar's columns give for digits (rows, vectors)."""
    chip = Chip(placed, Die(own, lines=target.lines, **die))
    columns = np.arange(target.crossbar.columns)
    which = Vectors(np.arange(digits.shape[1]), (0, 0, 0, 0))
    return chip.sums(int(placed.places["crossbar"][0]), digits, top, columns, which)


def test_read_noise_of_a_column_has_the_variance_of_its_cells():
    """As sums show it, behind a series resistance that damps it: sigma dG'/dG."""
    _, placed, target = bits_program()
    cell = Cell(3.3e-7, 5e-4)
    digits = np.ones((target.crossbar.rows, 4000))
    for ohm in (0.0, 2e4):
        own = device(cell=cell, read_noise=ReadNoise(0.05), access=Access(ohm))
        found = sums_of(placed, target, own, digits)
        g = Chip(placed).levels(int(placed.places["crossbar"][0])) / 3.0
        access = Access(ohm)
        low, high = access.series(np.array([cell.g_min_s, cell.g_max_s]))
        bare = access.aimed(cell.g_min_s + g * cell.span_s, cell)
        sigma = 0.05 * bare / (1 + bare * ohm) ** 2 / ((high - low) / 3)
        np.testing.assert_allclose(found.std(axis=1)[:8], np.sqrt((sigma**2).sum(axis=0))[:8], rtol=0.05)


def test_samples_of_amplifiers_are_noisy_in_amperes():
    _, placed, target = bits_program()
    own = replace(device(), amplifiers=Amplifiers(noise_a=2e-6))
    found = sums_of(placed, target, own, np.zeros((target.crossbar.rows, 4000)))
    one = CELL.span_s / 3 * CELL.read_v
    np.testing.assert_allclose(found.std(axis=1) * one, 2e-6, rtol=0.06)


def test_refresh_wears_cells():
    """A thousand rewrites, of an endurance of a thousand: 63 % have failed."""
    _, placed, target = bits_program()
    own = replace(device(age_s=1e4, wear=Wear(1000.0, 3.0, 0.0, 1.0)), refresh=Refresh(10.0))
    crossbar = int(placed.places["crossbar"][0])
    failed = Chip(placed, Die(own, lines=target.lines)).levels(crossbar) > 2.99
    written = Chip(placed).levels(crossbar) == 3
    assert (failed & ~written).sum() / (~written).sum() == pytest.approx(0.632, abs=0.03)


def test_noise_of_drivers_follows_how_inputs_are_encoded():
    _, placed, target = program_for(
        "differential_columns", **{"inputs.encoding": "pulse_width", "inputs.dac_bits": "2"}
    )
    own = replace(device(cell=Cell(1e-9, 1e-4)), drivers=Drivers(jitter=0.1))
    levels = Chip(placed).levels(int(placed.places["crossbar"][0]))
    expected = np.sqrt((levels.astype(float) ** 2).sum(axis=0))
    digits = np.full((target.crossbar.rows, 4000), 3.0)
    for pulses, size in ((True, 0.1), (False, 0.3)):
        found = sums_of(placed, target, own, digits, 3, pulses=pulses)
        np.testing.assert_allclose(found.std(axis=1)[:8], size * expected[:8], rtol=0.06)


def test_gated_rows_see_the_errors_of_their_drivers():
    _, placed, target = bits_program()
    own = replace(device(cell=Cell(1e-9, 1e-4)), gated=Gated(0.0, 0.0), drivers=Drivers(noise=0.1))
    levels = Chip(placed).levels(int(placed.places["crossbar"][0])).astype(float)
    found = sums_of(placed, target, own, np.ones((target.crossbar.rows, 2000)), pulses=True)
    np.testing.assert_allclose(found.std(axis=1)[:8], 0.1 * np.sqrt((levels**2).sum(axis=0))[:8], rtol=0.08)


def test_a_row_has_one_driver_in_all_cycles():
    """Three bits a digit of eight: the last cycle has two, of the same converter."""
    _, placed, target = bits_program(**{"inputs.dac_bits": "3"})
    own = replace(device(cell=Cell(1e-9, 1e-4)), drivers=Drivers(gain=0.2))
    digits = np.zeros((target.crossbar.rows, 1))
    digits[0] = 2.0
    wide, narrow = (sums_of(placed, target, own, digits, top) for top in (7, 3))
    np.testing.assert_allclose(wide, narrow, rtol=1e-9)


@pytest.mark.parametrize("kind", ["sar", "flash", "ramp", "tdc"])
def test_codes_are_uneven_as_the_kind_of_converter_has_it(kind):
    """What a chip's converters give is what `drawn` says for the kind; ramps are shared."""
    _, placed, target = bits_program()
    adc = replace(placed.program.matrices[0].converter, kind=kind)
    crossbar = int(placed.places["crossbar"][0])
    own = replace(device(), converters=Converters(dnl_lsb=0.5, noise_lsb=0.0))
    chip = Chip(placed, Die(own, lines=target.lines))
    ramp = np.tile(np.arange(0, 60, 0.05), (2, 1))
    tables = np.zeros(2, int), np.ones(2, int)
    found = chip.converted((crossbar, slice(0, 2)), ramp, tables, adc, Vectors(np.arange(ramp.shape[1]), (0, 0, 0, 0)))
    assert np.array_equal(found[0], found[1]) == (kind == "ramp")
    noisy = replace(device(), converters=Converters(noise_lsb=0.5))
    flat = np.full((1, 4000), 36.0)
    which = Vectors(np.arange(4000), (0, 0, 0, 0))
    one = np.zeros(1, int), np.ones(1, int)
    spread = (
        Chip(placed, Die(noisy, lines=target.lines)).converted((crossbar, slice(0, 1)), flat, one, adc, which).std()
    )
    assert spread == pytest.approx(3.0 if kind == "tdc" else 0.5, rel=0.06)


def test_cells_keep_their_pulses_from_write_to_write():
    """Steps and ends are a cell's own, whatever a refresh draws anew."""
    steps = {"dw": 0.2, "up_down": 0.0, "cycle": 0.0, "cell_steps": 0.5, "upper_spread": 0.3, "lower_spread": 0.3,
             "write_noise": 0.0, "tolerance": 0.05, "pulses": 30}  # fmt: skip
    _, placed, _ = bits_program()
    crossbar = int(placed.places["crossbar"][0])
    first, later = (
        Chip(placed, Die(replace(device(age_s=t, soft_bounds=SoftBounds(**steps)), refresh=Refresh(10.0)))).levels(
            crossbar
        )
        for t in (5.0, 15.0)
    )
    np.testing.assert_array_equal(first, later)


def test_dead_columns_of_gated_crossbars_are_silent():
    _, placed, target = bits_program()
    crossbar = int(placed.places["crossbar"][0])
    none = np.zeros((0, 3), np.int64)
    dead = np.array([[placed.position_of(crossbar), 2]])
    faults = FaultMap(none, none, none[:, :2], dead, none[:, :1])
    own = replace(device(age_s=100.0, cell=Cell(5e-5, 1e-4), power_drift=PowerDrift(0.1)), gated=Gated(0.0, 0.0))
    digits = np.ones((target.crossbar.rows, 3))
    for reference in (False, True):
        found = sums_of(placed, target, own, digits, faults=faults, reference_column=reference)
        np.testing.assert_allclose(found[2], 0, atol=1e-9)
        assert (np.abs(found[3]) > 1).all()


def test_spare_rows_float_too():
    _, placed, target = bits_program(**{"crossbar.spare_rows": "8"})
    wires = Wires(30.0, 30.0, 200.0, 100.0, idle="floating")
    digits = np.random.default_rng(0).integers(0, 2, (target.crossbar.rows, 4)).astype(float)
    found = sums_of(placed, target, device(wires), digits)
    step = CELL.span_s / 3
    levels = np.zeros(target.lines)
    levels[: target.crossbar.rows] = Chip(placed).levels(int(placed.places["crossbar"][0]))
    sensed, ports = wires.network(CELL.g_min_s + levels * step)
    volts = np.zeros((target.lines[0], 4))
    volts[: target.crossbar.rows] = digits
    expected = (sensed.T @ wires.settled(ports, volts) - CELL.g_min_s * digits.sum(axis=0)) / step
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_what_cannot_be_added_up_exactly_is_refused():
    _, placed, target = bits_program()
    own = replace(device(cell=Cell(1e-4 * (1 - 1e-9), 1e-4)), drivers=Drivers(gain=0.1))
    with pytest.raises(UsageError, match="that cannot be added up exactly"):
        sums_of(placed, target, own, np.ones((target.crossbar.rows, 1)))
