"""Input-gated columns against an independent nodal solve, and what a physicist would check."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rcompile.circuits.gated import Gated


def nodal(lines: Gated, g: np.ndarray, on: np.ndarray) -> float:
    """What one column (rows,) senses for one volt: all nodes of both lines at once, dense."""
    rows = len(g)
    y = np.zeros((2 * rows, 2 * rows))  # bit line nodes, then source line nodes
    into = np.zeros(2 * rows)

    def link(a: int, b: int, siemens: float) -> None:
        y[[a, b], [a, b]] += siemens
        y[[a, b], [b, a]] -= siemens

    for row in range(rows):
        link(row, rows + row, g[row] * on[row])
        if row + 1 < rows:
            link(row, row + 1, 1 / lines.bit_line_ohm)
            link(rows + row, rows + row + 1, 1 / lines.source_line_ohm)
    sense = 1 / (lines.bit_line_ohm + lines.sense_ohm)
    y[rows - 1, rows - 1] += sense
    far = lines.supply == "far_end"
    supply = 1 / (lines.driver_ohm + (0 if far else lines.source_line_ohm))
    at = rows if far else 2 * rows - 1
    y[at, at] += supply
    into[at] += supply
    return float(np.linalg.solve(y, into)[rows - 1] * sense)


@pytest.mark.parametrize("supply", ["sensed_end", "far_end"])
@pytest.mark.parametrize(("rows", "ohm"), [(1, 1.0), (8, 0.5), (64, 5.0), (64, 100.0)])
def test_columns_are_those_of_the_nodal_solve(supply, rows, ohm):
    rng = np.random.default_rng(rows)
    lines = Gated(ohm, 0.7 * ohm, 20.0, 10.0, supply)
    g = 10 ** rng.uniform(-6, -3, (rows, 5))
    on = (rng.random((rows, 4)) < 0.6).astype(float)
    on[0] = 1.0
    found = lines.sensed(g, on)
    expected = [[nodal(lines, g[:, column], on[:, vector]) for vector in range(4)] for column in range(5)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("supply", ["sensed_end", "far_end"])
def test_without_resistance_currents_add_up(supply):
    rng = np.random.default_rng(0)
    g, on = rng.uniform(0, 1e-3, (20, 6)), (rng.random((20, 9)) < 0.5).astype(float)
    np.testing.assert_allclose(Gated(0.0, 0.0, supply=supply).sensed(g, on), g.T @ on, rtol=1e-12)


@given(
    seed=st.integers(0, 1000),
    rows=st.integers(1, 24),
    ohm=st.sampled_from([0.0, 0.1, 3.0, 300.0]),
    supply=st.sampled_from(["sensed_end", "far_end"]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_physicist_finds_nothing_odd(seed, rows, ohm, supply):
    """No column senses more than without resistance, none less where a cell conducts more; more lines, less current."""
    rng = np.random.default_rng(seed)
    lines = Gated(ohm, ohm / 2, 5.0, 5.0, supply)
    g = 10 ** rng.uniform(-6, -3, (rows, 3))
    on = (rng.random((rows, 4)) < 0.5).astype(float)
    found = lines.sensed(g, on)
    assert (found >= 0).all()
    assert (found <= g.T @ on * (1 + 1e-12)).all()
    more = g.copy()
    more[rng.integers(rows)] *= 3
    assert (lines.sensed(more, on) >= found * (1 - 1e-12)).all()
    assert (replace(lines, bit_line_ohm=ohm + 1).sensed(g, on) <= found * (1 + 1e-12)).all()
