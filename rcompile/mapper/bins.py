"""Blocks of few sizes into crossbars: as few crossbars as possible, and a bound that says how few are possible.

Blocks that are active together need rows and columns of their own: vector packing, by first fit decreasing, bounded
by the linear relaxation over patterns (column generation; Gilmore and Gomory 1961, Farley 1990), from whose patterns
CP-SAT then covers the blocks. Blocks that are active one at a time need cells of their own: rectangles in shelves,
along rows and along columns, against area as dual feasible functions see it (Fekete and Schepers 2001). Sizes are
counted, never single blocks: a large model has few.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from rcompile.mapper.effort import solver
from rcompile.options import Effort

GENERATED = 200
"""Patterns that column generation may add."""

DUAL_STEPS = range(1, 6)
"""Of the rounding family of dual feasible functions."""


Table = set[tuple[int, ...]]
"""How many blocks of each size a pattern holds."""


@dataclass(frozen=True)
class Size:
    """Blocks of one size."""

    height: int
    width: int
    count: int


@dataclass(frozen=True)
class Corner:
    """Where a block stands in a crossbar: the size it has, its first row and column."""

    size: int
    row: int
    column: int


@dataclass(frozen=True)
class Pattern:
    """How a number of crossbars are filled."""

    blocks: tuple[Corner, ...]
    times: int


@dataclass(frozen=True)
class Packed:
    """All blocks in crossbars; no packing takes fewer than `bound`."""

    patterns: tuple[Pattern, ...]
    bound: int

    @property
    def crossbars(self) -> int:
        """Return how many crossbars are filled."""
        return crossbars_of(self.patterns)


def together(sizes: list[Size], rows: int, columns: int, effort: Effort) -> Packed:
    """Pack blocks that are active together: each has rows and columns of its own."""
    patterns = first_fit(sizes, rows, columns)
    tall, wide = sum(size.height * size.count for size in sizes), sum(size.width * size.count for size in sizes)
    bound = max(-(-tall // rows), -(-wide // columns))
    if crossbars_of(patterns) > bound:
        fractions, table = relaxed(sizes, rows, columns, patterns)
        bound = max(bound, fractions)
        if crossbars_of(patterns) > bound:
            patterns = min(patterns, covered(sizes, table, bound, effort) or patterns, key=crossbars_of)
    return Packed(tuple(patterns), bound)


def first_fit(sizes: list[Size], rows: int, columns: int) -> list[Pattern]:
    """Return crossbars that are filled one after the other, each with the largest blocks that still fit."""
    order = sorted(range(len(sizes)), key=lambda i: -(sizes[i].height / rows + sizes[i].width / columns))
    left = [size.count for size in sizes]
    patterns = []
    while any(left):
        row = column = 0
        blocks: list[Corner] = []
        for index in order:
            height, width = sizes[index].height, sizes[index].width
            for _ in range(min(left[index], (rows - row) // height, (columns - column) // width)):
                blocks.append(Corner(index, row, column))
                row, column = row + height, column + width
        patterns.append(repeated(blocks, left))
    return patterns


def crossbars_of(patterns: Sequence[Pattern]) -> int:
    """Return how many crossbars patterns fill."""
    return sum(pattern.times for pattern in patterns)


def repeated(blocks: list[Corner], left: list[int]) -> Pattern:
    """Take a pattern as often as blocks are left for it; `left` is lowered."""
    used: dict[int, int] = {}
    for block in blocks:
        used[block.size] = used.get(block.size, 0) + 1
    times = min(left[index] // count for index, count in used.items())
    for index, count in used.items():
        left[index] -= times * count
    return Pattern(tuple(blocks), times)


def once(blocks: list[Corner], left: list[int]) -> Pattern:
    """Take a pattern for one crossbar; `left` is lowered."""
    for block in blocks:
        left[block.size] -= 1
    return Pattern(tuple(blocks), 1)


def relaxed(sizes: list[Size], rows: int, columns: int, patterns: list[Pattern]) -> tuple[int, Table]:
    """Return how many crossbars fractions of patterns take at least, and the patterns: none take fewer."""
    from scipy.optimize import linprog

    counts = np.array([size.count for size in sizes], float)
    table = {tuple(np.bincount([b.size for b in p.blocks], minlength=len(sizes)).tolist()) for p in patterns}
    table |= {tuple(int(i == j) for j in range(len(sizes))) for i in range(len(sizes))}
    best = 0.0
    for _ in range(GENERATED):
        held = np.array(sorted(table), float).T
        solved = linprog(np.ones(held.shape[1]), A_ub=-held, b_ub=-counts, method="highs")
        prices = np.maximum(-solved.ineqlin.marginals, 0)
        worth, pattern = dearest(sizes, prices, rows, columns)
        best = max(best, float(prices @ counts) / max(worth, 1.0))
        if worth <= 1 + 1e-9 or pattern in table:
            break
        table.add(pattern)
    return int(np.ceil(best - 1e-6)), table


def dearest(sizes: list[Size], prices: NDArray[np.float64], rows: int, columns: int) -> tuple[float, tuple[int, ...]]:
    """Return the pattern of blocks apart that is worth most, however many blocks there are: a knapsack in two sizes."""
    tall, wide = gcd(*(size.height for size in sizes)), gcd(*(size.width for size in sizes))
    worth = np.zeros((rows // tall + 1, columns // wide + 1))
    steps = [(i, s.height // tall, s.width // wide) for i, s in enumerate(sizes) if prices[i] > 0]
    for index, height, width in steps:
        for row in range(height, len(worth)):
            np.maximum(worth[row, width:], worth[row - height, :-width] + prices[index], out=worth[row, width:])
    pattern = [0] * len(sizes)
    row, column = worth.shape[0] - 1, worth.shape[1] - 1
    while worth[row, column] > 0:
        for index, height, width in steps:
            fits = height <= row and width <= column
            if fits and np.isclose(worth[row - height, column - width] + prices[index], worth[row, column], atol=1e-12):
                pattern[index] += 1
                row, column = row - height, column - width
                break
        else:  # room to spare: the same is worth as much in less
            row, column = (row - 1, column) if worth[row - 1, column] == worth[row, column] else (row, column - 1)
    return float(worth[-1, -1]), tuple(pattern)


def covered(sizes: list[Size], table: Table, bound: int, effort: Effort) -> list[Pattern]:
    """Return the fewest patterns of a table that hold all blocks, as far as CP-SAT finds them; [] where it does not."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    held = sorted(table)
    most = max(size.count for size in sizes)
    times = [model.new_int_var(0, most, "") for _ in held]
    for index, size in enumerate(sizes):
        model.add(sum(own[index] * count for own, count in zip(held, times, strict=True) if own[index]) >= size.count)
    model.add(sum(times) >= bound)
    model.minimize(sum(times))
    search = solver(effort)
    if search.solve(model) not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return []
    left = [size.count for size in sizes]
    patterns: list[Pattern] = []
    for own, count in zip(held, times, strict=True):
        for _ in range(search.value(count)):
            blocks: list[Corner] = []
            row = column = 0
            for index, number in enumerate(own):
                for _ in range(min(number, left[index])):
                    blocks.append(Corner(index, row, column))
                    row, column = row + sizes[index].height, column + sizes[index].width
            if blocks:
                patterns.append(once(blocks, left))
    return patterns


def one_at_a_time(sizes: list[Size], rows: int, columns: int) -> Packed:
    """Pack blocks that are active one at a time: each has cells of its own."""
    turned = [Size(size.width, size.height, size.count) for size in sizes]
    across = shelves(turned, columns, rows)
    flipped = [Pattern(tuple(Corner(b.size, b.column, b.row) for b in p.blocks), p.times) for p in across]
    patterns = min(shelves(sizes, rows, columns), flipped, key=crossbars_of)
    return Packed(tuple(patterns), area_bound(sizes, rows, columns))


def shelves(sizes: list[Size], rows: int, columns: int) -> list[Pattern]:
    """Return crossbars of shelves: blocks side by side, highest first, then shelves on top of each other."""
    made: list[tuple[list[tuple[int, int]], int, int]] = []  # (size, column) of blocks, columns left, how many alike
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i].height, -sizes[i].width)):
        size, left = sizes[index], sizes[index].count
        filled = []
        for blocks, room, alike in made:
            each = min(room // size.width, left)
            if each == 0:
                filled.append((blocks, room, alike))
                continue
            whole = min(alike, left // each)
            added = [(index, columns - room + place * size.width) for place in range(each)]
            filled.append(([*blocks, *added], room - each * size.width, whole))
            left -= whole * each
            if alike > whole:
                filled.append((blocks, room, alike - whole))
        each = columns // size.width
        for count, alike in ((each, left // each), (left % each, 1)):
            if count and alike:
                added = [(index, place * size.width) for place in range(count)]
                filled.append((added, columns - count * size.width, alike))
        made = filled
    heights = [max(sizes[index].height for index, _ in blocks) for blocks, _, _ in made]
    unstacked = [alike for _, _, alike in made]
    order = sorted(range(len(made)), key=lambda i: -heights[i])
    patterns = []
    while any(unstacked):
        row, chosen = 0, []
        for index in order:
            for _ in range(min(unstacked[index], (rows - row) // heights[index])):
                chosen.append(Corner(index, row, 0))
                row += heights[index]
        stacked = repeated(chosen, unstacked)
        corners = (Corner(size, shelf.row, column) for shelf in stacked.blocks for size, column in made[shelf.size][0])
        patterns.append(Pattern(tuple(corners), stacked.times))
    return patterns


def area_bound(sizes: list[Size], rows: int, columns: int) -> int:
    """Return how many crossbars rectangles take at least, by area seen through dual feasible functions."""
    counts = np.array([size.count for size in sizes])
    best = 0
    for high in dual_feasible(np.array([size.height for size in sizes]), rows):
        for wide in dual_feasible(np.array([size.width for size in sizes]), columns):
            best = max(best, -(-int((counts * high[0] * wide[0]).sum()) // (high[1] * wide[1])))
    return best


def dual_feasible(lengths: NDArray[np.int64], total: int) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield lengths as dual feasible functions see them, and what the total counts: sums that fit still fit."""
    yield lengths, total
    for k in DUAL_STEPS:
        scaled = (k + 1) * lengths
        yield np.where(scaled % total == 0, k * lengths, scaled // total * total), k * total
    for least in {int(length) for length in lengths if 2 * length <= total}:
        yield np.where(lengths > total - least, total, np.where(lengths < least, 0, lengths)), total
