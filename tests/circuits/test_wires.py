"""Wire resistance against an independent nodal solve, and against what any passive network obeys."""

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import splu

from rcompile.circuits.wires import Kept, Wires


def nodal(g: np.ndarray, wires: Wires) -> np.ndarray:
    """Currents (rows, columns) for one volt on each row, from Kirchhoff's laws at every node; no resistance is zero."""
    rows, columns = g.shape
    count = 2 * rows * columns

    def word(i, j):
        return i * columns + j

    def bit(i, j):
        return rows * columns + i * columns + j

    matrix = lil_matrix((count, count))
    sources = np.zeros((count, rows))

    def join(a, b, conductance):
        matrix[a, a] += conductance
        matrix[b, b] += conductance
        matrix[a, b] -= conductance
        matrix[b, a] -= conductance

    row, column = 1 / wires.row_ohm, 1 / wires.column_ohm
    end, sense = 1 / (wires.row_ohm + wires.driver_ohm), 1 / (wires.column_ohm + wires.sense_ohm)
    last = rows - 1 if wires.sense == "bottom" else 0
    driven = {"left": [0], "right": [columns - 1], "both": [0, columns - 1]}[wires.drive]
    for i in range(rows):
        for j in range(columns):
            join(word(i, j), bit(i, j), g[i, j])
            if j + 1 < columns:
                join(word(i, j), word(i, j + 1), row)
            if i + 1 < rows:
                join(bit(i, j), bit(i + 1, j), column)
        for j in driven:
            matrix[word(i, j), word(i, j)] += end
            sources[word(i, j), i] += end
    for j in range(columns):
        matrix[bit(last, j), bit(last, j)] += sense
    voltages = splu(matrix.tocsc()).solve(sources)
    return np.stack([sense * voltages[bit(last, j)] for j in range(columns)], axis=1)


def cells(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(5e-6, 1e-4, (rows, columns))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (8, 8), (5, 12), (16, 3), (64, 64)])
@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top"])
def test_equals_a_nodal_solve(rows, columns, drive, sense):
    wires = Wires(row_ohm=2.5, column_ohm=1.5, driver_ohm=100.0, sense_ohm=40.0, drive=drive, sense=sense)
    g = cells(rows, columns)
    np.testing.assert_allclose(wires.sensed(g), nodal(g, wires), rtol=1e-9)


REFERENCE = ROOT.parent / "shared" / "bench" / "irdrop" / "reference.npz"


@pytest.mark.skipif(not REFERENCE.exists(), reason="the cases of an independent solver are not here")
def test_equals_another_solver_up_to_drops_of_95_percent():
    """Seven cases of badcrossbar, 64 x 64 and 128 x 128: currents of all columns for eight inputs each."""
    with np.load(REFERENCE) as cases:
        names = sorted({key.partition("/")[0] for key in cases.files})
        assert len(names) == 7
        for name in names:
            ohm = float(cases[f"{name}/r"])
            found = cases[f"{name}/V"].T @ Wires(ohm, ohm).sensed(1 / cases[f"{name}/R"])
            np.testing.assert_allclose(found, cases[f"{name}/I"], rtol=1e-9)


@pytest.mark.parametrize("ohm", [1e-3, 0.1, 10.0, 1e3])
def test_equals_a_nodal_solve_from_small_to_large_resistances(ohm):
    wires, g = Wires(row_ohm=ohm, column_ohm=ohm), cells(8, 8)
    np.testing.assert_allclose(wires.sensed(g), nodal(g, wires), rtol=1e-9)


@pytest.mark.parametrize(
    "zero", [("row_ohm",), ("column_ohm",), ("row_ohm", "driver_ohm"), ("column_ohm", "sense_ohm"), ("driver_ohm",)]
)
def test_a_resistance_of_zero_is_the_limit_of_small_ones(zero):
    ohms = {"row_ohm": 2.0, "column_ohm": 3.0, "driver_ohm": 50.0, "sense_ohm": 20.0}
    g = cells(12, 7)
    found = Wires(**{**ohms, **dict.fromkeys(zero, 0.0)}).sensed(g)
    near = Wires(**{**ohms, **dict.fromkeys(zero, 1e-5)}).sensed(g)
    np.testing.assert_allclose(found, near, rtol=1e-6)


def test_no_resistance_changes_nothing():
    g = cells(9, 9)
    assert Wires(0.0, 0.0).sensed(g) is g


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 12),
    columns=st.integers(1, 12),
    ohms=st.tuples(*[st.sampled_from([0.0, 1e-2, 1.0, 30.0, 1e3])] * 4),
    drive=st.sampled_from(["left", "right", "both"]),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_what_a_passive_network_obeys(seed, rows, columns, ohms, drive):
    wires, g = Wires(*ohms, drive=drive), cells(rows, columns, seed)
    found = wires.sensed(g)
    assert (found > 0).all()
    # a row's driver gives at most what its cells would take without any resistance, and all of it is sensed or less
    assert (found.sum(axis=1) <= g.sum(axis=1) * (1 + 1e-12)).all()
    # a column that is held at ground senses no more than its cells carry at full voltage
    assert (found.sum(axis=0) <= g.sum(axis=0) * (1 + 1e-12)).all()
    # more conductance in one cell takes more from its row
    i, j = seed % rows, (seed // 7) % columns
    more = g.copy()
    more[i, j] *= 1.5
    assert wires.sensed(more)[i, j] > found[i, j]


OHMS = [(1.0, 1.0, 10.0, 10.0), (0.0, 3.0, 50.0, 20.0), (2.0, 0.0, 5.0, 20.0), (0.0, 0.0, 30.0, 0.0)]


@pytest.mark.parametrize("ohms", OHMS)
@pytest.mark.parametrize("sense", ["bottom", "top"])
def test_currents_are_conserved(ohms, sense):
    """Whatever voltages rows have: what runs into them, out of those at ground too, is what columns sense."""
    sensed, ports = Wires(*ohms, sense=sense, idle="floating").network(cells(9, 7))
    np.testing.assert_allclose(ports.sum(axis=0), sensed.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(ports, ports.T, rtol=1e-9, atol=1e-15)  # reciprocity
    assert (np.linalg.eigvalsh(ports) > 0).all()  # passivity


@pytest.mark.parametrize("ohms", OHMS)
@pytest.mark.parametrize("drive", ["left", "right"])
@pytest.mark.parametrize("sense", ["bottom", "top"])
def test_floating_rows_are_rows_without_a_driver(ohms, drive, sense):
    """What they take is what a network gives in which nothing but cells ties them."""
    wires = Wires(*ohms, drive=drive, sense=sense, idle="floating")
    g = 10 ** np.random.default_rng(3).uniform(-6, -3, (9, 7))
    g[4] = 0  # an unused row
    volts = np.array([[0.2, 0, 0, 0.1, 0, 0, 0.2, 0, 0], [0] * 9, [0.2] * 9, [0, 0, 0, 0, 0.2, 0, 0, 0.2, 0]]).T
    sensed, ports = wires.network(g)
    found = sensed.T @ wires.settled(ports, volts)
    tiny = 1e-5  # in place of zero resistances, for the nodal solve
    near = [ohm or tiny for ohm in ohms]
    for vector, own in enumerate(volts.T):
        idle = own == 0
        # a driver that is cut off is one of endless resistance: its row is solved with a source that changes nothing
        expected = sum(
            (nodal_with_drivers(g, near, drive, sense, cut=idle)[row] * own[row] for row in np.flatnonzero(~idle)),
            np.zeros(7),
        )
        np.testing.assert_allclose(found[:, vector], expected, rtol=1e-4 if 0.0 in ohms else 1e-9, atol=1e-15)


def nodal_with_drivers(g, ohms, drive, sense, cut):
    """Currents (rows, columns) for one volt on each row, where the drivers of some rows are cut off."""
    row_ohm, column_ohm, driver_ohm, sense_ohm = ohms
    rows, columns = g.shape
    y = np.zeros((2 * rows * columns, 2 * rows * columns))

    def join(a, b, siemens):
        y[[a, b], [a, b]] += siemens
        y[[a, b], [b, a]] -= siemens

    word = np.arange(rows * columns).reshape(rows, columns)
    bit = word + rows * columns
    into = np.zeros((len(y), rows))
    for i in range(rows):
        for j in range(columns):
            join(word[i, j], bit[i, j], g[i, j] or 1e-15)
            if j + 1 < columns:
                join(word[i, j], word[i, j + 1], 1 / row_ohm)
            if i + 1 < rows:
                join(bit[i, j], bit[i + 1, j], 1 / column_ohm)
        if not cut[i]:
            node, driver = word[i, 0 if drive == "left" else columns - 1], 1 / (row_ohm + driver_ohm)
            y[node, node] += driver
            into[node, i] = driver
    end = bit[-1 if sense == "bottom" else 0]
    sensed = 1 / (column_ohm + sense_ohm)
    y[end, end] += sensed
    return sensed * np.linalg.solve(y, into)[end].T


def test_networks_are_solved_once(monkeypatch):
    """Dies whose conductances are alike have the same network."""
    solved = []
    monkeypatch.setattr(Wires, "_solved", lambda *args: solved.append(args) or (np.zeros((3, 3)), np.zeros((0, 0))))
    g = cells(3, 3, seed=99)
    for wires, own in (
        (Wires(1.5, 1.0), g),
        (Wires(1.5, 1.0), g.copy()),
        (Wires(1.5, 1.1), g),
        (Wires(1.5, 1.0), 2 * g),
    ):
        wires.sensed(own)
    assert len(solved) == 3


def test_networks_that_were_not_asked_for_are_let_go():
    kept = Kept(3 * 80)
    networks = {key: (np.zeros(10), np.zeros(0)) for key in "abcd"}
    for key in "abc":
        kept.put(key, networks[key])
    assert kept.get("a") is networks["a"]
    kept.put("d", networks["d"])
    assert kept.get("b") is None
    assert all(kept.get(key) is networks[key] for key in "acd")


def test_drops_grow_with_size_and_fall_with_the_resistance_of_cells():
    def drop(size, scale):
        g = np.full((size, size), 1e-4 / scale)
        return 1 - Wires(1.0, 1.0).sensed(g).sum() / g.sum()

    assert drop(16, 1) < drop(32, 1) < drop(64, 1)
    assert drop(32, 10) < drop(32, 1)
