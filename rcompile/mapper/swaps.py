"""Tiles on the slots of one chip: a quadratic assignment problem, searched by swaps.

Descent takes the best of all swaps until none helps; robust tabu search (Taillard 1991) goes on from there. With
flows F, distances B = D[p, p] between the tiles' slots, and M = F B, swapping tiles r and s changes the cost by
M[r,s] + M[s,r] - M[r,r] - M[s,s] + 2 F[r,s] B[r,s]. What a tile sends off the chip goes through the gate, which is
one more tile that never moves. Everything is a whole number below 2^53 in float64:
exact, and BLAS multiplies it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from rcompile.mapper.fabric import Matrix

Floats = NDArray[np.float64]

TENURE = (0.9, 0.2)
"""For how many iterations a tile must not return to a slot: this many times the slots, and up to so many more."""

COOLED = 1e-3
"""Temperature at the end of annealing, relative to its start."""

FORCED = 5
"""A place that a tile has not taken for this many times the squared slots is taken, whatever it costs."""


@dataclass(frozen=True)
class Problem:
    """Tiles of one chip; idle slots count as tiles without flows.

    Attributes:
        flow: (n, n) symmetric, bytes between tiles.
        distance: (n, n) hops between slots.
        outward: (n,) bytes between a tile and other chips.
        gate: (n,) hops from each slot to the gate.
        tiles: how many of the n are no idle slots.
        fixed: (n,) which tiles stay where they are.
    """

    flow: Floats
    distance: Floats
    outward: Floats
    gate: Floats
    tiles: int
    fixed: NDArray[np.bool_]

    def cost(self, order: Matrix) -> int:
        """Return bytes x hops on this chip, to the gate included; order[t] is the slot of tile t."""
        inside = (self.flow * self.distance[np.ix_(order, order)]).sum() / 2
        return int(inside + (self.outward * self.gate[order]).sum())


def problem_of(
    flow: Matrix, distance: Matrix, outward: Matrix, gate: Matrix, fixed: NDArray[np.bool_] | None = None
) -> Problem:
    """Return the problem of some tiles, of which some may be fixed, on at least as many slots."""
    tiles, slots = len(flow), len(distance)
    staying = np.zeros(slots, bool)
    if fixed is not None:
        staying[:tiles] = fixed
    whole, leaving = np.zeros((slots, slots)), np.zeros(slots)
    whole[:tiles, :tiles] = flow
    leaving[:tiles] = outward
    return Problem(whole, distance.astype(np.float64), leaving, gate.astype(np.float64), tiles, staying)


class Swaps:
    """An order of tiles, and what each swap would change: below the diagonal of `change`, infinite elsewhere.

    After a swap of r and s, the change of any other pair u, v grows by (a_u - a_v) (b_v - b_u), with a = F[:,r] -
    F[:,s] and b = B[:,s] - B[:,r]: two symmetric updates of rank two. The rows of r and s are computed anew.
    """

    def __init__(self, problem: Problem, order: Matrix) -> None:
        """Start from an order; it is copied."""
        count = len(order)
        self.order = order.copy()
        self._idle = np.arange(count) >= problem.tiles
        self._fixed = problem.fixed
        self._flow = framed(problem.flow, problem.outward)
        self._between = framed(problem.distance[np.ix_(order, order)], problem.gate[order])
        self._diagonal = (self._flow * self._between).sum(axis=1)
        product = (self._flow @ self._between)[:count, :count]
        diagonal = self._diagonal[:count]
        change = product + product.T - diagonal[:, None] - diagonal
        change += 2 * (problem.flow * self._between[:count, :count])
        change[np.ix_(self._idle, self._idle)] = np.inf
        change[self._fixed] = change[:, self._fixed] = np.inf
        self.change = np.asfortranarray(np.where(np.tri(count, k=-1, dtype=bool), change, np.inf))

    def swap(self, first: int, second: int) -> None:
        """Swap two tiles."""
        between, count = self._between, len(self.order)
        apart = self._flow[:, first] - self._flow[:, second]
        moved = between[:, second] - between[:, first]
        self._diagonal += apart * moved
        apart, moved = apart[:count], moved[:count]
        blas.dsyr2(1.0, apart, moved, a=self.change, lower=1, overwrite_a=1)
        blas.dsyr2(-1.0, apart * moved, np.ones(count), a=self.change, lower=1, overwrite_a=1)
        pair, swapped = [first, second], [second, first]
        between[pair] = between[swapped]
        between[:, pair] = between[:, swapped]
        self.order[pair] = self.order[swapped]
        self._diagonal[pair] = (self._flow[pair] * between[pair]).sum(axis=1)
        self._write(first)
        self._write(second)

    def _write(self, tile: int) -> None:
        """Compute what swapping a tile with each other one would change."""
        count, flow, between = len(self.order), self._flow, self._between
        product = flow[tile] @ between + flow @ between[tile] + 2 * (flow[tile] * between[tile])
        row = (product - self._diagonal[tile] - self._diagonal)[:count]
        if self._idle[tile]:
            row[self._idle] = np.inf
        row[slice(None) if self._fixed[tile] else self._fixed] = np.inf
        self.change[tile, :tile] = row[:tile]
        self.change[tile + 1 :, tile] = row[tile + 1 :]


def framed(inner: Floats, border: Floats) -> Floats:
    """Return a symmetric matrix with one more row and column, 0 in the corner."""
    count = len(inner)
    whole = np.zeros((count + 1, count + 1))
    whole[:count, :count] = inner
    whole[count, :count] = whole[:count, count] = border
    return whole


def descend(problem: Problem, order: Matrix, iterations: int) -> Matrix:
    """Swap the best pair until no swap helps, or so many times."""
    state = Swaps(problem, order)
    for _ in range(iterations):
        first, second = least(state.change)
        if state.change[first, second] >= 0:
            break
        state.swap(first, second)
    return state.order


def least(change: Floats) -> tuple[int, int]:
    """Return where a matrix in Fortran's order is least."""
    column, row = divmod(int(change.ravel(order="K").argmin()), len(change))
    return row, column


def tabu(problem: Problem, order: Matrix, iterations: int) -> Matrix:
    """Return the best order that robust tabu search finds in so many swaps.

    A swap is tabu where both tiles would return to slots that they left a short while ago, unless it leads to the
    best order so far. Idle slots are not swapped with each other: such free moves would trap the search.
    """
    count = len(order)
    state, rng = Swaps(problem, order), np.random.default_rng(0)
    until = np.zeros((count, count), np.int64)  # by tile, and tile that is in the slot
    both = np.zeros((count, count), np.int64, order="F")  # until either of two tiles may go to the other's slot
    allowed = np.empty_like(state.change)
    best, best_cost = state.order.copy(), problem.cost(order)
    cost = best_cost
    for iteration in range(1, iterations + 1):
        barred = both > iteration
        barred &= state.change >= best_cost - cost
        np.copyto(allowed, state.change)
        np.copyto(allowed, np.inf, where=barred)
        if iteration > FORCED * count**2:
            long_ago = np.where(both < iteration - FORCED * count**2, allowed, np.inf)
            allowed = long_ago if np.isfinite(long_ago).any() else allowed
        first, second = least(allowed)
        if not np.isfinite(allowed[first, second]):
            continue
        cost += int(state.change[first, second])
        tenure = iteration + (count * (TENURE[0] + TENURE[1] * rng.random(2))).astype(np.int64)
        until[first, first], until[second, second] = tenure
        state.swap(first, second)
        until[:, [first, second]] = until[:, [second, first]]
        for tile in (first, second):
            both[tile] = both[:, tile] = np.minimum(until[tile], until[:, tile])
        if cost < best_cost:
            best, best_cost = state.order.copy(), cost
    return best


def anneal(problem: Problem, order: Matrix, proposals: int) -> Matrix:
    """Return the order that simulated annealing ends in: random swaps, kept by Metropolis' rule while it cools."""
    if len(order) < 2:
        return order
    flow, distance = problem.flow, problem.distance
    outward, gate = problem.outward, problem.gate
    count, tiles = len(order), problem.tiles
    rng = np.random.default_rng(0)
    start = max(problem.cost(order), 1) / (2 * count)
    temperatures = start * COOLED ** (np.arange(proposals) / proposals)
    limits = -temperatures * np.log(rng.random(proposals))  # by which a swap may be worse
    firsts = rng.integers(0, tiles, proposals)
    seconds = (firsts + rng.integers(1, count, proposals)) % count
    slots = order.copy()
    for first, second, limit in zip(firsts.tolist(), seconds.tolist(), limits.tolist(), strict=True):
        here, there = slots[first], slots[second]
        flows = flow[first] - flow[second]
        change = flows @ (distance[there] - distance[here])[slots]
        change += 2 * flow[first, second] * distance[here, there]
        change += (outward[first] - outward[second]) * (gate[there] - gate[here])
        if change <= limit:
            slots[first], slots[second] = there, here
    return slots
