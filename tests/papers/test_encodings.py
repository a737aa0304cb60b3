"""Published figures of encodings: Newton's adaptive converters, the ternary net of Liu et al., PANTHER's slices, BNNs."""

import numpy as np
import pytest
from conftest import MODELS, GraphMaker

from rcompile.compiler import compile_file
from rcompile.frontend.load import from_proto
from rcompile.ir.converter import kept_bits
from rcompile.ir.encoding import cut_list
from rcompile.options import Options
from rcompile.passes.lower import lower
from rcompile.passes.partition import partition
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.targets import resolve_target

NEWTON_FIRST = [0, 1, 3, 5, 7, 9, 9, 9]
NEWTON_LAST = [9, 9, 7, 5, 3, 1, 0, 0]
"""Bits of input bits 0 and 15, slices by significance (Newton's table, Nag et al., IEEE Micro 2018)."""


def test_newton_resolves_832_of_1152_bit_conversions():
    """16-bit inputs and weights, 2-bit cells, 9-bit samples; of the 39-bit sum, bits 10 to 25 are kept."""
    table = np.array([[kept_bits(np.array(j + 2 * s), np.array(9), 10, 26) for s in range(8)] for j in range(16)])
    assert table.sum() == 832
    assert table.size * 9 == 1152
    assert table[0].tolist() == NEWTON_FIRST
    assert table[15].tolist() == NEWTON_LAST


def test_panthers_slices_hold_39_bits():
    """44466555, most significant first (Ankit et al., 2020)."""
    slices = cut_list(39, (5, 5, 5, 6, 6, 4, 4, 4))
    codes = np.random.default_rng(0).integers(0, 2**39, 10_000)
    assert (sum(s.of(codes) << s.shift for s in slices) == codes).all()
    with pytest.raises(ValueError, match="39 bits cannot hold 40"):
        cut_list(40, (5, 5, 5, 6, 6, 4, 4, 4))


@pytest.mark.parametrize("seed", range(20))
def test_any_list_of_slices_adds_up(seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 7, rng.integers(1, 9))
    codes = rng.integers(0, 2 ** int(widths.sum()), 500)
    slices = cut_list(int(widths.sum()), tuple(int(w) for w in widths))
    assert (sum(s.of(codes) << s.shift for s in slices) == codes).all()


def test_a_ternary_784_100_10_net_takes_158800_cells():
    """Liu et al., ISSCC 2020: 784 x 100 x 2 + 100 x 10 x 2."""
    m = GraphMaker()
    m.add("Gemm", ["x", m.constant("w1", m.rng.integers(-1, 2, (784, 100)).astype(np.float32))], "h")
    m.add("Gemm", ["h", m.constant("w2", m.rng.integers(-1, 2, (100, 10)).astype(np.float32))], "y")
    graph = from_proto(m.model({"x": ["N", 784]}, {"y": ["N", 10]}), "model.onnx")
    graph = quantize(graph, dict.fromkeys(needs_ranges(graph, Precision()), (0.0, 1.0)), Precision())
    settings = {
        "weights.sign": "ternary_pair",
        "crossbar.cell_bits": "1",
        "crossbar.rows": "784",
        "crossbar.columns": "200",
    }
    program = partition(lower(graph), resolve_target("isaac", settings))
    assert sum(item.cells for item in program.matrices) == 158_800
    assert [len(item.weight_slices) for item in program.matrices] == [1, 1]
    assert len(program.blocks) == 4


SENSE = {
    "crossbar.cell_bits": "1", "crossbar.columns": "128", "inputs.dac_bits": "8", "inputs.encoding": "amplitude",
    "adc.kind": "sense_amplifier", "adc.bits": "16",
}  # fmt: skip


def compiled_bnn(tmp_path, **settings: str):
    names = {name.replace("_", ".", 1): text for name, text in settings.items()}
    target = resolve_target("isaac", SENSE | names)
    data = MODELS / "digits_test.npz"
    return compile_file(MODELS / "digits_bnn_mlp.onnx", target, tmp_path / "p.rcx", Options(), Trace(), data_path=data)


@pytest.mark.parametrize("sign", ["xnor_pair", "differential_rows"])
def test_a_binary_network_needs_one_comparison_a_neuron(tmp_path, sign):
    """sign(BatchNorm(x)) is a threshold: sense amplifiers decide as onnxruntime does."""
    result = compiled_bnn(tmp_path, weights_sign=sign, crossbar_rows="512")
    *hidden, last = result.compiled.placed.program.matrices
    assert [item.keeps_signs for item in hidden] == [True] * len(hidden)
    assert {item.converter.widest for item in hidden} == {1}
    assert last.converter.widest > 1, "scores are compared with as many thresholds as they have"
    assert [item.matrix.input.bits for item in (*hidden, last)][1:] == [1] * len(hidden)
    accuracy = result.verified.accuracy
    assert result.verified.exact.passed
    assert accuracy.agreement == 1.0
    assert accuracy.mapped_program == accuracy.quantized_model


def test_split_inputs_are_compared_one_by_one(tmp_path):
    """Input splitting ([5] of the survey): one comparison a section, which costs accuracy without retraining."""
    result = compiled_bnn(tmp_path, weights_sign="xnor_pair", crossbar_rows="64")
    split = [item for item in result.compiled.placed.program.matrices if item.matrix.only_sign and item.sections > 1]
    assert split
    for item in split:
        assert item.converter.widest == 1
        assert not item.keeps_signs
    assert result.verified.exact.passed
    assert result.verified.accuracy.agreement > 0.2


def test_a_sign_that_may_be_zero_keeps_two_bits():
    m = GraphMaker()
    m.add("Gemm", ["x", m.constant("w1", np.where(m.rng.random((8, 6)) < 0.5, -1, 1).astype(np.float32))], "h")
    m.add("Sign", ["h"], "s")
    m.add("Gemm", ["s", m.constant("w2", np.where(m.rng.random((6, 4)) < 0.5, -1, 1).astype(np.float32))], "y")
    graph = from_proto(m.model({"x": ["N", 8]}, {"y": ["N", 4]}), "model.onnx")
    graph = quantize(graph, dict.fromkeys(needs_ranges(graph, Precision()), (-1.0, 1.0)), Precision())
    first, second = lower(graph).matrices
    assert first.only_sign
    assert (second.input.bits, second.input.step) == (2, 1)
