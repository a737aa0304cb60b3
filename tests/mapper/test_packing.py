"""What may share a crossbar: counts, places, and what taking turns costs in time."""

import numpy as np
import pytest
from conftest import GraphMaker

from rcompile.frontend.load import from_proto
from rcompile.ir.encoding import Memory
from rcompile.ir.placed import Sharing
from rcompile.mapper.clock import Clock
from rcompile.mapper.packing import crossbars_per_copy, pack
from rcompile.mapper.timing import layers_of
from rcompile.options import Effort
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.assign_partial_sums import assign_partial_sums
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.lower import lower
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.passes.replicate import replicate
from rcompile.passes.schedule import schedule
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.precision import Precision
from rcompile.targets import resolve_target


def program(target):
    """A depthwise convolution of 20 kernels of 9 rows, and a product of 20 rows: 4 columns a weight."""
    m = GraphMaker()
    m.add("Conv", ["x", m.weight("w1", 20, 1, 3, 3)], "a", group=20)
    m.add("Conv", ["a", m.weight("w2", 5, 20, 1, 1)], "y")
    found = cut(m.model({"x": ["N", 20, 6, 6]}, {"y": ["N", 5, 4, 4]}), target)
    return assign_partial_sums(assign_adcs(found, target, {}.get), target, None)


def cut(model, target):
    """A model in blocks, 8 bits a weight."""
    graph, bits = from_proto(model, "model.onnx"), Precision(8, 8)
    matrices = lower(quantize(graph, dict.fromkeys(needs_ranges(graph, bits), (0.0, 1.0)), bits))
    return flip_weights(slice_inputs(partition(matrices, target), target))


def target(sharing: str, **settings):
    given = {"crossbar.rows": "64", "crossbar.columns": "64", "crossbar.sharing": sharing, **settings}
    return resolve_target("isaac", given)


@pytest.mark.parametrize(
    ("sharing", "crossbars"),
    [
        ("layer", 4),  # 7 kernels of 9 rows in 64 rows: 20 kernels in 3, the product in 1
        ("concurrent", 4),  # 20 * 9 + 20 rows in 64
        ("exclusive", 1),  # 20 * 9 * 4 + 20 * 20 cells in 4,096
    ],
)
def test_crossbars_by_what_may_share_them(sharing, crossbars):
    placed = place(program(target(sharing)), target(sharing))
    placed.verify()
    assert placed.crossbars == crossbars
    assert placed.quality.crossbars_bound == crossbars


def test_what_sram_holds_shares_nothing_with_what_rram_holds():
    settings = {"weights.sram_bits": "2"}
    for sharing in ("concurrent", "exclusive"):
        own = program(target(sharing, **settings))
        packing = pack(own, Sharing(sharing), Effort.LOW)
        memories = [s.memory for s in own.matrices[0].weight_slices]
        sram = np.array([memories[index] is Memory.SRAM for index in own.blocks["weight_slice"]])
        crossbars = packing.places["crossbar"]
        assert not np.intersect1d(crossbars[sram], crossbars[~sram]).size


def test_partitions_that_take_turns_take_their_time():
    """20 kernels on one crossbar are read one after another, and the product waits until they are done."""
    alone = schedule(place(program(target("layer")), target("layer")), target("layer"))
    shared = schedule(place(program(target("exclusive")), target("exclusive")), target("exclusive"))
    assert shared.stages[0].busy_s == pytest.approx(20 * alone.stages[0].busy_s)
    assert shared.stages[1].start_s >= shared.stages[0].stop_s
    assert shared.interval_s == pytest.approx(sum(stage.busy_s for stage in shared.stages))
    assert alone.interval_s == pytest.approx(max(stage.busy_s for stage in alone.stages))


def test_groups_of_several_partitions_share_crossbars():
    """8 groups of 144 x 64 cells: a full partition of 128 rows each, and 8 rests of 16 rows, 2 side by side."""
    m = GraphMaker()
    m.add("Conv", ["x", m.weight("w", 128, 16, 3, 3)], "y", group=8)
    found = cut(m.model({"x": ["N", 128, 6, 6]}, {"y": ["N", 128, 4, 4]}), resolve_target("isaac"))
    packing = pack(found, Sharing.LAYER, Effort.LOW)
    assert (packing.crossbars, packing.bound) == (12, 12)
    assert crossbars_per_copy(found, found.matrices[0]) == 12


@pytest.mark.parametrize("sharing", list(Sharing))
def test_outputs_wider_than_a_crossbar_are_bounded_by_what_they_fill(sharing):
    """9 outputs of 8 columns on 6: 18 crossbars, though no bound excludes 12."""
    own = target(sharing, **{"crossbar.columns": "3", "crossbar.rows": "64"})
    packing = pack(program(own), sharing, Effort.LOW)
    assert packing.bound <= packing.crossbars
    if sharing is not Sharing.LAYER:
        assert packing.bound < packing.crossbars


def test_copies_on_one_crossbar_take_turns():
    """Copies bring nothing where they share a crossbar: the busiest one reads all of them."""
    own = target("exclusive")
    one = schedule(place(program(own), own), own)
    several = schedule(place(replicate(program(own), (2, 1)), own), own)
    assert several.crossbars == 1
    assert several.interval_s == pytest.approx(one.interval_s)


def vector_ps(own) -> int:
    layers, tick = layers_of(program(own), Clock.of(own))
    return layers[0].cycles * tick


def test_few_driven_rows_make_groups_take_turns():
    """7 kernels of 9 rows stand on a crossbar that drives 16 rows at once: 7 reads a cycle."""
    alone, few = target("layer"), target("layer", **{"crossbar.rows_at_once": "16"})
    whole = schedule(place(program(alone), alone), alone)
    parts = schedule(place(program(few), few), few)
    assert parts.stages[0].busy_s == pytest.approx(7 * whole.stages[0].busy_s)
    assert vector_ps(few) == 7 * vector_ps(alone)
