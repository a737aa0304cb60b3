"""The mapper against brute force on small instances."""

import itertools

import numpy as np
import pytest

from rcompile.mapper.fabric import link_loads
from rcompile.mapper.mesh import Mesh
from rcompile.mapper.placement import assign, cost_on
from rcompile.options import Effort


def random_flows(tiles: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    flows = rng.integers(0, 1000, (tiles, tiles)) * (rng.random((tiles, tiles)) < 0.4)
    np.fill_diagonal(flows, 0)
    return flows.astype(np.int64)


@pytest.mark.parametrize("seed", range(4))
def test_placement_on_two_by_three_is_optimal_and_bounded(seed):
    flows, mesh = random_flows(6, seed), Mesh(2, 3, 1)
    best = min(cost_on(flows + flows.T, mesh, np.array(order)) for order in itertools.permutations(range(6)))
    found = assign(flows, mesh, Effort.NORMAL)
    assert found.cost == best
    assert found.bound <= best <= found.snake_cost
    assert sorted(set(found.slots)) == sorted(found.slots)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("block", [(1, 2), (2, 2)])
def test_placement_on_a_concentrated_mesh_is_optimal_and_bounded(seed, block):
    flows, mesh = random_flows(6, seed), Mesh(2, 4, 1, 1, *block)
    places = itertools.permutations(range(8), 6)
    best = min(cost_on(flows + flows.T, mesh, np.array(order)) for order in places)
    found = assign(flows, mesh, Effort.NORMAL)
    assert found.cost == best
    assert found.bound <= best <= found.snake_cost


def test_tiles_of_a_router_are_no_hops_apart():
    mesh = Mesh(4, 4, 1, 1, 2, 2)
    distances = mesh.distances()
    assert distances[0, 5] == 0
    assert distances[0, 2] == 1
    assert distances[0, 15] == 2
    assert (np.sort(distances, axis=1)[:, :4] == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_placement_never_loses_to_the_snake_and_respects_its_bound(seed):
    flows, mesh = random_flows(40, seed), Mesh(8, 6, 1)
    found = assign(flows, mesh, Effort.NORMAL)
    assert found.bound <= found.cost <= found.snake_cost


def test_chips_are_crossed_at_their_gates():
    mesh = Mesh(2, 2, 2)
    distances = mesh.distances()
    assert distances[3, 7] == 2 + 1 + 2  # corner to gate, chip to chip, gate to corner
    assert (distances == distances.T).all()


def test_link_loads_add_up_to_byte_hops():
    flows, mesh = random_flows(9, 5), Mesh(3, 3, 1)
    found = assign(flows, mesh, Effort.NORMAL)
    assert link_loads(flows, found.slots, mesh).total == found.cost


@pytest.mark.parametrize("tiles", [2, 9, 30])
def test_a_large_mesh_is_no_more_work(tiles):
    flows = random_flows(tiles, 7)
    found = assign(flows, Mesh(500, 300, 1), Effort.NORMAL)
    assert found.bound <= found.cost <= found.snake_cost
    assert len(set(found.slots)) == tiles
    rows, columns = np.divmod(np.array(found.slots), 300)
    distances = np.abs(rows[:, None] - rows) + np.abs(columns[:, None] - columns)
    assert int((flows * distances).sum()) == found.cost


def test_no_traffic_needs_no_search():
    assert assign(np.zeros((3, 3), np.int64), Mesh(1024, 1024, 1), Effort.NORMAL).cost == 0
