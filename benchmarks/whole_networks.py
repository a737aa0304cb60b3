"""How long whole networks take on the engines: milliseconds of CPU an image, one thread.

    python benchmarks/whole_networks.py                                  # the shipped CNN, and ResNet-18 at 224 x 224
    python benchmarks/whole_networks.py MODEL.onnx SAMPLES.npz [--images 200]

Each is compiled for `isaac` (128 x 128, 2-bit cells, 1-bit DACs, 8-bit weights and inputs) and run with ideal cells
and 8-bit converters that lose nothing, the same with 6-bit calibrated converters, on cells that vary by 5 %, and with
read noise too. Dies are prepared before the clock starts, as for all images but the first.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import zoo
from threadpoolctl import threadpool_limits

import rcompile
from rcompile.backends.chip import Chip
from rcompile.backends.die import Die
from rcompile.backends.executor import Executor
from rcompile.backends.mixed import Mixed
from rcompile.devices import resolve_device
from rcompile.targets import resolve_target
from rcompile.workers import Limits, limited

SPREAD = "ideal?lognormal.sigma=0.05"
LOSSY = {"adc.resolution": "calibrated", "adc.bits": "6"}
CASES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("ideal", "ideal", {}),
    ("6-bit converters", "ideal", LOSSY),
    ("cells that vary", SPREAD, {}),
    ("and read noise", f"{SPREAD}&read_noise.sigma=0.01", {}),
)


def measure(model: Path, data: Path | None, images: int, folder: Path) -> None:
    """Print a network's times."""
    macs = 0
    for name, device, settings in CASES:
        target = resolve_target("isaac", {"hierarchy.chips": "16", **settings})
        report = rcompile.compile_model(
            model, target=target, data=data, output=folder, options=rcompile.Options(verify=False)
        )
        macs = report.model.macs
        placed = rcompile.load_program(folder).placed
        (value,) = placed.program.source.inputs
        if data is None:
            samples = np.random.default_rng(0).standard_normal((images, *value.shape[1:])).astype(np.float32)
        else:
            samples = np.load(data)[value.name][:images]
        executor = Executor(Mixed(placed, Chip(placed, Die(resolve_device(device), lines=target.lines))))
        executor.run({value.name: samples[:1]})
        start = time.process_time()
        executor.run({value.name: samples})
        each = (time.process_time() - start) / len(samples)
        print(f"{model.stem:28} {name:18} {1e3 * each:9.1f} ms an image, {macs / each / 1e9:6.2f} G MAC/s", flush=True)


def main() -> None:
    """Measure the networks named on the command line, or two standard ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--images", type=int, default=100)
    arguments = parser.parse_args()
    shipped = Path(__file__).parent.parent / "models"
    with tempfile.TemporaryDirectory() as temporary, limited(Limits(threads=1)), threadpool_limits(1):
        folder = Path(temporary)
        if arguments.model is not None:
            measure(arguments.model, arguments.data, arguments.images, folder / "out")
            return
        measure(shipped / "digits_lenet_int8.onnx", shipped / "digits_test.npz", arguments.images, folder / "lenet")
        measure(zoo.write("resnet18", folder, seed=0), None, 2, folder / "resnet18")


if __name__ == "__main__":
    main()
