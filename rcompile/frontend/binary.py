"""Binary networks: which activations are only -1 and +1, and of which products only the sign matters.

Sign gives 0 for 0, so that its output takes two bits, unless its input can be shown never to be zero: a BatchNorm's
shift is hardly ever a multiple of the accumulator's step.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from rcompile.frontend.grid import MOVES
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Graph
from rcompile.ir.matrix import Epilogue, Matrix

NEAR = np.arange(-2, 3)[:, None]
"""Accumulators around the real zero of an epilogue that are looked at: float32 rounds no further."""

LARGEST_MOVE = 4
"""Units in the last place that a bias may be moved by."""

LIMITS = {"Min", "Max", "Clip"}


def with_signs(graph: Graph, matrices: Mapping[str, Matrix]) -> dict[str, Matrix]:
    """Return matrices that know which of their inputs are binary, and where only their sign is read."""
    made_by = {matrix.output: name for name, matrix in matrices.items()}
    found = {name: replace(m, only_sign=only_sign_is_read(graph, m.output)) for name, m in matrices.items()}
    for name, matrix in matrices.items():
        producer = made_by.get(signs_of(graph, matrix))
        if producer is None:
            continue
        epilogue = without_zero(found[producer].epilogue)
        if epilogue is not None:
            read = matrix.input
            found[producer] = replace(found[producer], epilogue=epilogue)
            found[name] = replace(found[name], input=replace(read, minimum=read.zero_point - 1, bits=1, step=2))
    return found


def signs_of(graph: Graph, matrix: Matrix) -> str:
    """Return the tensor whose signs, and nothing else, a matrix reads; '' where there is none."""
    read, window = matrix.input, matrix.window
    if (read.bits, read.minimum) != (2, read.zero_point - 1):
        return ""
    if window is not None and any((*window.pads_begin, *window.pads_end, *(s > 1 for s in window.spacing))):
        return ""  # padding is zero, which two levels do not hold
    quantize = graph.producers.get(read.tensor)
    if quantize is None or not quantize.is_a("QuantizeLinear", domains=QUANTIZATION_DOMAINS):
        return ""
    sign = graph.producers.get(source_of(graph, quantize.inputs[0], MOVES | LIMITS))
    return source_of(graph, sign.inputs[0], MOVES) if sign is not None and sign.is_a("Sign") else ""


def source_of(graph: Graph, tensor: str, passed: Iterable[str]) -> str:
    """Return the tensor that a tensor's values come from, unchanged or limited."""
    while (node := graph.producers.get(tensor)) is not None and node.is_a(*passed):
        variable = [name for name in node.inputs if name and name not in graph.constants]
        if len(variable) != 1:
            break
        tensor = variable[0]
    return tensor


def only_sign_is_read(graph: Graph, tensor: str) -> bool:
    """Tell whether every reader of a tensor is a Sign, or moves its values on to one."""
    readers = graph.readers.get(tensor, [])
    if not readers or tensor in graph.output_names():
        return False
    return all(
        node.is_a("Sign") or (node.is_a(*MOVES) and only_sign_is_read(graph, node.outputs[0])) for node in readers
    )


def without_zero(epilogue: Epilogue) -> Epilogue | None:
    """Return an epilogue of which no whole accumulator makes an output zero in float32; None where one truly does.

    Where float32 alone rounds a sum to zero, the bias moves by a unit in the last place: less than what the order of
    a floating-point sum changes.
    """
    if epilogue.requantize is not None or epilogue.integer or epilogue.bias is None or (epilogue.scale == 0).any():
        return None
    near = epilogue.nearest_to_zero() + NEAR
    exact = epilogue.total(near) * epilogue.scale.astype(np.float64) + epilogue.bias.astype(np.float64)
    if (exact == 0).any():
        return None
    for _ in range(LARGEST_MOVE):
        zero = (epilogue.real(near) == 0).any(axis=0)
        if not zero.any():
            return epilogue
        moved = np.where(zero, np.nextafter(epilogue.bias, np.float32(np.inf)), epilogue.bias)
        epilogue = replace(epilogue, bias=frozen(moved.astype(np.float32)))
    return None
