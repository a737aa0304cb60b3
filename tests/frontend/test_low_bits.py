"""Few-valued weights and activations are seen, kept exactly, and given no more cells and cycles than they need."""

import numpy as np
import pytest

from rcompile.frontend.grid import Grid, grid_of
from rcompile.frontend.load import from_proto
from rcompile.frontend.quantized import few_levels
from rcompile.ir.crossbar import SignScheme
from rcompile.passes.lower import lower
from rcompile.passes.partition import encode
from rcompile.passes.quantize import needs_ranges, quantize, step_of
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.simplify import simplify

RNG = np.random.default_rng(7)
SCALES = RNG.uniform(0.01, 3, 6).astype(np.float32)

LEVELS = {
    "binary": ([-1, 1], 1),
    "ternary": ([-1, 0, 1], 2),
    "four even": ([-3, -1, 1, 3], 2),
    "four from zero": ([0, 1, 2, 3], 2),
    "sixteen": (list(range(-8, 8)), 4),
}


def lowered(model, precision=Precision()):  # noqa: B008 - frozen
    graph = simplify(from_proto(model, "model"), Trace())
    ranges = dict.fromkeys(needs_ranges(graph, precision), (-1.0, 1.0))
    return lower(quantize(graph, ranges, precision))


def few_valued(levels, rows=64):
    picked = RNG.choice(levels, (rows, len(SCALES)))
    picked[: len(levels)] = np.array(levels)[:, None]  # each column has each level
    return picked, (picked * SCALES).astype(np.float32)


@pytest.mark.parametrize("name", LEVELS)
def test_float_weights_of_few_levels(maker, name):
    levels, bits = LEVELS[name]
    whole, weights = few_valued(levels)
    maker.add("MatMul", ["x", maker.constant("w", weights)], "y")
    (matrix,) = lowered(maker.model({"x": ["N", 64]}, {"y": ["N", 6]})).matrices
    assert matrix.weight_bits == bits
    real = matrix.weights[0]
    ratio = real / np.where(whole == 0, 1, whole)
    assert all(len(np.unique(np.abs(column[column != 0]))) == 1 for column in ratio.T)  # one factor a column
    for scheme in SignScheme:
        encoding = encode(matrix, scheme)
        np.testing.assert_array_equal(encoding.decode(), matrix.weights)
        assert encoding.code_bits * encoding.polarities <= max(2, 2 * bits)


def test_weights_of_many_levels_are_rounded_as_ever(maker):
    maker.add("MatMul", ["x", maker.weight("w", 64, 6)], "y")
    (matrix,) = lowered(maker.model({"x": ["N", 64]}, {"y": ["N", 6]})).matrices
    assert matrix.weight_bits == 8


def test_codes_of_few_levels_whatever_their_type():
    codes = RNG.choice(np.array([-127, 0, 127], np.int8), (1, 600, 5))
    codes[0, :3] = np.array([-127, 0, 127])[:, None]
    grid = few_levels(codes)
    assert (grid.bits, set(grid.low.flat), set(grid.step.flat)) == (2, {-127}, {127})
    assert few_levels(np.arange(-60, 60, dtype=np.int8).reshape(1, 60, 2)) is None


@pytest.mark.parametrize("values", [[0.3, 0.6, 0.9], [-0.25, 0.75], [1e-3, 7e-3], [2.5]])
def test_the_step_is_the_common_divisor(values):
    step = step_of(np.array(values, np.float32).astype(np.float64))
    counts = np.array(values) / step
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-5)
    assert np.gcd.reduce(np.rint(counts).astype(int)) == 1


def test_no_step_is_found_in_noise():
    assert step_of(RNG.standard_normal(12)) is None


GRIDS = {
    "sign": (lambda m: m.add("Sign", ["x"], "g"), Grid(1.0, -1, 1)),
    "comparison": (lambda m: m.add("Cast", [m.add("Greater", ["x", m.constant("z", np.float32(0))], "c")], "g", to=1), Grid(1.0, 0, 1)),
    "clip, round, scale": (
        lambda m: m.add("Mul", [m.add("Round", [m.add("Clip", ["x", m.constant("a", np.float32(-2)), m.constant("b", np.float32(5))], "c")], "r"), m.constant("s", np.float32(0.25))], "g"),
        Grid(0.25, -2, 5),
    ),
    "where": (lambda m: m.add("Where", [m.add("Less", ["x", m.constant("z", np.float32(0))], "c"), m.constant("n", np.float32(-1)), m.constant("p", np.float32(1))], "g"), Grid(1.0, -1, 1)),
    "relu of sign": (lambda m: m.add("Relu", [m.add("Sign", ["x"], "s")], "g"), Grid(1.0, 0, 1)),
    "bounded by sigmoid": (lambda m: m.add("Round", [m.add("Mul", [m.add("Sigmoid", ["x"], "s"), m.constant("k", np.float32(15))], "k15")], "g"), Grid(1.0, 0, 15)),
    "unbounded": (lambda m: m.add("Round", ["x"], "g"), None),
    "real": (lambda m: m.add("Tanh", ["x"], "g"), None),
}  # fmt: skip


@pytest.mark.parametrize("name", GRIDS)
def test_activations_on_a_grid(maker, name):
    make, expected = GRIDS[name]
    make(maker)
    maker.add("MatMul", ["g", maker.weight("w", 8, 4)], "y")
    graph = from_proto(maker.model({"x": ["N", 8]}, {"y": ["N", 4]}), "model")
    assert grid_of("g", graph) == expected
    if expected is not None:
        assert needs_ranges(graph, Precision()) == ()
        (matrix,) = lowered(maker.model({"x": ["N", 8]}, {"y": ["N", 4]})).matrices
        assert matrix.input.bits == expected.bits
        assert matrix.input.zero_point == -expected.low


def test_a_grid_finer_than_asked_for_is_calibrated(maker):
    make, _ = GRIDS["bounded by sigmoid"]
    make(maker)
    maker.add("MatMul", ["g", maker.weight("w", 8, 4)], "y")
    graph = from_proto(maker.model({"x": ["N", 8]}, {"y": ["N", 4]}), "model")
    assert needs_ranges(graph, Precision(8, 3)) == ("g",)
