"""Tiles onto chips: least bytes between chips.

The best cut of the tiles' order into runs is exact, by dynamic programming; swaps across chips improve it. CP-SAT
goes on from there on groups of tiles that exchange the same bytes with the same others (the tiles of a layer's
inside): how many of each group are on each chip. As many chips are used as the tiles fill.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.mapper.effort import solver
from rcompile.mapper.fabric import Fabric, Matrix
from rcompile.mapper.swaps import descend, problem_of
from rcompile.options import Effort

MOST_TERMS = 60
"""Products of a CP-SAT model per unit of effort: it proves the optimum of small cuts, and is of no use on others."""

MOST_SLOTS = 1_024
"""Of chips whose tiles are swapped."""


@dataclass(frozen=True)
class Cut:
    """Which chip holds each tile.

    Attributes:
        chip: (tiles,) from 0.
        bytes: between chips, per inference.
        bound: no cut into as few chips sends less.
    """

    chip: NDArray[np.int64]
    bytes: int
    bound: int


def cut_into_chips(symmetric: Matrix, fabric: Fabric, effort: Effort) -> Cut:
    """Deal tiles to chips.

    Args:
        symmetric: (tiles, tiles) bytes exchanged.
        fabric: of all chips; at least as many slots as tiles.
        effort: of CP-SAT.
    """
    tiles, capacity = len(symmetric), fabric.per_chip
    chips = -(-tiles // capacity)
    if chips == 1:
        return Cut(np.zeros(tiles, np.int64), 0, 0)
    best, bound = swapped(symmetric, capacity, best_runs(symmetric, capacity, chips)), 0
    members = groups(symmetric)
    if len(links(symmetric, members)) * chips <= MOST_TERMS * effort.factor:
        best, bound = solve(symmetric, members, capacity, best, effort)
    return Cut(best, crossing(symmetric, best), bound)


def crossing(symmetric: Matrix, chip: NDArray[np.int64]) -> int:
    """Return the bytes between chips."""
    return int(symmetric[chip[:, None] != chip].sum()) // 2


def best_runs(symmetric: Matrix, capacity: int, chips: int) -> NDArray[np.int64]:
    """Return the cut of the tiles' order into runs with the fewest bytes between them."""
    tiles = len(symmetric)
    sums = np.zeros((tiles + 1, tiles + 1), np.int64)
    sums[1:, 1:] = symmetric.cumsum(axis=0).cumsum(axis=1)
    diagonal = sums.diagonal()
    kept = np.full(tiles + 1, -1, np.int64)  # bytes within runs, of the best cut of the first tiles; -1: too many
    kept[0] = 0
    cuts = []
    for _ in range(chips):
        before, kept, cut = kept, np.full(tiles + 1, -1, np.int64), np.zeros(tiles + 1, np.int64)
        for stop in range(1, tiles + 1):
            first = max(0, stop - capacity)
            inside = diagonal[stop] - sums[stop, first:stop] - sums[first:stop, stop] + diagonal[first:stop]
            total = np.where(before[first:stop] >= 0, before[first:stop] + inside, -1)
            cut[stop] = first + int(total.argmax())
            kept[stop] = total.max()
        cuts.append(cut)
    chip, stop = np.zeros(tiles, np.int64), tiles
    for number in range(chips - 1, -1, -1):
        start = int(cuts[number][stop])
        chip[start:stop] = number
        stop = start
    return chip


def swapped(symmetric: Matrix, capacity: int, chip: NDArray[np.int64]) -> NDArray[np.int64]:
    """Improve a cut by swaps between chips, with idle slots too, until none helps."""
    tiles = len(chip)
    slots = (int(chip.max()) + 1) * capacity
    if slots > MOST_SLOTS:
        return chip
    home = np.arange(slots) // capacity
    idle = np.repeat(np.arange(chip.max() + 1), capacity - np.bincount(chip))
    order = np.argsort(np.argsort(np.concatenate([chip, idle]), kind="stable"), kind="stable")
    none = np.zeros(slots, np.int64)
    problem = problem_of(symmetric, (home[:, None] != home).astype(np.int64), none[:tiles], none)
    return home[descend(problem, order, slots)[:tiles]]


def groups(symmetric: Matrix) -> list[NDArray[np.int64]]:
    """Return groups of tiles with the same flows; where two groups of several exchange bytes, one is split up."""
    _, labels = np.unique(symmetric, axis=0, return_inverse=True)
    found = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    kept: list[NDArray[np.int64]] = []
    for group in sorted(found, key=len, reverse=True):
        several = [other for other in kept if len(other) > 1]
        alone = len(group) > 1 and (
            symmetric[np.ix_(group, group)].any() or any(symmetric[group[0], other[0]] for other in several)
        )
        kept += [np.array([tile]) for tile in group] if alone else [group]
    return sorted(kept, key=lambda group: int(group[0]))


def renumbered(chip: NDArray[np.int64], first: list[int]) -> NDArray[np.int64]:
    """Return a cut with its chips numbered in the order in which some tiles meet them, the others last."""
    order = list(dict.fromkeys([*chip[first].tolist(), *range(int(chip.max()) + 1)]))
    return np.argsort(order)[chip]


def links(symmetric: Matrix, members: list[NDArray[np.int64]]) -> list[tuple[int, int, int]]:
    """Return (group, group of one, bytes a tile) of what groups exchange."""
    first = np.array([group[0] for group in members])
    between = symmetric[np.ix_(first, first)]
    pairs = zip(*np.nonzero(np.triu(between, 1)), strict=True)
    ordered = ((a, b) if len(members[b]) == 1 else (b, a) for a, b in pairs)
    return [(int(a), int(b), int(between[a, b])) for a, b in ordered]


def solve(
    symmetric: Matrix, members: list[NDArray[np.int64]], capacity: int, start: NDArray[np.int64], effort: Effort
) -> tuple[NDArray[np.int64], int]:
    """Improve a cut by CP-SAT; return it and the bound on the bytes between chips."""
    from ortools.sat.python import cp_model

    chips = int(start.max()) + 1
    start = renumbered(start, [int(group[0]) for group in members if len(group) == 1])
    model = cp_model.CpModel()
    held = [[model.new_int_var(0, min(len(group), capacity), "") for _ in range(chips)] for group in members]
    for group, counts in zip(members, held, strict=True):
        model.add(sum(counts) == len(group))
        for chip, count in enumerate(counts):
            model.add_hint(count, int((start[group] == chip).sum()))
    for chip in range(chips):
        model.add(sum(counts[chip] for counts in held) <= capacity)
    single = [counts for group, counts in zip(members, held, strict=True) if len(group) == 1]
    for index, counts in enumerate(single):  # chips are alike: number them in the order of their first single tile
        for chip in range(1, chips):
            model.add(counts[chip] <= sum(other[chip - 1] for other in single[:index]))
    kept = []
    for several, one, amount in links(symmetric, members):
        for chip in range(chips):
            most = min(len(members[several]), capacity - 1)
            together = model.new_int_var(0, most, "")
            model.add(together <= held[several][chip])
            model.add(together <= most * held[one][chip])
            kept.append(amount * together)
    total = int(symmetric.sum()) // 2
    model.maximize(sum(kept))
    search = solver(effort)
    status = search.solve(model)
    bound = max(0, total - round(search.best_objective_bound))
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return start, bound
    found = np.empty(len(symmetric), np.int64)
    for group, counts in zip(members, held, strict=True):
        found[group] = np.repeat(np.arange(chips), [search.value(count) for count in counts])
    return (found if crossing(symmetric, found) < crossing(symmetric, start) else start), bound
