"""Blocks into crossbars: sound for random sizes, optimal on small instances, bounded always."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rcompile.mapper.bins import Packed, Size, area_bound, one_at_a_time, together
from rcompile.options import Effort

ROWS, COLUMNS = 16, 24


@st.composite
def size_lists(draw) -> list[Size]:
    pairs = draw(
        st.lists(st.tuples(st.integers(1, ROWS), st.integers(1, COLUMNS)), min_size=1, max_size=5, unique=True)
    )
    return [Size(height, width, draw(st.integers(1, 12))) for height, width in pairs]


def assert_sound(found: Packed, sizes: list[Size]) -> None:
    held = [0] * len(sizes)
    for pattern in found.patterns:
        assert pattern.times > 0
        cells = np.zeros((ROWS, COLUMNS), int)
        for block in pattern.blocks:
            size = sizes[block.size]
            assert block.row + size.height <= ROWS
            assert block.column + size.width <= COLUMNS
            area = (slice(block.row, block.row + size.height), slice(block.column, block.column + size.width))
            cells[area] += 1
            held[block.size] += pattern.times
        assert cells.max() <= 1
    assert held == [size.count for size in sizes]
    assert found.bound <= found.crossbars


@given(size_lists())
@settings(max_examples=60, deadline=None)
def test_all_blocks_are_packed_and_no_two_share_a_cell(sizes):
    assert_sound(one_at_a_time(sizes, ROWS, COLUMNS), sizes)
    found = together(sizes, ROWS, COLUMNS, Effort.LOW)
    assert_sound(found, sizes)
    for pattern in found.patterns:
        rows = sorted((b.row, b.row + sizes[b.size].height) for b in pattern.blocks)
        columns = sorted((b.column, b.column + sizes[b.size].width) for b in pattern.blocks)
        for spans in (rows, columns):
            assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


def fewest_apart(sizes: list[Size]) -> int:
    """Brute force: blocks one by one into open crossbars or a new one."""
    blocks = [(s.height, s.width) for s in sizes for _ in range(s.count)]
    best = len(blocks)

    def put(index: int, filled: list[tuple[int, int]]) -> None:
        nonlocal best
        if len(filled) >= best:
            return
        if index == len(blocks):
            best = len(filled)
            return
        height, width = blocks[index]
        for place in {used: i for i, used in enumerate(filled)}.values():
            row, column = filled[place]
            if row + height <= ROWS and column + width <= COLUMNS:
                put(index + 1, [*filled[:place], (row + height, column + width), *filled[place + 1 :]])
        put(index + 1, [*filled, (height, width)])

    put(0, [])
    return best


@pytest.mark.parametrize("seed", range(12))
def test_blocks_that_are_active_together_take_the_fewest_crossbars(seed):
    rng = np.random.default_rng(seed)
    sizes = [Size(int(rng.integers(2, 12)), int(rng.integers(2, 18)), int(rng.integers(1, 4))) for _ in range(4)]
    found = together(sizes, ROWS, COLUMNS, Effort.NORMAL)
    best = fewest_apart(sizes)
    assert found.bound <= best <= found.crossbars <= best + 1
    if found.bound == found.crossbars:
        assert found.crossbars == best


def test_the_first_guess_of_first_fit_is_improved():
    """6 + 10 and 7 + 9 rows fill a crossbar; first fit decreasing starts with 10 + 6, too, but wastes 9 on 6."""
    sizes = [Size(10, 2, 2), Size(9, 2, 2), Size(7, 2, 2), Size(6, 2, 2)]
    assert together(sizes, ROWS, COLUMNS, Effort.NORMAL).crossbars == 4


def test_what_fits_only_alone_is_bounded_so():
    """Blocks of more than half of both sides: area says 2, dual feasible functions say 3."""
    sizes = [Size(9, 13, 3)]
    assert one_at_a_time(sizes, ROWS, COLUMNS).crossbars == 3
    assert area_bound(sizes, ROWS, COLUMNS) == 3
    assert -(-9 * 13 * 3 // (ROWS * COLUMNS)) == 1
