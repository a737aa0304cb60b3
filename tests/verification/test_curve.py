"""The accuracy at other resolutions is that of programs compiled for them."""

import json

import pytest
from conftest import MODELS

from rcompile import api
from rcompile.cli.app import app
from rcompile.errors import UsageError
from rcompile.options import Options
from rcompile.targets import resolve_target

DEVICE = "ideal?lognormal.sigma=0.1"
DATA = MODELS / "digits_test.npz"


def accuracy(tmp_path, name="digits_lenet_int8", target="isaac", bits=None, **options):
    changes = {} if bits is None else {"adc.bits": str(bits)}
    report = api.compile_model(
        MODELS / f"{name}.onnx",
        data=DATA,
        calibration=MODELS / "digits_calibration.npz" if name == "digits_lenet" else None,
        target=resolve_target(target, changes),
        device=DEVICE,
        trials=2,
        output=tmp_path / "out",
        options=Options(exact_samples=1, **options),
    )
    return report.verification.accuracy


@pytest.mark.parametrize(("name", "target"), [("digits_lenet_int8", "isaac"), ("digits_lenet", "classroom")])
def test_each_point_is_what_compiling_for_it_gives(tmp_path, name, target):
    curve = accuracy(tmp_path, name, target, adc_curve=(3, 5)).over_adc_bits
    assert [point.adc_bits for point in curve] == [3, 5]
    for point in curve:
        alone = accuracy(tmp_path, name, target, bits=point.adc_bits)
        assert point.ideal == alone.ideal
        assert point.values == [trial.value for trial in alone.trials]
        assert (point.mean, point.ci95) == (alone.mean, alone.ci95)
    assert curve[0].ideal < curve[1].ideal


def test_ideal_cells_have_no_dies(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [str(MODELS / "digits_mlp.onnx"), "--data", str(DATA), "--adc-curve", "4,5:5", "--json", "r.json", "-q"]
    assert app(words, result_action="return_value") == 0
    shown = " ".join(capsys.readouterr().err.split())
    points = json.loads((tmp_path / "r.json").read_text())["verification"]["accuracy"]["over_adc_bits"]
    assert [(p["adc_bits"], p["values"], p["mean"], p["ci95"]) for p in points] == [
        (4, [], None, None),
        (5, [], None, None),
    ]
    assert f"top-1 with converters of 5 bits: {100 * points[1]['ideal']:.2f} % on ideal cells" in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8:3", "--adc-curve: '8:3' is no FROM:TO, the lower first"),
        ("a:b", "--adc-curve: 'a:b' is no FROM:TO, the lower first"),
        ("0:3", "adc_curve must be a whole number from 1 to 24, is 0"),
        ("20:25", "adc_curve must be a whole number from 1 to 24, is 25"),
    ],
)
def test_ranges_that_are_none_are_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        app([str(MODELS / "digits_mlp.onnx"), "--adc-curve", text], result_action="return_value")


def test_what_cannot_be_measured_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--adc-curve takes executions of the program"):
        api.compile_model(
            MODELS / "digits_mlp.onnx", output=tmp_path / "o", options=Options(adc_curve=(3,), verify=False)
        )
    with pytest.raises(UsageError, match=r"has converters without a choice of bits \(adc.kind sense_amplifier\)"):
        api.compile_model(
            MODELS / "digits_bnn_mlp.onnx",
            target=resolve_target("classroom", {"adc.kind": "sense_amplifier"}),
            output=tmp_path / "o",
            options=Options(adc_curve=(3,)),
        )
