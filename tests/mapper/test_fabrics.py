"""What connects tiles, against graphs of its links."""

import itertools

import networkx as nx
import numpy as np
import pytest

from rcompile.mapper.bus import Bus
from rcompile.mapper.fabric import Fabric, link_loads
from rcompile.mapper.mesh import Mesh
from rcompile.mapper.placement import assign, cost_on
from rcompile.mapper.tree import Tree
from rcompile.options import Effort

FABRICS = {
    "stacked": Mesh(2, 3, 2, layers=3),
    "stacked and concentrated": Mesh(4, 4, 1, layers=2, router_rows=2, router_columns=2),
    "tree": Tree(4, 4, 2),
    "ragged tree": Tree(3, 5, 1),
    "bus": Bus(2, 3, 2),
}


def graph_of(fabric: Fabric) -> nx.Graph:
    """Return slots and what is between them; each edge is as many hops long as its weight says."""
    graph = nx.Graph()
    for slot in range(fabric.slots):
        chip, inner = divmod(slot, fabric.per_chip)
        layer, row, column = (int(v) for v in fabric.position(np.int64(inner)))
        if isinstance(fabric, Mesh):
            here = (chip, layer, row // fabric.router_rows, column // fabric.router_columns)
            graph.add_edge(slot, here, weight=0)
            for axis in (1, 2, 3):
                beside = tuple(v - (i == axis) for i, v in enumerate(here))
                if min(beside) >= 0:
                    graph.add_edge(here, beside, weight=1)
            gate = (chip, 0, 0, 0)
        elif isinstance(fabric, Tree):
            below: object = slot
            for level in range(1, fabric.height + 1):
                graph.add_edge(below, node := (chip, level, row >> level, column >> level), weight=1)
                below = node
            gate = (chip, fabric.height, 0, 0)
        else:
            graph.add_edge(slot, gate := (chip,), weight=1)
            for other in range(slot % fabric.per_chip):
                graph.add_edge(slot, chip * fabric.per_chip + other, weight=1)
        graph.add_edge(("gate", chip), gate, weight=0)
    for chip in range(1, fabric.chips):
        graph.add_edge(("gate", chip - 1), ("gate", chip), weight=1)
    return graph


@pytest.mark.parametrize("name", FABRICS)
def test_hops_are_the_shortest_paths_of_the_links(name):
    fabric = FABRICS[name]
    expected = dict(nx.all_pairs_dijkstra_path_length(graph_of(fabric)))
    distances = fabric.distances()
    for first, second in itertools.product(range(fabric.slots), repeat=2):
        assert distances[first, second] == expected[first][second], (first, second)


def random_flows(tiles: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    flows = rng.integers(0, 50, (tiles, tiles)) * (rng.random((tiles, tiles)) < 0.4)
    np.fill_diagonal(flows, 0)
    return flows.astype(np.int64)


@pytest.mark.parametrize("name", FABRICS)
@pytest.mark.parametrize("seed", range(3))
def test_loads_of_all_links_are_bytes_times_hops(name, seed):
    fabric, flows = FABRICS[name], random_flows(8, seed)
    slots = tuple(np.random.default_rng(seed).permutation(fabric.slots)[:8].tolist())
    assert link_loads(flows, slots, fabric).total == cost_on(flows + flows.T, fabric, np.array(slots))


ROUTED = {**FABRICS, "three chips": Mesh(2, 2, 3), "plain": Mesh(3, 4, 2)}


@pytest.mark.parametrize("name", ROUTED)
def test_routes_are_as_long_as_hops_say_and_load_the_links_that_are_counted(name):
    fabric, flows = ROUTED[name], random_flows(8, 1)
    slots = np.random.default_rng(1).permutation(fabric.slots)[:8].tolist()
    loads = link_loads(flows, tuple(slots), fabric)
    inside, chips = np.zeros_like(loads.inside), np.zeros_like(loads.chips)
    for source, destination in zip(*np.nonzero(flows), strict=True):
        route = fabric.route(slots[source], slots[destination])
        assert len(route) == fabric.hops(np.array(slots[source]), np.array(slots[destination]))
        for link in route:
            (chips if len(link) == 2 else inside)[link] += flows[source, destination]
    np.testing.assert_array_equal(inside, loads.inside)
    np.testing.assert_array_equal(chips, loads.chips)
    assert loads.total == sum(
        flows[s, d] * fabric.hops(np.array(slots[s]), np.array(slots[d]))
        for s, d in itertools.product(range(8), repeat=2)
    )


@pytest.mark.parametrize("seed", range(3))
def test_loads_of_a_tree_are_those_of_its_paths(seed):
    fabric, flows = Tree(4, 4, 2), random_flows(12, seed)
    slots = np.random.default_rng(seed).permutation(fabric.slots)[:12]
    graph, expected = graph_of(fabric), {}
    for source, destination in zip(*np.nonzero(flows), strict=True):
        path = nx.dijkstra_path(graph, int(slots[source]), int(slots[destination]))
        for link in itertools.pairwise(path):
            expected[link] = expected.get(link, 0) + int(flows[source, destination])
    found = link_loads(flows, tuple(slots.tolist()), fabric)
    inside = [amount for link, amount in expected.items() if not any("gate" in str(end) for end in link)]
    assert sorted(found.inside[found.inside > 0].tolist()) == sorted(inside)
    assert found.most == max(expected.values())


def test_a_bus_carries_all_that_its_tiles_send():
    fabric, flows = Bus(2, 3, 1), random_flows(6, 1)
    assert link_loads(flows, tuple(range(6)), fabric).most == flows.sum()


@pytest.mark.parametrize("name", FABRICS)
@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_no_slot_has_nearer_others_than_the_bound_says(name, count):
    fabric = FABRICS[name].alone()
    nearest = np.sort(fabric.distances(), axis=1)[:, 1 : count + 1]
    assert (nearest >= fabric.nearest(count)[: nearest.shape[1]]).all()


def test_the_nearest_of_an_endless_stack_are_met_in_a_large_one():
    for fabric in (Mesh(9, 9, 1, layers=2), Mesh(9, 9, 1, layers=3), Tree(16, 16, 1)):
        nearest = np.sort(fabric.distances(), axis=1)[:, 1:13]
        assert (nearest == fabric.nearest(12)).all(axis=1).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fabric", [Mesh(2, 2, 1, layers=2), Tree(2, 4, 1), Bus(2, 4, 1)], ids=["stack", "tree", "bus"])
def test_placement_is_optimal_and_bounded(fabric, seed):
    flows = random_flows(6, seed)
    places = itertools.permutations(range(fabric.slots), 6)
    best = min(cost_on(flows + flows.T, fabric, np.array(order)) for order in places)
    found = assign(flows, fabric, Effort.NORMAL)
    assert found.cost == best
    assert found.bound <= best <= found.snake_cost
    assert len(set(found.slots)) == 6
    if isinstance(fabric, Bus):
        assert found.proven


@pytest.mark.parametrize("fabric", [Mesh(200, 100, 2, layers=4), Tree(256, 256, 1), Bus(1024, 1024, 1)])
def test_a_large_fabric_is_no_more_work(fabric):
    flows = random_flows(20, 3)
    found = assign(flows, fabric, Effort.LOW)
    assert found.cost == cost_on(flows + flows.T, fabric, np.array(found.slots))
    assert found.bound <= found.cost <= found.snake_cost
    assert len(set(found.slots)) == 20


def test_corners_are_parts_of_their_fabrics():
    for fabric, tiles in ((Mesh(20, 30, 1, layers=3), 7), (Tree(32, 16, 1), 9)):
        corner = fabric.corner(tiles)
        slots = np.arange(corner.slots)
        there = fabric.slots_of(corner, slots)
        assert corner.slots < fabric.slots
        assert (fabric.hops(there[:, None], there) == corner.distances()).all()
