"""What writing and training take: counted again by hand, and the figures that the survey gives."""

import numpy as np
import pytest
from conftest import MODELS, script

from rcompile.compiler import compile_file
from rcompile.cost.programming import programming, slowest
from rcompile.cost.training import SURVEY, Pulse, layer_training, training, ways
from rcompile.devices import resolve_device
from rcompile.devices.holding import holds_s
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target

WRITTEN = (
    "ideal?write_verify.sigma=0.1&write_verify.tolerance=0.1&write_verify.pulses=4&write_verify.pulse_s=50e-9"
    "&write_verify.pulse_j=2e-9"
)
SMALL = {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[3, 1]",
         "hierarchy.mesh_rows": "2", "hierarchy.mesh_columns": "2"}  # fmt: skip


def mapped(tmp_path, rounds=1, **changes):
    target = resolve_target("classroom", changes)
    options = Options(verify=False, rounds=rounds)
    result = compile_file(MODELS / "digits_lenet_int8.onnx", target, tmp_path / "p.rcx", options, Trace())
    return result.compiled.placed


def by_hand(placed, moving_only=False):
    """(cells, cells one after the other), crossbar by crossbar and round by round."""
    total, busiest = 0, {}
    for block, place in zip(placed.program.blocks, placed.places, strict=True):
        tile = int(place["crossbar"]) // placed.floorplan.crossbars_per_tile
        if moving_only and tile >= placed.floorplan.resident:
            continue
        rows = int(block["row_stop"] - block["row_start"]) * placed.program.matrices[block["matrix"]].rows_per_weight
        cells = rows * int(block["column_stop"] - block["column_start"])
        total += cells
        crossbars = busiest.setdefault(placed.floorplan.rounds[tile], {})
        crossbars[int(place["crossbar"])] = crossbars.get(int(place["crossbar"]), 0) + cells
    return total, sum(max(crossbars.values()) for crossbars in busiest.values())


def test_installation_and_repetitions_are_those_of_single_cells(tmp_path):
    placed = mapped(tmp_path, rounds=8, **SMALL)
    assert placed.floorplan.round_count > 1
    device = resolve_device(WRITTEN)
    found = programming(placed, device)
    cells, one_by_one = by_hand(placed)
    again, again_one_by_one = by_hand(placed, moving_only=True)
    assert found.cells == cells
    assert found.cells_per_repetition == again
    areas = placed.program.heights() * (placed.program.blocks["column_stop"] - placed.program.blocks["column_start"])
    assert slowest(placed, areas) == one_by_one
    moving = placed.tile_of(placed.places["crossbar"]) < placed.floorplan.resident
    assert slowest(placed, areas * moving) == again_one_by_one


def test_energy_time_and_life_of_rounds(tmp_path):
    placed = mapped(tmp_path, rounds=8, **SMALL)
    found = programming(placed, resolve_device(f"{WRITTEN}&wear.endurance=1e6&wear.shape=2"))
    assert found.pulses > found.cells * 0.99
    assert found.repetition_time_s <= found.time_s
    assert found.repetition_energy_j == pytest.approx(found.energy_j * found.cells_per_repetition / found.cells)
    period = placed.interval_s + found.repetition_time_s
    assert found.lifetime_s == pytest.approx(1e6 * period / writes_of_the_busiest_cell(placed))


def writes_of_the_busiest_cell(placed):
    """In a repetition, cell by cell of the crossbars that there are."""
    writes = {}
    for block, place in zip(placed.program.blocks, placed.places, strict=True):
        crossbar = int(place["crossbar"])
        if crossbar // placed.floorplan.crossbars_per_tile >= placed.floorplan.resident:
            continue
        rows = int(block["row_stop"] - block["row_start"]) * placed.program.matrices[block["matrix"]].rows_per_weight
        size = (placed.program.crossbar_rows, placed.program.crossbar_columns)
        array = writes.setdefault(placed.position_of(crossbar), np.zeros(size, int))
        row, column = int(place["row"]), int(place["column"])
        array[row : row + rows, column : column + int(block["column_stop"] - block["column_start"])] += 1
    most = max(int(array.max()) for array in writes.values())
    assert most > 1
    return most


def test_nothing_that_is_not_written_again_wears_out(tmp_path):
    placed = mapped(tmp_path)
    assert programming(placed, resolve_device("ideal?wear.endurance=1e6&wear.shape=2")).lifetime_s is None
    refreshed = programming(placed, resolve_device("ideal?wear.endurance=1e6&wear.shape=2&refresh.every_s=3600"))
    assert refreshed.lifetime_s == pytest.approx(1e6 * 3600)
    assert programming(placed, resolve_device("ideal?refresh.every_s=3600")).lifetime_s is None


def test_an_update_s_writes_are_those_of_single_rows(tmp_path):
    placed = mapped(tmp_path)
    for index, item in enumerate(placed.program.matrices):
        rows = set()
        for block, place in zip(placed.program.blocks, placed.places, strict=True):
            if block["matrix"] == index:
                height = int(block["row_stop"] - block["row_start"]) * item.rows_per_weight
                rows |= {(int(place["crossbar"]), int(place["row"]) + row) for row in range(height)}
        found = layer_training(placed, index)
        assert found.rows == len(rows)
        assert found.cells == item.cells
        assert found.rows_of_busiest == int(np.bincount([crossbar for crossbar, _ in rows]).max())
        assert found.crossbars == len({crossbar for crossbar, _ in rows})


def test_the_survey_s_figures():
    """18 M writes of 50 ns; PANTHER: 10.97 us for a crossbar row by row, 20 ns at once."""
    assert SURVEY.time_s * 18e6 == pytest.approx(0.9)
    layer = type("Layer", (), {"cells": 16384, "rows": 128, "crossbars": 1, "rows_of_busiest": 128})()
    serial, outer = ways([layer], Pulse(10968.75e-9 / 128, 0.0, 1e6))[1::2]
    assert serial.time_s / outer.time_s == pytest.approx(548, rel=1e-3)


def test_an_epoch(tmp_path):
    placed = mapped(tmp_path)
    found = training(placed, SURVEY, samples=1000, batch=64)
    assert found.updates == 16
    assert found.macs == 3 * placed.program.source.macs * 1000
    assert found.endurance_used == pytest.approx(16e-6)
    assert found.epochs == pytest.approx(62500)
    assert found.master_bytes == 4 * sum(item.matrix.weights.size for item in placed.program.matrices)
    inputs = 64 + 8 * 16 + 64 + 32  # of conv1, conv2 (after pooling), fc1 and fc2, one byte each
    assert found.activation_bytes == 64 * inputs
    assert found.last_only[0].writes < found.ways[0].writes


@pytest.mark.slow
def test_resnet_50_has_204_million_cells_in_1_6_million_rows(tmp_path):
    script("published")  # makes the networks importable
    from zoo import write

    path = write("resnet50", tmp_path)
    options = Options(verify=False, weightless=True, weight_bits=16, input_bits=16)
    placed = compile_file(path, resolve_target("isaac"), tmp_path / "p.rcx", options, Trace()).compiled.placed
    cells, rows = training(placed, SURVEY, 1, 1).ways[:2]
    assert cells.writes == 204_023_296
    assert rows.writes == 1_594_956
    assert cells.time_s == pytest.approx(10.2, rel=1e-3)
    assert rows.time_s == pytest.approx(0.0797, rel=1e-3)


def test_refreshing_takes_an_installation_each_time(tmp_path):
    placed = mapped(tmp_path)
    lossy = WRITTEN + "&retention.tau_s=1e6&retention.beta=1"
    found = programming(placed, resolve_device(lossy))
    assert found.holds_s == holds_s(resolve_device(lossy), placed.program.cell_bits)
    assert found.refresh_power_w == pytest.approx(found.energy_j / found.holds_s)
    every_hour = programming(placed, resolve_device(lossy + "&refresh.every_s=3600"))
    assert every_hour.refresh_power_w == pytest.approx(found.energy_j / 3600)
    assert programming(placed, resolve_device(WRITTEN)).refresh_power_w is None
