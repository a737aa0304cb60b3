"""Cuts into chips against brute force."""

import itertools

import numpy as np
import pytest

from rcompile.mapper.chip_cut import best_runs, crossing, cut_into_chips, groups
from rcompile.mapper.mesh import Mesh
from rcompile.options import Effort


def random_bytes(seed: int, tiles: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.integers(0, 100, (tiles, tiles)) * (rng.random((tiles, tiles)) < 0.4), 1)
    return (upper + upper.T).astype(np.int64)


def layered(sizes: list[int]) -> np.ndarray:
    """A chain of layers: the first tile of each collects from its own tiles and sends to all of the next."""
    first = np.cumsum([0, *sizes])
    flow = np.zeros((first[-1], first[-1]), np.int64)
    for layer, size in enumerate(sizes):
        flow[first[layer], first[layer] + 1 : first[layer] + size] = 10 * (layer + 1)
        if layer + 1 < len(sizes):
            flow[first[layer], first[layer + 1] : first[layer + 2]] += 7
    return flow + flow.T


@pytest.mark.parametrize("seed", range(8))
def test_the_best_runs_are_the_best(seed):
    symmetric, capacity = random_bytes(seed, 8), 3
    fits = [
        chip
        for cuts in itertools.combinations(range(1, 8), 2)
        if max(np.diff([0, *cuts, 8])) <= capacity
        for chip in [np.searchsorted(cuts, np.arange(8), side="right")]
    ]
    assert crossing(symmetric, best_runs(symmetric, capacity, 3)) == min(crossing(symmetric, chip) for chip in fits)


@pytest.mark.parametrize("effort", [Effort.NORMAL, Effort.HIGH])
@pytest.mark.parametrize("symmetric", [layered([3, 3, 2]), layered([2, 5, 1]), random_bytes(3, 8)], ids=["a", "b", "c"])
def test_cuts_are_bounded_and_no_worse_than_filling_chip_after_chip(symmetric, effort):
    cut = cut_into_chips(symmetric, Mesh(1, 3, 4), effort)
    every = (np.array(c) for c in itertools.product(range(3), repeat=len(symmetric)))
    best = min(crossing(symmetric, c) for c in every if np.bincount(c).max() <= 3)
    next_fit = np.arange(len(symmetric)) // 3
    assert cut.bound <= best <= cut.bytes <= crossing(symmetric, next_fit)
    assert cut.bytes == crossing(symmetric, cut.chip)
    assert np.bincount(cut.chip).max() <= 3
    if effort is Effort.HIGH:
        assert cut.bytes == best == cut.bound


def test_the_inside_of_a_layer_is_one_group():
    assert [len(group) for group in groups(layered([4, 3]))] == [1, 3, 1, 2]


def test_one_chip_is_not_cut():
    assert cut_into_chips(random_bytes(0, 6), Mesh(2, 3, 5), Effort.NORMAL).bytes == 0
