"""One step of LSTM, GRU and RNN: the equations of their gates (ONNX, LSTM-22, GRU-22, RNN-22)."""

from dataclasses import dataclass

import numpy as np

from rcompile.frontend.expand.builder import Builder
from rcompile.frontend.expand.dynamic import dynamic_product
from rcompile.ir.graph import MICROSOFT, Array


@dataclass(frozen=True)
class Operand:
    """A right operand (K, N): numbers, or codes with their scale and zero point.

    `dynamic`: the data is quantized at run time as well (DynamicQuantizeLSTM).
    """

    values: Array
    scale: Array | None = None
    zero: Array | None = None
    dynamic: bool = False

    def columns(self, start: int, stop: int) -> "Operand":
        """Return some columns."""

        def part(array: Array | None) -> Array | None:
            return array if array is None or array.size == 1 else array[start:stop]

        return Operand(self.values[:, start:stop], part(self.scale), part(self.zero), self.dynamic)


@dataclass(frozen=True)
class Direction:
    """One direction of a recurrent operator, weights as right operands.

    Attributes:
        name: of the constants and tensors made for it.
        backward: from the last step to the first.
        weights: (I, gates * H).
        recurrence: (H, gates * H).
        input_bias: (gates * H,), Wb.
        recurrent_bias: (gates * H,), Rb.
        peepholes: (3 * H,), or None.
        activations: of the gates, in ONNX's order.
    """

    name: str
    backward: bool
    weights: Operand
    recurrence: Operand
    input_bias: Array
    recurrent_bias: Array
    peepholes: Array | None
    activations: tuple["Activation", ...]

    @property
    def size(self) -> int:
        """Return H."""
        return int(self.recurrence.values.shape[0])


@dataclass(frozen=True)
class Activation:
    """A function of a gate."""

    kind: str
    alpha: float
    beta: float

    def on(self, build: Builder, data: str) -> str:
        """Append it."""
        match self.kind:
            case "sigmoid" | "tanh" | "relu" | "softsign" | "softplus":
                return build.add(self.kind.capitalize(), data)
            case "leakyrelu" | "thresholdedrelu" | "elu":
                spelled = {"leakyrelu": "LeakyRelu", "thresholdedrelu": "ThresholdedRelu", "elu": "Elu"}[self.kind]
                return build.add(spelled, data, alpha=self.alpha)
            case "hardsigmoid":
                return build.add("HardSigmoid", data, alpha=self.alpha, beta=self.beta)
        alpha, beta = (build.constant(value, "activation", np.float32) for value in (self.alpha, self.beta))
        if self.kind == "affine":
            return build.add("Add", build.add("Mul", data, alpha), beta)
        return build.add("Mul", alpha, build.add("Tanh", build.add("Mul", data, beta)))  # ScaledTanh


def product(build: Builder, data: str, weights: Operand, name: str) -> str:
    """Append data @ weights."""
    if weights.dynamic and weights.scale is not None and weights.zero is not None:
        return dynamic_product(build, data, weights.values, (weights.scale, weights.zero), name)
    constant = build.constant(weights.values, f"{name}.weight")
    if weights.scale is not None:
        parameters = [build.constant(weights.scale, f"{name}.scale")]
        parameters += [] if weights.zero is None else [build.constant(weights.zero, f"{name}.zero")]
        constant = build.add("DequantizeLinear", constant, *parameters, domain=MICROSOFT, axis=1)
    return build.product("MatMul", (data, constant), what=name)


def gate(build: Builder, tensor: str, index: int, size: int) -> str:
    """Return one gate's part (B, H) of all gates."""
    return build.slice(tensor, 1, index * size, (index + 1) * size)


def clipped(build: Builder, data: str) -> str:
    """Limit what enters an activation, where the operator says so."""
    limit = build.node.number("clip", 0.0)
    if not limit:
        return data
    low, high = (build.constant(value, "clip", np.float32) for value in (-limit, limit))
    return build.add("Min", build.add("Max", data, low), high)


def lstm_step(build: Builder, direction: Direction, states: list[str], gates: str) -> list[str]:
    """Append LSTM's equations; the gates stand in the order i, o, f, c."""
    hidden, cell = states
    size, (f, g, h) = direction.size, direction.activations
    again = product(build, hidden, direction.recurrence, f"{direction.name}.recurrent")
    total = build.add("Add", gates, again)
    i, o, fo, c = (gate(build, total, index, size) for index in range(4))

    def peep(data: str, index: int, state: str) -> str:
        if direction.peepholes is None:
            return data
        weight = build.constant(direction.peepholes[index * size : (index + 1) * size], "peephole", np.float32)
        return build.add("Add", data, build.add("Mul", weight, state))

    i = f.on(build, clipped(build, peep(i, 0, cell)))
    c = g.on(build, clipped(build, c))
    if build.node.integer("input_forget", 0):
        fo = build.add("Sub", build.constant(1.0, "one", np.float32), i)
    else:
        fo = f.on(build, clipped(build, peep(fo, 2, cell)))
    new_cell = build.add("Add", build.add("Mul", fo, cell), build.add("Mul", i, c))
    o = f.on(build, clipped(build, peep(o, 1, new_cell)))
    return [build.add("Mul", o, h.on(build, new_cell)), new_cell]


def gru_step(build: Builder, direction: Direction, states: list[str], gates: str) -> list[str]:
    """Append GRU's equations; the gates stand in the order z, r, h."""
    (hidden,) = states
    size, (f, g) = direction.size, direction.activations
    before = bool(build.node.integer("linear_before_reset", 0))
    split = 3 * size if before else 2 * size
    again = product(build, hidden, direction.recurrence.columns(0, split), f"{direction.name}.recurrent")
    update = f.on(build, clipped(build, build.add("Add", gate(build, gates, 0, size), gate(build, again, 0, size))))
    reset = f.on(build, clipped(build, build.add("Add", gate(build, gates, 1, size), gate(build, again, 1, size))))
    if before:
        bias = build.constant(direction.recurrent_bias[2 * size :], "bias", np.float32)
        inner = build.add("Mul", reset, build.add("Add", gate(build, again, 2, size), bias))
    else:
        inner = product(
            build,
            build.add("Mul", reset, hidden),
            direction.recurrence.columns(split, 3 * size),
            f"{direction.name}.candidate",
        )
    candidate = g.on(build, clipped(build, build.add("Add", gate(build, gates, 2, size), inner)))
    rest = build.add("Sub", build.constant(1.0, "one", np.float32), update)
    return [build.add("Add", build.add("Mul", rest, candidate), build.add("Mul", update, hidden))]


def rnn_step(build: Builder, direction: Direction, states: list[str], gates: str) -> list[str]:
    """Append RNN's equation."""
    (hidden,) = states
    again = product(build, hidden, direction.recurrence, f"{direction.name}.recurrent")
    return [direction.activations[0].on(build, clipped(build, build.add("Add", gates, again)))]
