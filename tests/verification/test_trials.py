"""Trials over dies: intervals, early ends, times, corrections, and what is refused."""

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from conftest import MODELS

import rcompile
from rcompile.backends.chip import Die
from rcompile.backends.compensation import Correction, Fit
from rcompile.devices import IDEAL, resolve_device
from rcompile.errors import UsageError
from rcompile.targets import resolve_target
from rcompile.verification.data import DataSet
from rcompile.verification.trials import Trials, conditions_of, run_trials

DATA, CALIBRATION = MODELS / "digits_test.npz", MODELS / "digits_calibration.npz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("trials") / "out"
    rcompile.compile_model(
        MODELS / "digits_lenet.onnx", data=DATA, output=out, options=rcompile.Options(exact_samples=1)
    )
    return out


@pytest.fixture(scope="module")
def samples():
    with np.load(DATA) as data:
        return DataSet({"image": data["image"]}, data["labels"], "digits")


def run(folder, samples, device, calibration=None, **options):
    conditions = conditions_of(device, **options)
    die = Die(conditions.device, seed=conditions.seed)
    placed = rcompile.load_program(folder).placed
    return run_trials(placed, die, samples, {}, conditions, lambda _: None, calibration)


def test_the_interval_is_students():
    found = Trials((0.9, 0.94, 0.92, 0.96), 0, (), 0.0)
    half = 3.1824463 * np.std([0.9, 0.94, 0.92, 0.96], ddof=1) / sqrt(4)  # t of 3 degrees of freedom, 97.5 %
    assert found.mean == pytest.approx(0.93)
    assert found.ci95 == pytest.approx((0.93 - half, 0.93 + half))
    assert Trials((0.9,), 0, (), 0.0).ci95 is None


def test_a_trial_is_the_same_alone_or_among_others(folder, samples):
    device = "hfo2_1t1r?lognormal.sigma=0.3"
    several = run(folder, samples, device, trials=3)
    placed, one = rcompile.load_program(folder).placed, conditions_of(device, trials=1)
    for trial in (2, 0):
        die = Die(one.device, trial=trial)
        assert run_trials(placed, die, samples, {}, one, lambda _: None).values == (several.values[trial],)
    assert len(set(several.values)) > 1


def test_trials_end_where_the_interval_is_narrow(folder, samples):
    found = run(folder, samples, "hfo2_1t1r", trials=40, until_ci=0.03)
    assert 10 <= len(found.values) < 40
    low, high = found.ci95
    assert high - low <= 0.06
    assert len(run(folder, samples, "hfo2_1t1r", trials=4, until_ci=1e-6).values) == 4


def test_one_die_suffices_where_nothing_is_drawn(folder, samples):
    assert len(run(folder, samples, "survey_generic?wires.row_ohm=1&wires.column_ohm=1", trials=9).values) == 1
    assert len(run(folder, samples, "ideal?converters.offset_lsb=0.1", trials=3).values) == 3


def test_more_variation_leaves_less_signal_and_less_accuracy(folder, samples):
    found = [run(folder, samples, f"ideal?lognormal.sigma={sigma}", trials=2) for sigma in (0.02, 0.1, 0.4)]
    for weak, strong in pairwise(found):
        assert weak.mean > strong.mean
        assert all(a > b for a, b in zip(weak.snr_db, strong.snr_db, strict=True))
    assert all(ratio == float("inf") for ratio in run(folder, samples, "ideal?lognormal.sigma=0", trials=1).snr_db)


def test_correction_recovers_what_drift_and_offsets_cost(folder, samples):
    with np.load(CALIBRATION) as data:
        calibration = DataSet({"image": data["image"]}, None, "calibration")
    device = "hfo2_1t1r@1h"
    plain, offset, affine = (
        run(folder, samples, device, calibration, trials=2, correct=kind).mean for kind in ("none", "offset", "affine")
    )
    assert plain < 0.7
    assert offset > plain + 0.3
    assert affine > plain + 0.3


def test_one_gain_a_copy_recovers_what_drift_alone_costs(folder, samples):
    """All cells have lost a third, and nothing else differs."""
    with np.load(CALIBRATION) as data:
        calibration = DataSet({"image": data["image"]}, None, "calibration")
    device = "ideal@16s?cell.g_min_s=0&power_drift.mean=0.15"
    plain, corrected = (
        run(folder, samples, device, calibration, trials=1, correct=kind).mean for kind in ("none", "drift")
    )
    ideal = run(folder, samples, "ideal?lognormal.sigma=0", trials=1).mean
    assert plain < 0.5
    assert corrected > ideal - 0.1  # smaller sums are rounded more


def test_the_report_states_what_correction_takes(tmp_path):
    """digits_mlp: 64-32-10 outputs, one copy each."""
    found = {}
    for kind in ("drift", "offset", "affine"):
        report = rcompile.compile_model(
            MODELS / "digits_mlp.onnx",
            data=DATA,
            calibration=CALIBRATION,
            device="hfo2_1t1r",
            trials=1,
            correct=kind,
            output=tmp_path / kind,
        )
        found[kind] = report.verification.accuracy.correction
        outputs = sum(layer.groups * layer.columns for layer in report.layers)
    assert [found[kind].coefficients for kind in found] == [len(report.layers), outputs, 2 * outputs]
    assert [found[kind].products for kind in found] == [outputs, 0, outputs]
    assert [found[kind].additions for kind in found] == [0, outputs, outputs]


def test_reference_columns_measure_what_level_zero_has_become(tmp_path):
    """Cells of a small range that all lose a tenth: computed, level 0 is too high; the report says what columns cost."""
    found = {}
    for reference in ("false", "true"):
        target = resolve_target("classroom", {"crossbar.reference_column": reference})
        found[reference] = rcompile.compile_model(
            MODELS / "digits_mlp.onnx",
            target=target,
            data=DATA,
            device="ideal@2s?cell.g_min_s=5e-5&power_drift.mean=0.15&power_drift.t0_s=1.0",
            output=tmp_path / reference,
        )
    assert found["true"].verification.accuracy.mean > found["false"].verification.accuracy.mean + 0.3
    assert not any(d.code == "REFERENCE_COLUMNS" for d in found["false"].diagnostics)
    (note,) = (d for d in found["true"].diagnostics if d.code == "REFERENCE_COLUMNS")
    used = found["true"].totals.crossbars_used
    assert note.message == f"{used} crossbars have one more column each for reference: {used * 64:,} cells"


def test_a_fit_finds_gains_and_offsets_copy_by_copy():
    rng = np.random.default_rng(0)
    wanted = rng.integers(-1000, 1000, (400, 3))
    copies = np.arange(400) % 2
    gain, offset = np.array([[2.0, 0.5, 1.0], [4.0, 1.0, 0.25]]), np.array([[10.0, -7.0, 0.0], [3.0, 0.0, 100.0]])
    found = (wanted - offset[copies]) / gain[copies]
    for kind in (Correction.AFFINE, Correction.OFFSET):
        fit = Fit((2, 3), kind)
        for part in np.array_split(np.arange(400), 3):
            fit.add(copies[part], found[part], wanted[part])
        fitted = fit.line()
        if kind is Correction.AFFINE:
            np.testing.assert_allclose(fitted[0], gain)
            np.testing.assert_allclose(fitted[1], offset, atol=1e-9)
        else:
            assert (fitted[0] == 1).all()
    drift = Fit((2, 3), Correction.DRIFT)
    drift.add(copies, wanted / np.array([2.0, 4.0])[copies, None], wanted)
    one_gain, no_offset = drift.line()
    np.testing.assert_allclose(one_gain, [[2.0] * 3, [4.0] * 3])
    mixed = Fit((1, 2), Correction.DRIFT)
    mixed.add(np.zeros(400, int), wanted[:, :2] / np.array([1.0, 2.0]), wanted[:, :2])
    assert mixed.line()[0][0, 0] == mixed.line()[0][0, 1]  # one for all outputs of a copy
    assert not no_offset.any()
    constant = Fit((1, 1), Correction.AFFINE)
    constant.add(np.zeros(5, int), np.full((5, 1), 7), np.full((5, 1), 9))
    assert [part.item() for part in constant.line()] == [1.0, 2.0]


def test_the_report_holds_each_time_and_each_die(tmp_path):
    report = rcompile.compile_model(
        MODELS / "digits_mlp.onnx", data=DATA, device="hfo2_1t1r", trials=3, at=("1h", "1year"), output=tmp_path / "out"
    )
    accuracy = report.verification.accuracy
    assert [found.age_s for found in accuracy.over_time] == [0, 3600, 31_556_952]
    assert [trial.value for trial in accuracy.trials] == accuracy.over_time[0].values
    assert accuracy.mean == accuracy.over_time[0].mean > accuracy.over_time[2].mean
    assert len(accuracy.snr_db_per_layer) == len(report.layers)
    assert report.device["name"] == "hfo2_1t1r"
    again = rcompile.verify(tmp_path / "out", data=DATA, device="hfo2_1t1r@1h", trials=3)
    assert list(again.trials[0].values) == accuracy.over_time[1].values


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials is 0: it must be at least 1"),
        ({"device": "hfo2_1t1r", "until_ci": 2.0}, "until_ci is 2: it must lie between 0 and 1"),
        (
            {"device": "hfo2_1t1r", "correct": "gain"},
            "correct is 'gain': it must be one of none, drift, offset, affine",
        ),
        ({"at": ("1h",)}, "--at, --until-ci and --correct are about dies that are not ideal"),
        ({"device": "hfo2_1t1r", "at": ("later",)}, "'later' is not a time"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        conditions_of(**options)


def test_a_device_takes_an_execution(tmp_path):
    for options in (rcompile.Options(verify=False), rcompile.Options(weightless=True)):
        with pytest.raises(UsageError, match="the accuracy on hfo2_1t1r takes an execution of the program"):
            rcompile.compile_model(
                MODELS / "digits_mlp.onnx", device="hfo2_1t1r", options=options, output=tmp_path / "o"
            )


def test_corrections_take_calibration_samples(folder):
    with pytest.raises(UsageError, match="--correct affine is fitted on calibration samples"):
        rcompile.verify(folder, data=DATA, device="hfo2_1t1r", correct="affine")


def test_corrections_leave_comparisons_alone(tmp_path):
    """A sense amplifier's two readings say where a threshold is, not how large a sum."""
    settings = {"adc.kind": "sense_amplifier", "adc.bits": "1", "weights.sign": "differential_rows",
                "crossbar.rows": "512", "crossbar.cell_bits": "1"}  # fmt: skip
    report = rcompile.compile_model(
        MODELS / "digits_bnn_mlp.onnx", target=resolve_target("isaac", settings), data=DATA, calibration=CALIBRATION,
        device="ideal?converters.noise_lsb=0.01", correct="offset", trials=2, output=tmp_path / "out",
    )  # fmt: skip
    accuracy = report.verification.accuracy
    assert accuracy.mean > accuracy.ideal - 0.03


def test_what_the_calibration_file_is_for_is_not_called_ignored(tmp_path):
    report = rcompile.compile_model(
        MODELS / "digits_lenet_int8.onnx", data=DATA, calibration=CALIBRATION, device="hfo2_1t1r", correct="affine",
        trials=1, output=tmp_path / "out",
    )  # fmt: skip
    assert not [item for item in report.diagnostics if "--calibration" in item.message]


def test_nothing_named_is_ideal():
    assert conditions_of().ideal
    assert conditions_of(IDEAL).ideal
    assert not conditions_of(resolve_device("mnsim2")).ideal
