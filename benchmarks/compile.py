"""Compile time and memory against onnxruntime, in the same run.

    python benchmarks/compile.py                                # the shipped LeNet, 360 samples
    python benchmarks/compile.py MODEL.onnx --data DATA.npz     # any other

Every command runs as a process of its own, alternately with the yardstick; figures are CPU seconds (user + system)
and the largest resident memory of the process. The yardstick is a Python process that imports onnxruntime, loads the
model and runs the same samples.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
YARDSTICK = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
data = numpy.load(sys.argv[2])
session.run(None, {value.name: data[value.name] for value in session.get_inputs()})
"""


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    cpu_s: float
    wall_s: float
    peak_mib: float


def measure(command: Sequence[str]) -> Cost:
    """Run a command to its end; its output is dropped."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default=str(ROOT / "models" / "digits_lenet_int8.onnx"))
    parser.add_argument("--data", default=str(ROOT / "models" / "digits_test.npz"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rcompile = [sys.executable, "-m", "rcompile"]
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "onnxruntime, import and run": [sys.executable, "-c", YARDSTICK, arguments.model, arguments.data],
            "compile and verify": [*rcompile, arguments.model, "--data", arguments.data, "-o", f"{folder}/a"],
            "compile only": [*rcompile, arguments.model, "--no-verify", "-o", f"{folder}/b"],
            "--help": [*rcompile, "--help"],
        }
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                costs[name].append(measure(command))
    yardstick = costs["onnxruntime, import and run"]
    print(f"{arguments.model}, {arguments.rounds} rounds, medians")
    print(f"{'':30}{'CPU s':>8}{'wall s':>8}{'MiB':>8}{'x CPU':>8}{'x wall':>8}")
    for name, found in costs.items():
        cpu = statistics.median(a.cpu_s / b.cpu_s for a, b in zip(found, yardstick, strict=True))
        wall = statistics.median(a.wall_s / b.wall_s for a, b in zip(found, yardstick, strict=True))
        figures = [statistics.median(getattr(cost, key) for cost in found) for key in ("cpu_s", "wall_s", "peak_mib")]
        print(f"{name:30}{figures[0]:8.2f}{figures[1]:8.2f}{figures[2]:8.0f}{cpu:8.1f}{wall:8.1f}")


if __name__ == "__main__":
    main()
