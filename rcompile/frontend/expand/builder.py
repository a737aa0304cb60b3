"""Builds the nodes that stand for one node of a graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rcompile.frontend.matrix_operator import static_shape
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Array, Attribute, Graph, Names, Node


@dataclass
class Builder:
    """Collects nodes and constants in place of `node`; what it makes is named after that node.

    Attributes:
        graph: where the node stands.
        node: what is expanded.
        names: of the whole model.
        nodes: made so far, in order.
        constants: made so far.
        bits: true width of integer tensors that use less than their dtype.
    """

    graph: Graph
    node: Node
    names: Names
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    bits: dict[str, int] = field(default_factory=dict)

    def input(self, position: int) -> str:
        """Return the name of an input, '' where it is absent."""
        return self.node.inputs[position] if position < len(self.node.inputs) else ""

    def output(self, position: int) -> str:
        """Return the name of an output, '' where nobody wants it."""
        return self.node.outputs[position] if position < len(self.node.outputs) else ""

    def static(self, name: str) -> Array | None:
        """Return a constant; None where the tensor is absent or computed at run time."""
        return self.constants.get(name, self.graph.constants.get(name))

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Return a shape where it is known."""
        array = self.static(name)
        return array.shape if array is not None else static_shape(self.graph.values.get(name))

    def dtype(self, name: str) -> str:
        """Return a tensor's element type, '' where it is unknown."""
        array = self.static(name)
        if array is not None:
            return array.dtype.name
        return self.graph.values[name].dtype if name in self.graph.values else ""

    def constant(self, array: ArrayLike, hint: str, dtype: Any = None) -> str:  # noqa: ANN401 - numpy's dtypes
        """Add a constant; return its name."""
        name = self.names.fresh(f"{self.node.name}.{hint}")
        self.constants[name] = frozen(np.asarray(array, dtype))
        return name

    def add(self, op_type: str, *inputs: str, out: str = "", domain: str = "", **attributes: Attribute) -> str:
        """Append an operator with one output; return its name, `out` where that is given."""
        name = self.names.fresh(f"{self.node.name}.{op_type.lower()}")
        output = out or self.names.fresh(f"{name}.out")
        self.append(Node(name, op_type, inputs, (output,), domain, attributes))
        return output

    def product(
        self,
        op_type: str,
        inputs: tuple[str, ...],
        *,
        what: str = "product",
        out: str = "",
        attributes: Mapping[str, Attribute] | None = None,
    ) -> str:
        """Append an operator that is to be mapped, named for reports after the node and `what`; return its output."""
        name = self.names.fresh(f"{self.node.name}.{what}")
        output = out or self.names.fresh(f"{name}.out")
        self.append(Node(name, op_type, inputs, (output,), attributes=attributes or {}))
        return output

    def append(self, node: Node) -> None:
        """Append a node made elsewhere."""
        self.nodes.append(replace(node, source=self.node.origin_name))

    def integers(self, values: ArrayLike, hint: str) -> str:
        """Add a constant of int64: shapes, axes."""
        return self.constant(values, hint, np.int64)

    def on_codes(self, data: str, change: Callable[[str], str]) -> str:
        """Change a tensor's order or shape; of a dequantized one, that of its codes: it stays quantized."""
        node = self.graph.producers.get(data)
        if node is None or not node.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
            return change(data)
        scale = self.static(node.inputs[1])
        if scale is None or scale.size != 1 or node.inputs[0] in self.graph.constants:
            return change(data)
        codes = change(node.inputs[0])
        return self.add("DequantizeLinear", codes, *node.inputs[1:], domain=node.domain)

    def reshape(self, data: str, shape: ArrayLike, out: str = "") -> str:
        """Append a Reshape."""
        return self.add("Reshape", data, self.integers(shape, "shape"), out=out)

    def transpose(self, data: str, order: tuple[int, ...], out: str = "") -> str:
        """Append a Transpose where it changes anything; of a constant, compute it."""
        array = self.static(data)
        if order == tuple(range(len(order))):
            return self.add("Identity", data, out=out) if out else data
        if array is not None and not out:
            return self.constant(array.transpose(order), "transposed")
        return self.add("Transpose", data, out=out, perm=order)

    def squeeze(self, data: str, axis: int, out: str = "") -> str:
        """Append a Squeeze of one axis, in the spelling of the graph's opset."""
        return self._axes("Squeeze", data, axis, out)

    def unsqueeze(self, data: str, axis: int, out: str = "") -> str:
        """Append an Unsqueeze of one axis, in the spelling of the graph's opset."""
        return self._axes("Unsqueeze", data, axis, out)

    def _axes(self, op_type: str, data: str, axis: int, out: str) -> str:
        if self.opset >= 13:
            return self.add(op_type, data, self.integers([axis], "axes"), out=out)
        return self.add(op_type, data, out=out, axes=(axis,))

    def slice(self, data: str, axis: int, start: int, stop: int, out: str = "") -> str:
        """Append a Slice along one axis, in the spelling of the graph's opset."""
        if self.opset >= 10:
            starts, ends, axes = (self.integers([v], "slice") for v in (start, stop, axis))
            return self.add("Slice", data, starts, ends, axes, out=out)
        return self.add("Slice", data, out=out, axes=(axis,), starts=(start,), ends=(stop,))

    def reduce_sum(self, data: str, axis: int, out: str = "") -> str:
        """Append a ReduceSum over one axis, which goes, in the spelling of the graph's opset."""
        if self.opset >= 13:
            return self.add("ReduceSum", data, self.integers([axis], "axes"), out=out, keepdims=0)
        return self.add("ReduceSum", data, out=out, axes=(axis,), keepdims=0)

    @property
    def opset(self) -> int:
        """Return the version of the standard operators."""
        return self.graph.opsets.get("", self.graph.opsets.get("ai.onnx", 1))
