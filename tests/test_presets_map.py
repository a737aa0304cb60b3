"""Every architecture maps a network, and executing what was mapped equals its encoding's reference."""

import numpy as np
import pytest
from conftest import MODELS

from rcompile.api import compile_model
from rcompile.options import Options
from rcompile.targets import list_targets

FEWER_BITS = {"hu_dpe18": 4}
"""Bits of inputs that reach DACs all at once."""

WITH_AREA = {"forms", "isaac", "isaac_pe", "isaac_se", "newton", "puma"}
WITH_ENERGY = {"atomlayer", "forms", "isaac", "isaac_pe", "isaac_se", "newton", "pipelayer", "puma"}
"""Those whose papers, or models of them, say what reads and conversions take."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "few.npz"
    with np.load(MODELS / "digits_test.npz") as arrays:
        np.savez(path, **{name: arrays[name][:40] for name in arrays.files})
    return path


@pytest.mark.parametrize("name", list_targets())
def test_maps_and_verifies(tmp_path, data, name):
    options = Options(input_bits=FEWER_BITS.get(name, 8), fit=0.0, exact_samples=4)
    report = compile_model(MODELS / "digits_mlp.onnx", target=name, data=data, output=tmp_path / "out", options=options)
    assert report.verification.exact.status == "pass"
    lossless = all(layer.lossless for layer in report.layers)
    accuracy = report.verification.accuracy
    if lossless:
        assert accuracy.agreement == 1.0
    assert accuracy.ideal > 0.8  # by chance: 0.1
    assert (report.totals.energy_j is not None) == (name in WITH_ENERGY)
    assert (report.totals.area_m2 is not None) == (name in WITH_AREA)
