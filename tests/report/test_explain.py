"""Why a node is where it is: every figure that is said is the report's."""

import re

import pytest
from conftest import MODELS, ROOT

from rcompile.api import compile_model
from rcompile.errors import UsageError
from rcompile.options import Options
from rcompile.report.codes import CODES
from rcompile.report.drivers import LEVERS, drivers
from rcompile.report.explain import contents, explain
from rcompile.targets import resolve_target
from rcompile.targets.actions import ACTIONS


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("explain"))


def compiled(folder, model="digits_lenet_int8", options=None, **changes):
    target = resolve_target("isaac", changes)
    return compile_model(
        MODELS / f"{model}.onnx", target=target, output=folder / "out", options=options or Options(verify=False)
    )


def test_a_layer_is_explained_by_what_it_takes(report):
    assert explain(report, "conv2") == [
        "conv2 (Conv) is on crossbars: its weights are constant, 72 inputs x 16 outputs, presented 16 vectors an "
        "inference",
        "  weights: 8 bits as offset_flip, in slices of 2 + 2 + 2 + 2 bits (cells hold 2); 33 columns stored inverted, "
        "which saves 1 bit of the converters",
        "  crossbars: 1 row x 1 column partitions of 128 x 128 crossbars: 4 blocks on 1 crossbar, 28.1 % of their "
        "cells used; 1 copy of 1",
        "  places: tile 0 (chip 0, row 0, column 0); 128 bytes of input from other layers an inference",
        "  converters: 7 b of the target's 8; 7 would do for any weights, 7 do for these: nothing is lost; 8,192 "
        "conversions an inference",
        "  time: 12.8 us an inference, 16 vectors a copy x 8 input cycles x 100 ns",
        "  energy: 59.2 nJ an inference, 22.9 % of all: tile_output_register 28.4 %, adc 23.4 %, input_register 20.9 %",
        "  what would change it:",
        "    its time does not set the interval (51.2 us, crossbars): copies of it alone gain nothing",
        "    72 % of its crossbars' cells are empty: crossbar.sharing=concurrent or exclusive lets other layers use "
        "them",
        "    8-bit inputs take 8 cycles: fewer bits (--input-bits, --precision) or inputs.dac_bits take fewer, with "
        "time and conversions in proportion",
        "    8-bit converters are more than it needs: adc.bits=7 would lose nothing here",
    ]


def test_the_slowest_layer_is_named_as_such(report):
    lines = explain(report, "conv1")
    assert (
        "    it is the slowest layer and sets the interval of 51.2 us: --objective throughput copies it (1 a copy, "
        "16,124 crossbars are free)" in lines
    )


def test_what_the_levers_promise_comes_true(report, tmp_path):
    """Converters of the bits that are said to do lose nothing; more copies shorten the interval."""
    saved = compiled(tmp_path, **{"adc.bits": "7"})
    assert all(layer.lossless for layer in saved.layers)
    copied = compiled(tmp_path, options=Options(verify=False, objective="throughput"))
    assert copied.totals.interval_s < report.totals.interval_s


def test_lossy_converters_say_what_would_lose_nothing(tmp_path):
    found = compiled(tmp_path, **{"adc.bits": "5"})
    lines = explain(found, "conv2")
    bits = next(int(m[1]) for line in lines if (m := re.search(r"adc.bits=(\d+) would lose nothing", line)))
    again = compiled(tmp_path, **{"adc.bits": str(bits)})
    assert next(layer for layer in again.layers if layer.name == "conv2").lossless
    assert any(line.startswith("warning ROUNDED_SUMS: ") for line in lines)


def test_digital_and_folded_nodes(report):
    assert (
        explain(report, "pool1")[0] == "pool1 (MaxPool) is digital: no product of a matrix: a digital unit computes it"
    )
    assert explain(report, "conv1.weight_DequantizeLinear")[1] == "it takes neither time nor energy of its own"


def test_every_node_of_the_model_and_every_code_can_be_explained(report):
    for item in report.model.operators:
        for name in item.nodes:
            assert name in explain(report, name)[0]
    for code in CODES:
        assert explain(report, code)[0] == f"{code}: {CODES[code].meaning}"
    assert "crossbar: conv1, conv2, fc1, fc2" in contents(report)


def test_the_gates_of_a_recurrent_node_are_explained_with_it(tmp_path):
    found = compiled(tmp_path, model="digits_row_lstm")
    node = next(item.nodes[0] for item in found.model.operators if item.op_type == "LSTM")
    lines = explain(found, node)
    layers = [line.split()[0] for line in lines if "is on crossbars" in line]
    assert layers == [f"{node}.forward.input", f"{node}.forward.recurrent"]


def test_an_unknown_name_is_refused_with_the_nearest_one(report):
    with pytest.raises(UsageError, match="did you mean 'conv2'"):
        explain(report, "conv3")


def test_every_code_that_is_given_is_explained():
    text = "".join(path.read_text("utf-8") for path in (ROOT / "rcompile" / "report").glob("*diagnostics.py"))
    assert set(re.findall(r'code="(\w+)"', text)) == set(CODES)


def test_every_action_that_can_be_priced_has_a_lever():
    assert set(LEVERS) == set(ACTIONS)


def test_drivers_are_the_largest_components_of_the_whole(report):
    found = drivers(report)
    assert [item.component for item in found] == ["tile_output_register", "input_register", "adc"]
    energies = sorted(((c.dynamic_j or 0) + (c.static_j or 0) for c in report.cost.components), reverse=True)
    assert [item.energy_j for item in found] == energies[:3]
    assert sum(item.share for item in found) == pytest.approx(sum(energies[:3]) / report.totals.energy_j)


def test_copies_are_no_lever_where_they_were_made(tmp_path):
    found = compiled(tmp_path, options=Options(verify=False, objective="throughput"), **{"hierarchy.mesh_rows": "1"})
    assert all("--objective" not in item.lever for item in drivers(found))
