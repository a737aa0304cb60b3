"""An ONNX graph under construction, node by node."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rcompile.errors import UsageError
from rcompile.frontend.export import LEAST_IR_VERSION, element_type, to_value_info
from rcompile.frontend.parse import is_large, placeholder
from rcompile.ir.graph import MICROSOFT, STANDARD_DOMAINS, Value

AXES_ARE_INPUTS, BOUNDS_ARE_INPUTS, ROUNDS = 13, 10, 11
"""Operator sets from which on ReduceSum and Slice read what they had as attributes, and there is Round."""

LARGEST_FILE = 2**31 - 2**20
"""Bytes that a protobuf message may have, less some for what is around constants."""

WHOLE = 1.5 * 2**52
"""Added to a double of less than 2^51 and taken off again, it leaves the nearest whole number, ties to even."""


@dataclass
class Draft:
    """Nodes and constants under construction.

    Attributes:
        opset: of the standard operators.
        prefix: of the names of all that is added without one.
        apart: keep large constants beside the model, in `weights`.
        nodes: in order.
        constants: initializers by name; a body's are its whole graph's.
        weights: large constants, where they are kept apart.
        imports: versions of the operators' domains besides the standard one.
    """

    opset: int = 17
    prefix: str = ""
    apart: bool = True
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    imports: dict[str, int] = field(default_factory=lambda: {MICROSOFT: 1})
    _count: list[int] = field(default_factory=lambda: [0])
    _size: list[int] = field(default_factory=lambda: [0])

    def constant(self, array: Any, name: str = "") -> str:  # noqa: ANN401 - what numpy takes
        """Add a constant; a large one is not copied where these are kept apart."""
        name = name or self._fresh("constant")
        if not self.apart:
            self._hold(np.asarray(array).nbytes)
        array = np.ascontiguousarray(array) if np.ndim(array) else np.array(array)
        if self.apart and is_large(array):
            self.weights[name] = array
            self.constants[name] = placeholder(name, array)
        else:
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def add(
        self,
        op_type: str,
        *inputs: str,
        name: str = "",
        domain: str = "",
        node: str = "",
        **attributes: Any,  # noqa: ANN401 - ONNX attributes
    ) -> str:
        """Append a node, which may have a name; return its output, which has `name`, if that is given."""
        output = name or self._fresh("value")
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], node or None, domain=domain, **attributes))
        self.imports.setdefault(domain, 1)
        return output

    def _hold(self, size: int) -> None:
        """Count bytes of the file."""
        self._size[0] += size
        if self._size[0] > LARGEST_FILE:
            raise UsageError(
                f"the file would be larger than {LARGEST_FILE / 2**30:.0f} GiB, which no ONNX file can be",
                hint="a smaller model, or fewer copies of its layers",
            )

    def _fresh(self, kind: str) -> str:
        self._count[0] += 1
        return f"{self.prefix}{kind}{self._count[0] - 1}"

    def body(self) -> "Draft":
        """Return the draft of a body: what it adds has names of its own, and its constants are the whole graph's."""
        return replace(self, nodes=[])  # all else is shared

    def cast(self, tensor: str, dtype: Any, name: str = "") -> str:  # noqa: ANN401 - what numpy takes
        """Convert a tensor."""
        return self.add("Cast", tensor, name=name, to=element_type(np.dtype(dtype).name))

    def reshaped(self, tensor: str, *shape: int, name: str = "") -> str:
        """Give a tensor a shape; -1 is what is left."""
        return self.add("Reshape", tensor, self.constant(np.array(shape, np.int64)), name=name)

    def picked(self, tensor: str, indices: np.ndarray, axis: int) -> str:
        """Return entries along an axis."""
        return self.add("Gather", tensor, self.constant(np.asarray(indices, np.int32)), axis=axis)

    def sliced(self, tensor: str, axis: int, start: int, stop: int) -> str:
        """Return a part of a tensor along one axis."""
        if self.opset < BOUNDS_ARE_INPUTS:
            return self.add("Slice", tensor, axes=[axis], starts=[start], ends=[stop])
        bounds = (self.constant(np.array([value], np.int64)) for value in (start, stop, axis))
        return self.add("Slice", tensor, *bounds)

    def summed(self, tensor: str, axis: int, *, keep: bool = False) -> str:
        """Add up a tensor along one axis."""
        if self.opset < AXES_ARE_INPUTS:
            return self.add("ReduceSum", tensor, axes=[axis], keepdims=int(keep))
        return self.add("ReduceSum", tensor, self.constant(np.array([axis], np.int64)), keepdims=int(keep))

    def rounded(self, tensor: str) -> str:
        """Round doubles to whole numbers, ties to even."""
        if self.opset >= ROUNDS:
            return self.add("Round", tensor)
        whole = self.constant(np.float64(WHOLE))
        return self.add("Sub", self.add("Add", tensor, whole), whole)

    def inline(self, model: bytes) -> None:
        """Append the nodes of a model, whose tensors keep their names."""
        proto = onnx.load_model_from_string(model)
        self.nodes.extend(proto.graph.node)
        self.constants.update({tensor.name: tensor for tensor in proto.graph.initializer})
        self.imports.update({item.domain: item.version for item in proto.opset_import})
        self._hold(len(model))

    def scan(
        self, body: "Draft", inputs: Iterable[tuple[str, str]], outputs: Iterable[tuple[str, str]], scanned: int
    ) -> None:
        """Append a Scan.

        Args:
            body: what is done in each step.
            inputs: (outside, inside) names of states, then of the last `scanned` tensors, which are cut along axis 0.
            outputs: (inside, outside) names of states, then of what is stacked along axis 0.
            scanned: how many tensors are cut.
        """
        outside, inside = zip(*inputs, strict=True)
        found, names = zip(*outputs, strict=True)
        graph = helper.make_graph(
            body.nodes,
            self._fresh("body"),
            [onnx.ValueInfoProto(name=name) for name in inside],
            [onnx.ValueInfoProto(name=name) for name in found],
        )
        self.nodes.append(helper.make_node("Scan", outside, names, body=graph, num_scan_inputs=scanned))

    def model(self, inputs: Iterable[Value], outputs: Iterable[Value], name: str) -> bytes:
        """Serialize the graph."""
        graph = helper.make_graph(
            self.nodes, name, [*map(to_value_info, inputs)], [*map(to_value_info, outputs)], [*self.constants.values()]
        )
        imports = {domain: version for domain, version in self.imports.items() if domain not in STANDARD_DOMAINS}
        opsets = [helper.make_opsetid(*item) for item in {"": self.opset, **imports}.items()]
        model = helper.make_model(graph, ir_version=LEAST_IR_VERSION, opset_imports=opsets, producer_name="rcompile")
        return model.SerializeToString(deterministic=True)


def opset_of(model: bytes) -> int:
    """Return the version of the standard operators of a model."""
    imports = onnx.load_model_from_string(model).opset_import
    return next(item.version for item in imports if item.domain in {"", "ai.onnx"})


def names_in(model: bytes) -> set[str]:
    """Return all names that a model has: of nodes, tensors and constants, those of subgraphs included."""
    found: set[str] = set()
    graphs = [onnx.load_model_from_string(model).graph]
    while graphs:
        graph = graphs.pop()
        found |= {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
        for node in graph.node:
            found |= {node.name, *node.input, *node.output}
            for attribute in node.attribute:
                graphs += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
    return found
