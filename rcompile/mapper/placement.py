"""Tiles onto the mesh, tree or bus of each chip: least bytes x hops.

Tiles are first dealt to chips (`chip_cut`), then each chip is a quadratic assignment problem of its own, since what
crosses chips passes their gates. Snakes in strips start it, descent improves each, annealing and tabu search go on
from the best (`swaps`), and CP-SAT finishes instances of up to nine tiles on a mesh. All searches are limited by work
and draw from fixed seeds: results depend on neither machine nor threads. Bounds are Gilmore's and Lawler's on the
fabric as a whole, and the nearest slots of an endless one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rcompile.mapper.chip_cut import Cut, crossing, cut_into_chips
from rcompile.mapper.effort import solver
from rcompile.mapper.fabric import Fabric, Matrix
from rcompile.mapper.mesh import Mesh
from rcompile.mapper.swaps import Problem, anneal, descend, problem_of, tabu
from rcompile.options import Effort

EXACT_TILES = 9
ANNEALED = 3
"""Starts that annealing goes on from."""

PROPOSALS = 1.33
"""Of annealing, per pair of slots, and unit of effort."""

MOST_PROPOSALS = 37_500
"""Per unit of effort, over all chips."""

TABU_SWAPS = 250
"""Per unit of effort."""

SWAP_WORK = 2e10
"""Elements that descent may touch: some seconds."""

BOUNDED_SLOTS = 2048
"""More are not bounded by Gilmore's and Lawler's method: its work grows with the cube."""


@dataclass(frozen=True)
class Assignment:
    """Slots of tiles with their cost; `proven` where the bound equals it."""

    slots: tuple[int, ...]
    cost: int
    snake_cost: int
    bound: int
    proven: bool
    cut: Cut


def assign(flows: Matrix, fabric: Fabric, effort: Effort) -> Assignment:
    """Place tiles with the given flows (tile x tile, bytes) on the fabric."""
    tiles = len(flows)
    symmetric = flows + flows.T
    np.fill_diagonal(symmetric, 0)
    with threadpool_limits(1, "blas"):
        cut = cut_into_chips(symmetric, fabric, effort)
    snake = fabric.snake()[:tiles]
    if not symmetric.any():
        return Assignment(tuple(map(int, snake)), 0, 0, 0, proven=True, cut=cut)
    slots, exact = np.empty(tiles, np.int64), 0
    chips = np.unique(cut.chip)
    with threadpool_limits(1, "blas"):
        for chip in chips:
            own = np.flatnonzero(cut.chip == chip)
            outward = symmetric[np.ix_(own, np.flatnonzero(cut.chip != chip))].sum(axis=1)
            inside, exact = place_chip(symmetric[np.ix_(own, own)], outward, fabric, effort, len(chips))
            slots[own] = chip * fabric.per_chip + inside
        if len(chips) > 1 and fabric.slots <= BOUNDED_SLOTS:
            slots = across_chips(symmetric, fabric, slots)
    bound = max(lower_bound(symmetric, fabric), exact if fabric.chips == 1 else 0)
    snake_cost, found = cost_on(symmetric, fabric, snake), cost_on(symmetric, fabric, slots)
    if found > snake_cost:
        slots, found = snake, snake_cost
    chip = slots // fabric.per_chip
    cut = replace(cut, chip=chip, bytes=crossing(symmetric, chip))
    return Assignment(tuple(map(int, slots)), found, snake_cost, bound, proven=found == bound, cut=cut)


def assign_in_rounds(
    flows: Matrix, fabric: Fabric, rounds: NDArray[np.int64], resident: int, effort: Effort
) -> Assignment:
    """Place tiles of which only those of one round, and the resident ones, are there at the same time.

    Only flows between tiles that compute in the same round cross the fabric. Resident tiles are placed first, then each
    round on the slots that they leave.

    Args:
        flows: (tiles, tiles) bytes.
        fabric: at least as many slots as are there at the same time.
        rounds: (tiles,) in which each computes.
        resident: the first of the tiles that stay.
        effort: of the search.
    """
    kept = np.arange(resident, len(flows))
    together = np.where(rounds[:, None] == rounds, flows, 0)
    first = assign(together[np.ix_(kept, kept)], fabric, effort) if kept.size else None
    slots = np.empty(len(flows), np.int64)
    slots[kept] = first.slots if first is not None else []
    free = np.setdiff1d(fabric.snake(), slots[kept], assume_unique=True)
    symmetric = together + together.T
    snake = slots.copy()
    for number in range(int(rounds.max()) + 1):
        own = np.flatnonzero((rounds == number) & (np.arange(len(flows)) < resident))
        there = np.flatnonzero(rounds == number)
        snake[own] = slots[own] = free[: own.size]
        order = np.concatenate([slots[there], np.setdiff1d(free, slots[own], assume_unique=True)])
        none = np.zeros(len(order), np.int64)
        hops = fabric.hops(order[:, None], order[None, :])
        movable = np.isin(there, own)
        problem = problem_of(symmetric[np.ix_(there, there)], hops, none[: there.size], none, ~movable)
        with threadpool_limits(1, "blas"):
            moved = order[descend(problem, np.arange(len(order)), int(SWAP_WORK // len(order) ** 2))]
        slots[own] = moved[: there.size][movable]
    cost, snake_cost = cost_on(symmetric, fabric, slots), cost_on(symmetric, fabric, snake)
    if cost > snake_cost:
        slots, cost = snake, snake_cost
    bound = nearest_bound(symmetric, fabric) if fabric.chips == 1 else 0
    chip = slots // fabric.per_chip
    cut = Cut(chip, crossing(symmetric, chip), 0)
    return Assignment(tuple(map(int, slots)), cost, snake_cost, bound, proven=cost == bound, cut=cut)


def place_chip(flow: Matrix, outward: Matrix, fabric: Fabric, effort: Effort, chips: int) -> tuple[Matrix, int]:
    """Return the slots of one chip's tiles, and a bound on their cost, 0 where there is none.

    Args:
        flow: bytes between its tiles.
        outward: bytes between each and other chips.
        fabric: of all chips.
        effort: of the search, which all chips share.
        chips: how many.
    """
    tiles = len(flow)
    corner = fabric.corner(tiles)
    slot = np.arange(corner.slots)
    problem = problem_of(flow, corner.distances(), outward, corner.to_gate(slot))
    found = search(problem, corner, effort, chips)[:tiles]
    bound = 0
    few = (
        tiles <= EXACT_TILES and not outward.any() and cost_on(flow, corner, found) > lower_bound(flow, fabric.alone())
    )
    if few and isinstance(corner, Mesh) and corner.layers == 1:
        found, bound = solve(flow, corner, found, effort)
    return fabric.slots_of(corner, found), bound if corner.per_chip == fabric.per_chip else 0


def across_chips(symmetric: Matrix, fabric: Fabric, slots: Matrix) -> Matrix:
    """Improve a placement by swaps over all chips, until none helps."""
    none = np.zeros(fabric.slots, np.int64)
    problem = problem_of(symmetric, fabric.distances(), none[: len(slots)], none)
    order = np.concatenate([slots, np.setdiff1d(np.arange(fabric.slots), slots)])
    return descend(problem, order, int(SWAP_WORK // fabric.slots**2))[: len(slots)]


def search(problem: Problem, fabric: Fabric, effort: Effort, chips: int) -> Matrix:
    """Return the best order that the portfolio finds; the first entries are the slots of the tiles."""
    slots = len(problem.distance)
    starts = fabric.starts()
    swaps = max(1, int(SWAP_WORK / slots**2 / chips / len(starts)))
    descended = sorted((descend(problem, start, swaps) for start in starts), key=problem.cost)
    best = descended[0]
    if effort is Effort.LOW:
        return best
    proposals = int(min(PROPOSALS * slots**2, MOST_PROPOSALS / chips) * effort.factor)
    for start in distinct(descended, problem)[:ANNEALED]:
        cooled = descend(problem, anneal(problem, start, proposals), swaps)
        best = min(best, cooled, key=problem.cost)
    return tabu(problem, best, TABU_SWAPS * effort.factor // chips)


def distinct(orders: list[Matrix], problem: Problem) -> list[Matrix]:
    """Return one order for each cost."""
    return list({problem.cost(order): order for order in reversed(orders)}.values())[::-1]


def cost_on(symmetric: Matrix, fabric: Fabric, slots: Matrix) -> int:
    """Return bytes x hops without the distances of all slots."""
    first, second = np.nonzero(symmetric)
    return int((symmetric[first, second] * fabric.hops(slots[first], slots[second])).sum()) // 2


def lower_bound(symmetric: Matrix, fabric: Fabric) -> int:
    """Return bytes x hops that no placement on the fabric falls below."""
    found = nearest_bound(symmetric, fabric) if fabric.chips == 1 else 0
    if fabric.slots <= BOUNDED_SLOTS:
        found = max(found, gilmore_lawler(symmetric, fabric.distances()))
    return found


def nearest_bound(symmetric: Matrix, fabric: Fabric) -> int:
    """Return a lower bound for one chip of any size: a tile's largest flows over the shortest distances."""
    count = len(symmetric) - 1
    flows = -np.sort(-symmetric, axis=1)[:, :count]
    return -(-int((flows * fabric.nearest(count)).sum()) // 2)


def gilmore_lawler(symmetric: Matrix, distances: Matrix) -> int:
    """Return a lower bound: largest flows over shortest distances, assigned linearly (Gilmore 1962, Lawler 1963)."""
    from scipy.optimize import linear_sum_assignment

    tiles = len(symmetric)
    flows = -np.sort(-symmetric, axis=1)
    near = np.sort(distances, axis=1)[:, 1 : tiles + 1]
    least = flows[:, : near.shape[1]] @ near.T
    chosen = linear_sum_assignment(least)
    return -(-int(least[chosen].sum()) // 2)


def solve(symmetric: Matrix, mesh: Mesh, start: Matrix, effort: Effort) -> tuple[Matrix, int]:
    """Improve a placement of few tiles by CP-SAT in a square corner of one chip; return slots and bound.

    The bound holds for the whole mesh only where the corner is all of it; otherwise 0 is returned.
    """
    from ortools.sat.python import cp_model

    tiles = len(symmetric)
    side = int(np.ceil(np.sqrt(tiles)))
    rows = min(-(-side // mesh.router_rows) * mesh.router_rows, mesh.rows)
    columns = min(-(-side // mesh.router_columns) * mesh.router_columns, mesh.columns)
    if rows * columns < tiles:
        rows, columns = min(tiles, mesh.rows), min(tiles, mesh.columns)
    model = cp_model.CpModel()
    row = [model.new_int_var(0, rows - 1, f"row{t}") for t in range(tiles)]
    column = [model.new_int_var(0, columns - 1, f"column{t}") for t in range(tiles)]
    model.add_all_different([row[t] * columns + column[t] for t in range(tiles)])
    terms = []
    axes = []
    for places, size, block in ((row, rows, mesh.router_rows), (column, columns, mesh.router_columns)):
        routers = [model.new_int_var(0, (size - 1) // block, "") for _ in places]
        for router, place in zip(routers, places, strict=True):
            model.add_division_equality(router, place, block)
        axes.append((routers, size))
    for first, second in zip(*np.nonzero(np.triu(symmetric)), strict=True):
        for axis, size in axes:
            distance = model.new_int_var(0, size - 1, "")
            model.add_abs_equality(distance, axis[first] - axis[second])
            terms.append(int(symmetric[first, second]) * distance)
    model.minimize(sum(terms))
    found = solver(effort)
    status = found.solve(model)
    whole = rows * columns == mesh.slots
    bound = round(found.best_objective_bound) if whole else 0
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return start, bound
    slots = np.array([found.value(row[t]) * mesh.columns + found.value(column[t]) for t in range(tiles)])
    better = cost_on(symmetric, mesh, slots) < cost_on(symmetric, mesh, start)
    return (slots if better else start), bound
