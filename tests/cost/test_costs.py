"""What a program costs: counted again block by block, recomputed from the report alone, and how it follows the target."""

import json
from dataclasses import replace
from math import prod

import numpy as np
import onnx
import pytest
from conftest import MODELS, ROOT, GraphMaker
from hypothesis import given, settings
from hypothesis import strategies as st

from rcompile.api import compile_model
from rcompile.compiler import compile_file
from rcompile.cost.actions import count
from rcompile.cost.estimate import estimate
from rcompile.options import Objective, Options
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.place import place
from rcompile.passes.schedule import schedule
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target

CASES = {
    "isaac": ("isaac", {}, "crossbars"),
    "copies": ("isaac", {"hierarchy.mesh_rows": "1", "hierarchy.mesh_columns": "2"}, "throughput"),
    "small": ("isaac", {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[2, 2]"}, "crossbars"),
    "chips": ("isaac", {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[2, 2]",
              "hierarchy.mesh_rows": "1", "hierarchy.mesh_columns": "2", "hierarchy.chips": "9"}, "crossbars"),
    "puma": ("puma", {}, "crossbars"),
    "newton": ("newton", {}, "crossbars"),
    "fragments": ("forms", {}, "crossbars"),
    "pulses": ("timely", {}, "crossbars"),
    "slices in SRAM": ("ramwich", {}, "crossbars"),
    "stacked": ("isaac", {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[2, 2]",
                "hierarchy.mesh_rows": "2", "hierarchy.mesh_columns": "2", "hierarchy.mesh_layers": "9",
                "noc.router_rows": "1", "noc.router_columns": "1"}, "crossbars"),
    "tree": ("isaac", {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[2, 2]",
             "noc.topology": "h_tree", "noc.router_rows": "1", "noc.router_columns": "1"}, "crossbars"),
    "bus": ("isaac", {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[2, 2]",
            "noc.topology": "bus", "noc.router_rows": "1", "noc.router_columns": "1"}, "crossbars"),
}  # fmt: skip


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    found = {}
    for name, (target, changes, objective) in CASES.items():
        folder = tmp_path_factory.mktemp("cost")
        compile_model(
            MODELS / "digits_lenet_int8.onnx",
            target=resolve_target(target, changes),
            output=folder / "out",
            options=Options(verify=False, objective=Objective(objective)),
        )
        found[name] = json.loads((folder / "out" / "report.json").read_text())
    return found


def mapped(tmp_path, target, changes, objective="crossbars"):
    resolved = resolve_target(target, changes)
    options = Options(verify=False, objective=Objective(objective))
    result = compile_file(MODELS / "digits_lenet_int8.onnx", resolved, tmp_path / "p.rcx", options, Trace())
    return result.compiled.placed, resolved


@pytest.mark.parametrize("case", CASES)
def test_each_layer_s_energy_follows_from_its_actions(reports, case):
    """By `cost.formulas`, from report.json alone."""
    report = reports[case]
    components = {item["name"]: item for item in report["cost"]["components"]}
    digital = {"cost": report["cost"]["digital"], "name": "digital"}
    assert digital["cost"]["actions"]["element"] == sum(item["elements"] for item in report["model"]["operators"])
    for layer in [*report["layers"], digital]:
        cost = layer["cost"]
        assert cost["actions"]["conversion"] == pytest.approx(sum(n for _, n in cost["conversions"]), rel=1e-12)
        for name, energy in cost["energy_by_component"].items():
            item = components[name]
            unit = dict(item["unit_energy_j"])
            if item["per"] == "conversion":
                expected = sum(number * unit[bits] for bits, number in cost["conversions"])
            elif item["per"] == "time":
                expected = cost["at_work_s"][item["at"]] * item["count"] * unit[item["bits"]]
            else:
                expected = cost["actions"][item["per"]] * unit[item["bits"]]
            assert energy == pytest.approx(expected, rel=1e-9, abs=0), (layer["name"], name)
        total = sum(cost["energy_by_component"].values())
        assert (layer.get("energy_j", total) or 0.0) == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_each_component_s_figures_follow_from_layers_and_counts(reports, case):
    report = reports[case]
    for item in report["cost"]["components"]:
        costs = [*(layer["cost"] for layer in report["layers"]), report["cost"]["digital"]]
        energies = [cost["energy_by_component"].get(item["name"]) for cost in costs]
        known = None not in energies
        area, leakage = item["unit_area_m2"], item["unit_leakage_w"]
        static = None if leakage is None else leakage * item["switched_on"] * report["totals"]["interval_s"]
        assert item["dynamic_j"] == (pytest.approx(sum(energies), rel=1e-9) if known else None)
        stacked = 1 if item["at"] == "chip" else report["target"]["hierarchy"]["mesh_layers"]
        taken = None if area is None else area * item["on_chips"] / stacked
        assert item["area_m2"] == (None if taken is None else pytest.approx(taken, rel=1e-9))
        assert item["static_j"] == (None if static is None else pytest.approx(static, rel=1e-9))


@pytest.mark.parametrize("case", CASES)
def test_totals_are_the_sums_of_layers_and_components(reports, case):
    report = reports[case]
    totals, components = report["totals"], report["cost"]["components"]
    if totals["energy_j"] is None:
        assert report["cost"]["missing"]
        assert totals["power_w"] is totals["adc_energy_share"] is None
    else:
        energy = sum(layer["energy_j"] for layer in report["layers"])
        energy += sum(report["cost"]["digital"]["energy_by_component"].values())
        energy += sum(item["static_j"] or 0 for item in components)
        assert totals["energy_j"] == pytest.approx(energy, rel=1e-9)
        assert totals["power_w"] == pytest.approx(energy / totals["interval_s"], rel=1e-9)
    areas = [item["area_m2"] for item in components]
    known = bool(areas) and None not in areas
    assert totals["area_m2"] == (pytest.approx(sum(areas), rel=1e-9) if known else None)
    if totals["adc_energy_share"] is not None:
        converters = [item for item in components if item["per"] == "conversion"]
        converting = sum(item["dynamic_j"] + (item["static_j"] or 0) for item in converters)
        assert totals["adc_energy_share"] == pytest.approx(converting / totals["energy_j"], rel=1e-9)


def test_the_cases_have_totals_and_lack_them(reports):
    assert {case for case in CASES if reports[case]["totals"]["energy_j"] is not None} == {*CASES} - {
        "pulses", "slices in SRAM"
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_actions_are_those_of_single_reads(tmp_path, case):
    """Each copy takes its vectors one by one; each input slice, section by section; each block in its crossbar."""
    target, changes, objective = CASES[case]
    placed, resolved = mapped(tmp_path, target, changes, objective)
    program = placed.program
    for index, counted in enumerate(count(placed, resolved)):
        item = program.matrices[index]
        own = np.flatnonzero(program.blocks["matrix"] == index)
        each = item.matrix.vectors / item.replicas
        reads, sram, rows, cells = set(), set(), {}, 0
        pulses = resolved.inputs.encoding == "pulse_width"
        lengths = [s.top if pulses else 1 for s in item.presented.slices]
        for number in own:
            block, place = program.blocks[number], placed.places[number]
            height = int(block["row_stop"] - block["row_start"]) * item.rows_per_weight
            width = int(block["column_stop"] - block["column_start"])
            in_sram = item.weight_slices[block["weight_slice"]].memory == "sram"
            part = tuple(int(block[name]) for name in ("replica", "group", "row_start", "column_start"))
            for section in item.sections_of(block["row_start"], block["row_stop"]):
                turn = (
                    (int(place["crossbar"]), *part, section)
                    if placed.takes_turns
                    else (int(place["crossbar"]), part[0])
                )
                (sram if in_sram else reads).add(turn)
            rows[int(place["crossbar"]), *part] = height
            cells += 0 if in_sram else height * width
        part_read = program.rows_at_once / program.crossbar_rows  # of all rows
        assert counted.actions["read"] == pytest.approx(len(reads) * part_read * sum(lengths) * each)
        assert counted.actions["sram_read"] == pytest.approx(len(sram) * part_read * sum(lengths) * each)
        assert counted.actions["row"] == pytest.approx(sum(rows.values()) * len(lengths) * each)
        assert counted.actions["cell"] == pytest.approx(cells * sum(lengths) * each)
        skipped = float((item.converter.bits == 0).mean())
        unit = resolved.crossbar.unit_columns * item.needs_input_sums * (len(reads) + len(sram)) * len(lengths) * each
        plain = prod(item.conversions) * item.matrix.vectors * (1 - skipped)
        assert counted.actions["conversion"] == pytest.approx(plain + unit)
        assert counted.actions["shift_add"] == counted.actions["sample"] == pytest.approx(plain)
        assert counted.actions["element"] == item.matrix.vectors * item.matrix.groups * item.matrix.columns


@pytest.mark.parametrize("case", ["small", "chips", "copies"])
def test_bytes_times_hops_are_those_of_the_placement(tmp_path, case):
    """Hops between chips count apart from those inside; rounding to whole bytes is all that differs."""
    target, changes, objective = CASES[case]
    placed, resolved = mapped(tmp_path, target, changes, objective)
    counted = count(placed, resolved)
    moved = sum(own.actions["hop_byte"] + own.actions["chip_byte"] for own in counted)
    assert moved == pytest.approx(placed.quality.byte_hops, rel=0.01, abs=len(placed.traffic))
    far = sum(own.actions["chip_byte"] for own in counted)
    assert far == pytest.approx(placed.quality.chip_bytes, rel=0.01, abs=len(placed.traffic))


def test_at_work_is_no_longer_than_the_interval(tmp_path):
    placed, resolved = mapped(tmp_path, "isaac", {})
    found = count(placed, resolved)
    chips = sum(own.at_work_s["chip"] for own in found)
    assert chips <= placed.interval_s * (1 + 1e-9)
    for own, stage in zip(found, sorted(placed.stages, key=lambda s: s.matrix), strict=True):
        blocks = placed.program.blocks["matrix"] == stage.matrix
        crossbars = len(np.unique(placed.places["crossbar"][blocks]))
        assert own.at_work_s["crossbar"] == pytest.approx(crossbars * stage.busy_s)


def product(tmp_path, vectors):
    m = GraphMaker()
    m.add("MatMul", ["x", m.weight("w", 70, 20)], "y")
    path = tmp_path / f"product{vectors}.onnx"
    onnx.save(m.model({"x": ["N", vectors, 70]}, {"y": ["N", vectors, 20]}), path)
    return path


def test_twice_the_vectors_take_twice_the_energy(tmp_path):
    costs = []
    for vectors in (7, 14):
        target = resolve_target("isaac")
        result = compile_file(product(tmp_path, vectors), target, tmp_path / "p.rcx", Options(verify=False), Trace())
        costs.append(estimate(result.compiled.placed, target))
    one, two = costs
    assert two.energy_j == pytest.approx(2 * one.energy_j, rel=1e-9)
    for first, second in zip(one.components, two.components, strict=True):
        assert second.dynamic_j == pytest.approx(2 * first.dynamic_j, rel=1e-9)
    assert two.area_m2 == one.area_m2


@pytest.fixture(scope="module")
def sliced(tmp_path_factory):
    """A program without converters, and where it stands."""
    folder = tmp_path_factory.mktemp("adc")
    target = resolve_target("isaac")
    result = compile_file(product(folder, 5), target, folder / "p.rcx", Options(verify=False), Trace())
    return result.compiled.placed, target


def priced(sliced, **changes):
    placed, target = sliced
    target = replace(target, adc=replace(target.adc, resolution="lossless", **changes))
    program = assign_adcs(placed.program, target, lambda _: pytest.fail("no sums are needed"))
    placed = schedule(place(program, target), target)
    return estimate(placed, target), placed


@given(bits=st.lists(st.integers(1, 14), min_size=2, max_size=2, unique=True).map(sorted))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_more_adc_bits_never_cost_less(sliced, bits):
    (less, _), (more, _) = (priced(sliced, bits=b) for b in bits)
    assert more.energy_j >= less.energy_j
    assert more.area_m2 >= less.area_m2


@given(shares=st.lists(st.integers(1, 128), min_size=2, max_size=2, unique=True).map(sorted))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_more_sharing_of_converters_never_lowers_latency(sliced, shares):
    (_, few), (_, many) = (priced(sliced, per_crossbar=1 / share) for share in shares)
    assert max(s.stop_s for s in many.stages) >= max(s.stop_s for s in few.stages)
    assert many.interval_s >= few.interval_s


def test_leakage_counts_for_the_interval(tmp_path):
    m = product(tmp_path, 5)
    plain, leaky = resolve_target("isaac"), resolve_target("isaac", {"components.edram.leakage_w": "1e-3"})
    costs = []
    for target in (plain, leaky):
        result = compile_file(m, target, tmp_path / "p.rcx", Options(verify=False), Trace())
        costs.append((estimate(result.compiled.placed, target), result.compiled.placed))
    (before, _), (after, placed) = costs
    assert after.energy_j - before.energy_j == pytest.approx(1e-3 * placed.interval_s, rel=1e-6)
    assert "leakage" in before.missing
    assert any(text.startswith("the leakage of crossbars, adc, dac") for text in after.missing)


def test_sums_that_are_not_converted_cost_nothing_behind_the_crossbar(tmp_path):
    """Skipped ones, and all where sums stay analog."""
    placed, target = mapped(tmp_path, "isaac", {"adc.skipped_below": "4", "weights.sign": "offset"})
    whole, _ = mapped(tmp_path, "isaac", {"weights.sign": "offset"})
    some, every = (sum(own.actions["shift_add"] for own in count(p, target)) for p in (placed, whole))
    assert 0 < some < every
    analog = {"adc.kind": "none", "inputs.encoding": "amplitude", "inputs.dac_bits": "8", "crossbar.cell_bits": "6",
              "weights.sign": "differential_rows", "weights.subtraction": "analog"}  # fmt: skip
    target = resolve_target("isaac", analog)
    options = Options(verify=False, weight_bits=6)
    result = compile_file(MODELS / "digits_mlp.onnx", target, tmp_path / "p.rcx", options, Trace())
    for own in count(result.compiled.placed, target):
        assert own.actions["conversion"] == own.actions["shift_add"] == own.actions["sample"] == 0


def test_leakage_of_converters_is_in_their_share(tmp_path):
    target = resolve_target(str(ROOT / "docs" / "example_target.toml"), {"components.adc.leakage_w": "1e-6"})
    result = compile_file(product(tmp_path, 5), target, tmp_path / "p.rcx", Options(verify=False), Trace())
    cost = estimate(result.compiled.placed, target)
    (adc,) = (item for item in cost.components if item.component.name == "adc")
    assert cost.adc_energy_share == pytest.approx((adc.dynamic_j + adc.static_j) / cost.energy_j)
    assert adc.static_j > 0


def test_a_component_without_a_price_leaves_the_others_their_sum(tmp_path):
    """Of one that neither reads nor converts; it is named."""
    (tmp_path / "my.toml").write_text(
        'schema_version = 1\nname = "my"\nsummary = "mine"\nextends = "isaac"\n[components.pads]\nat = "chip"\n'
        'count = 9\narea_m2 = 1e-8\n[sources]\ncomponents = "mine"\n'
    )
    costs = []
    for target in (resolve_target("isaac"), resolve_target(str(tmp_path / "my.toml"))):
        result = compile_file(product(tmp_path, 5), target, tmp_path / "p.rcx", Options(verify=False), Trace())
        costs.append(estimate(result.compiled.placed, target))
    without, with_pads = costs
    assert with_pads.energy_j == without.energy_j
    assert "the energy of pads" in with_pads.missing
    assert with_pads.area_m2 == pytest.approx(without.area_m2 + 9e-8)


def test_what_is_not_stated_is_said_and_no_total_is_given(tmp_path):
    target = resolve_target("raella")
    result = compile_file(product(tmp_path, 5), target, tmp_path / "p.rcx", Options(verify=False), Trace())
    cost = estimate(result.compiled.placed, target)
    assert cost.energy_j is None
    assert cost.area_m2 is None
    assert cost.missing == ("any components",)
