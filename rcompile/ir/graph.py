"""Level 1, Graph: tensor operators as the ONNX file has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from rcompile.errors import Origin, require

Array = NDArray[Any]

STANDARD_DOMAINS = ("", "ai.onnx")
MICROSOFT = "com.microsoft"
QUANTIZATION_DOMAINS = (*STANDARD_DOMAINS, MICROSOFT)
FLOATS = {"float16", "bfloat16", "float32", "float64"}
"""Element types of products that can be quantized; other ones than float32 are cast."""

QONNX_DOMAINS = ("onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general")
"""Three spellings of one dialect."""


@dataclass(frozen=True)
class OpaqueAttribute:
    """An attribute that no pass looks into (a subgraph, a tensor, ...), as ONNX serialized it."""

    data: bytes


NO_TENSOR = "no tensor"

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | OpaqueAttribute


@dataclass(frozen=True)
class Value:
    """A tensor's type: numpy dtype name and shape; a free dimension is its name or None.

    A sequence, an optional or a map has the dtype NO_TENSOR and its ONNX type, serialized, in `kind`.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None
    kind: bytes = b""

    def __str__(self) -> str:
        shape = "?" if self.shape is None else ",".join("?" if d is None else str(d) for d in self.shape)
        return f"{self.name}: {self.dtype}[{shape}]"


@dataclass(frozen=True)
class Node:
    """One operator; an absent optional input is ''.

    Attributes:
        captured: tensors of this graph that the node's subgraphs read.
        body: of a Scan whose products can be mapped; its tensors' names are no other graph's.
        source: the node of the file that this one was made of; '' where it is that node itself.
    """

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    domain: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    captured: tuple[str, ...] = ()
    body: "Graph | None" = None
    source: str = ""

    @property
    def origin_name(self) -> str:
        """Return the name of the file's node behind this one."""
        return self.source or self.name

    def is_a(self, *op_types: str, domains: tuple[str, ...] = STANDARD_DOMAINS) -> bool:
        """Tell whether this is one of the given operators of the given domains."""
        return self.op_type in op_types and self.domain in domains

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value = self.attributes.get(name, default)
        require(isinstance(value, int), f"attribute {name} of {self.name} is not an integer")
        return value if isinstance(value, int) else default

    def number(self, name: str, default: float) -> float:
        """Return a float attribute."""
        value = self.attributes.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, str) else default

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return an attribute that is a list of integers."""
        value = self.attributes.get(name, default)
        return tuple(int(v) for v in value) if isinstance(value, tuple) else default

    def reads(self) -> tuple[str, ...]:
        """Return every tensor that the node needs, those of its subgraphs included."""
        return (*(name for name in self.inputs if name), *self.captured)

    def __str__(self) -> str:
        domain = f"{self.domain}::" if self.domain else ""
        outputs = ", ".join(name or "-" for name in self.outputs)
        inputs = ", ".join(name or "-" for name in self.inputs)
        text = f"{outputs} = {domain}{self.op_type} '{self.name}' ({inputs})"
        if self.body is None:
            return text
        return "\n".join([f"{text} of", *(f"    {line}" for line in str(self.body).splitlines())])


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph of operators, in topological order.

    `values` holds the type of each tensor where it is known, with the batch axis set to 1; `bits` the true
    width of integer tensors that use less than their dtype; `folded` says of each node of the file that is no
    longer here what became of it; `source_nodes` lists every (name, op_type) of the file; the shapes of a loop's
    body are those for one sample, though it is fed many.
    """

    name: str
    origin: Origin
    opsets: Mapping[str, int]
    ir_version: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    values: Mapping[str, Value]
    batch: "Batch"
    source_nodes: tuple[tuple[str, str], ...]
    folded: Mapping[str, str] = field(default_factory=dict)
    bits: Mapping[str, int] = field(default_factory=dict)
    is_body: bool = False

    def verify(self) -> None:
        """Check that each tensor has one producer, before its readers, and each output a producer."""
        known = {"", *(value.name for value in self.inputs), *self.constants}
        for node in self.nodes:
            for name in node.reads():
                require(name in known, f"'{name}' is read by {node.name} before it is produced")
            for name in node.outputs:
                require(name == "" or name not in known, f"'{name}' is produced twice")
            known.update(node.outputs)
        for value in self.outputs:
            require(value.name in known, f"the graph's output '{value.name}' has no producer")
        for node in self.nodes:
            if node.body is not None:
                node.body.verify()

    @cached_property
    def producers(self) -> dict[str, Node]:
        """Return the node that produces each tensor."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def positions(self) -> dict[str, int]:
        """Return the place of each node, by name."""
        return {node.name: index for index, node in enumerate(self.nodes)}

    @cached_property
    def readers(self) -> dict[str, list[Node]]:
        """Return the nodes that read each tensor (once per node)."""
        result: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.reads()):
                result.setdefault(name, []).append(node)
        return result

    def output_names(self) -> tuple[str, ...]:
        """Return the names of the outputs, in order."""
        return tuple(value.name for value in self.outputs)

    def at(self, node: Node) -> Origin:
        """Return where a node comes from."""
        return Origin(self.origin.file, node.origin_name, self.op_type_of(node))

    def op_type_of(self, node: Node) -> str:
        """Return the operator of the file that a node stems from: LSTM for a product of its gates."""
        return self._op_types.get(node.origin_name, node.op_type)

    @cached_property
    def _op_types(self) -> dict[str, str]:
        return dict(self.source_nodes)

    def all_nodes(self) -> Iterator[Node]:
        """Yield every node, those of mapped bodies after the node that holds them."""
        for node in self.nodes:
            yield node
            if node.body is not None:
                yield from node.body.all_nodes()

    def __str__(self) -> str:
        lines = [f"graph {self.name} batch {self.batch}"]
        lines += [f"  input {value}" for value in self.inputs]
        lines += [
            f"  constant {name}: {array.dtype}[{','.join(map(str, array.shape))}]"
            for name, array in self.constants.items()
        ]
        lines += [f"  {node}" for node in self.nodes]
        lines += [f"  output {value}" for value in self.outputs]
        return "\n".join(lines)


@dataclass(frozen=True)
class Batch:
    """How samples reach the model.

    Free: any number of samples along axis 0 of each input. Otherwise one sample a run: where `leading_axis`,
    each input has a leading axis of length 1 in which the sample stands; else the sample is the whole input.
    """

    free: bool
    leading_axis: bool

    def __str__(self) -> str:
        return "free" if self.free else "fixed"


class Names:
    """Names that nothing in a graph has yet: a pass must not take a user's name for its own tensor or node."""

    def __init__(self, graph: Graph) -> None:
        self._taken = {*graph.constants, *graph.values, *(value.name for value in (*graph.inputs, *graph.outputs))}
        self._taken |= {name for name, _ in graph.source_nodes}
        for node in graph.all_nodes():
            self._taken |= {node.name, *node.inputs, *node.outputs, *node.captured}
            if node.body is not None:
                self._taken |= {*node.body.constants, *(value.name for value in node.body.inputs)}

    def fresh(self, wanted: str) -> str:
        """Return a free name, the wanted one if possible, and take it."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}.{number}", number + 1
        self._taken.add(name)
        return name
