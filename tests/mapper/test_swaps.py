"""Searches by swaps: what a swap changes, and optima of small chips against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rcompile.mapper.mesh import Mesh
from rcompile.mapper.swaps import Swaps, anneal, descend, problem_of, tabu


def random_problem(seed: int, rows: int, columns: int, tiles: int):
    rng = np.random.default_rng(seed)
    flow = rng.integers(0, 1000, (tiles, tiles)) * (rng.random((tiles, tiles)) < 0.4)
    flow = np.triu(flow, 1)
    slot = np.arange(rows * columns)
    outward = rng.integers(0, 500, tiles) * (rng.random(tiles) < 0.3)
    return problem_of(flow + flow.T, Mesh(rows, columns, 1).distances(), outward, slot // columns + slot % columns)


@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(2, 4), st.integers(2, 9))
@settings(max_examples=25)
def test_the_change_of_each_swap_is_the_difference_of_costs(seed, rows, columns, tiles):
    problem = random_problem(seed, rows, columns, min(tiles, rows * columns))
    count = rows * columns
    rng = np.random.default_rng(seed)
    state = Swaps(problem, rng.permutation(count))
    for _ in range(4):
        cost = problem.cost(state.order)
        for first, second in itertools.combinations(range(count), 2):
            if first >= problem.tiles:
                assert state.change[second, first] == np.inf
                continue
            order = state.order.copy()
            order[[first, second]] = order[[second, first]]
            assert state.change[second, first] == problem.cost(order) - cost
        state.swap(*(int(tile) for tile in rng.choice(count, 2, replace=False)))


@pytest.mark.parametrize("seed", range(6))
def test_tabu_search_finds_the_optimum_of_three_by_three(seed):
    problem = random_problem(seed, 3, 3, 9 - seed % 3)
    orders = np.array(list(itertools.permutations(range(9))))
    costs = problem.gate[orders] @ problem.outward
    for first, second in zip(*np.nonzero(np.triu(problem.flow)), strict=True):
        costs += problem.flow[first, second] * problem.distance[orders[:, first], orders[:, second]]
    best = costs.min()
    assert problem.cost(tabu(problem, np.arange(9), 400)) == best


@pytest.mark.parametrize("seed", range(3))
def test_every_search_returns_an_order_that_is_no_worse(seed):
    problem = random_problem(seed, 5, 6, 26)
    start = np.random.default_rng(seed).permutation(30)
    descended = descend(problem, start, 1000)
    cooled = anneal(problem, start, 5000)
    for order in (descended, cooled, tabu(problem, start, 100)):
        assert sorted(order) == list(range(30))
        assert problem.cost(order) < problem.cost(start)
    assert problem.cost(tabu(problem, descended, 100)) <= problem.cost(descended)
    assert (anneal(problem, start, 5000) == cooled).all()
