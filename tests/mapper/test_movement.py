"""Traffic, links and buffers, each against a plain reference that walks, counts or steps."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import MODELS

from rcompile.compiler import compile_file
from rcompile.ir.placed import Stage
from rcompile.mapper.buffers import most_waiting
from rcompile.mapper.clock import Clock, picoseconds
from rcompile.mapper.fabric import link_loads
from rcompile.mapper.mesh import Mesh
from rcompile.mapper.traffic import PARTS, spreads, tile_flows
from rcompile.options import Objective, Options
from rcompile.passes.schedule import schedule
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target

SMALL = {"crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.counts": "[1, 2]"}


def compiled(tmp_path, objective=Objective.CROSSBARS, model="digits_lenet_int8", **settings):
    target = resolve_target(
        "classroom", {**SMALL, "hierarchy.mesh_rows": "8", "hierarchy.mesh_columns": "8", **settings}
    )
    options = Options(verify=False, objective=objective)
    result = compile_file(MODELS / f"{model}.onnx", target, tmp_path / "p.rcx", options, Trace())
    return result.compiled.placed, target


def router_number(mesh: Mesh, slot: int) -> int:
    """Routers counted row by row, chip by chip."""
    chip, inner = divmod(slot, mesh.rows * mesh.columns)
    row, column = divmod(inner, mesh.columns)
    rows, columns = mesh.routers
    return (chip * rows + row // mesh.router_rows) * columns + column // mesh.router_columns


def walked(flows, slots, mesh: Mesh) -> dict[tuple[int, int], int]:
    """Bytes over each link between neighbouring slots, hop by hop, along the row first."""
    loads: dict[tuple[int, int], int] = {}
    rows, columns = mesh.routers
    size = rows * columns
    slots = [router_number(mesh, slot) for slot in slots]

    def walk(here: int, goal: int, amount: int) -> None:
        while here != goal:
            column, goal_column = here % columns, goal % columns
            if column != goal_column:
                there = here + (1 if goal_column > column else -1)
            else:
                there = here + (columns if goal > here else -columns)
            loads[here, there] = loads.get((here, there), 0) + amount
            here = there

    for source, destination in zip(*np.nonzero(flows), strict=True):
        start, stop, amount = slots[source], slots[destination], int(flows[source, destination])
        if start // size == stop // size:
            walk(start, stop, amount)
        else:
            gates = start // size * size, stop // size * size
            walk(start, gates[0], amount)
            loads[gates] = loads.get(gates, 0) + amount
            walk(gates[1], stop, amount)
    return loads


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("block", [(1, 1), (2, 2), (1, 3)])
def test_link_loads_are_those_of_a_walk(seed, block):
    rng = np.random.default_rng(seed)
    mesh = Mesh(3, 4, 2, 1, *block)
    flows = rng.integers(0, 50, (10, 10)) * (rng.random((10, 10)) < 0.4)
    np.fill_diagonal(flows, 0)
    slots = tuple(rng.permutation(mesh.slots)[:10].tolist())
    expected = walked(flows, slots, mesh)
    found = link_loads(flows, slots, mesh)
    assert found.total == sum(expected.values())
    assert found.most == max(expected.values())
    east, west, south, north = found.inside[:4, :, 0]
    grid = Mesh(*mesh.routers, mesh.chips)
    for (here, there), amount in expected.items():
        (chip, start), (other, stop) = divmod(here, grid.per_chip), divmod(there, grid.per_chip)
        _, row, column = (int(v) for v in grid.position(np.int64(start)))
        _, to_row, to_column = (int(v) for v in grid.position(np.int64(stop)))
        if chip != other:
            assert found.chips[chip, other] == amount
        elif row == to_row:
            assert (east if to_column > column else west)[chip, row, min(column, to_column)] == amount
        else:
            assert (south if to_row > row else north)[chip, min(row, to_row), column] == amount


def window(edge, vector: int) -> set[int]:
    """The vectors of the producer that one of the consumer needs, looked at one by one."""
    where = np.unravel_index(vector, edge.read)
    found = set()
    for number, place in enumerate(np.ndindex(*edge.made)):
        fits = [
            along is None
            or (along.step * where[along.axis] + along.first) // along.per
            <= index
            <= (along.step * where[along.axis] + along.last) // along.per
            for index, along in zip(place, edge.along, strict=True)
        ]
        if all(fits):
            found.add(number)
    return found


@pytest.mark.parametrize("objective", [Objective.CROSSBARS, Objective.THROUGHPUT])
def test_traffic_is_that_of_single_elements(tmp_path, objective):
    """Each output vector is made in a tile and sent to each tile that needs it; each partial sum to that tile."""
    placed, _ = compiled(tmp_path, objective)
    program, tile = placed.program, placed.tile_of(placed.places["crossbar"])
    tiles = len(placed.floorplan.slots)
    assert tiles > 4
    expected = np.zeros((tiles, tiles))
    makes = []
    for index, item in enumerate(program.matrices):
        own = np.flatnonzero(program.blocks["matrix"] == index)
        made, parts = np.zeros(tiles), {}
        for block in own:
            entry = program.blocks[block]
            part = (int(entry["replica"]), int(entry["group"]), int(entry["column_start"]), int(entry["column_stop"]))
            parts.setdefault(part, {}).setdefault(int(tile[block]), set()).add(int(placed.places["crossbar"][block]))
        for (copy, _, first, last), held in parts.items():
            home = min(held, key=lambda t: (-len(held[t]), t))
            vectors = len(range(copy, item.matrix.vectors, item.replicas))
            made[home] += (last - first) * vectors
            for other in held:
                expected[other, home] += (last - first) * vectors * item.sent.bytes_each if other != home else 0
        makes.append(made / (item.matrix.groups * item.matrix.columns * item.matrix.vectors))
        assert makes[-1].sum() == pytest.approx(1)
    for edge in program.source.edges:
        item = program.matrices[edge.consumer]
        every = set().union(*(window(edge, v) for v in range(item.matrix.vectors)))
        needed: dict[tuple[int, ...], set[int]] = {}
        for block in np.flatnonzero(program.blocks["matrix"] == edge.consumer):
            entry = program.blocks[block]
            rows = (int(tile[block]), *(int(entry[name]) for name in ("group", "row_start", "row_stop")))
            for v in range(int(entry["replica"]), item.matrix.vectors, item.replicas):
                needed.setdefault(rows, set()).update(window(edge, v))
        got = np.zeros(tiles)
        for (where, _, first, last), vectors in needed.items():
            got[where] += (last - first) / (item.matrix.groups * item.matrix.rows) * len(vectors) / len(every)
        expected += edge.bytes * np.outer(makes[edge.producer], got)
    np.fill_diagonal(expected, 0)
    found = tile_flows(program, placed.places, placed.floorplan.crossbars_per_tile, tiles)
    np.testing.assert_array_equal(found, np.rint(expected * PARTS))
    for made, own in zip(makes, spreads(program, placed.places, placed.floorplan.crossbars_per_tile), strict=True):
        np.testing.assert_allclose(made[own.tiles], own.makes)


@pytest.mark.parametrize("seed", range(30))
def test_what_waits_is_what_stepping_through_time_finds(seed):
    rng = np.random.default_rng(seed)
    start, lasting, late, reading = rng.uniform(0.1, 3, 4)
    window, interval = float(rng.choice([0.05, 0.3, 1.0])), float(rng.uniform(0.3, 4))
    producer = Stage(0, start, start + lasting, lasting)
    stop = max(start + late + reading, producer.stop_s + 0.01)
    consumer = Stage(1, start + late, stop, reading)
    found = most_waiting(producer, consumer, window, interval)
    times = np.linspace(0, 40, 400_001)
    total = np.zeros_like(times)
    for number in range(200):
        t = times - number * interval
        made = np.clip((t - producer.start_s) / lasting, 0, 1)
        read = np.clip((t - consumer.start_s) / (stop - consumer.start_s), 0, 1)
        total += np.where(t < stop, made - np.maximum(read - window, 0), 0)
    assert found == pytest.approx(total[times > 20].max(), abs=2e-3)


def test_conversions_prolong_a_read_where_converters_are_shared(tmp_path):
    placed, target = compiled(tmp_path)
    slow = resolve_target(
        "classroom",
        {**SMALL, "hierarchy.mesh_rows": "8", "hierarchy.mesh_columns": "8", "adc.per_crossbar": "0.25"},
    )
    # 32 columns at 0.25 x 1.28 GSps take 100 ns, a read cycle 50 ns
    before, after = schedule(placed, target), schedule(placed, slow)
    assert before.stages[2].busy_s == pytest.approx(8 * 50e-9)
    assert after.stages[2].busy_s == pytest.approx(8 * 100e-9)
    assert after.interval_s > before.interval_s
    assert Clock.of(slow).columns_per_s == 0.25 * 1.28e9


def test_slow_links_and_units_limit_the_interval_and_are_named(tmp_path):
    placed, target = compiled(tmp_path, Objective.THROUGHPUT)
    assert placed.pace.limited_by == "crossbars"
    assert placed.interval_s == placed.pace.crossbars_s
    slow = replace(target, noc=replace(target.noc, link_bytes_per_s=1e6))
    found = schedule(placed, slow)
    assert found.pace.limited_by == "links"
    assert found.interval_s == pytest.approx(placed.quality.max_link_bytes / 1e6, rel=0.01)
    assert found.stages[-1].stop_s > placed.stages[-1].stop_s
    slow = replace(target, tile=replace(target.tile, elements_per_s=1e6))
    found = schedule(placed, slow)
    assert found.pace.limited_by == "digital units"
    assert found.interval_s > placed.interval_s
    far = schedule(placed, replace(target, noc=replace(target.noc, hop_s=1e-6)))
    assert far.interval_s == placed.interval_s
    assert far.stages[-1].stop_s > placed.stages[-1].stop_s + 2e-6


def test_times_are_rounded_up_to_whole_picoseconds():
    assert [picoseconds(value) for value in (100e-9, 1e-12, 1.1e-12, 0.781250e-9, 1e-15)] == [100_000, 1, 2, 782, 1]


def test_columns_that_are_subtracted_before_the_converter_are_converted_once(tmp_path):
    slow = {"adc.rate_per_s": "0.1e9", "adc.bits": "12"}
    digital, _ = compiled(tmp_path, **slow)
    analog, _ = compiled(tmp_path, **slow, **{"weights.subtraction": "analog"})
    assert digital.pace.crossbars_s > 1.5 * analog.pace.crossbars_s
    for one, other in zip(digital.stages, analog.stages, strict=True):
        assert one.busy_s == pytest.approx(2 * other.busy_s)
