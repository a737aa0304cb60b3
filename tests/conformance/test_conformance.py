"""ONNX's own conformance suite, driven through the compiler.

Each case is compiled, mapped and executed. What does not pass is refused with a reason, which docs/conformance.md lists.
"""

import unittest
import warnings

import numpy as np
import onnx.backend.test
import pytest
from conftest import script
from onnx.backend.test.runner import Runner

from rcompile.backends.onnx_backend import BoundBackend

conformance = script("conformance")

LEAST_PASSING = 1990

CROSSBAR_TYPE = {
    "Conv", "ConvTranspose", "ConvInteger", "Gemm", "MatMul", "MatMulInteger", "LSTM", "GRU", "RNN", "QLinearConv", "QLinearMatMul",
}  # fmt: skip
RELATIVE = 1e-3


@pytest.fixture(scope="module")
def outcomes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return conformance.run()


def test_nothing_is_answered_wrongly(outcomes):
    assert not {name: outcome for name, outcome in outcomes.items() if outcome.kind == "wrong"}


def test_enough_cases_pass(outcomes):
    assert sum(outcome.kind == "pass" for outcome in outcomes.values()) >= LEAST_PASSING


def test_the_page_lists_each_refusal(outcomes):
    assert conformance.PAGE.read_text(encoding="utf-8") == conformance.page(outcomes)


def bound_cases():
    """Yield each case of a crossbar-type operator that was run: its name and the prepared model."""
    seen = {}

    class Watched(BoundBackend):
        @classmethod
        def prepare(cls, model, device="CPU", **kwargs):
            seen.update(model=model, rep=super().prepare(model, device, **kwargs))
            return seen["rep"]

    suite = onnx.backend.test.BackendTest(Watched, __name__)
    for name, case in conformance.cases(suite):
        if "_expanded" in name:
            continue  # function bodies, whose products are of activations
        seen.clear()
        case.run(unittest.TestResult())
        if "model" in seen and CROSSBAR_TYPE & {node.op_type for node in seen["model"].graph.node}:
            yield name, seen["rep"]


def test_weights_that_are_inputs_run_on_crossbars(monkeypatch):
    compared = []

    def keep(_, ref_outputs, outputs, *__, **___):
        compared.append((ref_outputs, outputs))

    monkeypatch.setattr(Runner, "assert_similar_outputs", classmethod(keep))
    count, problems = 0, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, rep in bound_cases():
            count += 1
            if not compared or rep.program is None or not rep.program.matrices:
                problems.append(f"{name}: nothing on crossbars")
                continue
            expected, found = compared[-1]
            compared.clear()
            problems += [f"{name}: {e:.2g}" for e in map(error, expected, found) if not e <= RELATIVE]
    assert count >= 75
    assert not problems


def error(expected, found):
    """Return the relative root mean square error."""
    expected, found = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    if expected.shape != found.shape:
        return np.inf
    size = np.sqrt(np.mean(expected**2))
    return float(np.sqrt(np.mean((expected - found) ** 2)) / size) if size else float(np.abs(found).max())
