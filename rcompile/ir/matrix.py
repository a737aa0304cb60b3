"""Level 2, MatrixProgram: integer weight matrices between digital segments."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import Origin, require
from rcompile.ir.graph import Batch, Value

IntegerArray = NDArray[Any]
FloatArray = NDArray[np.float32]

ACCUMULATOR_LIMIT = 2**53
"""Every engine may hold an accumulator in float64 without losing a bit."""


@dataclass(frozen=True)
class Window:
    """How a convolution's input becomes vectors (im2col): all tuples have one entry per spatial axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    @property
    def positions(self) -> int:
        """How many vectors one sample presents."""
        return prod(self.output_shape)


@dataclass(frozen=True)
class InputCode:
    """The integer input tensor of a matrix: value = code - zero_point, minimum <= code < minimum + 2^bits."""

    tensor: str
    dtype: str
    bits: int
    minimum: int
    zero_point: int


@dataclass(frozen=True)
class Requantize:
    """Integer output: round_half_even(real / scale) + zero_point, saturated to minimum..maximum.

    `multiplier` (N,) float32 is set where the bias is on the accumulator's grid: then the real value is never
    formed and the code is round_half_even(float32(accumulator + bias) * multiplier) + zero_point, as in
    onnxruntime's QLinearConv and QGemm.
    """

    scale: float
    zero_point: int
    minimum: int
    maximum: int
    dtype: str
    multiplier: FloatArray | None


@dataclass(frozen=True)
class Epilogue:
    """From accumulator to output tensor: real = float32(accumulator + integer_bias) * scale + bias."""

    scale: FloatArray
    """(N,): one accumulator step in the output's unit."""
    integer_bias: IntegerArray | None
    """(N,) int64, on the accumulator's grid."""
    bias: FloatArray | None
    """(N,), real."""
    requantize: Requantize | None


@dataclass(frozen=True)
class Matrix:
    """One operator as integer weight matrices, one per group.

    Attributes:
        name: the ONNX node's name.
        weights: (G, K, N) integers w = stored - zero point. K counts inputs, N outputs of one group.
        weight_bits: width of the stored weights.
        weight_low: (G, N) the least representable w of each column.
        weight_step: distance of representable weights: w = weight_low + weight_step * code, 0 <= code < 2^bits.
        input: the tensor that it reads.
        output: the tensor that it writes.
        window: the convolution's geometry; None for a product over the last axis.
        vectors: input vectors per inference and group.
        epilogue: what follows the accumulator.
        absorbed: names of the nodes that the epilogue and the input stand for.
    """

    name: str
    op_type: str
    origin: Origin
    weights: IntegerArray
    weight_bits: int
    weight_low: IntegerArray
    weight_step: int
    input: InputCode
    output: str
    window: Window | None
    vectors: int
    epilogue: Epilogue
    absorbed: tuple[str, ...] = ()

    @property
    def groups(self) -> int:
        """Number of independent matrices."""
        return int(self.weights.shape[0])

    @property
    def rows(self) -> int:
        """Inputs of one group."""
        return int(self.weights.shape[1])

    @property
    def columns(self) -> int:
        """Outputs of one group."""
        return int(self.weights.shape[2])

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return self.vectors * self.weights.size

    def verify(self) -> None:
        """Check that weights are representable and that no accumulator overflows."""
        low = self.weight_low[:, None, :]
        steps = self.weights - low
        top = self.weight_step * (2**self.weight_bits - 1)
        require(steps.min() >= 0 and steps.max() <= top, f"{self.name}: a weight exceeds {self.weight_bits} bits")
        require((steps % self.weight_step == 0).all(), f"{self.name}: a weight is off its grid")
        largest = 2**self.input.bits * (top + int(np.abs(self.weight_low).max())) * self.rows
        require(largest < ACCUMULATOR_LIMIT, f"{self.name}: an accumulator may need {largest.bit_length()} bits")
        require(self.epilogue.scale.shape == (self.groups * self.columns,), f"{self.name}: wrong number of scales")

    def __str__(self) -> str:
        low, high = int(self.weights.min()), int(self.weights.max())
        end = "float" if self.epilogue.requantize is None else self.epilogue.requantize.dtype
        return (
            f"matrix {self.name} [{self.groups} x {self.rows} x {self.columns}] "
            f"weights {self.weight_bits}b in {low}..{high}, input {self.input.tensor} {self.input.bits}b "
            f"zero {self.input.zero_point}, {self.vectors} vectors -> {self.output} {end}"
        )


@dataclass(frozen=True)
class Segment:
    """A maximal digital subgraph that onnxruntime executes; `model` is its ONNX form."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[str, ...]
    model: bytes

    def __str__(self) -> str:
        return f"segment {self.name} ({', '.join(self.inputs)}) -> {', '.join(self.outputs)}: {', '.join(self.nodes)}"


@dataclass(frozen=True)
class Edge:
    """Data that flows from one matrix, through digital operators, to another, once per inference."""

    producer: int
    consumer: int
    bytes: int


@dataclass(frozen=True)
class Placement:
    """Where a node of the file went: crossbar, digital or folded, and why."""

    node: str
    op_type: str
    placed: str
    reason: str
    macs: int = 0


@dataclass(frozen=True)
class MatrixProgram:
    """What runs in order: `order` names segments (negative: ~index) and matrices (index), alternating freely."""

    name: str
    origin: Origin
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    batch: Batch
    segments: tuple[Segment, ...]
    matrices: tuple[Matrix, ...]
    order: tuple[int, ...]
    edges: tuple[Edge, ...]
    placements: tuple[Placement, ...]
    parameters: int

    def steps(self) -> tuple[Segment | Matrix, ...]:
        """Return segments and matrices in execution order."""
        return tuple(self.segments[~i] if i < 0 else self.matrices[i] for i in self.order)

    def verify(self) -> None:
        """Check that every step finds its inputs, and each step is there once."""
        expected = [*range(len(self.matrices)), *(~i for i in range(len(self.segments)))]
        require(sorted(self.order) == sorted(expected), "a step is missing or listed twice")
        known = {value.name for value in self.inputs}
        for step in self.steps():
            reads = step.inputs if isinstance(step, Segment) else (step.input.tensor,)
            for name in reads:
                require(name in known, f"{step.name} reads '{name}' before it is produced")
            known.update(step.outputs if isinstance(step, Segment) else (step.output,))
        for value in self.outputs:
            require(value.name in known, f"the output '{value.name}' has no producer")
        for matrix in self.matrices:
            matrix.verify()

    def __str__(self) -> str:
        lines = [f"matrix program {self.name}", *(f"  input {value}" for value in self.inputs)]
        lines += [f"  {step}" for step in self.steps()]
        lines += [f"  output {value}" for value in self.outputs]
        return "\n".join(lines)
