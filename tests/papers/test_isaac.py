"""Published and hand-computed figures of ISAAC (Shafiee et al., ISCA 2016) and the survey's ADC formula."""

import numpy as np
import pytest
from conftest import GraphMaker

from rcompile.frontend.load import from_proto
from rcompile.ir.converter import exact_adc_bits, paper_adc_bits
from rcompile.mapper.packing import crossbars_per_copy
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.lower import lower
from rcompile.passes.partition import partition
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.precision import Precision
from rcompile.targets import resolve_target

ADC_BITS = [  # DAC bits, cell bits, rows: the survey's formula, exact, exact after flipping
    (1, 2, 128, 9, 9, 8),
    (1, 1, 128, 7, 8, 7),
    (1, 1, 256, 8, 9, 8),
    (1, 1, 512, 9, 10, 9),
    (1, 4, 128, 11, 11, 10),
    (1, 6, 128, 13, 13, 12),
    (2, 2, 128, 11, 11, 10),
    (2, 1, 256, 10, 10, 9),
    (8, 4, 256, 20, 20, 19),
]


@pytest.mark.parametrize(("dac", "cell", "rows", "paper", "exact", "flipped"), ADC_BITS)
def test_adc_resolutions(dac, cell, rows, paper, exact, flipped):
    assert paper_adc_bits(dac, cell, rows) == paper
    assert exact_adc_bits(dac, cell, rows, flipped=False) == exact
    assert exact_adc_bits(dac, cell, rows, flipped=True) == flipped


def mapped(maker: GraphMaker, inputs, outputs):
    graph = from_proto(maker.model(inputs, outputs), "model.onnx")
    graph = quantize(graph, dict.fromkeys(needs_ranges(graph, Precision(16, 16)), (0.0, 1.0)), Precision(16, 16))
    return partition(lower(graph), resolve_target("isaac"))


def crossbars(program) -> int:
    return sum(crossbars_per_copy(program, item) for item in program.matrices)


def test_lenet5_takes_42_crossbars():
    """16-bit weights, 2-bit cells, 128 x 128: sum of ceil(K/128) * ceil(8 N/128) over 5 layers."""
    m = GraphMaker()
    m.add("Conv", ["x", m.weight("w1", 6, 1, 5, 5)], "c1", pads=[2, 2, 2, 2])
    m.add("AveragePool", ["c1"], "p1", kernel_shape=[2, 2], strides=[2, 2])
    m.add("Conv", ["p1", m.weight("w2", 16, 6, 5, 5)], "c2")
    m.add("AveragePool", ["c2"], "p2", kernel_shape=[2, 2], strides=[2, 2])
    m.add("Flatten", ["p2"], "f")
    for index, (rows, columns) in enumerate([(400, 120), (120, 84), (84, 10)]):
        m.add("Gemm", ["f" if index == 0 else f"g{index - 1}", m.weight(f"v{index}", rows, columns)], f"g{index}")
    assert crossbars(mapped(m, {"x": ["N", 1, 28, 28]}, {"g2": ["N", 10]})) == 42


def test_mlp_784_100_10_takes_50_crossbars():
    m = GraphMaker()
    m.add("Gemm", ["x", m.weight("w1", 784, 100)], "h")
    m.add("Gemm", ["h", m.weight("w2", 100, 10)], "y")
    assert crossbars(mapped(m, {"x": ["N", 784]}, {"y": ["N", 10]})) == 50


def test_fourteen_depthwise_kernels_share_a_crossbar():
    """A 3 x 3 kernel is 9 rows x 8 columns: min(128 // 9, 128 // 8) = 14 stand block-diagonally."""
    m = GraphMaker()
    m.add("Conv", ["x", m.weight("w", 28, 1, 3, 3)], "y", group=28)
    program = mapped(m, {"x": ["N", 28, 8, 8]}, {"y": ["N", 28, 6, 6]})
    assert crossbars(program) == 2


def test_no_flipped_column_sums_to_more_than_half():
    m = GraphMaker(seed=4)
    m.add("Gemm", ["x", m.weight("w1", 256, 40)], "y")
    program = flip_weights(mapped(m, {"x": ["N", 256]}, {"y": ["N", 40]}))
    (item,) = program.matrices
    worst = 0
    for part in range(2):
        rows = slice(128 * part, 128 * (part + 1))
        for index, weight_slice in enumerate(item.weight_slices):
            levels = weight_slice.of(item.encoding.codes[0, 0, rows])
            flips = item.flips[0, part, index]
            worst = max(worst, int(np.where(flips, 3 - levels, levels).sum(axis=0).max()))
    assert worst <= 192
    assert 0.06 < item.flips.mean() < 0.94
