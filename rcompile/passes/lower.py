"""From tensor operators to integer matrices between digital segments.

Each quantized product becomes a Matrix with the quantizations around it (frontend/quantized.py). All other operators
go, unchanged, into segments that onnxruntime executes: as few as the order allows. Nothing is left out.
"""

from collections.abc import Iterable
from math import prod

from rcompile.errors import UnsupportedError
from rcompile.frontend.export import part_to_onnx
from rcompile.frontend.macs import macs_of
from rcompile.frontend.matrix_operator import static_shape
from rcompile.frontend.operators import OPERATORS, Refusal, recognise
from rcompile.frontend.quantized import NotStatic, QuantizedOperators
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Graph, Node
from rcompile.ir.matrix import Edge, Matrix, MatrixProgram, Placement, Segment

DEAD = "no output of the model depends on it"


def lower(graph: Graph) -> MatrixProgram:
    """Turn each quantized product into a Matrix and everything else into segments.

    Raises:
        UnsupportedError: no operator can be put on crossbars.
    """
    lowering = Lowering(graph)
    if not lowering.matrices:
        reasons = [
            f"{node.op_type} '{node.name}': {lowering.refusals.get(node.name, DEAD)}"
            for node in graph.nodes
            if node.op_type in OPERATORS
        ][:8]
        raise UnsupportedError(
            "the model has nothing to map: " + ("; ".join(reasons) or f"it has none of {', '.join(OPERATORS)}"),
            at=graph.origin,
            hint="rcompile maps products with static weights",
        )
    return lowering.program()


class Lowering:
    """The tables that the lowering of one graph fills."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.matrices: dict[str, Matrix] = {}
        self.refusals: dict[str, str] = {}
        self.absorbed: dict[str, str] = {}
        quantized = QuantizedOperators(graph)
        for node in graph.nodes:
            operator = recognise(node, graph)
            if isinstance(operator, Refusal):
                self.refusals[node.name] = operator.reason
                continue
            try:
                matrix = quantized.matrix(node, operator)
            except NotStatic as refusal:
                self.refusals[node.name] = str(refusal)
            else:
                self.matrices[node.name] = matrix
                self.absorbed.update(dict.fromkeys(matrix.absorbed, f"part of {node.name}"))
        self.digital = self.live_digital_nodes()

    def program(self) -> MatrixProgram:
        """Cut the rest into segments and put everything in order."""
        graph = self.graph
        digital = self.digital
        order, segments = self.segments(digital)
        matrices = tuple(self.matrices.values())
        return MatrixProgram(
            name=graph.name,
            origin=graph.origin,
            inputs=graph.inputs,
            outputs=graph.outputs,
            batch=graph.batch,
            segments=tuple(segments),
            matrices=matrices,
            order=order,
            edges=self.edges(digital),
            placements=self.placements(),
            parameters=self.parameters_count(),
        )

    def parameters_count(self) -> int:
        """Count the distinct constants that are weights: dequantized ones, and real operands of the file's nodes."""
        own = {name for name, _ in self.graph.source_nodes}
        names: set[str] = set()
        for node in self.graph.nodes:
            if node.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
                names.add(node.inputs[0])
            elif node.name in own and not node.is_a("QuantizeLinear", domains=QUANTIZATION_DOMAINS):
                real = (name for name in node.reads() if name in self.graph.constants)
                names.update(name for name in real if self.graph.constants[name].dtype.kind == "f")
        return sum(self.graph.constants[name].size for name in names if name in self.graph.constants)

    def live_digital_nodes(self) -> list[Node]:
        """Return what segments must execute: needed, and not covered by a matrix. Drop matrices that nobody needs."""
        made_by = {matrix.output: matrix for matrix in self.matrices.values()}
        needed = set(self.graph.output_names())
        nodes = []
        covered = {name for matrix in self.matrices.values() for name in (matrix.name, *matrix.absorbed)}
        for node in reversed(self.graph.nodes):
            for name in node.outputs:
                if name in needed and name in made_by:
                    needed.add(made_by[name].input.tensor)
            if node.name not in covered and needed.intersection(node.outputs):
                nodes.append(node)
                needed.update(node.reads())
        for matrix in [m for m in self.matrices.values() if m.output not in needed]:
            del self.matrices[matrix.name]
            self.absorbed.update(dict.fromkeys((matrix.name, *matrix.absorbed), DEAD))
        return nodes[::-1]

    def segments(self, digital: list[Node]) -> tuple[tuple[int, ...], list[Segment]]:
        """Group digital nodes by the number of matrices before them: as few segments as the order allows."""
        level: dict[str, int] = {value.name: 0 for value in self.graph.inputs}
        levels: dict[int, list[Node]] = {}
        matrix_levels: dict[int, list[int]] = {}
        index = {name: i for i, name in enumerate(self.matrices)}
        pending = {matrix.output: matrix for matrix in self.matrices.values()}
        digital_names = {node.name for node in digital}
        for node in self.graph.nodes:
            if node.name in digital_names:
                depth = max((level.get(name, 0) for name in node.reads()), default=0)
                levels.setdefault(depth, []).append(node)
                level.update((name, depth) for name in node.outputs)
            for name in node.outputs:
                if name in pending:
                    matrix = pending[name]
                    depth = level[matrix.input.tensor]
                    matrix_levels.setdefault(depth, []).append(index[matrix.name])
                    level[name] = depth + 1
        order: list[int] = []
        segments: list[Segment] = []
        reads_of_matrices = {matrix.input.tensor for matrix in self.matrices.values()}
        for depth in range(max([*levels, *matrix_levels]) + 1):
            if depth in levels:
                order.append(~len(segments))
                segments.append(self.segment(f"digital{len(segments)}", levels[depth], reads_of_matrices))
            order += matrix_levels.get(depth, [])
        return tuple(order), segments

    def segment(self, name: str, nodes: list[Node], reads_of_matrices: set[str]) -> Segment:
        """Build one segment."""
        graph = self.graph
        inside = {node.name for node in nodes}
        produced = dict.fromkeys(name for node in nodes for name in node.outputs if name)
        read = list(dict.fromkeys(name for node in nodes for name in node.reads()))
        inputs = tuple(n for n in read if n not in produced and n not in graph.constants)
        wanted = reads_of_matrices | set(graph.output_names())
        outputs = tuple(
            name
            for name in produced
            if name in wanted or any(reader.name not in inside for reader in self.digital_readers(name))
        )
        model = part_to_onnx(graph, tuple(nodes), inputs, outputs)
        return Segment(name, inputs, outputs, tuple(node.name for node in nodes), model)

    def digital_readers(self, tensor: str) -> Iterable[Node]:
        """Return the readers of a tensor that no matrix stands for."""
        return (
            node
            for node in self.graph.readers.get(tensor, [])
            if node.name not in self.matrices and node.name not in self.absorbed
        )

    def edges(self, digital: list[Node]) -> tuple[Edge, ...]:
        """Return which matrix's output reaches which matrix's input, and how many bytes."""
        index = {name: i for i, name in enumerate(self.matrices)}
        made_by = {matrix.output: matrix for matrix in self.matrices.values()}
        sources: dict[str, frozenset[int]] = {name: frozenset([index[m.name]]) for name, m in made_by.items()}
        for node in digital:
            found = frozenset().union(*(sources.get(name, frozenset()) for name in node.reads()))
            sources.update((name, found) for name in node.outputs if name not in made_by)
        matrices = list(self.matrices.values())
        return tuple(
            Edge(
                source,
                index[matrix.name],
                min(self.size(matrices[source].output), self.size(matrix.input.tensor))
                * ((matrix.input.bits + 7) // 8),
            )
            for matrix in matrices
            for source in sorted(sources.get(matrix.input.tensor, ()))
        )

    def size(self, tensor: str) -> int:
        """Return a tensor's number of elements for one sample."""
        shape = static_shape(self.graph.values.get(tensor))
        return prod(shape) if shape is not None else 0

    def placements(self) -> tuple[Placement, ...]:
        """Say of each node of the file where it went."""
        found = []
        digital_nodes = {node.name: node for node in self.digital}
        for name, op_type in self.graph.source_nodes:
            if name in self.graph.folded:
                found.append(Placement(name, op_type, "folded", self.graph.folded[name]))
            elif name in self.matrices:
                m = self.matrices[name]
                reason = f"{m.groups} matrix{'' if m.groups == 1 else ' groups'} of {m.rows} x {m.columns}"
                found.append(Placement(name, op_type, "crossbar", reason, m.macs))
            elif name in digital_nodes:
                macs = macs_of(digital_nodes[name], self.graph)
                found.append(Placement(name, op_type, "digital", self.refusals[name], macs))
            else:
                kept = {"QuantizeLinear", "DequantizeLinear"}
                reason = "into the integers of the matrices that read it" if op_type in kept else DEAD
                found.append(Placement(name, op_type, "folded", self.absorbed.get(name, reason)))
        return tuple(found)
