"""Converters that round: what they read, and what the engines make of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engines import mapped, matrices, next_matrix, program_of, random_codes

from rcompile.backends.correction import corrected
from rcompile.backends.mixed import Mixed
from rcompile.backends.observe import capture, conversions, largest_partial_sums, measure
from rcompile.backends.reference import Reference
from rcompile.encodings.bounds import column_bounds
from rcompile.encodings.observed import Range
from rcompile.encodings.ranges import fit
from rcompile.ir.converter import convert
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.assign_partial_sums import assign_partial_sums, quantizer
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.partition import partition
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.targets import resolve_target


def test_a_code_reads_as_the_mean_of_its_sums():
    sums = np.arange(-2.0, 14.0)[None]
    tables = (np.array([0]), np.array([4]), np.array([1.5]), np.array([2]))
    assert convert(sums, *tables)[0].tolist() == [1.5] * 6 + [5.5] * 4 + [9.5] * 6


def lossy(resolution: str, **settings: str):
    names = {"weights.sign": "offset_flip", "adc.bits": "3", "adc.resolution": resolution, "hierarchy.chips": "64"}
    return resolve_target("classroom", names | {name.replace("_", ".", 1): text for name, text in settings.items()})


def calibrated(matrix, target, vectors, copies: int = 1):
    """The placed program of a matrix whose converters are calibrated on the vectors."""
    program = flip_weights(slice_inputs(partition(program_of(matrix), target), target))
    return mapped(matrix, target, copies, seen=lambda _: measure(program.matrices[0], vectors))


def expected_of(item, vectors: np.ndarray) -> np.ndarray:
    """Accumulators by a plain loop over cycles, sections and slices, from the codes instead of the cells."""
    x = item.presented.inputs_of(vectors).transpose(1, 0, 2)
    total = np.zeros((1, len(vectors), item.matrix.groups, item.matrix.columns))
    for conversion in conversions(item, x):
        cycle, section, index, polarity = (
            conversion.cycle, conversion.section, conversion.weight_slice, conversion.polarity,
        )  # fmt: skip
        weight = item.presented.slices[cycle].weight * 2.0 ** item.weight_slices[index].shift * (-1) ** polarity
        for group in range(item.matrix.groups):
            flips = np.zeros(item.matrix.columns, bool) if item.flips is None else item.flips[group, section, index]
            place = (cycle, section, polarity, index, group, slice(None))
            low, step, origin, top = item.adc.tables(place)
            read = convert(conversion.stored(item)[group].T, low, step, origin, top).T
            total[0, :, group] += weight * np.where(flips, conversion.ones[group] - read, read) * (top > 0)
    return corrected(item, total, item.presented.inputs_of(vectors))


@given(
    matrix=matrices(),
    resolution=st.sampled_from(["uniform", "calibrated", "per_column", "adaptive"]),
    method=st.sampled_from(["min_max", "percentile", "least_squares"]),
    sign=st.sampled_from(["offset", "offset_flip", "differential_columns", "center_offset"]),
    extra=st.sampled_from([{}, {"adc_truncated.bits": "1"}, {"adc_skipped.below": "3"}]),
    at_once=st.sampled_from(["0", "9"]),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_the_engines_read_what_the_formula_says(matrix, resolution, method, sign, extra, at_once):
    vectors = random_codes(matrix, 7)
    names = {"weights_sign": sign, "adc_range": method, "crossbar_rows_at_once": at_once}
    target = lossy(resolution, **names, **{k.replace(".", "_"): v for k, v in extra.items()})
    placed = calibrated(matrix, target, vectors)
    placed.verify()
    (item,) = placed.program.matrices
    found = Reference(placed).accumulate(0, vectors)
    np.testing.assert_array_equal(found, expected_of(item, vectors))
    np.testing.assert_array_equal(Mixed(placed).accumulate(0, vectors), found)


def some_matrix(rows: int = 150):
    rng = np.random.default_rng(5)
    weights = np.clip(np.rint(rng.normal(0, 30, (1, rows, 3))), -128, 127).astype(int)
    return replace(next_matrix(), weights=weights)


def error_of(matrix, target, vectors) -> float:
    placed = calibrated(matrix, target, vectors)
    exact = np.einsum("vgk,gkn->vgn", vectors.astype(int), matrix.weights).reshape(len(vectors), -1)
    return float(np.sqrt(((Reference(placed).accumulate(0, vectors) - exact) ** 2).mean()))


@pytest.mark.parametrize("sign", ["offset_flip", "differential_columns", "center_offset"])
def test_more_bits_lose_less(sign):
    matrix = some_matrix()
    vectors = random_codes(matrix, 200)
    errors = [
        error_of(matrix, lossy("calibrated", weights_sign=sign, adc_bits=str(bits)), vectors)
        for bits in (3, 4, 5, 6, 9)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0


def test_truncation_is_not_biased():
    matrix = some_matrix(64)
    vectors = random_codes(matrix, 500)
    target = lossy("lossless", adc_truncated_bits="1")
    placed = calibrated(matrix, target, vectors)
    exact = np.einsum("vgk,gkn->vgn", vectors.astype(int), matrix.weights).reshape(len(vectors), -1)
    error = Reference(placed).accumulate(0, vectors) - exact
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(error.size)


@pytest.mark.parametrize(
    ("skipped_below", "conversions"), [(0, 32), (3, 28), (4, 26), (5, 23), (6, 20), (7, 16), (8, 12)]
)
def test_skipping_takes_the_published_conversions_and_errs_no_more(skipped_below, conversions):
    """[6] of the survey as golden_dynamic_quantization has it: 8 x 8 bits, 2-bit cells, 1-bit DACs, 128 rows."""
    matrix = some_matrix(128)
    target = resolve_target(
        "isaac", {"adc.skipped_below": str(skipped_below), "weights.sign": "offset"} | {"adc.bits": "9"}
    )
    placed = calibrated(matrix, target, random_codes(matrix, 3))
    (item,) = placed.program.matrices
    bits = np.broadcast_to(item.adc.bits, item.conversions)
    assert np.count_nonzero(bits[:, 0, 0, :, 0, 0]) == conversions
    vectors = np.full((1, 1, 128), 255, np.uint8)
    exact = np.einsum("vgk,gkn->vgn", vectors.astype(int), matrix.weights).reshape(1, -1)
    worst = sum(2 ** (j + 2 * k) * 3 * 128 for j in range(8) for k in range(4) if j + 2 * k < skipped_below)
    error = np.abs(Reference(placed).accumulate(0, vectors) - exact).max()
    assert error <= worst
    if skipped_below == 5:
        assert worst / (128 * 255 * 255) * 256 == pytest.approx(0.9, abs=0.05)


def test_measured_sums_stay_within_the_bounds():
    matrix = some_matrix()
    target = lossy("calibrated")
    program = flip_weights(slice_inputs(partition(program_of(matrix), target), target))
    (item,) = program.matrices
    seen = measure(item, random_codes(matrix, 50))
    lowest, highest = column_bounds(item)
    assert seen.counts.sum() == 50 * np.prod(item.conversions)
    for place in np.ndindex(seen.counts.shape[:3]):
        span = seen.span(place)
        assert lowest.min() <= span.low <= span.high <= highest[:, place[1], place[2]].max()
    single = np.concatenate(
        [
            c.sums[0, :, 1]
            for c in conversions(item, random_codes(matrix, 50).transpose(1, 0, 2))
            if (c.section, c.weight_slice) == (1, 2)
        ]
    )
    flipped = bool(item.flips[0, 1, 2, 1])
    assert seen.column_largest[1, 2, 0, 1] == single.max()
    if not flipped:
        assert seen.column_mean[1, 2, 0, 1] == pytest.approx(single.mean())
        assert seen.column_deviation[1, 2, 0, 1] == pytest.approx(single.std(), rel=1e-4)


def test_what_is_captured_is_spread_over_all_runs():
    """Also where the batch axis is free and a run holds many samples."""
    matrix = some_matrix(10)
    codes = random_codes(matrix, 6000)[:, 0]
    runs = [{"x": part} for part in np.array_split(codes, 4)]
    (found,) = capture(program_of(matrix), runs)
    assert found.shape == (4096, 1, 10)
    for part in np.array_split(found, 4):
        assert len(np.unique(part[:, 0, :4], axis=0)) > 900
    (few,) = capture(program_of(matrix), [{"x": codes[:7]}])
    np.testing.assert_array_equal(few[:, 0], codes[:7])


def test_spare_codes_reach_beyond_what_was_seen():
    matrix = some_matrix(64)
    target = lossy("calibrated")
    program = flip_weights(slice_inputs(partition(program_of(matrix), target), target))
    seen = measure(program.matrices[0], random_codes(matrix, 5))
    chosen = fit(seen, (0, 0, 0), Range(0, 96), 7, "least_squares", 99.0)
    assert (chosen.bits, chosen.low, chosen.step) == (7, 0, 1)


def test_flips_by_what_was_measured_lower_the_largest_sum():
    matrix = some_matrix()
    target = lossy("calibrated")
    program = slice_inputs(partition(program_of(matrix), target), target)
    vectors = random_codes(matrix, 50) // 3
    seen = measure(program.matrices[0], vectors)
    by_bound, by_samples = flip_weights(program), flip_weights(program, lambda _: seen)
    sums = [measure(p.matrices[0], vectors) for p in (by_bound, by_samples)]
    places = list(np.ndindex(sums[0].counts.shape[:3]))
    assert sum(sums[1].span(p).high for p in places) < sum(sums[0].span(p).high for p in places)


def test_truncated_sums_that_are_mostly_zero_read_right_on_average():
    """The middle of a code would not: it takes zeros for halves."""
    matrix = some_matrix(64)
    vectors = random_codes(matrix, 400) * (np.random.default_rng(1).random((400, 1, 64)) < 0.05).astype(np.uint8)
    placed = calibrated(matrix, lossy("lossless", adc_truncated_bits="2"), vectors)
    exact = np.einsum("vgk,gkn->vgn", vectors.astype(int), matrix.weights).reshape(400, -1)
    error = Reference(placed).accumulate(0, vectors) - exact
    assert abs(error.mean()) < 0.1 * error.std()


@pytest.mark.parametrize("bits", range(3, 16))
def test_partial_sums_are_rounded_added_and_rounded(bits):
    """Quantize, add, quantize ([7] of the survey): the error falls with the bits, and none is left in the end."""
    matrix = some_matrix(400)
    target = resolve_target("isaac", {"partial_sums.bits": str(bits)})
    program = assign_adcs(flip_weights(slice_inputs(partition(program_of(matrix), target), target)), target, {}.get)
    vectors = random_codes(matrix, 40)
    sizes = largest_partial_sums(program.matrices[0], vectors)
    sums = assign_partial_sums(program, target, lambda _: sizes).matrices[0].partial_sums
    assert (sums.count, sums.depth) == (4 * 3, 2)
    placed = mapped(matrix, resolve_target("isaac"))
    item = replace(placed.program.matrices[0], partial_sums=sums)
    rounded = replace(placed, program=replace(placed.program, matrices=(item,)))
    found = Reference(rounded).accumulate(0, vectors)
    parts = [
        np.einsum("vgk,gkn->vgn", vectors[:, :, a:b].astype(int), matrix.weights[:, a:b]).reshape(40, -1)
        for a, b in ((0, 128), (128, 256), (256, 384), (384, 400))
    ]
    expected = sums.merge(sum(sums.quantizer(part) for part in parts))
    np.testing.assert_array_equal(found, expected)
    assert sums.bytes == 12 * -(-bits // 8)


@given(bits=st.integers(2, 12), largest=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_quantizer_holds_what_it_is_made_for(bits, largest):
    found = quantizer(bits, float(largest))
    assert abs(float(found(np.array(float(largest)))) - largest) <= found.step / 2
