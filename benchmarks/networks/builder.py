"""Graphs under construction: tensors carry their shape, weights lie in a file beside the model or nowhere at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
CHUNK = 1 << 22
"""Weights drawn at a time."""


@dataclass(frozen=True)
class Tensor:
    """A value: name and shape for one sample, (channels, height, width) or (tokens, features) or (features,)."""

    name: str
    shape: tuple[int, ...]

    @property
    def channels(self) -> int:
        """Size of the first axis."""
        return self.shape[0]


class Network:
    """A graph of batch 1. Every product counts its weights and multiplications."""

    def __init__(self, name: str, shape: Sequence[int], *, integer: bool = False) -> None:
        """Start from one input of the given shape, without the batch."""
        self.name = name
        self.input = Tensor("input", tuple(shape))
        self.macs = 0
        self.parameters = 0
        self._element = TensorProto.INT64 if integer else TensorProto.FLOAT
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._weights: list[tuple[str, tuple[int, ...]]] = []

    def add(self, operator: str, inputs: Sequence[str], shape: Sequence[int], **attributes: object) -> Tensor:
        """Append a node of one output."""
        name = f"{operator.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return Tensor(name, tuple(shape))

    def constant(self, value: NDArray) -> str:
        """Add a small tensor whose values matter."""
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, *shape: int) -> str:
        """Add a trained tensor."""
        self._weights.append((f"weight{len(self._weights)}", shape))
        self.parameters += prod(shape)
        return self._weights[-1][0]

    def conv(
        self, x: Tensor, channels: int, kernel: int | tuple[int, int], stride: int = 1, *,
        pad: int | tuple[int, int] | None = None, groups: int = 1, relu: bool = True,
    ) -> Tensor:  # fmt: skip
        """Append a convolution with bias, a batch normalisation folded into it, and Relu; padded to keep the size."""
        kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        pad = (kernel[0] // 2, kernel[1] // 2) if pad is None else pad
        pad = pad if isinstance(pad, tuple) else (pad, pad)
        size = [(n + 2 * p - k) // stride + 1 for n, p, k in zip(x.shape[1:], pad, kernel, strict=True)]
        weight = self.weight(channels, x.channels // groups, *kernel)
        self.macs += channels * x.channels // groups * prod(kernel) * prod(size)
        y = self.add(
            "Conv", [x.name, weight, self.weight(channels)], (channels, *size),
            kernel_shape=kernel, strides=[stride] * 2, pads=[*pad, *pad], group=groups,
        )  # fmt: skip
        return self.add("Relu", [y.name], y.shape) if relu else y

    def linear(self, x: Tensor, features: int, *, bias: bool = True) -> Tensor:
        """Append a product along the last axis: Gemm for one vector, MatMul and Add for a sequence."""
        self.macs += prod(x.shape) * features
        if len(x.shape) == 1:
            inputs = [x.name, self.weight(features, x.channels), *([self.weight(features)] if bias else [])]
            return self.add("Gemm", inputs, (features,), transB=1)
        y = self.add("MatMul", [x.name, self.weight(x.shape[-1], features)], (*x.shape[:-1], features))
        return self.add("Add", [y.name, self.weight(features)], y.shape) if bias else y

    def pool(self, x: Tensor, kind: str, kernel: int, stride: int, *, pad: int = 0, ceil: bool = False) -> Tensor:
        """Append a MaxPool or AveragePool."""
        size = [-(-(n + 2 * pad - kernel) // stride) if ceil else (n + 2 * pad - kernel) // stride for n in x.shape[1:]]
        shape = (x.channels, *(n + 1 for n in size))
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self.add(kind, [x.name], shape, ceil_mode=int(ceil), **attributes)

    def flat(self, x: Tensor) -> Tensor:
        """Append a Flatten."""
        return self.add("Flatten", [x.name], (prod(x.shape),))

    def average(self, x: Tensor) -> Tensor:
        """Append the mean over all positions."""
        return self.flat(self.add("GlobalAveragePool", [x.name], (x.channels, 1, 1)))

    def relu(self, x: Tensor) -> Tensor:
        """Append a Relu."""
        return self.add("Relu", [x.name], x.shape)

    def sum(self, first: Tensor, second: Tensor) -> Tensor:
        """Append an Add of equal shapes."""
        return self.add("Add", [first.name, second.name], first.shape)

    def concat(self, *parts: Tensor) -> Tensor:
        """Append a concatenation along the first axis of a sample."""
        shape = (sum(part.channels for part in parts), *parts[0].shape[1:])
        return self.add("Concat", [part.name for part in parts], shape, axis=1)

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        """Append a Reshape of each sample."""
        return self.add("Reshape", [x.name, self.constant(np.array([1, *shape], np.int64))], shape)

    def transpose(self, x: Tensor, *order: int) -> Tensor:
        """Append a Transpose of each sample's axes."""
        return self.add("Transpose", [x.name], [x.shape[i] for i in order], perm=[0, *(i + 1 for i in order)])

    def model(self, output: Tensor, data_file: str) -> onnx.ModelProto:
        """Return the checked model, its weights in a file beside it that need not exist."""
        self._nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [helper.make_tensor_value_info("input", self._element, [1, *self.input.shape])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, *output.shape])],
            [*self._constants, *self._external(data_file)],
        )
        return helper.make_model(graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)])

    def save(self, output: Tensor, path: Path, *, seed: int | None = None) -> None:
        """Write the model; with a seed also its weights, normal with variance 1 / inputs, to PATH.data."""
        data = path.with_suffix(".data")
        path.write_bytes(self.model(output, data.name).SerializeToString())
        if seed is None:
            return
        rng = np.random.default_rng(seed)
        with data.open("wb") as file:
            for _, shape in self._weights:
                scale = np.float32(1 / np.sqrt(fan_in(shape)))
                for start in range(0, prod(shape), CHUNK):
                    drawn = rng.standard_normal(min(CHUNK, prod(shape) - start), np.float32)
                    file.write((drawn * scale).tobytes())

    def _external(self, data_file: str) -> list[onnx.TensorProto]:
        tensors, offset = [], 0
        for name, shape in self._weights:
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
            length = 4 * prod(shape)
            for key, value in (("location", data_file), ("offset", offset), ("length", length)):
                tensor.external_data.add(key=key, value=str(value))
            offset += length
            tensors.append(tensor)
        return tensors


def fan_in(shape: Sequence[int]) -> int:
    """Return how many products an output sums: kernels are (outputs, inputs, height, width)."""
    return prod(shape[1:]) if len(shape) > 1 else shape[0]
