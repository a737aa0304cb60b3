"""The text of a small network after each pass: what each pass does, to be read in review."""

import numpy as np
import pytest

from rcompile.frontend.calibrate import calibrate
from rcompile.frontend.load import load
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.assign_partial_sums import assign_partial_sums
from rcompile.passes.canonicalize import canonicalize
from rcompile.passes.emit import emit
from rcompile.passes.expand import expand
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.fold_batch_norm import fold_batch_norm
from rcompile.passes.fold_constants import fold_constants
from rcompile.passes.lower import lower
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.quantize import needs_ranges, quantize
from rcompile.passes.replicate import replicate
from rcompile.passes.schedule import schedule
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.precision import Precision
from rcompile.targets import resolve_target


def forms(path, target):
    """Yield the name and result of each pass on a file."""
    graph = load(path)
    yield "load", graph
    graph = fold_constants(graph)
    yield "fold_constants", graph
    graph = expand(graph)
    yield "expand", graph
    graph = canonicalize(graph)
    yield "canonicalize", graph
    graph = fold_batch_norm(graph)
    yield "fold_batch_norm", graph
    x = np.random.default_rng(3).normal(size=(8, 2, 8, 8)).astype(np.float32)
    graph = quantize(graph, calibrate(graph, needs_ranges(graph, Precision(4, 6)), [{"x": x}]), Precision(4, 6))
    yield "quantize", graph
    matrices = lower(graph)
    yield "lower", matrices
    program = partition(matrices, target)
    yield "partition", program
    program = slice_inputs(program, target)
    yield "slice_inputs", program
    program = flip_weights(program)
    yield "flip_weights", program
    program = assign_adcs(program, target, {}.get)
    yield "assign_adcs", program
    program = assign_partial_sums(program, target, None)
    yield "assign_partial_sums", program
    program = replicate(program, (2, 1, 1))
    yield "replicate", program
    placed = place(program, target)
    yield "place", placed
    placed = schedule(placed, target)
    yield "schedule", placed
    yield "emit", emit(placed, target)


PASSES = [
    "load", "fold_constants", "expand", "canonicalize", "fold_batch_norm", "quantize", "lower", "partition", "slice_inputs",
    "flip_weights", "assign_adcs", "assign_partial_sums", "replicate", "place", "schedule",
    "emit",
]  # fmt: skip


@pytest.mark.parametrize("name", PASSES)
def test_text_after_pass(name, cnn_file, golden, monkeypatch):
    monkeypatch.chdir(cnn_file.parent)
    target = resolve_target("isaac", {"crossbar.rows": "32", "crossbar.columns": "16", "hierarchy.counts": "[2, 12]"})
    found = dict(forms(cnn_file, target))
    assert list(found) == PASSES
    found[name].verify()
    golden(name, str(found[name]))
