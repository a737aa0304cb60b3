"""PIMCOMP's geometry: crossbars of one copy, and the shortest interval on its chip of 9,216 logical crossbars."""

from pathlib import Path

import pytest
import zoo
from conftest import ROOT

from rcompile.frontend.load import Source, load
from rcompile.mapper.clock import Clock
from rcompile.mapper.replication import cost, shortest_interval
from rcompile.mapper.timing import layers_of
from rcompile.passes.lower import lower
from rcompile.passes.partition import partition
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.simplify import simplify
from rcompile.targets import resolve_target

TARGET = resolve_target(str(ROOT / "benchmarks" / "targets" / "pimcomp.toml"))
GOLDEN = [  # crossbars of one copy, vectors of the busiest copy at the shortest interval
    ("resnet18", 727, 19),
    ("squeezenet", 108, 7),
    ("mobilenet_v2", 816, 30),
    ("shufflenet", 526, 13),  # 544 with each group in as many crossbars as it has partitions
    ("googlenet", 566, 18),
    ("resnet50", 1576, 38),
    ("inception_v3_224", 1762, 36),
    pytest.param("vgg16", 8454, 965, marks=pytest.mark.slow),
]


def layers(path: Path):
    graph = simplify(load(path, Source({}, weightless=True, seed=0)), Trace())
    bits = Precision(16, 16)
    graph = quantize(graph, dict.fromkeys(needs_ranges(graph, bits), (0.0, 1.0)), bits)
    found, tick = layers_of(slice_inputs(partition(lower(graph), TARGET), TARGET), Clock.of(TARGET))
    assert 16 * tick == 4_000_000  # a product, in picoseconds
    return found


@pytest.mark.parametrize(("name", "one_copy", "vectors"), GOLDEN)
def test_crossbars_and_interval(name, one_copy, vectors, tmp_path):
    found = layers(zoo.write(name, tmp_path))
    assert sum(layer.crossbars for layer in found) == one_copy
    copies = shortest_interval(found, TARGET.crossbars_available)
    assert copies.reached == 16 * vectors
    assert cost(found, copies.copies) <= TARGET.crossbars_available
