"""Tensors that take few values on a regular grid: after Sign, after Round and Clip, out of a comparison.

Such activations need no calibration and no more bits than they have levels.
"""

from dataclasses import dataclass
from math import inf

import numpy as np

from rcompile.ir.graph import Graph, Node

WIDEST = 2**24
"""Levels; more are no grid that a DAC could take."""

DEEPEST = 64
"""Operators that are looked through."""

MOVES = {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "MaxPool", "Identity", "Slice", "Gather", "Expand"}
COMPARISONS = {"Greater", "Less", "Equal", "GreaterOrEqual", "LessOrEqual", "Not", "And", "Or", "Xor"}
TOLERANCE = 1e-4
"""Of a step: constants of exporters are rounded to float32."""


@dataclass(frozen=True)
class Grid:
    """Values step * n for whole n in low..high."""

    step: float
    low: int
    high: int

    @property
    def bits(self) -> int:
        """Return what tells the levels apart, at least 1."""
        return max((self.high - self.low).bit_length(), 1)

    def scaled(self, factor: float) -> "Grid | None":
        """Return the grid of all values times a factor."""
        if not np.isfinite(factor) or factor == 0:
            return None
        low, high = (self.low, self.high) if factor > 0 else (-self.high, -self.low)
        return Grid(self.step * abs(factor), low, high)

    def within(self, low: float, high: float) -> "Grid | None":
        """Return what limits leave; None where they are not on the grid."""
        ends = [end / self.step for end in (low, high)]
        whole = [round(end) if np.isfinite(end) else end for end in ends]
        if any(np.isfinite(e) and abs(e - w) > TOLERANCE for e, w in zip(ends, whole, strict=True)):
            return None
        first, last = max(self.low, whole[0]), min(self.high, whole[1])
        return Grid(self.step, int(first), int(last)) if first <= last else None


def grid_of(name: str, graph: Graph, depth: int = 0) -> Grid | None:
    """Return the grid that all values of a tensor lie on; None where none is seen. Zero is on it."""
    node = graph.producers.get(name)
    if node is None or depth > DEEPEST:
        return None
    found = of_node(node, graph, depth + 1)
    if found is None:
        return None
    found = Grid(found.step, min(found.low, 0), max(found.high, 0))
    return found if found.high - found.low < WIDEST else None


def of_node(node: Node, graph: Graph, depth: int) -> Grid | None:  # noqa: C901, PLR0911 - one return an operator
    """Return the grid of a node's first output."""
    data = node.inputs[0] if node.inputs else ""
    if node.is_a("Sign"):
        return Grid(1.0, -1, 1)
    if node.is_a(*MOVES):
        return grid_of(data, graph, depth)
    if node.is_a("Concat"):
        return same([grid_of(each, graph, depth) for each in node.inputs])
    if node.is_a("Round", "Floor", "Ceil"):
        low, high = bounds_of(data, graph, depth)
        return whole_numbers(low, high, {"Round": np.rint, "Floor": np.floor, "Ceil": np.ceil}[node.op_type])
    if node.is_a("Cast"):
        source = graph.producers.get(data)
        if source is not None and source.is_a(*COMPARISONS):
            return Grid(1.0, 0, 1)
        value = graph.values.get(data)
        if value is not None and value.dtype == "bool":
            return Grid(1.0, 0, 1)
        return grid_of(data, graph, depth)
    if node.is_a("Where"):
        return two_values(*(scalar(each, graph) for each in node.inputs[1:3]))
    if node.is_a("Mul", "Div"):
        return scaled(node, graph, depth)
    if node.is_a("Relu", "Clip", "Min", "Max"):
        inner = grid_of(first_variable(node, graph), graph, depth)
        return None if inner is None else inner.within(*limits_of(node, graph))
    return None


def whole_numbers(low: float, high: float, rounding: "np.ufunc") -> Grid | None:
    """Return the whole numbers between limits."""
    if not (np.isfinite(low) and np.isfinite(high)) or high - low >= WIDEST:
        return None
    return Grid(1.0, int(rounding(low)), int(rounding(high)))


def same(grids: list[Grid | None]) -> Grid | None:
    """Return the grid of tensors joined, where they have one step."""
    known = [grid for grid in grids if grid is not None]
    if len(known) < len(grids) or not known or len({grid.step for grid in known}) > 1:
        return None
    return Grid(known[0].step, min(grid.low for grid in known), max(grid.high for grid in known))


def two_values(first: float | None, second: float | None) -> Grid | None:
    """Return the grid of two values: -a and a, or a and 0."""
    if first is None or second is None:
        return None
    step = max(abs(first), abs(second))
    if step == 0 or any(abs(abs(v) / step - round(abs(v) / step)) > 0 for v in (first, second)):
        return None
    low, high = sorted((round(first / step), round(second / step)))
    return Grid(step, low, high)


def scaled(node: Node, graph: Graph, depth: int) -> Grid | None:
    """Return the grid of a product with, or a quotient by, a constant."""
    constants = [scalar(name, graph) for name in node.inputs]
    if node.is_a("Div"):
        inner = grid_of(node.inputs[0], graph, depth) if constants[1] else None
        return None if inner is None or not constants[1] else inner.scaled(1 / constants[1])
    factor = next((value for value in constants if value is not None), None)
    inner = grid_of(first_variable(node, graph), graph, depth)
    return None if inner is None or factor is None else inner.scaled(factor)


def bounds_of(  # noqa: PLR0911 - one return an operator
    name: str, graph: Graph, depth: int
) -> tuple[float, float]:
    """Return limits that all values of a tensor keep."""
    node = graph.producers.get(name)
    if node is None or depth > DEEPEST:
        return -inf, inf
    if node.is_a("Sigmoid", "HardSigmoid", "Softmax"):
        return 0.0, 1.0
    if node.is_a("Tanh", "Softsign"):
        return -1.0, 1.0
    if node.is_a(*MOVES):
        return bounds_of(node.inputs[0], graph, depth + 1)
    if node.is_a("Relu", "Clip", "Min", "Max"):
        low, high = bounds_of(first_variable(node, graph), graph, depth + 1)
        least, largest = limits_of(node, graph)
        return min(max(low, least), largest), max(min(high, largest), least)
    if node.is_a("Mul", "Div", "Add", "Sub"):
        constants = [scalar(each, graph) for each in node.inputs]
        value = constants[1] if constants[1] is not None else constants[0]
        if value is None or (constants[1] is None and node.is_a("Div", "Sub")):
            return -inf, inf
        low, high = bounds_of(first_variable(node, graph), graph, depth + 1)
        if node.is_a("Add", "Sub"):
            shift = value if node.is_a("Add") else -value
            return low + shift, high + shift
        if value == 0:
            return -inf, inf
        ends = [end * value if node.is_a("Mul") else end / value for end in (low, high)]
        return min(ends), max(ends)
    return -inf, inf


def limits_of(node: Node, graph: Graph) -> tuple[float, float]:
    """Return the limits that Relu, Clip, Min or Max sets."""
    if node.is_a("Relu"):
        return 0.0, inf
    if node.is_a("Clip"):
        named = [scalar(name, graph) if name else None for name in (*node.inputs[1:3], "", "")[:2]]
        low = named[0] if named[0] is not None else node.number("min", -inf)
        high = named[1] if named[1] is not None else node.number("max", inf)
        return low, high
    constants = [value for name in node.inputs if (value := scalar(name, graph)) is not None]
    if not constants:
        return -inf, inf
    return (-inf, min(constants)) if node.is_a("Min") else (max(constants), inf)


def first_variable(node: Node, graph: Graph) -> str:
    """Return the first input that is no constant."""
    return next((name for name in node.inputs if name and name not in graph.constants), "")


def scalar(name: str, graph: Graph) -> float | None:
    """Return a constant of one value."""
    array = graph.constants.get(name)
    return float(array.item()) if array is not None and array.size == 1 and array.dtype.kind in "fiu" else None
