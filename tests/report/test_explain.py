"""Why a node is where it is: every figure that is said is the report's."""

import re

import pytest
from conftest import MODELS, ROOT

from rcompile.api import compile_model
from rcompile.errors import UsageError
from rcompile.options import Options
from rcompile.report.chip_diagnostics import RATE_MISSED
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
        "conversions an inference, and 128 of unit columns",
        "  time: 12.8 us an inference, 16 vectors a copy x 8 input cycles x 100 ns",
        "  energy: 59.2 nJ an inference, 22.9 % of all: tile_output_register 28.4 %, adc 23.4 %, input_register 20.9 %",
        "  what would change it:",
        "    conv1 sets the interval of 51.2 us: copies of this layer alone would not shorten it",
        "    72 % of its crossbars' cells are empty: crossbar.sharing=concurrent or exclusive lets other layers use "
        "them",
        "    8-bit inputs take 8 cycles: inputs.dac_bits would take fewer, with time and conversions in proportion",
        "    8-bit converters are more than it needs: adc.bits=7 would lose nothing here",
    ]


def test_the_slowest_layer_is_named_as_such(report):
    lines = explain(report, "conv1")
    assert (
        "    it sets the interval of 51.2 us: --objective throughput copies it (1 a copy, "
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


@pytest.mark.parametrize(
    "target", ["isaac", "puma", "newton", "prime", "ramwich", "li_insitu18", "xnor_yin_2020", "dynamic_quantization"]
)
def test_bits_that_are_said_to_lose_nothing_do(tmp_path, target):
    """Uniform, adaptive, calibrated and flash converters: compiled again with so many bits, layers lose nothing."""
    model, options = MODELS / "digits_lenet_int8.onnx", Options(verify=False)
    first = compile_model(model, target=target, output=tmp_path / "out", options=options)
    claims: dict[str, list[str]] = {}
    for layer in first.layers:
        for line in explain(first, layer.name):
            if found := re.search(r"adc\.bits=(\d+) would lose", line):
                claims.setdefault(found[1], []).append(layer.name)
    for bits, names in claims.items():
        changed = resolve_target(target, {"adc.bits": bits})
        again = compile_model(model, target=changed, output=tmp_path / "out", options=options)
        assert all(layer.lossless for layer in again.layers if layer.name in names), (bits, names)


def test_what_sets_the_interval_is_named(tmp_path):
    small = {"crossbar.rows": "32", "crossbar.columns": "32"}
    turns = compiled(tmp_path, **{**small, "crossbar.sharing": "exclusive"})
    for name in ("conv1", "conv2"):
        assert any("layers that take turns on one crossbar set the interval" in line for line in explain(turns, name))
    links = compiled(tmp_path, **{**small, "hierarchy.counts": "[2, 2]", "noc.link_bytes_per_s": "1e6", "noc.router_rows": "1",
                                "noc.router_columns": "1"})  # fmt: skip
    assert links.mapping.schedule.limited_by == "links"
    assert any("links set the interval" in line for line in explain(links, "conv1"))
    recurrent = compiled(tmp_path, model="digits_row_lstm")
    lines = explain(recurrent, "lstm.forward.recurrent")
    assert any("each of its vectors waits for the one before" in line for line in lines)


def test_nodes_by_number_and_by_part_of_their_names(report):
    assert explain(report, "#1") == explain(report, "1") == explain(report, "conv2")
    assert explain(report, "CONV2.BIAS") == explain(report, "conv2.bias_DequantizeLinear")
    with pytest.raises(UsageError, match="'conv' is part of"):
        explain(report, "conv")


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
    assert {*re.findall(r'code="(\w+)"', text), RATE_MISSED} == set(CODES)


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
