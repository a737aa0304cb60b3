"""Which engine runs, on how many threads, in how much memory: it changes no number."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rcompile
from rcompile.backends.chip import Chip
from rcompile.backends.die import Die
from rcompile.backends.executor import Executor
from rcompile.backends.mixed import Mixed
from rcompile.cli.doctor import draws_right, reads_right
from rcompile.devices import resolve_device
from rcompile.errors import UsageError
from rcompile.kernels import CHOICE, Kernels, all_kernels, chosen
from rcompile.targets import resolve_target
from rcompile.workers import Limits, in_parallel, limited

MODELS = Path(__file__).parent.parent / "models"
NAMES = ("digits_mlp", "digits_lenet", "digits_lenet_int8", "digits_bnn_mlp", "digits_ternary_mlp", "digits_row_lstm")
DATA = MODELS / "digits_test.npz"
NOISY = "ideal?lognormal.sigma=0.1&read_noise.sigma=0.02"


def test_kernels_are_there_where_a_compiler_is():
    if shutil.which("c++") or shutil.which("g++") or shutil.which("clang++"):
        names = [kernels.name for kernels in all_kernels()]
        assert names[-1] == "portable"
        assert chosen() is not None


def test_the_environment_chooses_kernels(monkeypatch):
    monkeypatch.setenv(CHOICE, "none")
    assert chosen() is None
    monkeypatch.setenv(CHOICE, "altivec")
    with pytest.raises(UsageError, match="RCOMPILE_KERNELS is 'altivec': there are no such kernels here"):
        chosen()
    if all_kernels():
        monkeypatch.setenv(CHOICE, "portable")
        assert chosen().name == "portable"


@pytest.fixture(scope="module", params=NAMES)
def program(request, tmp_path_factory):
    settings = {"adc.resolution": "calibrated", "adc.bits": "5", "inputs.dac_bits": "1"}
    folder, target = tmp_path_factory.mktemp("program"), resolve_target("classroom", settings)
    options = rcompile.Options(verify=False)
    rcompile.compile_model(MODELS / f"{request.param}.onnx", target=target, data=DATA, output=folder, options=options)
    return rcompile.load_program(folder).placed, target


def outputs(program, device: str) -> np.ndarray:
    placed, target = program
    images = np.load(DATA)
    (name,) = (value.name for value in placed.program.source.inputs)
    engine = Mixed(placed, Chip(placed, Die(resolve_device(device), lines=target.lines)))
    (found,) = Executor(engine).run({name: images[name][:33]}).values()
    return found


@pytest.mark.parametrize("device", ["ideal", NOISY])
def test_results_depend_on_neither_threads_nor_memory_nor_kernels(program, device, monkeypatch):
    expected = outputs(program, device)
    for limits in (Limits(1), Limits(5, 2**16), Limits(0, 1)):
        with limited(limits):
            np.testing.assert_array_equal(outputs(program, device), expected)
    for name in ("none", *(kernels.name for kernels in all_kernels() if kernels.runs)):
        monkeypatch.setenv(CHOICE, name)
        np.testing.assert_array_equal(outputs(program, device), expected)


def test_work_within_work_keeps_to_its_thread():
    with limited(replace(Limits(), threads=3)):
        found = in_parallel(lambda x: sum(in_parallel(lambda y: x * y, [1, 2, 3])), list(range(10)))
    assert found == [6 * x for x in range(10)]


def test_doctor_notices_kernels_that_draw_something_else(monkeypatch):
    own = Kernels.normals
    runnable = [kernels for kernels in all_kernels() if kernels.runs]
    assert all(draws_right(one) and reads_right(one) for one in runnable)
    monkeypatch.setattr(Kernels, "normals", lambda *arguments: own(*arguments) * np.float32(1.0000001))
    assert not any(map(draws_right, runnable))
