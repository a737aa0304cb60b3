"""LSTM, GRU and RNN with static weights: the input's product for all steps at once, then a Scan over the steps.

    Y = LSTM(X, W, R, B)   becomes   G = MatMul(X, W') + b ;  Y = Scan over t of: MatMul(h, R') + G[t] -> gates -> h

so that W and R are programmed once; R is read once a step. Equations: ONNX, LSTM-22, GRU-22, RNN-22.
"""

import numpy as np

from rcompile.frontend.expand.builder import Builder
from rcompile.frontend.expand.cells import Activation, Direction, Operand, gru_step, lstm_step, product, rnn_step
from rcompile.frontend.export import element_type
from rcompile.frontend.shapes import typed
from rcompile.ir.graph import FLOATS, QUANTIZATION_DOMAINS, Array, Batch, Graph, Node, Value

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1, "DynamicQuantizeLSTM": 4}
DEFAULT_ACTIVATIONS = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
    "DynamicQuantizeLSTM": ("Sigmoid", "Tanh", "Tanh"),
}
FLOAT = 1
LEAST_OPSET = 9
"""Scan without a batch axis, and Where."""

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


def expand(build: Builder) -> bool:
    """Write a recurrent operator as products and a Scan; False where its weights are computed at run time."""
    node, op_type = build.node, build.node.op_type
    found = directions(build)
    data = build.input(0)
    shape = build.shape(data)
    kind = build.dtype(data)
    if found is None or shape is None or build.opset < LEAST_OPSET or kind not in FLOATS:
        return False
    if kind != "float32":
        data = build.add("Cast", data, to=FLOAT)
    batch_axis = 0 if node.integer("layout", 0) else 1
    if batch_axis == 0:
        data = build.transpose(data, (1, 0, 2))
        shape = (shape[1], shape[0], shape[2])
    steps, batch, _ = shape
    if 0 in shape or steps == 0:
        return False
    sequences, finals, cells = [], [], []
    for index, direction in enumerate(found):
        states = initial_states(build, data, index, direction, batch_axis)
        mask = valid_steps(build, steps)
        sequence, final = run_direction(build, direction, data, states, mask, (steps, batch))
        sequences.append(build.unsqueeze(sequence, 1))
        finals.append(build.unsqueeze(final[0], 0))
        cells += [build.unsqueeze(final[1], 0)] if len(final) > 1 else []
    first = batch_axis == 0
    collect(build, sequences, 1, (2, 0, 1, 3) if first else (0, 1, 2, 3), kind, build.output(0))
    collect(build, finals, 0, (1, 0, 2) if first else (0, 1, 2), kind, build.output(1))
    if op_type in {"LSTM", "DynamicQuantizeLSTM"}:
        collect(build, cells, 0, (1, 0, 2) if first else (0, 1, 2), kind, build.output(2))
    return True


def collect(build: Builder, parts: list[str], axis: int, order: tuple[int, ...], kind: str, out: str) -> None:
    """Join the directions, in the operator's layout and element type."""
    if out:
        joined = build.transpose(build.add("Concat", *parts, axis=axis), order)
        build.add("Cast", joined, out=out, to=element_type(kind))


def directions(build: Builder) -> list[Direction] | None:
    """Read the weights of each direction; None where they are not static."""
    node = build.node
    names = [build.input(position) for position in (3, 7)]
    bias, peepholes = (build.static(name) for name in names)
    if any(name and array is None for name, array in zip(names, (bias, peepholes), strict=True)):
        return None
    backward = DIRECTIONS.get(node.text("direction", "forward"), ())
    weights, recurrence = operands(build, 1, 8, len(backward)), operands(build, 2, 10, len(backward))
    activations = activations_of(node, len(backward)) if backward else None
    if weights is None or recurrence is None or activations is None:
        return None
    width = GATES[node.op_type] * (size := len(recurrence[0].values))
    both = np.zeros((len(backward), 2 * width), np.float32) if bias is None else bias.astype(np.float32)
    shapes = [operand.values.shape for operand in recurrence]
    if both.shape != (len(backward), 2 * width) or set(shapes) != {(size, width)}:
        return None
    if any(operand.values.shape[1] != width for operand in weights):
        return None
    return [
        Direction(
            name="backward" if reverse else "forward",
            backward=reverse,
            weights=weights[index],
            recurrence=recurrence[index],
            input_bias=both[index, :width],
            recurrent_bias=both[index, width:],
            peepholes=None if peepholes is None else peepholes[index],
            activations=activations[index],
        )
        for index, reverse in enumerate(backward)
    ]


def operands(  # noqa: PLR0911 - one refusal a line
    build: Builder, position: int, parameters: int, count: int
) -> list[Operand] | None:
    """Return an operand per direction; None where it is computed at run time.

    LSTM, GRU and RNN hold (directions, outputs, inputs), as numbers or dequantized; DynamicQuantizeLSTM holds codes
    (directions, inputs, outputs), with scale and zero point among its inputs.
    """
    array = build.static(build.input(position))
    if build.node.op_type == "DynamicQuantizeLSTM":
        scale, zero = (build.static(build.input(parameters + which)) for which in (0, 1))
        if array is None or scale is None or zero is None or len(array) != count:
            return None
        return [Operand(array[index], scale[index], zero[index], dynamic=True) for index in range(count)]
    if array is not None:
        if array.ndim != 3 or len(array) != count:
            return None
        return [Operand(array[index].T.astype(np.float32)) for index in range(count)]
    node = build.graph.producers.get(build.input(position))
    if node is None or not node.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
        return None
    codes, scale = (build.static(name) for name in node.inputs[:2])
    zero = build.static(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    if codes is None or scale is None or codes.ndim != 3 or len(codes) != count or node.integer("block_size", 0):
        return None
    if (len(node.inputs) > 2 and zero is None) or scale.dtype != np.float32:
        return None
    axis = node.integer("axis", 1) % 3
    if scale.size > 1 and axis == 2:
        return None

    def own(parameter: Array | None, index: int) -> Array | None:
        each = parameter is not None and parameter.size > 1 and axis == 0
        return parameter[index].reshape(()) if parameter is not None and each else parameter

    return [Operand(codes[index].T, own(scale, index), own(zero, index)) for index in range(count)]


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


def initial_states(build: Builder, data: str, index: int, direction: Direction, batch_axis: int) -> list[str]:
    """Return the states (B, H) before the first step: given ones, or zeros as many as the samples."""
    count = 2 if build.node.op_type in {"LSTM", "DynamicQuantizeLSTM"} else 1
    found = []
    for position in range(5, 5 + count):
        given = build.input(position)
        if given:
            given = given if build.dtype(given) == "float32" else build.add("Cast", given, to=FLOAT)
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
    inputs = product(build, data, direction.weights, f"{direction.name}.input")
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
