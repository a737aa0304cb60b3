"""Tiles onto the mesh: least bytes x hops.

A quadratic assignment problem. Snake orders start it, steepest descent over swaps improves the best of them, and
CP-SAT finishes instances of up to nine tiles. Everything is deterministic. Bounds are
Gilmore's and Lawler's on the mesh as a whole, and the nearest slots of an endless one.
"""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]

EXACT_TILES = 9
DETERMINISTIC_LIMIT = 2.0
STRIP_HEIGHTS = range(1, 7)
ROOM = 4
"""Slots considered per tile: on a far larger mesh the best places are in a corner of it all the same."""

SWAP_WORK = 2e10
"""Elements that descent may touch: some seconds."""


@dataclass(frozen=True)
class Mesh:
    """Chips of rows x columns slots; packets between chips pass the first slot of each."""

    rows: int
    columns: int
    chips: int

    @property
    def slots(self) -> int:
        """Slots of all chips."""
        return self.rows * self.columns * self.chips

    def corner(self, tiles: int) -> "Mesh":
        """Return the corner of the first chip that leaves enough room for some tiles; all, where they take more."""
        if tiles > self.rows * self.columns:
            return self
        side = ceil(sqrt(ROOM * tiles))
        rows = min(self.rows, max(side, ceil(ROOM * tiles / self.columns)))
        columns = min(self.columns, max(side, ceil(ROOM * tiles / rows)))
        return Mesh(rows, columns, 1)

    def slots_of(self, corner: "Mesh", slots: Matrix) -> Matrix:
        """Return the slots of this mesh that those of a corner are."""
        if corner == self:
            return slots
        row, column = np.divmod(slots, corner.columns)
        return row * self.columns + column

    def distances(self) -> Matrix:
        """Return hops between all pairs of slots."""
        slot = np.arange(self.slots)
        return self.hops(slot[:, None], slot[None, :])

    def hops(self, first: Matrix, second: Matrix) -> Matrix:
        """Return hops between slots, element by element; one hop from chip to chip, at the first slot of each."""
        chips, rows, columns = zip(*(self.position(slot) for slot in (first, second)), strict=True)
        inside = np.abs(rows[0] - rows[1]) + np.abs(columns[0] - columns[1])
        across = rows[0] + columns[0] + rows[1] + columns[1] + np.abs(chips[0] - chips[1])
        return np.where(chips[0] == chips[1], inside, across).astype(np.int64)

    def position(self, slot: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return chip, row and column of slots."""
        chip, inner = np.divmod(slot, self.rows * self.columns)
        return (chip, *np.divmod(inner, self.columns))

    def snake(self, height: int) -> Matrix:
        """Return slots in boustrophedon order inside strips of `height` rows (1: the plain snake)."""
        order = []
        for top in range(0, self.rows, height):
            rows = range(top, min(top + height, self.rows))
            columns = range(self.columns) if (top // height) % 2 == 0 else range(self.columns - 1, -1, -1)
            for step, column in enumerate(columns):
                order += [row * self.columns + column for row in (rows if step % 2 == 0 else reversed(rows))]
        size = self.rows * self.columns
        return np.concatenate([np.array(order) + chip * size for chip in range(self.chips)])


@dataclass(frozen=True)
class Assignment:
    """Slots of tiles with their cost; `proven` where the bound equals it."""

    slots: tuple[int, ...]
    cost: int
    snake_cost: int
    bound: int
    proven: bool


def assign(flows: Matrix, mesh: Mesh) -> Assignment:
    """Place tiles with the given flows (tile x tile, bytes) on the mesh."""
    tiles = len(flows)
    symmetric = flows + flows.T
    np.fill_diagonal(symmetric, 0)
    if not symmetric.any():
        return Assignment(tuple(map(int, mesh.snake(1)[:tiles])), 0, 0, 0, proven=True)
    corner = mesh.corner(tiles)
    distances = corner.distances()
    snake_cost = cost_on(symmetric, mesh, mesh.snake(1)[:tiles])
    starts = [corner.snake(height) for height in STRIP_HEIGHTS if height <= corner.rows]
    best = min(starts, key=lambda order: cost(symmetric, distances, order[:tiles]))
    slots = descend(symmetric, distances, best)[:tiles]
    bound = lattice_bound(symmetric) if mesh.chips == 1 or corner != mesh else 0
    if corner == mesh:
        bound = max(bound, gilmore_lawler(symmetric, distances))
    if tiles <= EXACT_TILES and cost(symmetric, distances, slots) > bound:
        slots, proven_bound = solve(symmetric, corner, slots)
        bound = max(bound, proven_bound if corner == mesh else 0)
    found = cost(symmetric, distances, slots)
    placed = mesh.slots_of(corner, slots)
    if found > snake_cost:  # the whole mesh may suit the snake better than the corner does
        placed, found = mesh.snake(1)[:tiles], snake_cost
    return Assignment(tuple(map(int, placed)), found, snake_cost, bound, proven=found == bound)


def cost_on(symmetric: Matrix, mesh: Mesh, slots: Matrix) -> int:
    """Return bytes x hops without the distances of all slots."""
    first, second = np.nonzero(symmetric)
    return int((symmetric[first, second] * mesh.hops(slots[first], slots[second])).sum()) // 2


def cost(symmetric: Matrix, distances: Matrix, slots: Matrix) -> int:
    """Return bytes x hops; both matrices are symmetric."""
    return int((symmetric * distances[np.ix_(slots, slots)]).sum()) // 2


def descend(symmetric: Matrix, distances: Matrix, order: Matrix) -> Matrix:
    """Swap the best pair of slots until no swap helps; idle slots take part as tiles without traffic.

    With B = D[p, p] and M = F B, swapping tiles r and s changes the cost by
    M[r,s] + M[s,r] - M[r,r] - M[s,s] + 2 F[r,s] B[r,s], for all pairs at once (Taillard, 1991).
    """
    count = len(order)
    flow = np.zeros((count, count))  # integers below 2^53 in float64: exact, and BLAS multiplies them
    flow[: len(symmetric), : len(symmetric)] = symmetric
    order = order.copy()
    between = distances[np.ix_(order, order)].astype(np.float64)
    product = flow @ between
    for _ in range(max(1, int(SWAP_WORK // count**2))):
        diagonal = product.diagonal()
        change = product + product.T - diagonal[:, None] - diagonal + 2 * flow * between
        first, second = np.unravel_index(int(change.argmin()), change.shape)
        if change[first, second] >= 0:
            return order
        step = between[second] - between[first]
        step[[first, second]] = 0
        product += np.outer(flow[:, first] - flow[:, second], step)
        pair, swapped = [first, second], [second, first]
        between[pair] = between[swapped]
        between[:, pair] = between[:, swapped]
        product[:, pair] = flow @ between[:, pair]
        order[pair] = order[swapped]
    return order


def lattice_bound(symmetric: Matrix) -> int:
    """Return a lower bound on any mesh of one chip: a tile's largest flows over the shortest distances there are.

    A slot has at most 4 k others at distance k.
    """
    count = len(symmetric) - 1
    nearest = np.repeat(np.arange(1, count + 1), 4 * np.arange(1, count + 1))[:count]
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


def solve(symmetric: Matrix, mesh: Mesh, start: Matrix) -> tuple[Matrix, int]:
    """Improve a placement of few tiles by CP-SAT in a square corner of the first chip; return slots and bound.

    The bound holds for the whole mesh only where the corner is all of it; otherwise 0 is returned.
    """
    from ortools.sat.python import cp_model

    tiles = len(symmetric)
    side = int(np.ceil(np.sqrt(tiles)))
    rows, columns = min(side, mesh.rows), min(side, mesh.columns)
    if rows * columns < tiles:
        rows, columns = min(tiles, mesh.rows), min(tiles, mesh.columns)
    model = cp_model.CpModel()
    row = [model.new_int_var(0, rows - 1, f"row{t}") for t in range(tiles)]
    column = [model.new_int_var(0, columns - 1, f"column{t}") for t in range(tiles)]
    model.add_all_different([row[t] * columns + column[t] for t in range(tiles)])
    terms = []
    for first, second in zip(*np.nonzero(np.triu(symmetric)), strict=True):
        for axis, size in ((row, rows), (column, columns)):
            distance = model.new_int_var(0, size - 1, "")
            model.add_abs_equality(distance, axis[first] - axis[second])
            terms.append(int(symmetric[first, second]) * distance)
    model.minimize(sum(terms))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = DETERMINISTIC_LIMIT
    status = solver.solve(model)
    whole = rows * columns == mesh.slots
    bound = round(solver.best_objective_bound) if whole else 0
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return start, bound
    found = np.array([solver.value(row[t]) * mesh.columns + solver.value(column[t]) for t in range(tiles)])
    distances = mesh.distances()
    better = cost(symmetric, distances, found) < cost(symmetric, distances, start)
    return (found if better else start), bound


def link_loads(flows: Matrix, slots: tuple[int, ...], mesh: Mesh) -> dict[tuple[int, int], int]:
    """Return bytes over each directed link between neighbouring slots, routed along the row first."""
    loads: dict[tuple[int, int], int] = {}

    def walk(source: int, destination: int, amount: int) -> None:
        here = source
        while here != destination:
            row, column = divmod(here, mesh.columns)
            goal_row, goal_column = divmod(destination, mesh.columns)
            if column != goal_column:
                there = here + (1 if goal_column > column else -1)
            else:
                there = here + (mesh.columns if goal_row > row else -mesh.columns)
            loads[here, there] = loads.get((here, there), 0) + amount
            here = there

    size = mesh.rows * mesh.columns
    for source, destination in zip(*np.nonzero(flows), strict=True):
        start, stop = slots[source], slots[destination]
        amount = int(flows[source, destination])
        if start // size == stop // size:
            walk(start, stop, amount)
        else:
            gates = (start // size * size, stop // size * size)
            walk(start, gates[0], amount)
            loads[gates] = loads.get(gates, 0) + amount
            walk(gates[1], stop, amount)
    return loads
