"""Lines of faulty crossbars: never worse than in order, the best where that can be tried, and what the backend reads."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_faults
from hypothesis import given, settings
from hypothesis import strategies as st

from rcompile.devices.faults import HIGH, LOW, FaultMap
from rcompile.errors import DoesNotFit
from rcompile.mapper.faults import Wanted, harm, in_order, least_harm, with_spares
from rcompile.targets import resolve_target


def wanted_of(levels: np.ndarray, worth: np.ndarray) -> Wanted:
    """Two-bit cells, nothing beside the blocks."""
    return Wanted(levels.astype(np.uint8), worth.astype(np.float32), np.zeros(worth.shape, np.float32), 3)


@st.composite
def faulty_crossbars(draw):
    """What a crossbar should hold, and the states of its cells; it may have more lines than it needs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    lines = rows + draw(st.integers(0, 3)), columns + draw(st.integers(0, 3))
    top = draw(st.sampled_from([1, 3, 15]))
    worth = rng.choice([0, 1, 16, 4096], (rows, columns)).astype(np.float32)
    states = rng.choice([0, LOW, HIGH], lines, p=[0.8, 0.1, 0.1]).astype(np.int8)
    levels = rng.integers(0, top + 1, (rows, columns)).astype(np.uint8)
    return Wanted(levels, worth, np.zeros_like(worth), top), states


@given(found=faulty_crossbars())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_chosen_lines_are_never_worse_than_in_order(found):
    wanted, states = found
    rows, columns = least_harm(wanted, states)
    for axis, lines in enumerate((rows, columns)):
        count, have = wanted.levels.shape[axis], states.shape[axis]
        assert len(set(lines.tolist())) == count
        assert lines.max() < have
    assert harm(wanted, states, rows, columns) <= harm(wanted, states, *in_order(wanted))


def test_with_one_column_the_order_of_the_rows_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for _ in range(30):
        wanted = wanted_of(rng.integers(0, 4, (5, 1)), np.ones((5, 1)))
        states = rng.choice([0, LOW, HIGH], (5, 1)).astype(np.int8)
        column = np.zeros(1, np.uint16)
        best = min(
            harm(wanted, states, np.array(order, np.uint16), column) for order in itertools.permutations(range(5))
        )
        assert harm(wanted, states, *least_harm(wanted, states)) == best


def test_harm_counts_squared_levels_times_worth():
    wanted = wanted_of(np.array([[1, 2], [3, 0]]), np.array([[1, 16], [1, 16]]))
    states = np.array([[LOW, 0], [HIGH, HIGH]], np.int8)
    assert harm(wanted, states, *in_order(wanted)) == 1 + 0 + 16 * 9
    swapped = np.array([1, 0], np.uint16), np.array([0, 1], np.uint16)
    assert harm(wanted, states, *swapped) == 4 + 16 * 1 + 9


def test_spare_columns_take_the_place_of_dead_ones():
    wanted = wanted_of(np.full((4, 3), 2), np.ones((4, 3)))
    states = np.zeros((4, 4), np.int8)
    states[:, 1] = LOW
    rows, columns = least_harm(wanted, states)
    assert harm(wanted, states, rows, columns) == 0
    assert 1 not in columns


def test_as_many_crossbars_are_spared_as_the_worst_tile_has_dead_ones():
    target = resolve_target("isaac")
    none = np.zeros((0, 3), np.int64)
    dead = np.array([[0], [5], [96], [97], [98], [16127]])
    faults = FaultMap(none, none, none[:, :2], none[:, :2], dead, "die.npz")
    assert with_spares(target, faults).hierarchy.spare_crossbars == 3
    assert with_spares(target, random_faults([], (1, 1), stuck_at_g_min=0, stuck_at_g_max=0, seed=0)) == target
    twice = replace(faults, dead_crossbars=np.array([[5], [5], [5]]))
    assert with_spares(target, twice).hierarchy.spare_crossbars == 1
    with pytest.raises(DoesNotFit, match="none of the 96 crossbars of the tile in slot 1 works"):
        with_spares(target, FaultMap(none, none, none[:, :2], none[:, :2], np.arange(96, 192)[:, None]))
