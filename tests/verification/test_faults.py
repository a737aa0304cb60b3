"""On dies with stuck cells, chosen lines recover at least half of the accuracy that lines in order lose."""

import numpy as np
import pytest
from conftest import MODELS, random_faults

import rcompile
from rcompile.errors import UsageError
from rcompile.targets import resolve_target

DATA = MODELS / "digits_test.npz"


def save(path, faults):
    np.savez(path, **{name: value for name, value in vars(faults).items() if isinstance(value, np.ndarray)})


@pytest.mark.parametrize("rate", [0.01, 0.05])
@pytest.mark.parametrize("sign", ["offset_flip", "differential_columns"])
def test_most_of_the_lost_accuracy_is_recovered(rate, sign, tmp_path):
    target = resolve_target("isaac", {"weights.sign": sign, "adc.bits": "9"})
    faults = random_faults(range(96), target.lines, stuck_at_g_min=rate / 2, stuck_at_g_max=rate / 2, seed=7)
    save(tmp_path / "die.npz", faults)
    model = MODELS / "digits_lenet.onnx"
    chosen = rcompile.compile_model(
        model, target=target, data=DATA, faults=tmp_path / "die.npz", output=tmp_path / "chosen"
    )
    rcompile.compile_model(model, target=target, data=DATA, output=tmp_path / "in_order")
    in_order = rcompile.verify(tmp_path / "in_order", data=DATA, faults=tmp_path / "die.npz")
    accuracy = chosen.verification.accuracy
    lost = accuracy.ideal - in_order.trials[0].mean
    assert lost > 0.05  # else there is nothing to recover
    assert accuracy.mean - in_order.trials[0].mean >= lost / 2
    found = chosen.mapping.faults
    assert 0 <= found.weight_error < found.in_order_error / 2
    again = rcompile.verify(tmp_path / "chosen", data=DATA, faults=tmp_path / "die.npz")
    assert again.trials[0].mean == accuracy.mean == accuracy.trials[0].value


def test_dead_crossbars_stay_empty(tmp_path):
    np.savez(tmp_path / "die.npz", dead_crossbars=np.array([0, 2, 3]))
    report = rcompile.compile_model(
        MODELS / "digits_lenet.onnx", data=DATA, faults=tmp_path / "die.npz", output=tmp_path / "out"
    )
    assert report.target["hierarchy"]["spare_crossbars"] == 3
    assert report.mapping.faults.weight_error == 0
    assert report.mapping.faults.in_order_error == 0  # whole crossbars were changed, not lines
    assert report.verification.accuracy.mean == report.verification.accuracy.ideal


def test_a_die_that_exists_is_not_fitted(tmp_path):
    np.savez(tmp_path / "die.npz")
    with pytest.raises(UsageError, match="--faults is of a die that exists, --fit designs one"):
        rcompile.compile_model(
            MODELS / "digits_mlp.onnx",
            faults=tmp_path / "die.npz",
            options=rcompile.Options(fit=0),
            output=tmp_path / "out",
        )
