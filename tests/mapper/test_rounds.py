"""Programs larger than their chips: cuts against brute force, and execution in rounds."""

import dataclasses
import itertools

import numpy as np
import pytest
from conftest import MODELS

from rcompile.compiler import compile_file
from rcompile.errors import DoesNotFit
from rcompile.ir import container
from rcompile.mapper.rounds import cheapest_runs, fewest_runs
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target
from rcompile.verification.checker import Unsound, check_program

SMALL = {
    "crossbar.rows": "32", "crossbar.columns": "32", "hierarchy.mesh_rows": "2", "hierarchy.mesh_columns": "2",
    "hierarchy.counts": "[3, 1]",
}  # fmt: skip


def runs_of(places: list[int], cuts: tuple[int, ...]) -> list[int]:
    borders = [places[0], *cuts, places[-1]]
    return [stop - start for start, stop in itertools.pairwise(borders)]


@pytest.mark.parametrize("seed", range(30))
def test_runs_are_as_few_and_as_cheap_as_they_can_be(seed):
    rng = np.random.default_rng(seed)
    places = np.concatenate([[0], rng.integers(1, 6, 7).cumsum()]).tolist()
    room = int(rng.integers(4, 12))
    kept = {place: int(rng.integers(0, 100)) for place in places[1:]}
    found = {
        count: [c for c in itertools.combinations(places[1:-1], count - 1) if max(runs_of(places, c)) <= room]
        for count in range(1, len(places))
    }
    possible = [count for count, cuts in found.items() if cuts]
    fewest = fewest_runs(places, room)
    assert fewest == (min(possible) if possible else None)
    if fewest is not None:
        starts = cheapest_runs(places, room, fewest, kept)
        assert starts[0] == 0
        assert tuple(starts[1:]) in found[fewest]
        assert sum(kept[s] for s in starts[1:]) == min(sum(kept[s] for s in cuts) for cuts in found[fewest])


@pytest.fixture(scope="module")
def in_rounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rounds")
    results = {}
    for rounds in (2, 3, 20):
        results[rounds] = compile_file(
            MODELS / "digits_lenet_int8.onnx", resolve_target("isaac", SMALL), folder / f"{rounds}.rcx",
            Options(rounds=rounds), Trace(), data_path=MODELS / "digits_test.npz",
        )  # fmt: skip
    return folder, results


@pytest.mark.parametrize("rounds", [2, 3, 20])
def test_a_program_in_rounds_computes_the_same(in_rounds, rounds):
    """17 crossbars on 12."""
    result = in_rounds[1][rounds]
    assert result.verified.exact.passed
    placed = result.compiled.placed
    plan = placed.floorplan
    assert placed.crossbars_filled == 17
    assert 2 <= plan.round_count <= rounds
    for number in range(plan.round_count):
        assert len(plan.present(number)) <= 4
    assert len(set(placed.program.source.matrix_order())) == len(placed.stages)
    checked = result.verified.accuracy
    assert checked.mapped_program == checked.quantized_model


def test_more_rounds_write_less_and_never_less_than_the_bound(in_rounds):
    """R rounds of M = 6 tiles of 3 crossbars on N = 4 rewrite at least R (M - N) / (R - 1) tiles, and M - N + 1."""
    written = []
    for result in in_rounds[1].values():
        plan = result.compiled.placed.floorplan
        count, tiles = plan.round_count, plan.resident
        assert tiles >= max(count * (6 - 4) / (count - 1), 6 - 4 + 1)
        written.append(tiles)
    assert written == sorted(written, reverse=True)


def test_rounds_follow_each_other(in_rounds):
    placed = in_rounds[1][3].compiled.placed
    plan = placed.floorplan
    last = {s.matrix: max(plan.rounds[tile] for tile in placed.tiles_of(s.matrix)) for s in placed.stages}
    first = {s.matrix: min(plan.rounds[tile] for tile in placed.tiles_of(s.matrix)) for s in placed.stages}
    for one, other in itertools.permutations(placed.stages, 2):
        if last[one.matrix] < first[other.matrix]:
            assert one.stop_s <= other.start_s
    assert placed.interval_s <= sum(stage.busy_s for stage in placed.stages)


def test_two_tiles_of_one_round_in_one_slot_are_named(in_rounds, tmp_path):
    compiled = container.load(in_rounds[0] / "3.rcx")
    plan = compiled.placed.floorplan
    number = plan.round_count - 1
    first, second = plan.present(number)[:2]
    slots = list(plan.slots)
    slots[first] = slots[second]
    wrong = dataclasses.replace(plan, slots=tuple(slots))
    container.save(
        dataclasses.replace(compiled, placed=dataclasses.replace(compiled.placed, floorplan=wrong)), tmp_path / "p.rcx"
    )
    with pytest.raises(Unsound, match="two tiles sit in one slot"):
        check_program(tmp_path / "p.rcx")


def test_what_does_not_fit_says_how_many_rounds_would_do(tmp_path):
    with pytest.raises(DoesNotFit) as caught:
        compile_file(
            MODELS / "digits_lenet_int8.onnx", resolve_target("isaac", SMALL), tmp_path / "p.rcx", Options(), Trace(),
            data_path=MODELS / "digits_test.npz",
        )  # fmt: skip
    assert (
        "17 crossbars are needed, isaac has 12 (1 x 12 a chip): 8 (fc1) + 6 (conv2) + 2 (fc2) + 1 (others) > 12"
        in str(caught.value)
    )
    assert "run in 2 rounds (--rounds 2: 15 crossbars written anew each time)" in caught.value.hint


def test_a_loop_is_not_cut(tmp_path):
    """Its matrices repeat: all of them stay on the chip, or the program does not fit."""
    small = {**SMALL, "hierarchy.mesh_rows": "1", "hierarchy.mesh_columns": "1"}
    with pytest.raises(DoesNotFit):
        compile_file(
            MODELS / "digits_row_lstm.onnx", resolve_target("isaac", small), tmp_path / "p.rcx", Options(rounds=50),
            Trace(), data_path=MODELS / "digits_test.npz",
        )  # fmt: skip
