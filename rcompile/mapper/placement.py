"""Tiles onto the mesh of each chip: least bytes x hops.

Tiles are first dealt to chips (`chip_cut`), then each chip is a quadratic assignment problem of its own, since what
crosses chips passes their gates. Snakes in strips start it, descent improves each, annealing and tabu search go on
from the best (`swaps`), and CP-SAT finishes instances of up to nine tiles. All searches are limited by work and
draw from fixed seeds: results depend on neither machine nor threads. Bounds are Gilmore's and Lawler's on the mesh as
a whole, and the nearest slots of an endless one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rcompile.mapper.chip_cut import Cut, crossing, cut_into_chips
from rcompile.mapper.effort import solver
from rcompile.mapper.mesh import Matrix, Mesh
from rcompile.mapper.swaps import Problem, anneal, descend, problem_of, tabu
from rcompile.options import Effort

EXACT_TILES = 9
STRIP_HEIGHTS = range(1, 7)
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


def assign(flows: Matrix, mesh: Mesh, effort: Effort) -> Assignment:
    """Place tiles with the given flows (tile x tile, bytes) on the mesh."""
    tiles = len(flows)
    symmetric = flows + flows.T
    np.fill_diagonal(symmetric, 0)
    with threadpool_limits(1, "blas"):
        cut = cut_into_chips(symmetric, mesh, effort)
    snake = mesh.snake(1)[:tiles]
    if not symmetric.any():
        return Assignment(tuple(map(int, snake)), 0, 0, 0, proven=True, cut=cut)
    slots, exact = np.empty(tiles, np.int64), 0
    chips = np.unique(cut.chip)
    with threadpool_limits(1, "blas"):
        for chip in chips:
            own = np.flatnonzero(cut.chip == chip)
            outward = symmetric[np.ix_(own, np.flatnonzero(cut.chip != chip))].sum(axis=1)
            inside, exact = place_chip(symmetric[np.ix_(own, own)], outward, mesh, effort, len(chips))
            slots[own] = chip * mesh.rows * mesh.columns + inside
        if len(chips) > 1 and mesh.slots <= BOUNDED_SLOTS:
            slots = across_chips(symmetric, mesh, slots)
    bound = max(lower_bound(symmetric, mesh), exact if mesh.chips == 1 else 0)
    snake_cost, found = cost_on(symmetric, mesh, snake), cost_on(symmetric, mesh, slots)
    if found > snake_cost:
        slots, found = snake, snake_cost
    chip = slots // (mesh.rows * mesh.columns)
    cut = replace(cut, chip=chip, bytes=crossing(symmetric, chip))
    return Assignment(tuple(map(int, slots)), found, snake_cost, bound, proven=found == bound, cut=cut)


def assign_in_rounds(flows: Matrix, mesh: Mesh, rounds: NDArray[np.int64], resident: int, effort: Effort) -> Assignment:
    """Place tiles of which only those of one round, and the resident ones, are there at the same time.

    Only flows between tiles that compute in the same round cross the mesh. Resident tiles are placed first, then each
    round on the slots that they leave.

    Args:
        flows: (tiles, tiles) bytes.
        mesh: at least as many slots as are there at the same time.
        rounds: (tiles,) in which each computes.
        resident: the first of the tiles that stay.
        effort: of the search.
    """
    kept = np.arange(resident, len(flows))
    together = np.where(rounds[:, None] == rounds, flows, 0)
    first = assign(together[np.ix_(kept, kept)], mesh, effort) if kept.size else None
    slots = np.empty(len(flows), np.int64)
    slots[kept] = first.slots if first is not None else []
    free = np.setdiff1d(mesh.snake(1), slots[kept], assume_unique=True)
    symmetric = together + together.T
    snake = slots.copy()
    for number in range(int(rounds.max()) + 1):
        own = np.flatnonzero((rounds == number) & (np.arange(len(flows)) < resident))
        there = np.flatnonzero(rounds == number)
        snake[own] = slots[own] = free[: own.size]
        order = np.concatenate([slots[there], np.setdiff1d(free, slots[own], assume_unique=True)])
        none = np.zeros(len(order), np.int64)
        hops = mesh.hops(order[:, None], order[None, :])
        movable = np.isin(there, own)
        problem = problem_of(symmetric[np.ix_(there, there)], hops, none[: there.size], none, ~movable)
        with threadpool_limits(1, "blas"):
            moved = order[descend(problem, np.arange(len(order)), int(SWAP_WORK // len(order) ** 2))]
        slots[own] = moved[: there.size][movable]
    cost, snake_cost = cost_on(symmetric, mesh, slots), cost_on(symmetric, mesh, snake)
    if cost > snake_cost:
        slots, cost = snake, snake_cost
    bound = lattice_bound(symmetric, mesh) if mesh.chips == 1 else 0
    chip = slots // (mesh.rows * mesh.columns)
    cut = Cut(chip, crossing(symmetric, chip), 0)
    return Assignment(tuple(map(int, slots)), cost, snake_cost, bound, proven=cost == bound, cut=cut)


def place_chip(flow: Matrix, outward: Matrix, mesh: Mesh, effort: Effort, chips: int) -> tuple[Matrix, int]:
    """Return the slots of one chip's tiles, and a bound on their cost, 0 where there is none.

    Args:
        flow: bytes between its tiles.
        outward: bytes between each and other chips.
        mesh: of all chips.
        effort: of the search, which all chips share.
        chips: how many.
    """
    tiles = len(flow)
    corner = mesh.corner(tiles)
    slot = np.arange(corner.slots)
    problem = problem_of(flow, corner.distances(), outward, corner.hops(slot, np.zeros_like(slot)))
    found = search(problem, corner, effort, chips)[:tiles]
    bound = 0
    alone = replace(mesh, chips=1)
    if tiles <= EXACT_TILES and not outward.any() and cost_on(flow, corner, found) > lower_bound(flow, alone):
        found, bound = solve(flow, corner, found, effort)
    whole = corner.rows == mesh.rows and corner.columns == mesh.columns
    return mesh.slots_of(corner, found), bound if whole else 0


def across_chips(symmetric: Matrix, mesh: Mesh, slots: Matrix) -> Matrix:
    """Improve a placement by swaps over all chips, until none helps."""
    none = np.zeros(mesh.slots, np.int64)
    problem = problem_of(symmetric, mesh.distances(), none[: len(slots)], none)
    order = np.concatenate([slots, np.setdiff1d(np.arange(mesh.slots), slots)])
    return descend(problem, order, int(SWAP_WORK // mesh.slots**2))[: len(slots)]


def search(problem: Problem, mesh: Mesh, effort: Effort, chips: int) -> Matrix:
    """Return the best order that the portfolio finds; the first entries are the slots of the tiles."""
    slots = len(problem.distance)
    turned = Mesh(mesh.columns, mesh.rows, 1)
    starts = [mesh.snake(height) for height in STRIP_HEIGHTS if height <= mesh.rows]
    starts += [turned.turned(turned.snake(height)) for height in STRIP_HEIGHTS if height <= mesh.columns]
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


def cost_on(symmetric: Matrix, mesh: Mesh, slots: Matrix) -> int:
    """Return bytes x hops without the distances of all slots."""
    first, second = np.nonzero(symmetric)
    return int((symmetric[first, second] * mesh.hops(slots[first], slots[second])).sum()) // 2


def lower_bound(symmetric: Matrix, mesh: Mesh) -> int:
    """Return bytes x hops that no placement on the mesh falls below."""
    found = lattice_bound(symmetric, mesh) if mesh.chips == 1 else 0
    if mesh.slots <= BOUNDED_SLOTS:
        found = max(found, gilmore_lawler(symmetric, mesh.distances()))
    return found


def lattice_bound(symmetric: Matrix, mesh: Mesh) -> int:
    """Return a lower bound on any mesh of one chip: a tile's largest flows over the shortest distances there are.

    A router has at most 4 k others at distance k; a slot shares its own with all others of its block.
    """
    count, block = len(symmetric) - 1, mesh.router_rows * mesh.router_columns
    beside = np.zeros(block - 1, np.int64)
    farther = np.repeat(np.arange(1, count + 1), 4 * block * np.arange(1, count + 1))
    nearest = np.concatenate([beside, farther])[:count]
    flows = -np.sort(-symmetric, axis=1)[:, :count]
    return -(-int((flows * nearest).sum()) // 2)


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
