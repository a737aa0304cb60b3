"""Copies of layers: optima against brute force, bounds that hold."""

import itertools

import numpy as np
import pytest

from rcompile.mapper.replication import cost, one_copy, shortest_interval, shortest_latency
from rcompile.mapper.timing import Feed, Layer, interval, latency
from rcompile.options import Effort


def random_layers(seed: int, count: int = 3) -> tuple[list[Layer], int]:
    """A pipeline with a shortcut, and a budget for one copy of each and some more."""
    rng = np.random.default_rng(seed)
    layers = []
    for index in range(count):
        producers = {index - 1} if index else set()
        if index > 1 and rng.random() < 0.5:
            producers.add(int(rng.integers(0, index - 1)))
        vectors = int(rng.integers(1, 30))
        layers.append(
            Layer(
                vectors=vectors,
                cycles=int(rng.integers(1, 5)),
                crossbars=int(rng.integers(1, 6)),
                serial=bool(rng.random() < 0.2),
                feeds=tuple(
                    Feed(p, int(rng.integers(1, layers[p].vectors + 1)), int(rng.integers(1, vectors + 1)))
                    for p in sorted(producers)
                ),
            )
        )
    return layers, cost(layers, (1,) * count) + int(rng.integers(0, 20))


def affordable(layers: list[Layer], budget: int):
    limits = [range(1, 2 if layer.serial else budget // layer.crossbars + 1) for layer in layers]
    return (trial for trial in itertools.product(*limits) if cost(layers, trial) <= budget)


@pytest.mark.parametrize("seed", range(40))
def test_the_shortest_interval_is_the_shortest_and_takes_the_fewest_crossbars(seed):
    layers, budget = random_layers(seed)
    found = shortest_interval(layers, budget)
    best = min(interval(layers, trial) for trial in affordable(layers, budget))
    least = min(cost(layers, t) for t in affordable(layers, budget) if interval(layers, t) == best)
    assert (found.reached, found.bound, cost(layers, found.copies)) == (best, best, least)


@pytest.mark.parametrize("seed", range(40))
def test_the_shortest_latency_is_bounded_and_close_to_the_best(seed):
    layers, budget = random_layers(seed)
    order = range(len(layers))
    found = shortest_latency(layers, budget, order, Effort.LOW)
    best = min(latency(layers, trial, order) for trial in affordable(layers, budget))
    assert cost(layers, found.copies) <= budget
    assert found.bound <= best + 1e-9
    assert found.reached == latency(layers, found.copies, order)
    assert best <= found.reached <= latency(layers, shortest_interval(layers, budget).copies, order)
    if found.reached <= found.bound:
        assert found.reached == pytest.approx(best)


def test_nothing_is_copied_where_copies_do_not_help():
    waiting = Layer(vectors=50, cycles=3, crossbars=2, serial=True, feeds=())
    short = Layer(vectors=10, cycles=1, crossbars=1, serial=False, feeds=(Feed(0, 50, 10),))
    assert shortest_interval([waiting, short], 100).copies == (1, 1)
    assert shortest_latency([waiting, short], 100, (0, 1), Effort.LOW).copies == (1, 10)


def test_one_copy_takes_the_fewest_crossbars():
    layers, _ = random_layers(1)
    assert one_copy(layers).copies == (1, 1, 1)
    assert one_copy(layers).reached == one_copy(layers).bound == sum(layer.crossbars for layer in layers)
