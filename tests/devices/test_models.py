"""Each device model against its own law, with nothing tuned: moments to 2 % on a million cells, and exact in time."""

from dataclasses import fields, replace
from math import exp, log

import numpy as np
import pytest
from non_idealities import AT_LEVELS, EXACT_TABLE, NOTHING
from scipy import stats

from rcompile.devices import IDEAL, list_devices, resolve_device
from rcompile.devices.access import Access
from rcompile.devices.exp_step import ExpStep
from rcompile.devices.flicker import Flicker
from rcompile.devices.load import seconds
from rcompile.devices.log_relaxation import LogRelaxation
from rcompile.devices.lognormal import Lognormal
from rcompile.devices.measured import Measured
from rcompile.devices.measured_iv import MeasuredIv
from rcompile.devices.model import Cell, Model
from rcompile.devices.models import MODELS
from rcompile.devices.normal import Normal
from rcompile.devices.polynomial import Polynomial
from rcompile.devices.power_drift import PowerDrift
from rcompile.devices.read_disturb import ReadDisturb
from rcompile.devices.read_noise import ReadNoise
from rcompile.devices.relaxation import Relaxation
from rcompile.devices.retention import Retention
from rcompile.devices.selector import Selector
from rcompile.devices.sinh import Sinh
from rcompile.devices.soft_bounds import SoftBounds
from rcompile.devices.states import States
from rcompile.devices.streams import Moment, Streams
from rcompile.devices.stuck import Stuck
from rcompile.devices.telegraph import Telegraph
from rcompile.devices.wear import Wear
from rcompile.devices.write_verify import WriteVerify
from rcompile.errors import UsageError

CELL = Cell(5e-6, 1e-4)
MILLION = (1000, 1000)
RELAXATION = Relaxation((1.0, 86400.0), (0.3, 0.7), (16.0, 22.0), (-44.0, -51.0), (45.0, 47.0), (-17.0, -16.5))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def written(g: float) -> np.ndarray:
    return np.full(MILLION, g)


def follows(values: np.ndarray, law) -> None:
    """Kolmogorov-Smirnov on parts of the cells: at 20 of 20 seeds p > 0.01 would fail one time in five for a true law."""
    parts = values.reshape(-1)[: 20 * 20_000].reshape(20, -1)
    assert sum(stats.kstest(part, law.cdf).pvalue > 0.01 for part in parts) >= 19


def test_lognormal_keeps_the_mean_and_has_its_spread():
    g = Lognormal(0.3).program(written(5e-5), CELL, rng())
    assert g.mean() == pytest.approx(5e-5, rel=0.02)
    assert np.log(g).std() == pytest.approx(0.3, rel=0.02)
    follows(g, stats.lognorm(0.3, scale=5e-5 * exp(-(0.3**2) / 2)))


@pytest.mark.parametrize(("of", "size"), [("value", 5e-5), ("range", 9.5e-5)])
def test_normal_is_relative_to_the_value_or_the_range(of, size):
    g = Normal(0.05, of).program(written(5e-5), CELL, rng())
    assert g.mean() == pytest.approx(5e-5, rel=0.02)
    assert g.std() == pytest.approx(0.05 * size, rel=0.02)
    follows(g, stats.norm(5e-5, 0.05 * size))


def test_no_conductance_is_negative():
    for model in (Normal(1.0, "range"), Polynomial((50.0,)), replace(RELAXATION, c0=(50.0, 50.0))):
        assert model.program(written(1e-5), CELL, rng()).min() == 0


@pytest.mark.parametrize("g", [2e-5, 5e-5, 1.5e-4, 2.25e-4, 3e-4])
def test_polynomial_has_the_spread_measured_at_each_conductance(g):
    model = Polynomial((4.782321, -0.009107), 5e-5, 2.25e-4)
    found = model.program(written(g), Cell(0.0, 3e-4), rng())
    measured = min(max(g, 5e-5), 2.25e-4) * 1e6
    assert found.std() == pytest.approx(1e-6 * (4.782321 - 0.009107 * measured), rel=0.02)
    assert found.mean() == pytest.approx(g, rel=0.02)


def test_states_are_the_nearest_ones():
    targets = np.linspace(5e-6, 1e-4, 1001)
    found = States(count=5).program(targets, CELL, rng())
    states = np.linspace(5e-6, 1e-4, 5)
    assert set(np.round(found, 12)) == set(np.round(states, 12))
    assert np.abs(found - targets).max() <= (states[1] - states[0]) / 2 * (1 + 1e-9)
    uneven = States(listed_s=(9e-5, 1e-5, 2e-5)).program(np.array([1.4e-5, 1.6e-5, 5.4e-5, 5.6e-5]), CELL, rng())
    assert uneven.tolist() == [1e-5, 2e-5, 2e-5, 9e-5]


def test_stuck_cells_have_their_shares_and_their_conductances():
    found = Stuck(0.02, 0.05).stick(written(5e-5), 1, CELL, rng())
    assert (found == CELL.g_min_s).mean() == pytest.approx(0.02, rel=0.02)
    assert (found == CELL.g_max_s).mean() == pytest.approx(0.05, rel=0.02)
    assert (found == 5e-5).mean() == pytest.approx(0.93, rel=0.02)


@pytest.mark.parametrize("t", [1.0, 60.0, 86400.0, 3.2e7])
def test_power_drift_follows_its_law(t):
    found = PowerDrift(0.05, 0.0, 1.0).drift(written(5e-5), t, CELL, rng())
    np.testing.assert_allclose(found, 5e-5 * t**-0.05, rtol=1e-6)
    spread = PowerDrift(0.05, 0.01, 1.0).drift(written(5e-5), t, CELL, rng())
    exponents = -np.log(spread / 5e-5)
    assert exponents.mean() == pytest.approx(0.05 * log(t), rel=0.02, abs=1e-12)
    assert exponents.std() == pytest.approx(0.01 * log(t), rel=0.02, abs=1e-12)


def test_power_drift_changes_nothing_before_its_first_time():
    found = PowerDrift(0.05, 0.01, 10.0).drift(written(5e-5), 9.0, CELL, rng())
    np.testing.assert_array_equal(found, written(5e-5))


@pytest.mark.parametrize("t", [1.0, 3600.0, 1e8])
def test_log_relaxation_follows_its_law(t):
    model = LogRelaxation(-8.9e-8, 4.2e-8, 4.1e-7)
    found = model.drift(written(5e-5), t, CELL, rng())
    spread = 4.2e-8 * log(t) + 4.1e-7
    assert found.mean() == pytest.approx(5e-5 - 8.9e-8 * log(t), rel=1e-4)
    assert found.std() == pytest.approx(spread, rel=0.02)
    follows(found, stats.norm(5e-5 - 8.9e-8 * log(t), spread))
    fixed = LogRelaxation(-8.9e-8, 0.0, 0.0).drift(written(5e-5), t, CELL, rng())
    np.testing.assert_allclose(fixed, 5e-5 - 8.9e-8 * log(t), rtol=1e-6)


@pytest.mark.parametrize(("t", "ratio"), [(1.0, 0.0), (86400.0, 1.0), (1e7, 1.0), (86400.0**0.5, 0.5)])
def test_relaxation_has_the_spread_measured_at_each_time(t, ratio):
    """What is written and read is spread as it was measured at that time."""
    g = 4e-5
    x = g / CELL.g_max_s
    ends = [
        1e-6
        * sum(
            c[n] * x**k
            for k, c in enumerate((RELAXATION.c0, RELAXATION.c1, RELAXATION.c2, RELAXATION.c3, RELAXATION.c4))
        )
        for n in range(2)
    ]
    first = RELAXATION.program(written(g), CELL, rng(1))
    assert first.std() == pytest.approx(ends[0], rel=0.02)
    later = RELAXATION.drift(written(g), t, CELL, rng(2))
    expected = ends[0] + ratio * (ends[1] - ends[0])  # coefficients are linear in ln t, and so is the spread
    assert np.hypot(first.std(), later.std()) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("of", "size"), [("value", 5e-5), ("g_max", 1e-4)])
def test_read_noise_is_relative_to_the_value_or_to_g_max(of, size):
    np.testing.assert_allclose(ReadNoise(0.01, of).read_sigma(np.full((2, 3), 5e-5), CELL), 0.01 * size)


@pytest.mark.parametrize(("sigma", "tolerance", "pulses"), [(0.05, 0.05, 20), (0.05, 0.02, 4), (0.02, 0.1, 3)])
def test_write_verify_cuts_errors_off_and_counts_its_pulses(sigma, tolerance, pulses):
    model = WriteVerify(sigma, tolerance, pulses)
    error = (model.program(written(5e-5), CELL, rng()) - 5e-5) / CELL.span_s
    accepted = stats.norm(0, sigma).cdf(tolerance) - stats.norm(0, sigma).cdf(-tolerance)
    late = (1 - accepted) ** pulses
    assert (np.abs(error) > tolerance * (1 + 1e-9)).mean() == pytest.approx(late, rel=0.1, abs=1e-5)
    if late < 1e-6:
        follows(error, stats.truncnorm(-tolerance / sigma, tolerance / sigma, scale=sigma))
    # pulses of a Monte Carlo: the first of `pulses` draws that is accepted, else all of them
    draws = np.abs(rng(1).normal(0, sigma, (200_000, pulses))) <= tolerance
    needed = np.where(draws.any(axis=1), draws.argmax(axis=1) + 1, pulses)
    assert model.expected_pulses == pytest.approx(needed.mean(), rel=0.02)


def test_telegraph_noise_has_its_share_and_its_two_states():
    model = Telegraph(0.3, 0.2, 0.25).on_cells(MILLION, rng())
    first, later = (model.drift(written(5e-5), 0.0, CELL, rng(seed)) for seed in (1, 2))
    for found in (first, later):
        assert set(np.round(np.unique(found), 12)) == {5e-5, 6e-5}
        assert (found > 5.5e-5).mean() == pytest.approx(0.3 * 0.25, rel=0.02)
    both = ((first > 5.5e-5) & (later > 5.5e-5)).mean()
    assert both == pytest.approx(0.3 * 0.25**2, rel=0.05)  # the same cells jump, each time anew


def test_each_model_is_known_here():
    assert {**NOTHING, **AT_LEVELS}.keys() == MODELS.keys() == STRONG.keys()


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_without_strength_changes_no_level(name):
    model, near = (NOTHING[name], 1e-15) if name in NOTHING else (AT_LEVELS[name], 1e-2)
    levels = np.tile(CELL.g_min_s + np.arange(4) * CELL.span_s / 3, (5, 1))
    terms = model.terms(CELL)
    model = model.on_cells(levels.shape, rng())
    np.testing.assert_allclose(model.program(levels, CELL, rng()), levels, rtol=near)
    np.testing.assert_allclose(model.drift(levels, 1e6, CELL, rng()), levels, rtol=1e-13)
    np.testing.assert_array_equal(model.stick(levels, 1, CELL, rng()), levels)
    np.testing.assert_array_equal(model.series(levels), levels)
    np.testing.assert_allclose(model.aimed(levels, CELL), levels, rtol=1e-15)
    sigma = model.read_sigma(levels, CELL)
    assert sigma is None or not sigma.any()
    share = np.linspace(-1, 1, 9)
    if terms:
        current = sum(term.voltage(share)[:, None] * term.conductance(levels[0]) for term in terms)
        np.testing.assert_allclose(current, share[:, None] * levels[0], rtol=1e-9, atol=1e-20)


STEPS = {
    "dw": 0.2, "up_down": 0.3, "cycle": 0.3, "cell_steps": 0.3, "upper_spread": 0.2, "lower_spread": 0.2,
    "write_noise": 0.3, "tolerance": 0.1, "pulses": 60, "pulse_j": 1e-12, "pulse_s": 1e-7,
}  # fmt: skip
OTHER_STEPS = {
    "dw": 0.1, "up_down": -0.3, "cycle": 0.1, "cell_steps": 0.1, "upper_spread": 0.0, "lower_spread": 0.0,
    "write_noise": 0.1, "tolerance": 0.3, "pulses": 5, "pulse_j": 2e-12, "pulse_s": 2e-7,
}  # fmt: skip
SPREAD_TABLE = EXACT_TABLE.with_name("spread.csv")

STRONG = {
    "states": (States(count=4), {"count": 3, "listed_s": None}),
    "normal": (Normal(0.1, "range"), {"sigma": 0.2, "of": "value"}),
    "polynomial": (Polynomial((1.0, 0.01), 1e-5, 9e-5), {"coefficients": (2.0, 0.01), "from_s": 3e-5, "to_s": 5e-5}),
    "lognormal": (Lognormal(0.1), {"sigma": 0.2}),
    "stuck": (Stuck(0.1, 0.1), {"at_g_min": 0.2, "at_g_max": 0.3}),
    "power_drift": (PowerDrift(0.05, 0.01, 1.0), {"mean": 0.1, "sigma": 0.02, "t0_s": 10.0}),
    "log_relaxation": (LogRelaxation(-1e-7, 1e-7, 1e-7), {"shift_s": -2e-7, "spread_s": 2e-7, "spread_at_1_s": 2e-7}),
    "relaxation": (RELAXATION, {"times_s": (2.0, 86400.0), **{f"c{k}": (1.0, 3.0) for k in range(5)}}),
    "read_noise": (ReadNoise(0.1, "value"), {"sigma": 0.2, "of": "g_max"}),
    "sinh": (Sinh(0.1), {"v0_v": 0.2}),
    "measured_iv": (
        MeasuredIv((1e-3, 5e-3), (1e-2, 5e-2), 1e-5, 9e-5),
        {"a2": (0.0,), "a3": (0.0,), "from_s": 4e-5, "to_s": 5e-5},
    ),
    "selector": (Selector(0.05), {"threshold_v": 0.1}),
    "access": (Access(1e3), {"ohm": 1e4, "verified": False}),
    "exp_step": (
        ExpStep(**STEPS, a_up=-1.0, a_down=0.1, gamma_up=1.0, gamma_down=0.5, slope=-0.5, shift=-0.4),
        {**OTHER_STEPS, "a_up": 0.1, "a_down": 0.3, "gamma_up": 2.0, "gamma_down": 1.0, "slope": -0.1, "shift": 0.4},
    ),
    "soft_bounds": (SoftBounds(**STEPS), OTHER_STEPS),
    "measured": (Measured(str(SPREAD_TABLE)), {"file": str(EXACT_TABLE)}),
    "wear": (Wear(1e6, 1.5, 5e5, 0.5), {"endurance": 2e6, "shape": 1.0, "writes": 1e6, "at_g_max": 1.0}),
    "retention": (Retention(1e3, 0.7, 0.1), {"tau_s": 2e3, "beta": 1.0, "sigma": 0.5, "to": "g_max"}),
    "read_disturb": (
        ReadDisturb(10.0, 1e4, 0.7, 0.1),
        {"reads_per_s": 20.0, "reads": 2e4, "beta": 1.0, "sigma": 0.5, "to": "g_min"},
    ),
    "flicker": (Flicker(0.1, 1e-6, 1.0), {"sigma": 0.2, "read_s": 1e-5, "hold_s": 10.0, "of": "log10"}),
    "write_verify": (
        WriteVerify(0.2, 0.1, 4, 1e-12, 1e-7),
        {"sigma": 0.3, "tolerance": 0.05, "pulses": 1, "pulse_j": 2e-12, "pulse_s": 1e-6},
    ),
    "telegraph": (Telegraph(0.2, 0.1), {"share": 0.4, "amplitude": 0.2, "high": 0.1}),
}


def effect(model: Model) -> list:
    """All that a model does to some conductances."""
    g = np.tile(np.linspace(CELL.g_min_s, CELL.g_max_s, 40), (40, 1))
    sigma, writing, terms = model.read_sigma(g, CELL), model.writing(CELL), model.terms(CELL)
    model = model.on_cells(g.shape, rng())
    found = [model.program(g, CELL, rng()), model.drift(g, 1000.0, CELL, rng()), model.stick(g, 1, CELL, rng()), sigma]
    found += [model.series(g), model.softening(g), model.aimed(g, CELL)]
    for term in terms:
        found += [term.voltage(np.linspace(0, 1, 8)), term.conductance(g)]
    return [None if array is None else array.tolist() for array in found] + [writing]


@pytest.mark.parametrize("name", list(MODELS))
def test_every_field_that_is_declared_changes_what_the_model_does(name):
    model, changes = STRONG[name]
    assert set(changes) == {item.name for item in fields(model)}
    for field, value in changes.items():
        changed = (
            replace(model, count=0, listed_s=(1e-5, 9e-5)) if field == "listed_s" else replace(model, **{field: value})
        )
        assert effect(changed) != effect(model), field


def test_streams_depend_on_what_they_are_for_alone():
    keys = [
        (s, t, p, m, w)
        for s in (0, 1)
        for t in (0, 1)
        for p in (0, 7)
        for m in Moment
        for w in ((), (0,), (1,), (0, 1))
    ]
    first = {key: Streams(key[0], key[1]).of(key[2], key[3], *key[4]).random() for key in keys}
    again = {key: Streams(key[0], key[1]).of(key[2], key[3], *key[4]).random() for key in reversed(keys)}
    assert first == again
    assert len(set(first.values())) == len(keys)


@pytest.mark.parametrize("name", list_devices())
def test_presets_load_and_state_their_sources(name):
    device = resolve_device(name)
    assert device.name == name
    assert device.sources
    assert device.assumed_fields == ()


def test_the_ideal_preset_is_the_ideal_device():
    preset = resolve_device("ideal")
    assert preset.ideal
    assert (preset.cell, preset.models, preset.wires) == (IDEAL.cell, IDEAL.models, IDEAL.wires)


def test_a_name_carries_a_time_and_changes():
    device = resolve_device("hfo2_1t1r@2day?lognormal.sigma=0.1&stuck.at_g_min=0&wires.row_ohm=1&wires.column_ohm=2")
    assert device.age_s == 2 * 86400
    assert device.models["lognormal"] == Lognormal(0.1)
    assert device.models["stuck"] == Stuck(0, 0.001)
    assert (device.wires.row_ohm, device.wires.column_ohm) == (1, 2)
    assert device.sources["lognormal.sigma"] == "given on the command line"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1s", 1), ("5min", 300), ("1h", 3600), ("2days", 172800), ("1e3s", 1000), ("1.5years", 47335428)],
)
def test_times(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/tmp/a@b/c.toml", "/tmp/a@b/c.toml: the device file cannot be read"),
        ("hfo", "there is no device 'hfo'"),
        ("hfo2_1t1r@soon", "'soon' is not a time"),
        ("hfo2_1t1r@3", "'3' is not a time"),
        ("hfo2_1t1r@1e400s", "'1e400s' is more than 1e"),
        ("hfo2_1t1r?sigma", "'sigma' is not SECTION.FIELD=VALUE"),
        ("hfo2_1t1r?lognorm.sigma=1", "did you mean 'lognormal.sigma'?"),
        ("hfo2_1t1r?lognormal.sigma=-0.1", "lognormal.sigma must be at least 0, is -0.1"),
        ("missing.toml", "the device file cannot be read"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(text, message):
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        resolve_device(text)


def test_all_mistakes_of_a_file_are_reported_at_once(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(
        'schema_version = 1\nname = "bad"\nsummary = "wrong"\n'
        '[cell]\ng_min_s = 5.0e-5\ng_max_s = 1.0e-5\nread_v = "0.2 V"\n'
        '[lognormal]\nsigma = -0.1\n[drift]\nmean = 0.1\n[sources]\ncell = "made up"\n'
    )
    with pytest.raises(UsageError) as caught:
        resolve_device(str(path))
    text = str(caught.value)
    assert "cell.read_v must be a number (V), is '0.2 V'" in text
    assert "lognormal.sigma must be at least 0, is -0.1" in text
    assert "lognormal.sigma has no source" in text
    assert "drift is not a section; did you mean 'power_drift'?" in text
    assert text.startswith(f"{path}: 4 mistakes in the device file")
    path.write_text(
        path.read_text().replace('"0.2 V"', "0.2").replace("-0.1", "0.1").replace("[drift]", "[power_drift]")
        + 'lognormal = "x"\npower_drift = "x"\n'
    )
    with pytest.raises(UsageError, match=r"cell.g_max_s must be larger than cell.g_min_s \(5e-05 S\), is 1e-05"):
        resolve_device(str(path))


@pytest.mark.parametrize("section", ["stuck = 5\n", "[[stuck]]\nat_g_min = 0.1\n"])
def test_a_section_is_written_as_one(tmp_path, section):
    path = tmp_path / "bad.toml"
    head = 'schema_version = 1\nname = "bad"\nsummary = "wrong"\n'
    cell = '[cell]\ng_min_s = 0.0\ng_max_s = 1.0e-5\nread_v = 0.2\n[sources]\ncell = "made up"\n'
    path.write_text(head + (section + cell if "=" in section.splitlines()[0] else cell + section))
    with pytest.raises(UsageError, match=r"stuck must be a section, \[stuck\], written once"):
        resolve_device(str(path))


def test_models_act_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "two.toml"
    head = 'schema_version = 1\nname = "two"\nsummary = "two models"\n[cell]\ng_min_s = 0.0\ng_max_s = 1e-4\n'
    sources = '[sources]\ncell = "x"\nstuck = "x"\nstates = "x"\n'
    one, other = "[stuck]\nat_g_max = 0.5\n", "[states]\ncount = 2\n"
    for first, second in ((one, other), (other, one)):
        path.write_text(head + first + second + sources)
        assert list(resolve_device(str(path)).models) == [first[1:].partition("]")[0], second[1:].partition("]")[0]]
