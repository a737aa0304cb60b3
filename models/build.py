"""Rebuild the example models: `python models/build.py` for all, `python models/build.py NAME ...` for some.

Either way the data files are rewritten, and every model present is measured again into accuracies.json.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import data
import export
import numpy as np
import onnx
import onnxruntime
import train

FOLDER = Path(__file__).parent
QUANTIZED = {"digits_lenet_int8": "digits_lenet"}
WEIGHTED_OPERATORS = ("Conv", "Gemm", "LSTM")

Trainer = Callable[[data.Samples], train.Trained]
Exporter = Callable[[str, train.Trained], onnx.ModelProto]

NETWORKS: dict[str, tuple[Trainer, Exporter]] = {
    "digits_mlp": (train.mlp, partial(export.dense_chain, activation="Relu")),
    "digits_lenet": (train.lenet, export.lenet),
    "digits_bnn_mlp": (train.bnn_mlp, partial(export.dense_chain, activation="Sign")),
    "digits_ternary_mlp": (train.ternary_mlp, partial(export.dense_chain, activation="Relu")),
    "digits_row_lstm": (train.row_lstm, export.row_lstm),
}
NAMES = (*NETWORKS, *QUANTIZED)


def build(name: str, digits: data.Digits) -> None:
    """Train or quantize one model and write its file."""
    target = FOLDER / f"{name}.onnx"
    if name in QUANTIZED:
        export.quantize(FOLDER / f"{QUANTIZED[name]}.onnx", target, digits.calibration)
    else:
        trainer, exporter = NETWORKS[name]
        onnx.save(exporter(name, trainer(digits.training)), target)


def count_parameters(model: onnx.ModelProto) -> int:
    """Count the weights and biases, looking through DequantizeLinear but not counting its scales."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    nodes = model.graph.node
    stored = {node.output[0]: node.input[0] for node in nodes if node.op_type == "DequantizeLinear"}
    weighted = (node for node in nodes if node.op_type in WEIGHTED_OPERATORS)
    return sum(sizes.get(stored.get(value, value), 0) for node in weighted for value in node.input)


def measure(path: Path) -> dict[str, float | int]:
    """Run a model over the test file with ONNX Runtime and describe it."""
    test = np.load(FOLDER / "digits_test.npz")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run([export.OUTPUT], {export.INPUT: test["image"]})
    correct = logits.argmax(axis=1) == test["labels"]
    return {
        "top1": round(float(correct.mean()), 4),
        "n": len(correct),
        "parameters": count_parameters(onnx.load(path)),
        "bytes": path.stat().st_size,
    }


def main() -> None:
    """Build the models named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    chosen = parser.parse_args().names or NAMES
    if unknown := set(chosen) - set(NAMES):
        parser.error(f"no model named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    digits = data.load()
    data.write(digits, FOLDER)
    for name in (name for name in NAMES if name in chosen):
        build(name, digits)
    paths = [FOLDER / f"{name}.onnx" for name in NAMES]
    measured = {path.name: measure(path) for path in paths if path.exists()}
    (FOLDER / "accuracies.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    for name, result in measured.items():
        sys.stdout.write(f"{name}: top-1 {result['top1']:.4f} of {result['n']}\n")


if __name__ == "__main__":
    main()
