"""LSTM, GRU and RNN with static weights: the input's product for all steps at once, then a Scan over the steps.

    Y = LSTM(X, W, R, B)   becomes   G = MatMul(X, W') + b ;  Y = Scan over t of: MatMul(h, R') + G[t] -> gates -> h

so that W and R are programmed once; R is read once a step. Equations: ONNX, LSTM-22, GRU-22, RNN-22.
"""

from dataclasses import dataclass

import numpy as np

from rcompile.frontend.expand.builder import Builder
from rcompile.frontend.expand.dynamic import dynamic_product
from rcompile.frontend.shapes import typed
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import Array, Batch, Graph, Node, Value

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1, "DynamicQuantizeLSTM": 4}
DEFAULT_ACTIVATIONS = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
    "DynamicQuantizeLSTM": ("Sigmoid", "Tanh", "Tanh"),
}
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
DEFAULT_ALPHA = {
    "leakyrelu": 0.01,
    "thresholdedrelu": 1.0,
    "elu": 1.0,
    "hardsigmoid": 0.2,
    "affine": 1.0,
    "scaledtanh": 1.0,
}
DEFAULT_BETA = {"hardsigmoid": 0.5, "affine": 0.0, "scaledtanh": 1.0}


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
        scales: of weights and recurrence with their zero points, where both are integers.
    """

    name: str
    backward: bool
    weights: Array
    recurrence: Array
    input_bias: Array
    recurrent_bias: Array
    peepholes: Array | None
    activations: tuple["Activation", ...]
    scales: tuple[tuple[Array, Array], tuple[Array, Array]] | None

    @property
    def size(self) -> int:
        """Return H."""
        return int(self.recurrence.shape[0])


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


def expand(build: Builder) -> bool:
    """Write a recurrent operator as products and a Scan; False where its weights are computed at run time."""
    node, op_type = build.node, build.node.op_type
    found = directions(build)
    data = build.input(0)
    shape = build.shape(data)
    if found is None or shape is None or build.opset < 9 or build.dtype(data) != "float32":
        return False
    batch_axis = 0 if node.integer("layout", 0) else 1
    if batch_axis == 0:
        data = build.transpose(data, (1, 0, 2))
        shape = (shape[1], shape[0], shape[2])
    steps, batch, _ = shape
    if 0 in shape or steps == 0:
        return False
    sequences, finals, cells = [], [], []
    for index, direction in enumerate(found):
        states = initial_states(build, data, index, direction, batch_axis, batch)
        mask = valid_steps(build, steps)
        sequence, final = run_direction(build, direction, data, states, mask, (steps, batch))
        sequences.append(build.unsqueeze(sequence, 1))
        finals.append(build.unsqueeze(final[0], 0))
        cells += [build.unsqueeze(final[1], 0)] if len(final) > 1 else []
    collect(build, sequences, 1, (2, 0, 1, 3) if batch_axis == 0 else None, build.output(0))
    collect(build, finals, 0, (1, 0, 2) if batch_axis == 0 else None, build.output(1))
    if op_type in {"LSTM", "DynamicQuantizeLSTM"}:
        collect(build, cells, 0, (1, 0, 2) if batch_axis == 0 else None, build.output(2))
    return True


def collect(build: Builder, parts: list[str], axis: int, order: tuple[int, ...] | None, out: str) -> None:
    """Join the directions, and put the batch first where the operator's layout does."""
    if not out:
        return
    if order is None:
        build.add("Concat", *parts, out=out, axis=axis)
    else:
        build.transpose(build.add("Concat", *parts, axis=axis), order, out=out)


def directions(build: Builder) -> list[Direction] | None:
    """Read the weights of each direction; None where they are not static."""
    node = build.node
    quantized = node.op_type == "DynamicQuantizeLSTM"
    names = [build.input(position) for position in (1, 2, 3)]
    weights, recurrence, bias = (build.static(name) for name in names)
    peepholes = build.static(build.input(7)) if node.op_type in {"LSTM", "DynamicQuantizeLSTM"} else None
    backward = DIRECTIONS.get(node.text("direction", "forward"))
    gates = GATES[node.op_type]
    if weights is None or recurrence is None or backward is None or (names[2] and bias is None):
        return None
    if build.input(7) and peepholes is None:
        return None
    activations = activations_of(node, len(backward))
    if activations is None or weights.ndim != 3 or recurrence.ndim != 3 or len(weights) != len(backward):
        return None
    scales = [build.static(build.input(position)) for position in range(8, 12)] if quantized else []
    if any(array is None for array in scales):
        return None
    result = []
    for index, reverse in enumerate(backward):
        right, again = weights[index], recurrence[index]
        if not quantized:  # ONNX's (gates * H, I); the quantized operator holds (I, gates * H)
            right, again = right.T, again.T
        size = again.shape[0]
        if again.shape[1] != gates * size or right.shape[1] != gates * size:
            return None
        both = np.zeros(2 * gates * size, np.float32) if bias is None else bias[index]
        if both.shape != (2 * gates * size,):
            return None
        result.append(
            Direction(
                name=f"{'backward' if reverse else 'forward'}",
                backward=reverse,
                weights=right,
                recurrence=again,
                input_bias=both[: gates * size],
                recurrent_bias=both[gates * size :],
                peepholes=None if peepholes is None else peepholes[index],
                activations=activations[index],
                scales=dynamic_scales(scales, index) if quantized else None,
            )
        )
    return result


def dynamic_scales(scales: list[Array | None], index: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return scale and zero point of weights and recurrence, of one direction."""
    picked = [array[index] for array in scales if array is not None]
    return (picked[0], picked[1]), (picked[2], picked[3])


def activations_of(node: Node, count: int) -> list[tuple[Activation, ...]] | None:
    """Return the activations of each direction; None where one is unknown."""
    default = DEFAULT_ACTIVATIONS[node.op_type] * count
    given = node.attributes.get("activations", default)
    kinds = [str(kind).lower() for kind in given] if isinstance(given, tuple) else []
    if len(kinds) != len(default):
        return None
    known = {"sigmoid", "tanh", "relu", "softsign", "softplus", *DEFAULT_ALPHA}
    if set(kinds) - known:
        return None
    alphas, betas = list(numbers(node, "activation_alpha")), list(numbers(node, "activation_beta"))
    result = []
    for kind in kinds:  # only functions that take alpha (beta) consume a value, in order
        alpha = (alphas.pop(0) if alphas else DEFAULT_ALPHA[kind]) if kind in DEFAULT_ALPHA else 0.0
        beta = (betas.pop(0) if betas else DEFAULT_BETA[kind]) if kind in DEFAULT_BETA else 0.0
        result.append(Activation(kind, alpha, beta))
    size = len(default) // count
    return [tuple(result[start : start + size]) for start in range(0, len(result), size)]


def numbers(node: Node, name: str) -> tuple[float, ...]:
    """Return an attribute that is a list of floats."""
    value = node.attributes.get(name, ())
    return tuple(float(v) for v in value) if isinstance(value, tuple) else ()


def initial_states(
    build: Builder, data: str, index: int, direction: Direction, batch_axis: int, batch: int
) -> list[str]:
    """Return the states (B, H) before the first step: given ones, or zeros as many as the samples."""
    count = 2 if build.node.op_type in {"LSTM", "DynamicQuantizeLSTM"} else 1
    found = []
    for position in range(5, 5 + count):
        given = build.input(position)
        if given:
            axis = 1 if batch_axis == 0 else 0
            found.append(build.squeeze(build.slice(given, axis, index, index + 1), axis))
        else:
            first = build.squeeze(build.slice(build.slice(data, 0, 0, 1), 2, 0, 1), 0)  # (B, 1), of the samples
            size = build.add(
                "Concat",
                build.slice(build.add("Shape", first), 0, 0, 1),
                build.integers([direction.size], "size"),
                axis=0,
            )
            found.append(build.add("Expand", build.constant(0.0, "zero", np.float32), size))
    return found


def valid_steps(build: Builder, steps: int) -> str:
    """Return (T, B, 1) bool, whether a step is within a sample's sequence; '' where all are."""
    lengths = build.input(4)
    static = build.static(lengths)
    if not lengths or (static is not None and (static == steps).all()):
        return ""
    numbers_ = build.constant(np.arange(steps).reshape(-1, 1), "steps", np.int32)
    row = build.unsqueeze(build.add("Cast", lengths, to=6), 0)
    return build.unsqueeze(build.add("Less", numbers_, row), 2)


def run_direction(
    build: Builder, direction: Direction, data: str, states: list[str], mask: str, size: tuple[int, int]
) -> tuple[str, list[str]]:
    """Append the products and the Scan of one direction; return its outputs (T, B, H) and final states (B, H)."""
    scales = direction.scales
    inputs = product(build, data, direction.weights, scales[0] if scales else None, f"{direction.name}.input")
    inputs = build.add("Add", inputs, build.constant(input_bias(build.node, direction), "bias"))
    if direction.backward:
        inputs = reversed_steps(build, inputs, size[0])
    scanned = [inputs]
    if mask:
        scanned.append(reversed_steps(build, mask, size[0]) if direction.backward else mask)
    body = body_of(build, direction, size, masked=bool(mask))
    finals = [build.names.fresh(f"{build.node.name}.{direction.name}.final") for _ in states]
    sequence = build.names.fresh(f"{build.node.name}.{direction.name}.sequence")
    name = build.names.fresh(f"{build.node.name}.{direction.name}.scan")
    build.append(
        Node(
            name,
            "Scan",
            (*states, *scanned),
            (*finals, sequence),
            attributes={"num_scan_inputs": len(scanned)},
            body=body,
        )
    )
    return (reversed_steps(build, sequence, size[0]) if direction.backward else sequence), finals


def reversed_steps(build: Builder, tensor: str, steps: int) -> str:
    """Return a sequence from its last step to its first: steps beyond a sample's length come first, and are masked."""
    return build.add("Gather", tensor, build.integers(np.arange(steps)[::-1], "backward"), axis=0)


def product(build: Builder, data: str, weights: Array, scale: tuple[Array, Array] | None, name: str) -> str:
    """Append data @ weights, by float or by dynamically quantized operands."""
    if scale is not None:
        return dynamic_product(build, data, weights, scale, name)
    constant = build.names.fresh(f"{build.node.name}.{name}.weight")
    build.constants[constant] = frozen(np.ascontiguousarray(weights))
    node = build.names.fresh(f"{build.node.name}.{name}")
    output = build.names.fresh(f"{node}.out")
    build.append(Node(node, "MatMul", (data, constant), (output,)))
    return output


def input_bias(node: Node, direction: Direction) -> Array:
    """Return what is added to the input's product: all biases, but a GRU's that stand behind the reset gate."""
    bias = direction.input_bias + direction.recurrent_bias
    if node.op_type == "GRU" and node.integer("linear_before_reset", 0):
        bias[2 * direction.size :] = direction.input_bias[2 * direction.size :]
    return np.asarray(bias.astype(np.float32))


def body_of(build: Builder, direction: Direction, size: tuple[int, int], *, masked: bool) -> Graph:
    """Return one step: states, gates of the input (and whether the step is valid) -> states, output."""
    op_type = build.node.op_type
    inner = Builder(build.graph, build.node, build.names)
    batch, hidden = size[1], direction.size
    count = 2 if op_type in {"LSTM", "DynamicQuantizeLSTM"} else 1
    prefix = f"{build.node.name}.{direction.name}"

    def formal(what: str, shape: tuple[int, ...], dtype: str = "float32") -> Value:
        return Value(build.names.fresh(f"{prefix}.{what}"), dtype, shape)

    states = [formal(what, (batch, hidden)) for what in ("h", "c")[:count]]
    gates = formal("gates", (batch, GATES[op_type] * hidden))
    valid = [formal("valid", (batch, 1), "bool")] if masked else []
    step = {"LSTM": lstm_step, "DynamicQuantizeLSTM": lstm_step, "GRU": gru_step, "RNN": rnn_step}[op_type]
    after = step(inner, direction, [state.name for state in states], gates.name)
    output = after[0]
    if masked:
        zero = inner.constant(0.0, "zero", np.float32)
        output = inner.add("Where", valid[0].name, after[0], zero)
        after = [inner.add("Where", valid[0].name, new, old.name) for new, old in zip(after, states, strict=True)]
    outputs = [Value(inner.add("Identity", name), "float32", (batch, hidden)) for name in (*after, output)]
    body = Graph(
        name=prefix,
        origin=build.graph.origin,
        opsets=build.graph.opsets,
        ir_version=build.graph.ir_version,
        inputs=(*states, gates, *valid),
        outputs=tuple(outputs),
        nodes=tuple(inner.nodes),
        constants=inner.constants,
        values={},
        batch=Batch(free=False, leading_axis=False),
        source_nodes=build.graph.source_nodes,
        is_body=True,
    )
    return typed(body)


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
    again = product(
        build,
        hidden,
        direction.recurrence,
        direction.scales[1] if direction.scales else None,
        f"{direction.name}.recurrent",
    )
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
    again = product(build, hidden, direction.recurrence[:, :split], None, f"{direction.name}.recurrent")
    update = f.on(build, clipped(build, build.add("Add", gate(build, gates, 0, size), gate(build, again, 0, size))))
    reset = f.on(build, clipped(build, build.add("Add", gate(build, gates, 1, size), gate(build, again, 1, size))))
    if before:
        bias = build.constant(direction.recurrent_bias[2 * size :], "bias", np.float32)
        inner = build.add("Mul", reset, build.add("Add", gate(build, again, 2, size), bias))
    else:
        inner = product(
            build, build.add("Mul", reset, hidden), direction.recurrence[:, split:], None, f"{direction.name}.candidate"
        )
    candidate = g.on(build, clipped(build, build.add("Add", gate(build, gates, 2, size), inner)))
    rest = build.add("Sub", build.constant(1.0, "one", np.float32), update)
    return [build.add("Add", build.add("Mul", rest, candidate), build.add("Mul", update, hidden))]


def rnn_step(build: Builder, direction: Direction, states: list[str], gates: str) -> list[str]:
    """Append RNN's equation."""
    (hidden,) = states
    again = product(build, hidden, direction.recurrence, None, f"{direction.name}.recurrent")
    return [direction.activations[0].on(build, clipped(build, build.add("Add", gates, again)))]
