"""Instruction streams: the numbers of the program, and the times of its schedule."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from conftest import MODELS, GraphMaker, small_cnn

from rcompile import api
from rcompile.backends.chip import Chip
from rcompile.backends.executor import Executor
from rcompile.backends.instructions import Instructions
from rcompile.backends.machine import Machine
from rcompile.backends.reference import Reference
from rcompile.cli.app import app
from rcompile.errors import InternalError, UsageError
from rcompile.ir.stream import Finish, InstructionStream, Mvm, Receive, ReceiveSums, Send, SendSums
from rcompile.mapper.buffers import least_room
from rcompile.mapper.clock import PS
from rcompile.options import Objective, Options
from rcompile.passes.emit import emit
from rcompile.targets import list_targets, resolve_target
from rcompile.targets.schema import from_dict
from rcompile.verification.trials import conditions_of

NOISY = "ideal?lognormal.sigma=0.1&stuck.at_g_max=0.01&read_noise.sigma=0.02"
SMALL = {
    "crossbar.rows": "32",
    "crossbar.columns": "32",
    "hierarchy.counts": "[1, 2]",
    "hierarchy.mesh_rows": "8",
    "hierarchy.mesh_columns": "8",
}
LENET = MODELS / "digits_lenet_int8.onnx"


def stream_of(tmp_path, model, target="isaac", objective=Objective.CROSSBARS, rounds=1, **changes) -> InstructionStream:
    options = Options(verify=False, objective=objective, rounds=rounds)
    folder = tmp_path / "out"
    api.compile_model(model, target=resolve_target(target, changes), output=folder, options=options)
    program = api.load_program(folder)
    stream = emit(program.placed, from_dict(program.target))
    stream.verify()
    return stream


def run(stream: InstructionStream, inferences: int = 5):
    return Machine(stream, inferences, round(stream.placed.interval_s / PS)).run()


def deviations(stream: InstructionStream) -> tuple[float, float]:
    """Latency of one inference and interval on the machine, relative to the schedule; everything comes to its end."""
    alone, following = run(stream, 1), run(stream)
    assert alone.stuck == following.stuck == ()
    latency = max(stage.stop_s for stage in stream.placed.stages)
    return alone.finished_ps[0] * PS / latency, following.interval_ps * PS / stream.placed.interval_s


def digits(count: int = 4) -> dict[str, np.ndarray]:
    data = np.load(MODELS / "digits_test.npz")
    return {name: data[name][:count] for name in data.files if name != "labels"}


def assert_same_numbers(stream: InstructionStream, inputs, device="ideal") -> None:
    (die,) = conditions_of(device, seed=3).dies(resolve_target("isaac"))
    expected = Executor(Reference(stream.placed, Chip(stream.placed, die))).run(inputs)
    found = Executor(Instructions(stream, Chip(stream.placed, die))).run(inputs)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def residual(tmp_path):
    """Four convolutions; what the first one makes is added to what the third one makes."""
    m = GraphMaker()
    for name, read in (("a", "x"), ("b", "a"), ("c", "b")):
        m.add("Conv", [read, m.weight(f"w{name}", 4, 2 if name == "a" else 4, 3, 3)], name, pads=[1, 1, 1, 1])
    m.add("Add", ["a", "c"], "sum")
    m.add("Conv", ["sum", m.weight("wd", 3, 4, 3, 3)], "y", pads=[1, 1, 1, 1])
    path = tmp_path / "residual.onnx"
    onnx.save(m.model({"x": ["N", 2, 12, 12]}, {"y": ["N", 3, 12, 12]}), path)
    return path


@pytest.mark.parametrize("model", ["digits_lenet_int8", "digits_mlp", "digits_bnn_mlp", "digits_ternary_mlp"])
@pytest.mark.parametrize("objective", [Objective.CROSSBARS, Objective.THROUGHPUT])
def test_numbers_are_those_of_the_program_on_ideal_cells_and_noisy_ones(tmp_path, model, objective):
    stream = stream_of(tmp_path, MODELS / f"{model}.onnx", "classroom", objective, **SMALL)
    assert_same_numbers(stream, digits())
    assert_same_numbers(stream, digits(2), NOISY)


@pytest.mark.parametrize("target", [name for name in list_targets() if name not in {"hu_dpe18", "yao_nature20"}])
def test_numbers_and_times_of_every_architecture(tmp_path, target):
    stream = stream_of(tmp_path, LENET, target)
    assert_same_numbers(stream, digits(2))
    latency, interval = deviations(stream)
    # where partitions on a crossbar take turns, those of one layer need not wait for all of another one
    assert latency == pytest.approx(1, rel=0.15 if stream.placed.takes_turns else 0.005)
    assert interval == pytest.approx(1, rel=0.005)


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("name", ["digits_lenet_int8", "digits_row_lstm", "digits_mlp"])
def test_the_schedule_is_kept(tmp_path, name, objective):
    stream = stream_of(tmp_path, MODELS / f"{name}.onnx", "isaac", objective)
    latency, interval = deviations(stream)
    assert 0.95 < latency < 1.01  # copies start one by one where the schedule waits for whole turns of all
    assert interval == pytest.approx(1, rel=0.01)


def test_a_shortcut_has_the_room_that_the_long_way_takes(tmp_path):
    stream = stream_of(tmp_path, residual(tmp_path))
    latency, interval = deviations(stream)
    assert (latency, interval) == pytest.approx((1, 1), rel=0.001)
    edges = stream.edges
    (shortcut,) = (n for n, edge in enumerate(edges) if (edge.producer, edge.consumer) == (0, 3))
    rooms = {r.edge: r.room for t in stream.threads for r in t.body if isinstance(r, Receive)}
    # a vector of the last one needs the next row and column of the third, and so on: 3 rows and columns ahead; it
    # keeps one row and column behind
    least = 4 * 12 + 4 + 1
    assert least_room(stream.placed.program)[shortcut] == least <= rooms[shortcut]
    assert edges[shortcut].held() == 2 * 12 + 2 + 1
    assert run(with_room(stream, shortcut, least), 2).stuck == ()
    short = with_room(stream, shortcut, least - 2)  # one more is with the second one, which is sent to first
    short.verify()
    assert "tile 0 finishes a and waits for room in tile 0, for inputs of y: 51 of 52 vectors" in run(short, 1).stuck


def test_a_small_buffer_leaves_less_room_but_what_there_must_be(tmp_path):
    def rooms(buffer):
        stream = stream_of(tmp_path, residual(tmp_path), **{"tile.buffer_bytes": str(buffer)})
        assert run(stream, 3).stuck == ()
        return [(r.edge, r.room, r.bytes) for t in stream.threads for r in t.body if isinstance(r, Receive)], stream

    wanted, stream = rooms(65536)
    least = least_room(stream.placed.program)
    total = sum(size for _, _, size in wanted)
    assert total <= max(stream.placed.waiting_bytes)
    smaller, _ = rooms(int(total) - 20)
    assert sum(size for _, _, size in smaller) <= total - 20
    smallest, _ = rooms(1)
    assert [room for _, room, _ in smallest] == [least[edge] for edge, _, _ in smallest]


def ladder(tmp_path):
    """Convolutions of which each adds what some of those before it made: many ways of many lengths."""
    m = GraphMaker(2)
    read = "x"
    for number in range(6):
        m.add("Conv", [read, m.weight(f"w{number}", 4, 4, 3, 3)], f"c{number}", pads=[1, 1, 1, 1])
        read = f"c{number}"
        for back in (2, 3):
            if number >= back:
                read = m.add("Add", [read, f"c{number - back}"], f"s{number}.{back}")
    onnx.save(m.model({"x": ["N", 4, 10, 10]}, {read: ["N", 4, 10, 10]}), tmp_path / "ladder.onnx")
    return tmp_path / "ladder.onnx"


@pytest.mark.parametrize("objective", [Objective.CROSSBARS, Objective.THROUGHPUT])
@pytest.mark.parametrize("network", [residual, ladder])
def test_the_least_room_is_enough(tmp_path, network, objective):
    stream = stream_of(tmp_path, network(tmp_path), "isaac", objective, **{"tile.buffer_bytes": "1"})
    found = run(stream, 3)
    assert found.stuck == ()
    assert sum(found.held_bytes.values()) > 1


def with_room(stream, edge, room):
    def changed(one):
        return replace(one, room=room) if isinstance(one, Receive) and one.edge == edge else one

    threads = tuple(replace(t, body=tuple(map(changed, t.body))) for t in stream.threads)
    return replace(stream, threads=threads)


def test_links_are_busy_as_the_schedule_says_and_limit_the_interval(tmp_path):
    changes = {**SMALL, "noc.link_bytes_per_s": "1e7", "noc.hop_s": "5e-9"}
    stream = stream_of(tmp_path, LENET, "classroom", Objective.THROUGHPUT, **changes)
    pace = stream.placed.pace
    assert pace.limited_by == "links"
    found = run(stream, 8)
    assert found.stuck == ()
    assert found.link_busy_ps * PS / 8 == pytest.approx(pace.links_s, rel=1e-3)
    assert found.interval_ps * PS == pytest.approx(pace.links_s, rel=0.05)
    fast = replace(stream, speed=replace(stream.speed, byte_ps=0.0))
    assert run(fast, 1).finished_ps[0] < found.finished_ps[0]


def test_a_pipeline_of_products_takes_their_reads_their_units_and_their_hops(tmp_path):
    """Each of two layers in tiles of its own: read, finish, send; then read and finish."""
    changes = {**SMALL, "hierarchy.counts": "[1, 1]", "noc.hop_s": "7e-9", "noc.link_bytes_per_s": "1e9"}
    m = GraphMaker()
    m.add("MatMul", ["x", m.weight("w1", 5, 6)], "a")
    m.add("MatMul", ["a", m.weight("w2", 6, 4)], "y")
    onnx.save(m.model({"x": ["N", 5]}, {"y": ["N", 4]}), tmp_path / "m.onnx")
    stream = stream_of(tmp_path, tmp_path / "m.onnx", "classroom", **changes)
    reads = [max(one.ps) for thread in stream.threads for one in thread.body if isinstance(one, Mvm)]
    sends = [one for thread in stream.threads for one in thread.body if isinstance(one, Send)]
    units = [one.ps for thread in stream.threads for one in thread.body if isinstance(one, Finish)]
    assert (reads, [send.bytes for send in sends], units) == ([400_000] * 3, [4.0, 2.0], [4_000, 2_000, 4_000])
    # the part of four columns takes longest; both parts are made beside the tile that reads them
    assert run(stream, 1).finished_ps[0] == 400_000 + 4_000 + 7_000 + 4_000 + 400_000 + 4_000


MUTATIONS = {
    "partial sums are sent and not received, or the other way round": lambda one: (
        replace(one, tile=one.tile + 1) if isinstance(one, SendSums) else one
    ),
    "outputs of edge 0 go to other tiles": lambda one: (
        replace(one, tile=one.tile + 1) if isinstance(one, Send) and one.edge == 0 else one
    ),
    "there is no room for a window of edge 0": lambda one: (
        replace(one, room=3) if isinstance(one, Receive) and one.edge == 0 else one
    ),
    "an input comes along edge 1": lambda one: replace(one, edge=1) if isinstance(one, Receive) else one,
}


@pytest.mark.parametrize("message", MUTATIONS)
def test_what_does_not_fit_together_is_found(tmp_path, message):
    stream = stream_of(tmp_path, LENET)
    change = MUTATIONS[message]
    threads = tuple(replace(t, body=tuple(map(change, t.body))) for t in stream.threads)
    with pytest.raises(InternalError, match=message):
        replace(stream, threads=threads).verify()


def test_copies_that_leave_vectors_out_are_found(tmp_path):
    stream = stream_of(tmp_path, LENET)
    threads = (replace(stream.threads[0], vectors=3), *stream.threads[1:])
    with pytest.raises(InternalError, match="conv1: copy 0 takes 3 of 64 vectors"):
        replace(stream, threads=threads).verify()


def test_sums_that_nobody_receives_or_sends_are_no_numbers(tmp_path):
    stream = stream_of(tmp_path, LENET)

    def without(kind):
        threads = (replace(t, body=tuple(b for b in t.body if not isinstance(b, kind))) for t in stream.threads)
        return replace(stream, threads=tuple(threads))

    with pytest.raises(InternalError, match=r"tile 0 sends sums 0:8 that tile 0 does not receive"):
        Executor(Instructions(without(ReceiveSums))).run(digits(1))
    with pytest.raises(InternalError, match=r"tile 0 waits for sums 0:8 that tile 0 keeps"):
        Executor(Instructions(without(SendSums))).run(digits(1))


def test_rounds_are_refused(tmp_path):
    changes = {**SMALL, "hierarchy.mesh_rows": "3", "hierarchy.mesh_columns": "3"}
    with pytest.raises(UsageError, match=r"the program runs in 2 rounds: instruction streams are of programs"):
        stream_of(tmp_path, LENET, "classroom", rounds=2, **changes)


def test_the_command_line_shows_both_and_writes_the_text(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(small_cnn(), tmp_path / "cnn.onnx")
    assert app(["cnn.onnx", "-q", "-o", "out"], result_action="return_value") == 0
    capsys.readouterr()
    assert app(["verify", "out", "--instructions"], result_action="return_value") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "PASS instructions: 296 an inference in 6 threads of 1 tile; outputs equal the program's on 16" in shown
    assert "no thread waits for ever" in shown
    assert "interval on the machine: 12.8 us, of the schedule: 12.8 us (+0.00 %)" in shown
    assert app(["export", "out", "--instructions", "s.txt"], result_action="return_value") == 0
    text = (tmp_path / "s.txt").read_text()
    assert text.startswith("instruction stream small: 1 tile, 6 threads, 296 instructions an inference\ntile 0 at")
