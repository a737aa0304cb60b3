"""What may share a crossbar: counts, places, and what taking turns costs in time."""

import numpy as np
import pytest
from conftest import GraphMaker

from rcompile.frontend.load import from_proto
from rcompile.ir.encoding import Memory
from rcompile.ir.placed import Sharing
from rcompile.mapper.packing import pack
from rcompile.options import Effort
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.assign_partial_sums import assign_partial_sums
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.lower import lower
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.passes.schedule import schedule
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.precision import Precision
from rcompile.targets import resolve_target


def program(target):
    """A depthwise convolution of 20 kernels of 9 rows, and a product of 20 rows: 4 columns a weight."""
    m = GraphMaker()
    m.add("Conv", ["x", m.weight("w1", 20, 1, 3, 3)], "a", group=20)
    m.add("Conv", ["a", m.weight("w2", 5, 20, 1, 1)], "y")
    graph = from_proto(m.model({"x": ["N", 20, 6, 6]}, {"y": ["N", 5, 4, 4]}), "model.onnx")
    bits = Precision(8, 8)
    matrices = lower(quantize(graph, dict.fromkeys(needs_ranges(graph, bits), (0.0, 1.0)), bits))
    found = flip_weights(slice_inputs(partition(matrices, target), target))
    return assign_partial_sums(assign_adcs(found, target, {}.get), target, None)


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
