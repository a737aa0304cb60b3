"""Trained parameters to ONNX models: image (N, 1, 8, 8) in, logits (N, 10) out."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Trained = dict[str, NDArray[np.float32]]

OPSET = 17
IR_VERSION = 8
INPUT = "image"
OUTPUT = "logits"


class Chain:
    """A graph under construction in which each node reads the previous node's output."""

    def __init__(self, parameters: Trained) -> None:
        """Start from the model's input; the parameters are added as nodes ask for them."""
        self._parameters = parameters
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._value = INPUT

    def constant(self, name: str, value: NDArray) -> str:
        """Add an initializer and return its name."""
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def parameter(self, name: str) -> str:
        """Add a trained parameter as an initializer and return its name."""
        return self.constant(name, self._parameters[name])

    def add(self, operator: str, name: str, *others: str, unused: int = 0, **attributes: object) -> None:
        """Append a node; the chain continues from the output that follows its `unused` first ones."""
        inputs = [self._value, *others]
        self._value = f"{name}_output"
        outputs = [""] * unused + [self._value]
        self._nodes.append(helper.make_node(operator, inputs, outputs, name, **attributes))

    def gemm(self, name: str) -> None:
        """Append a dense layer in PyTorch's layout."""
        self.add("Gemm", name, self.parameter(f"{name}.weight"), self.parameter(f"{name}.bias"), transB=1)

    def model(self, name: str, doc: str) -> onnx.ModelProto:
        """Return the checked model; the last node's output becomes the logits."""
        self._nodes[-1].output[0] = OUTPUT
        source = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 1, 8, 8])
        target = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", 10])
        graph = helper.make_graph(self._nodes, name, [source], [target], self._initializers, doc_string=doc)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, ir_version=IR_VERSION, opset_imports=opsets, producer_name="rcompile")
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
        return model


def dense_chain(name: str, parameters: Trained, activation: str) -> onnx.ModelProto:
    """Export dense layers fc1, fc2, ... with an activation operator between them."""
    chain = Chain(parameters)
    chain.add("Flatten", "flatten", axis=1)
    last = len(parameters) // 2
    for layer in range(1, last):
        chain.gemm(f"fc{layer}")
        chain.add(activation, f"{activation.lower()}{layer}")
    chain.gemm(f"fc{last}")
    return chain.model(name, "Dense layers over the 8x8 digits of scikit-learn")


def lenet(name: str, parameters: Trained) -> onnx.ModelProto:
    """Export two convolutions with pooling and two dense layers."""
    chain = Chain(parameters)
    for layer in (1, 2):
        kernel = [chain.parameter(f"conv{layer}.{part}") for part in ("weight", "bias")]
        chain.add("Conv", f"conv{layer}", *kernel, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
        chain.add("Relu", f"relu{layer}")
        chain.add("MaxPool", f"pool{layer}", kernel_shape=[2, 2], strides=[2, 2])
    chain.add("Flatten", "flatten", axis=1)
    chain.gemm("fc1")
    chain.add("Relu", "relu3")
    chain.gemm("fc2")
    return chain.model(name, "LeNet-like network over the 8x8 digits of scikit-learn")


def row_lstm(name: str, parameters: Trained) -> onnx.ModelProto:
    """Export an LSTM over the image's rows, whose last hidden state a dense layer classifies."""
    weight, recurrence, bias = (parameters[f"lstm.{part}"] for part in ("weight", "recurrence", "bias"))
    chain = Chain(parameters)
    chain.add("Squeeze", "rows", chain.constant("channel_axis", np.array([1], np.int64)))
    chain.add("Transpose", "time_first", perm=[1, 0, 2])
    both_biases = np.concatenate([bias, np.zeros_like(bias)])  # ONNX adds an input and a recurrent bias
    tensors = {"lstm.weight": weight, "lstm.recurrence": recurrence, "lstm.bias": both_biases}
    names = [chain.constant(key, value[np.newaxis]) for key, value in tensors.items()]
    chain.add("LSTM", "lstm", *names, unused=1, hidden_size=recurrence.shape[1])
    chain.add("Squeeze", "last_hidden", chain.constant("direction_axis", np.array([0], np.int64)))
    chain.gemm("fc1")
    return chain.model(name, "LSTM over the rows of the 8x8 digits of scikit-learn")


class OneByOne(CalibrationDataReader):
    """Feeds calibration images to the quantizer, a sample at a time."""

    def __init__(self, images: NDArray[np.float32]) -> None:
        """Take images of shape (samples, 1, 8, 8)."""
        self._feeds = iter([{INPUT: image[np.newaxis]} for image in images])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next feed, or None at the end."""
        return next(self._feeds, None)


def quantize(source: Path, target: Path, calibration: NDArray[np.float32]) -> None:
    """Write a model's static int8 form: QDQ, weights signed per channel, activations unsigned."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            OneByOne(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    onnx.checker.check_model(onnx.load(target), full_check=True)
