"""Fault maps: what a file may hold, which cells it means, and that a die's draws do not depend on each other."""

import numpy as np
import pytest
from conftest import random_faults

from rcompile.devices.faults import HIGH, LOW, FaultMap, load_faults
from rcompile.errors import InputError


def a_map(**arrays) -> FaultMap:
    empty = {"stuck_at_g_min": 3, "stuck_at_g_max": 3, "dead_rows": 2, "dead_columns": 2, "dead_crossbars": 1}
    return FaultMap(**{n: np.array(arrays.get(n, np.zeros((0, w))), np.int64).reshape(-1, w) for n, w in empty.items()})


def test_states_of_each_kind_of_fault():
    faults = a_map(
        stuck_at_g_min=[[2, 0, 1]],
        stuck_at_g_max=[[2, 1, 1], [2, 2, 2], [5, 0, 0]],
        dead_rows=[[2, 2]],
        dead_columns=[[2, 3]],
        dead_crossbars=[[7]],
    )
    expected = [[0, LOW, 0, LOW], [0, HIGH, 0, LOW], [LOW, LOW, LOW, LOW]]
    np.testing.assert_array_equal(faults.states(2, 3, 4), expected)
    np.testing.assert_array_equal(faults.states(7, 3, 4), np.full((3, 4), LOW))
    assert faults.states(5, 3, 4)[0, 0] == HIGH
    assert not faults.states(3, 3, 4).any()
    dead = [[False, False, False, True], [False, False, False, True], [True, True, True, True]]
    np.testing.assert_array_equal(faults.dead(2, 3, 4), dead)
    assert faults.dead(7, 3, 4).all()
    assert not faults.dead(5, 3, 4).any()


def test_a_file_is_read_back(tmp_path):
    path = tmp_path / "die.npz"
    np.savez(path, stuck_at_g_max=np.array([[0, 1, 2]], np.uint8), dead_crossbars=np.array([4, 9]))
    found = load_faults(path)
    assert found.stuck_at_g_max.tolist() == [[0, 1, 2]]
    assert found.dead_crossbars.tolist() == [[4], [9]]
    assert found.stuck_at_g_min.shape == (0, 3)


def test_every_mistake_of_a_file_is_reported_at_once(tmp_path):
    path = tmp_path / "die.npz"
    np.savez(path, stuck_at_gmin=np.zeros((1, 3), int), dead_rows=np.zeros((1, 3), int), dead_crossbars=[0.5])
    with pytest.raises(InputError) as caught:
        load_faults(path)
    text = str(caught.value)
    assert "dead_rows must be whole numbers [n, 2] (crossbar, row); it is int64 [1, 3]" in text
    assert "dead_crossbars must be whole numbers [n, 1] (crossbar); it is float64 [1, 1]" in text
    assert "there is no 'stuck_at_gmin' in a fault map; did you mean 'stuck_at_g_min'?" in text


def test_a_map_of_another_chip_is_refused():
    faults = a_map(stuck_at_g_min=[[0, 8, 0], [0, -1, 0]], dead_columns=[[1, 9]], dead_crossbars=[[3]])
    with pytest.raises(InputError) as caught:
        faults.require_on(3, 8, 9)
    text = str(caught.value)
    assert "stuck_at_g_min: row 8 is not one of 0..7 (2 such)" in text
    assert "dead_columns: column 9 is not one of 0..8 (1 such)" in text
    assert "dead_crossbars: crossbar 3 is not one of 0..2 (1 such)" in text


def test_random_faults_have_the_rates_asked_for_whatever_else_is_drawn():
    both = random_faults([3, 5], (500, 500), stuck_at_g_min=0.02, stuck_at_g_max=0.05, seed=1)
    one = random_faults([5], (500, 500), stuck_at_g_min=0.02, stuck_at_g_max=0.05, seed=1)
    np.testing.assert_array_equal(both.states(5, 500, 500), one.states(5, 500, 500))
    states = np.stack([both.states(n, 500, 500) for n in (3, 5)])
    for state, rate in ((LOW, 0.02), (HIGH, 0.05)):
        share = (states == state).mean()
        assert abs(share - rate) < 4 * np.sqrt(rate / states.size)
    assert (states[0] != states[1]).any()
