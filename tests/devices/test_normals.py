"""Noise from counters: normal to its tails, independent in all that it is drawn for, the same in numpy and kernels."""

import numpy as np
import pytest
from scipy import stats

from rcompile.devices.normals import normals, seeds_of
from rcompile.kernels import all_kernels

KERNELS = [kernels for kernels in all_kernels() if kernels.runs]


def columns(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint32)


def test_noise_is_normal_to_its_tails():
    """Of 40 million draws: moments, their distribution, and what lies beyond 3, 4 and 5 sigma."""
    seeds = seeds_of((1, 2), np.arange(100_000), 0)
    kernels = KERNELS[0] if KERNELS else None
    values = np.concatenate([
        (normals if kernels is None else kernels.normals)(seeds, columns(200), which).reshape(-1) for which in (0, 1)
    ]).astype(np.float64)  # fmt: skip
    count = len(values)
    assert abs(values.mean()) < 5 / count**0.5
    assert values.var() == pytest.approx(1, abs=5 * (2 / count) ** 0.5)
    assert abs((values**3).mean()) < 5 * (15 / count) ** 0.5
    assert (values**4).mean() == pytest.approx(3, abs=5 * (96 / count) ** 0.5)
    for sigma in (0.5, 1, 2, 3, 4, 5):
        expected = stats.norm.sf(sigma) * count
        for beyond in ((values > sigma).sum(), (values < -sigma).sum()):
            assert abs(beyond - expected) < 5 * expected**0.5
    assert stats.kstest(values[:: 40 if KERNELS else 1], "norm").pvalue > 1e-3


def test_draws_of_other_reads_vectors_columns_and_cycles_are_independent():
    numbers = np.arange(50_000)
    own = normals(seeds_of((1, 2), numbers, 0), columns(2), 0)
    others = [
        own[1],
        normals(seeds_of((1, 2), numbers, 0), columns(1), 1)[0],
        normals(seeds_of((1, 2), numbers, 1), columns(1), 0)[0],
        normals(seeds_of((1, 2), numbers + 1, 0), columns(1), 0)[0],
        normals(seeds_of((1, 2), numbers + 2**32, 0), columns(1), 0)[0],
        normals(seeds_of((1, 3), numbers, 0), columns(1), 0)[0],
        normals(seeds_of((2, 2), numbers, 0), columns(1), 0)[0],
    ]
    for other in others:
        for power in (1, 2):  # neither values nor magnitudes follow each other
            assert abs(np.corrcoef(own[0] ** power, other**power)[0, 1]) < 5 / len(numbers) ** 0.5


def test_many_columns_and_reads_add_up_as_independent_numbers_do():
    """Sums over columns, and over vectors, are normal with as many times the variance."""
    drawn = normals(seeds_of((7, 8), np.arange(2000), 3), columns(1000), 1).astype(np.float64)
    for axis in (0, 1):
        sums = drawn.sum(axis=axis) / drawn.shape[axis] ** 0.5
        assert stats.kstest(sums, "norm").pvalue > 1e-3
        assert sums.std() == pytest.approx(1, abs=5 / (2 * len(sums)) ** 0.5)


def test_any_subset_draws_the_same():
    numbers = np.array([5, 3, 2**40, 7])
    some = normals(seeds_of((1, 2), numbers[[2, 0]], 4), np.array([9, 1], np.uint32), 1)
    every = normals(seeds_of((1, 2), numbers, 4), columns(10), 1)
    np.testing.assert_array_equal(some, every[np.ix_([9, 1], [2, 0])])


@pytest.mark.parametrize("kernels", KERNELS, ids=lambda kernels: kernels.name)
@pytest.mark.parametrize("count", [1, 7, 8, 33, 1000])
def test_kernels_draw_the_same(kernels, count):
    seeds = seeds_of((123, 456), np.arange(count) * 77, np.arange(count) % 8)
    variance = np.abs(normals(seeds, columns(5), 0)) * 3
    for which in (0, 1):
        np.testing.assert_array_equal(kernels.normals(seeds, columns(5), which), normals(seeds, columns(5), which))
        np.testing.assert_array_equal(
            kernels.normals(seeds, columns(5), which, variance), normals(seeds, columns(5), which, variance)
        )
