"""Wire resistance against an independent nodal solve, and against what any passive network obeys."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import splu

from rcompile.circuits.wires import Wires


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


def test_currents_are_conserved():
    """What the drivers give is what the columns sense: with one driven row, the others take a part to ground."""
    wires, g = Wires(1.0, 1.0, 10.0, 10.0), cells(6, 5)
    found = wires.sensed(g)
    whole = found.sum()  # all rows at one volt: nothing flows between rows' drivers
    assert found.sum(axis=0).sum() == pytest.approx(whole)
    assert whole < g.sum()


def test_drops_grow_with_size_and_fall_with_the_resistance_of_cells():
    def drop(size, scale):
        g = np.full((size, size), 1e-4 / scale)
        return 1 - Wires(1.0, 1.0).sensed(g).sum() / g.sum()

    assert drop(16, 1) < drop(32, 1) < drop(64, 1)
    assert drop(32, 10) < drop(32, 1)
