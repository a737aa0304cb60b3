"""Level 2, MatrixProgram: integer weight matrices between digital segments."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import Origin, require
from rcompile.ir.edges import Edge
from rcompile.ir.graph import Batch, Value

IntegerArray = NDArray[Any]
FloatArray = NDArray[np.float32]

VERIFIED_ROWS = 512

ACCUMULATOR_LIMIT = 2**53
"""Every engine may hold an accumulator in float64 without losing a bit."""


LOW_BITS = 4
"""Matrices of so few levels are given the cells that these take, whatever the width of their codes."""


def common_step(weights: IntegerArray) -> IntegerArray:
    """Return the greatest common divisor of weights (..., K, N) along K; 1 where all are zero."""
    found = np.zeros((*weights.shape[:-2], weights.shape[-1]), np.int64)
    for start in range(0, weights.shape[-2], VERIFIED_ROWS):  # a slab at a time: large layers would fill the memory
        part = np.gcd.reduce(weights[..., start : start + VERIFIED_ROWS, :].astype(np.int64), axis=-2)
        found = np.gcd(found, part)
    return np.asarray(np.where(found == 0, 1, found))


class StepKind(StrEnum):
    """What a step is."""

    LOOP = "loop"
    MATRIX = "matrix"
    SEGMENT = "segment"


@dataclass(frozen=True)
class Window:
    """How a convolution's input becomes vectors (im2col): all tuples have one entry per spatial axis.

    `spacing` puts an input's neighbours that many positions apart, zeros between (a transposed convolution's
    stride); negative pads cut off.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    spacing: tuple[int, ...]

    @property
    def positions(self) -> int:
        """How many vectors one sample presents."""
        return prod(self.output_shape)

    @property
    def products(self) -> int:
        """How many input positions each weight meets, but for the borders: inserted zeros are not multiplied."""
        return prod(self.input_shape) if any(step > 1 for step in self.spacing) else self.positions


@dataclass(frozen=True)
class InputCode:
    """The integer input tensor of a matrix: value = code - zero_point, code = minimum + step * u, 0 <= u < 2^bits.

    `step` is 2 where codes are -1 and +1 only (binary activations), else 1.
    """

    tensor: str
    dtype: str
    bits: int
    minimum: int
    zero_point: int
    step: int = 1


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
    """From accumulator to output tensor: real = float32(accumulator + integer_bias) * scale + bias.

    `integer`: the output is the accumulator itself, int32 (MatMulInteger, ConvInteger).
    """

    scale: FloatArray
    """(N,): one accumulator step in the output's unit."""
    integer_bias: IntegerArray | None
    """(N,) int64, on the accumulator's grid."""
    bias: FloatArray | None
    """(N,), real."""
    requantize: Requantize | None
    integer: bool = False

    def total(self, accumulators: IntegerArray) -> IntegerArray:
        """Return accumulators (..., N) with the integer bias."""
        return accumulators if self.integer_bias is None else accumulators + self.integer_bias

    def real(self, accumulators: IntegerArray) -> FloatArray:
        """Return the real values (..., N) of accumulators, in single precision as every backend computes them."""
        value = self.total(accumulators).astype(np.float32) * self.scale
        return value if self.bias is None else value + self.bias

    def nearest_to_zero(self, slope: IntegerArray | int = 1, constant: IntegerArray | int = 0) -> IntegerArray:
        """Return the whole n of each column for which the value of slope * n + constant is nearest to zero."""
        bias = 0.0 if self.bias is None else self.bias.astype(np.float64)
        accumulator = -bias / self.scale.astype(np.float64) - self.total(np.zeros(1, np.int64))
        return np.asarray(np.rint((accumulator - constant) / slope), np.int64)


@dataclass(frozen=True)
class Matrix:
    """One operator as integer weight matrices, one per group.

    Attributes:
        name: the ONNX node's name.
        weights: (G, K, N) integers w = stored - zero point. K counts inputs, N outputs of one group.
        weight_bits: width of the stored weights.
        weight_low: (G, N) the least representable w of each column.
        weight_step: (G, N) distance of a column's representable weights: w = weight_low + weight_step * code,
            0 <= code < 2^bits.
        input: the tensor that it reads.
        output: the tensor that it writes.
        window: the convolution's geometry; None for a product over the last axis.
        vectors: input vectors per inference and group.
        epilogue: what follows the accumulator.
        absorbed: names of the nodes that the epilogue and the input stand for.
        serial: each vector waits for the result of the one before (a recurrent product): copies do not help.
        only_sign: nothing but the sign of its output is read (a binary activation follows).
        samples_axis: the axis of its input that counts samples, where several go through together.
    """

    name: str
    op_type: str
    origin: Origin
    weights: IntegerArray
    weight_bits: int
    weight_low: IntegerArray
    weight_step: IntegerArray
    input: InputCode
    output: str
    window: Window | None
    vectors: int
    epilogue: Epilogue
    absorbed: tuple[str, ...] = ()
    serial: bool = False
    only_sign: bool = False
    samples_axis: int = 0

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
        if self.window is None:
            return self.vectors * self.weights.size
        return self.vectors // self.window.positions * self.window.products * self.weights.size

    def verify(self) -> None:
        """Check that weights are representable and that no accumulator overflows."""
        top = self.weight_step * (2**self.weight_bits - 1)
        for start in range(0, self.rows, VERIFIED_ROWS):  # a slab at a time: large layers would fill the memory
            steps = self.weights[:, start : start + VERIFIED_ROWS] - self.weight_low[:, None, :]
            require(
                steps.min() >= 0 and (steps <= top[:, None, :]).all(),
                f"{self.name}: a weight exceeds {self.weight_bits} bits",
            )
            require((steps % self.weight_step[:, None, :] == 0).all(), f"{self.name}: a weight is off its grid")
        largest = (
            self.input.step * 2**self.input.bits * (int(top.max()) + int(np.abs(self.weight_low).max())) * self.rows
        )
        require(largest < ACCUMULATOR_LIMIT, f"{self.name}: an accumulator may need {largest.bit_length()} bits")
        require(self.epilogue.scale.shape == (self.groups * self.columns,), f"{self.name}: wrong number of scales")

    def __str__(self) -> str:
        low, high = int(self.weights.min()), int(self.weights.max())
        end = "float" if self.epilogue.requantize is None else self.epilogue.requantize.dtype
        end = "int32" if self.epilogue.integer else f"sign of {end}" if self.only_sign else end
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
class Step:
    """One step of a program: the index of a matrix, a segment or a loop."""

    kind: StepKind
    index: int


@dataclass(frozen=True)
class State:
    """What a loop carries: `initial` before the first step, `inside` in each, `following` after each, `final`."""

    initial: str
    inside: str
    following: str
    final: str


@dataclass(frozen=True)
class Stream:
    """A tensor that a loop takes apart, or puts together, along its first axis."""

    outside: str
    inside: str


@dataclass(frozen=True)
class Loop:
    """Steps that are repeated for each element of the scanned tensors (ONNX's Scan)."""

    name: str
    order: tuple[Step, ...]
    states: tuple[State, ...]
    scanned: tuple[Stream, ...]
    collected: tuple[Stream, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return what the loop reads."""
        return (*(state.initial for state in self.states), *(stream.outside for stream in self.scanned))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return what the loop writes."""
        named = (*(state.final for state in self.states), *(stream.outside for stream in self.collected))
        return tuple(name for name in named if name)

    @property
    def formal(self) -> tuple[str, ...]:
        """Return what is given to each repetition."""
        return (*(state.inside for state in self.states), *(stream.inside for stream in self.scanned))

    def __str__(self) -> str:
        carried = ", ".join(f"{s.inside} from {s.initial} then {s.following}" for s in self.states)
        taken = ", ".join(f"{s.inside} in {s.outside}" for s in self.scanned)
        return f"loop {self.name} ({taken}; {carried}) -> {', '.join(self.outputs)}"


@dataclass(frozen=True)
class Placement:
    """Where a node of the file went (crossbar, digital, folded), why, and on how many elements digital units work."""

    node: str
    op_type: str
    placed: str
    reason: str
    macs: int = 0
    elements: int = 0


@dataclass(frozen=True)
class MatrixProgram:
    """What runs in order: matrices, segments and loops of both."""

    name: str
    origin: Origin
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    batch: Batch
    segments: tuple[Segment, ...]
    matrices: tuple[Matrix, ...]
    loops: tuple[Loop, ...]
    order: tuple[Step, ...]
    edges: tuple[Edge, ...]
    placements: tuple[Placement, ...]
    parameters: int

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates of one inference, digital ones included."""
        return sum(item.macs for item in self.placements)

    def at(self, step: Step) -> Segment | Matrix | Loop:
        """Return what a step stands for."""
        match step.kind:
            case StepKind.MATRIX:
                return self.matrices[step.index]
            case StepKind.SEGMENT:
                return self.segments[step.index]
        return self.loops[step.index]

    def flat(self, order: tuple[Step, ...] | None = None) -> Iterator[Step]:
        """Yield every step in order, those of a loop after the loop."""
        for step in self.order if order is None else order:
            yield step
            if step.kind is StepKind.LOOP:
                yield from self.flat(self.loops[step.index].order)

    def matrix_order(self) -> tuple[int, ...]:
        """Return the matrices' indices in order of execution."""
        return tuple(step.index for step in self.flat() if step.kind is StepKind.MATRIX)

    def verify(self) -> None:
        """Check that every step finds its inputs, and each step is there once."""
        found = sorted((step.kind, step.index) for step in self.flat())
        counts = {StepKind.LOOP: self.loops, StepKind.MATRIX: self.matrices, StepKind.SEGMENT: self.segments}
        expected = [(kind, index) for kind, items in counts.items() for index in range(len(items))]
        require(found == sorted(expected), "a step is missing or listed twice")
        known = {value.name for value in self.inputs}
        self.verify_order(self.order, known)
        for value in self.outputs:
            require(value.name in known, f"the output '{value.name}' has no producer")
        for matrix in self.matrices:
            matrix.verify()

    def verify_order(self, order: tuple[Step, ...], known: set[str]) -> None:
        """Check that steps find their inputs among `known`, to which their outputs are added."""
        for step in order:
            item = self.at(step)
            reads = (item.input.tensor,) if isinstance(item, Matrix) else item.inputs
            for name in reads:
                require(name in known, f"{item.name} reads '{name}' before it is produced")
            if isinstance(item, Loop):
                inner = known | set(item.formal)
                self.verify_order(item.order, inner)
                results = [*(s.following for s in item.states), *(s.inside for s in item.collected)]
                for name in results:
                    require(name in inner, f"{item.name} has no '{name}' after a step")
            known.update((item.output,) if isinstance(item, Matrix) else item.outputs)

    def lines(self, order: tuple[Step, ...], indent: str) -> Iterator[str]:
        """Yield a line per step."""
        for step in order:
            item = self.at(step)
            yield f"{indent}{item}"
            if isinstance(item, Loop):
                yield from self.lines(item.order, f"{indent}  ")

    def __str__(self) -> str:
        lines = [f"matrix program {self.name}", *(f"  input {value}" for value in self.inputs)]
        lines += self.lines(self.order, "  ")
        lines += [f"  output {value}" for value in self.outputs]
        return "\n".join(lines)
