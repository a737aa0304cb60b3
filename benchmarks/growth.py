"""How time grows with nodes, and memory with weights.

    python benchmarks/growth.py [--gib 2.5]

Each compilation runs in a process of its own, without verification (`--verify` adds it). Growth is a ratio within one
run: time per node of the larger graph over that of the smaller one (1 is linear), peak memory over the weights' size.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NODES = (2_500, 10_000)
WIDTH = 4096
CHIPS = 32


def chain(nodes: int, path: Path) -> None:
    """Write a chain of MatMul, Tanh, Add and Relu."""
    rng = np.random.default_rng(0)
    made, constants, previous = [], [], "x"
    for index in range(nodes // 4):
        constants.append(numpy_helper.from_array((rng.standard_normal((8, 8)) / 3).astype(np.float32), f"w{index}"))
        made += [
            helper.make_node("MatMul", [previous, f"w{index}"], [f"m{index}"]),
            helper.make_node("Tanh", [f"m{index}"], [f"t{index}"]),
            helper.make_node("Add", [f"t{index}", "x"], [f"a{index}"]),
            helper.make_node("Relu", [f"a{index}"], [f"r{index}"]),
        ]
        previous = f"r{index}"
    save(made, constants, previous, 8, path)


def wide(gib: float, path: Path) -> int:
    """Write a chain of products whose weights lie in a file beside the model; return their bytes."""
    weights = np.random.default_rng(0).standard_normal((WIDTH, WIDTH), np.float32) / 64
    made, constants, previous, offset = [], [], "x", 0
    with path.with_suffix(".data").open("wb") as file:
        for index in range(max(1, round(gib * 2**30 / weights.nbytes))):
            file.write(np.roll(weights, index, axis=0).tobytes())
            tensor = TensorProto(name=f"w{index}", data_type=1, dims=weights.shape, data_location=TensorProto.EXTERNAL)
            for key, value in (
                ("location", path.with_suffix(".data").name),
                ("offset", offset),
                ("length", weights.nbytes),
            ):
                tensor.external_data.add(key=key, value=str(value))
            constants.append(tensor)
            offset += weights.nbytes
            made += [
                helper.make_node("MatMul", [previous, f"w{index}"], [f"m{index}"]),
                helper.make_node("Relu", [f"m{index}"], [f"r{index}"]),
            ]
            previous = f"r{index}"
    save(made, constants, previous, WIDTH, path)
    return offset


def save(nodes: list[onnx.NodeProto], constants: list[TensorProto], last: str, width: int, path: Path) -> None:
    """Write a model."""
    graph = helper.make_graph(
        nodes,
        "growth",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", width])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["N", width])],
        constants,
    )
    opsets = [helper.make_opsetid("", 17)]
    path.write_bytes(helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString())


def compiled(path: Path, options: list[str]) -> float:
    """Compile a model in a process of its own; return its seconds."""
    command = [sys.executable, "-m", "rcompile", str(path), "-o", str(path.with_suffix(".rcompile")), *options]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=2.5, help="size of the large model's weights")
    parser.add_argument("--verify", action="store_true")
    arguments = parser.parse_args()
    options = ["--set", f"hierarchy.chips={CHIPS}", *([] if arguments.verify else ["--no-verify"])]
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for nodes in NODES:
            chain(nodes, Path(folder) / f"nodes{nodes}.onnx")
            times.append(compiled(Path(folder) / f"nodes{nodes}.onnx", options))
            print(f"{nodes:,} nodes: {times[-1]:.1f} s")
        print(f"time per node, {NODES[1]:,} over {NODES[0]:,} nodes: {times[1] / times[0] * NODES[0] / NODES[1]:.2f}")
        size = wide(arguments.gib, Path(folder) / "wide.onnx")
        seconds = compiled(Path(folder) / "wide.onnx", options)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        print(f"{size / 2**30:.2f} GiB of weights: {seconds:.0f} s, peak memory {peak / size:.2f} x the weights")


if __name__ == "__main__":
    main()
