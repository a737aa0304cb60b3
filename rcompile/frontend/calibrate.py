"""Ranges of float tensors over calibration samples, by onnxruntime.quantization's calibrators."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from rcompile.errors import InputError
from rcompile.frontend.export import to_onnx
from rcompile.frontend.runtime import reported
from rcompile.ir.graph import Array, Graph


def calibrate(
    graph: Graph, names: tuple[str, ...], feeds: Iterable[Mapping[str, Array]]
) -> dict[str, tuple[float, float]]:
    """Return the least and largest value of each named tensor.

    Raises:
        InputError: a range is not finite.

    Args:
        graph: a float graph.
        names: float32 tensors of it.
        feeds: the model's inputs, run by run.
    """
    inputs = {value.name for value in graph.inputs}
    inner = [name for name in names if name not in inputs]
    feeds = list(feeds)
    ranges = {
        name: (min(float(feed[name].min()) for feed in feeds), max(float(feed[name].max()) for feed in feeds))
        for name in names
        if name in inputs
    }
    if inner:
        ranges |= inner_ranges(graph, inner, feeds)
    endless = [name for name, limits in ranges.items() if not np.isfinite(limits).all()]
    if endless:
        raise InputError(
            f"the tensor '{endless[0]}' takes values that are NaN or infinite on the calibration samples",
            at=graph.origin,
            hint="check the weights of the model and the samples",
        )
    return ranges


def inner_ranges(graph: Graph, names: list[str], feeds: list[Mapping[str, Array]]) -> dict[str, tuple[float, float]]:
    """Return the ranges of tensors that operators compute."""
    from rcompile.frontend.chosen_calibrator import ChosenCalibrator

    with tempfile.TemporaryDirectory() as folder, reported("onnxruntime fails on the model", graph.origin.file):
        path = Path(folder) / "model.onnx"
        path.write_bytes(to_onnx(graph))
        calibrator = ChosenCalibrator(path, names, Path(folder) / "augmented.onnx")
        calibrator.augment_graph()
        calibrator.create_inference_session()
        calibrator.collect_data(iter(feeds))
        found = calibrator.compute_data()
    return {name: (found[name].range_value[0].item(), found[name].range_value[1].item()) for name in names}
