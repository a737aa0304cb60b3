"""Measured tables and current-voltage curves."""

import numpy as np
import pytest
from non_idealities import EXACT_TABLE
from scipy import stats

from rcompile.devices import resolve_device
from rcompile.devices.access import Access
from rcompile.devices.measured import Measured
from rcompile.devices.measured_iv import MeasuredIv
from rcompile.devices.model import Cell
from rcompile.devices.selector import Selector
from rcompile.errors import UsageError

CELL = Cell(5e-6, 1e-4)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def normal_table(tmp_path):
    """Two targets at two times, measured often: means and spreads are known."""
    lines = ["target_s,measured_s,time_s"]
    draw = rng(1)
    for time, shift in ((1.0, 0.0), (1e4, -4e-6)):
        for target, spread in ((2e-5, 1e-6), (6e-5, 3e-6)):
            lines += [f"{target},{value},{time}" for value in draw.normal(target + shift, spread, 20_000)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return Measured(str(path))


@pytest.mark.parametrize(
    ("g", "t", "mean", "spread"),
    [
        (2e-5, 1.0, 2e-5, 1e-6),
        (6e-5, 0.0, 6e-5, 3e-6),  # before the first time, as at it
        (4e-5, 1.0, 4e-5, 2e-6),  # between targets: cells keep their rank, so that spreads are linear, too
        (6e-5, 1e4, 5.6e-5, 3e-6),
        (6e-5, 1e8, 5.6e-5, 3e-6),
        (6e-5, 100.0, 5.8e-5, 3e-6),  # halfway in ln t
        (9e-5, 1.0, 6e-5, 3e-6),  # beyond the last target, as at it
    ],
)
def test_cells_take_what_was_measured(normal_table, g, t, mean, spread):
    found = normal_table.drift(np.full((1000, 1000), g), t, CELL, rng())
    assert found.mean() == pytest.approx(mean, rel=0.02)
    assert found.std() == pytest.approx(spread, rel=0.02)
    assert stats.kstest(found.reshape(-1)[:5000], stats.norm(mean, spread).cdf).pvalue > 0.001


def test_a_cell_keeps_its_rank(normal_table):
    early, late = (normal_table.drift(np.full((50, 50), 6e-5), t, CELL, rng()) for t in (1.0, 1e4))
    np.testing.assert_array_equal(np.argsort(early.reshape(-1)), np.argsort(late.reshape(-1)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("target_s,measured_s\n1e-5,1e-5\n", "cannot be read: it has no column time_s"),
        ("target_s,measured_s,time_s\n1e-5,1e-5,0\n1e-5,soon,0\n", "cannot be read: line 3 is not three numbers"),
        ("target_s,measured_s,time_s\n1e-5,-1e-5,0\n", "cannot be read: line 2: conductances lie between 0 and 1 S"),
        ("target_s,measured_s,time_s\n", "cannot be read: it has no measurement"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, problem):
    if text is not None:
        (tmp_path / "t.csv").write_text(text)
    device = tmp_path / "d.toml"
    device.write_text(
        'schema_version = 1\nname = "d"\nsummary = "x"\n[cell]\ng_min_s = 0.0\ng_max_s = 1e-4\nread_v = 0.2\n'
        '[measured]\nfile = "t.csv"\n[sources]\ncell = "x"\nmeasured = "x"\n'
    )
    with pytest.raises(UsageError) as caught:
        resolve_device(str(device))
    assert f"line 9: measured.file {problem}" in str(caught.value)


def test_a_table_is_looked_for_beside_its_device_file(tmp_path, monkeypatch):
    device = tmp_path / "d.toml"
    (tmp_path / "t.csv").write_text(EXACT_TABLE.read_text())
    device.write_text(
        'schema_version = 1\nname = "d"\nsummary = "x"\n[cell]\ng_min_s = 0.0\ng_max_s = 1e-4\nread_v = 0.2\n'
        '[measured]\nfile = "t.csv"\n[sources]\ncell = "x"\nmeasured = "x"\n'
    )
    monkeypatch.chdir("/")
    found = resolve_device(str(device)).models["measured"].drift(np.full((2, 2), 3e-5), 10.0, CELL, rng())
    np.testing.assert_allclose(found, 3e-5, rtol=1e-12)


def test_measured_curves_are_the_polynomials_they_state():
    """I(V) with the G of the read voltage, as CrossSim's cubic is written out."""
    model = MeasuredIv((1e-3, 5e-3), (1e-2, 5e-2), 1e-6, 1e-3)
    g = np.array([1e-5, 5e-5, 2e-4])
    volts = np.linspace(0, CELL.read_v, 7)
    a2, a3 = 1e-3 * np.log10(g) + 5e-3, 1e-2 * np.log10(g) + 5e-2
    low_field = g - a2 * CELL.read_v - a3 * CELL.read_v**2
    expected = low_field * volts[:, None] + a2 * volts[:, None] ** 2 + a3 * volts[:, None] ** 3
    share = volts / CELL.read_v
    found = sum(term.voltage(share)[:, None] * term.conductance(g) for term in model.terms(CELL)) * CELL.read_v
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found[-1], g * CELL.read_v, rtol=1e-9)


def test_selectors_let_nothing_pass_below_their_threshold():
    (term,) = Selector(0.05).terms(CELL)
    share = np.array([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(term.voltage(share), [-1, -1 / 3, 0, 0, 0, 1 / 3, 1], atol=1e-12)


def test_what_is_in_series_adds_its_resistance():
    g = np.array([0.0, 1e-5, 1e-3])
    np.testing.assert_allclose(Access(2e4).series(g)[1:], 1 / (1 / g[1:] + 2e4))
    assert Access(2e4).series(g)[0] == 0


def test_cells_are_written_so_that_levels_are_even_behind_what_is_in_series():
    even = np.linspace(CELL.g_min_s, CELL.g_max_s, 4)
    behind = Access(2e4).series(Access(2e4).aimed(even, CELL))
    np.testing.assert_allclose(np.diff(behind), np.diff(behind)[0], rtol=1e-9)
    np.testing.assert_allclose(Access(2e4).aimed(even, CELL)[[0, -1]], even[[0, -1]], rtol=1e-12)
    np.testing.assert_array_equal(Access(2e4, verified=False).aimed(even, CELL), even)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("sinh.v0_v=0.1&access.ohm=1000", "sinh bends currents, and access takes cells to be ohmic"),
        ("states.count=4&access.ohm=1000", "states.count spaces the cell's own states evenly"),
        (
            "temperature.kelvin=400&temperature.measured_kelvin=50&temperature.activation_ev=5",
            r"temperature.activation_ev makes time pass by more than e\^30 times",
        ),
        ("polynomial.coefficients=[1e308]", r"polynomial.coefficients must be at most 1e\+06 uS"),
        ("sinh.v0_v=0.1&selector.threshold_v=0.1", "selector and sinh both say how current depends on voltage"),
        ("sinh.v0_v=0.1&wires.row_ohm=1&wires.column_ohm=1", "sinh bends currents, and wires takes cells to be ohmic"),
        ("selector.threshold_v=0.3", r"selector.threshold_v must be below cell.read_v \(0.2 V\), is 0.3"),
        (
            "wires.row_ohm=1&wires.column_ohm=1&gated.bit_line_ohm=1&gated.source_line_ohm=1",
            "gated and wires both say how lines run",
        ),
        (
            "wires.row_ohm=1&wires.column_ohm=1&wires.idle=floating&wires.drive=both",
            "wires.idle must be grounded where rows are driven at both ends",
        ),
        (
            "measured_iv.a2=[]&measured_iv.a3=[1]&measured_iv.from_s=1e-6&measured_iv.to_s=1e-7",
            "must list at least one",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        resolve_device(f"ideal?{changes}")
