"""From tensor operators to integer matrices between digital segments.

Each quantized product becomes a Matrix with the quantizations around it (frontend/quantized.py). All other operators
go, unchanged, into segments that onnxruntime executes: as few as the order allows. Nothing is left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from rcompile.errors import UnsupportedError
from rcompile.frontend.binary import with_signs
from rcompile.frontend.dataflow import edges
from rcompile.frontend.elements import elements_of
from rcompile.frontend.export import part_to_onnx
from rcompile.frontend.macs import macs_of
from rcompile.frontend.matrix_operator import static_shape
from rcompile.frontend.operators import OPERATORS, UNFOLDED, Refusal, recognise
from rcompile.frontend.quantized import NotStatic, QuantizedOperators
from rcompile.ir.graph import QUANTIZATION_DOMAINS, Graph, Node
from rcompile.ir.matrix import Loop, Matrix, MatrixProgram, Placement, Segment, State, Step, StepKind, Stream

DEAD = "no output of the model depends on it"


def lower(graph: Graph) -> MatrixProgram:
    """Turn each quantized product into a Matrix and everything else into segments."""
    return Lowering(graph).program()


def require_mapped(program: MatrixProgram) -> MatrixProgram:
    """Refuse a program without matrices: a compiler that maps nothing has done nothing.

    Raises:
        UnsupportedError: no operator can be put on crossbars.
    """
    if not program.matrices:
        products = [item for item in program.placements if item.op_type in {*OPERATORS, *UNFOLDED}]
        reasons = [f"{item.op_type} '{item.node}': {item.reason}" for item in products][:5]
        raise UnsupportedError(
            "the model has nothing to map: " + ("; ".join(reasons) or f"it has none of {', '.join(OPERATORS)}"),
            at=program.origin,
            hint="rcompile maps products with static weights; --weightless takes inputs that are weights as such",
        )
    return program


@dataclass
class Tables:
    """What the lowering of a graph and of the bodies in it fills together."""

    matrices: list[Matrix] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    digital: dict[str, tuple[Node, Graph]] = field(default_factory=dict)
    absorbed: dict[str, str] = field(default_factory=dict)


class Lowering:
    """The lowering of one graph, or of the body of one loop.

    Args:
        graph: to be lowered.
        tables: those of the graph around; None for the model itself.
    """

    def __init__(self, graph: Graph, tables: Tables | None = None) -> None:
        graph = with_computed_states(graph)
        self.graph = graph
        self.tables = tables or Tables()
        self.matrices: dict[str, Matrix] = {}
        self.bodies = {node.name: node for node in graph.nodes if node.body is not None and self.is_mapped(node.body)}
        quantized = QuantizedOperators(graph, serial=tables is not None)
        for node in graph.nodes:
            operator = recognise(node, graph)
            if isinstance(operator, Refusal):
                self.tables.refusals[node.name] = operator.reason
                continue
            try:
                matrix = quantized.matrix(node, operator)
            except NotStatic as refusal:
                self.tables.refusals[node.name] = str(refusal)
            else:
                self.matrices[node.name] = matrix
                self.tables.absorbed.update(dict.fromkeys(matrix.absorbed, f"part of {node.name}"))
        self.digital = self.live_digital_nodes()
        self.matrices = with_signs(graph, self.matrices)
        self.tables.digital.update({node.name: (node, graph) for node in self.digital})
        self.index = {name: len(self.tables.matrices) + i for i, name in enumerate(self.matrices)}
        self.tables.matrices += self.matrices.values()

    @staticmethod
    def is_mapped(body: Graph) -> bool:
        """Tell whether a body has products that can be mapped."""
        return bool(Lowering(body, Tables()).matrices)

    def program(self) -> MatrixProgram:
        """Cut the rest into segments and put everything in order."""
        graph, tables = self.graph, self.tables
        order = self.in_order_of_execution(self.order())
        return MatrixProgram(
            name=graph.name,
            origin=graph.origin,
            inputs=graph.inputs,
            outputs=graph.outputs,
            batch=graph.batch,
            segments=tuple(tables.segments),
            matrices=tuple(tables.matrices),
            loops=tuple(tables.loops),
            order=order,
            edges=edges(graph, tables.matrices),
            placements=self.placements(),
            parameters=self.parameters_count(),
        )

    def in_order_of_execution(self, order: tuple[Step, ...]) -> tuple[Step, ...]:
        """Number matrices as they are executed, those of loops where the loop stands; return the order renumbered."""
        tables = self.tables

        def flat(steps: tuple[Step, ...]) -> Iterator[int]:
            for step in steps:
                if step.kind is StepKind.MATRIX:
                    yield step.index
                elif step.kind is StepKind.LOOP:
                    yield from flat(tables.loops[step.index].order)

        old = list(flat(order))
        new = {index: position for position, index in enumerate(old)}

        def renumbered(steps: tuple[Step, ...]) -> tuple[Step, ...]:
            return tuple(replace(s, index=new[s.index]) if s.kind is StepKind.MATRIX else s for s in steps)

        tables.matrices = [tables.matrices[index] for index in old]
        tables.loops = [replace(loop, order=renumbered(loop.order)) for loop in tables.loops]
        return renumbered(order)

    def parameters_count(self) -> int:
        """Count the distinct constants that are weights: dequantized ones, and real operands of the file's nodes."""
        own = {name for name, _ in self.graph.source_nodes}
        counted: dict[str, int] = {}
        for graph in (self.graph, *(node.body for node in self.graph.all_nodes() if node.body is not None)):
            for node in graph.nodes:
                if node.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
                    names: Iterable[str] = node.inputs[:1]
                elif node.origin_name in own and not node.is_a("QuantizeLinear", domains=QUANTIZATION_DOMAINS):
                    names = [n for n in node.reads() if n in graph.constants and graph.constants[n].dtype.kind == "f"]
                else:
                    names = ()
                counted |= {name: graph.constants[name].size for name in names if name in graph.constants}
        return sum(counted.values())

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
            self.tables.absorbed.update(dict.fromkeys((matrix.name, *matrix.absorbed), DEAD))
        return nodes[::-1]

    def order(self) -> tuple[Step, ...]:
        """Group digital nodes by the matrices and loops before them: as few segments as the order allows."""
        level: dict[str, int] = {value.name: 0 for value in self.graph.inputs}
        levels: dict[int, list[Node]] = {}
        others: dict[int, list[Step]] = {}
        pending = {matrix.output: matrix for matrix in self.matrices.values()}
        digital_names = {node.name for node in self.digital}
        for node in self.graph.nodes:
            if node.name in digital_names:
                depth = max((level.get(name, 0) for name in node.reads()), default=0)
                if node.name in self.bodies:
                    others.setdefault(depth, []).append(self.loop(node))
                    depth += 1
                else:
                    levels.setdefault(depth, []).append(node)
                level.update((name, depth) for name in node.outputs)
            for name in node.outputs:
                if name in pending:
                    matrix = pending[name]
                    depth = level[matrix.input.tensor]
                    others.setdefault(depth, []).append(Step(StepKind.MATRIX, self.index[matrix.name]))
                    level[name] = depth + 1
        order: list[Step] = []
        wanted = {matrix.input.tensor for matrix in self.matrices.values()} | set(self.graph.output_names())
        wanted |= {name for node in self.bodies.values() for name in node.inputs}
        for depth in range(max([0, *levels, *others]) + 1):
            if depth in levels:
                order.append(Step(StepKind.SEGMENT, len(self.tables.segments)))
                self.tables.segments.append(self.segment(levels[depth], wanted))
            order += others.get(depth, [])
        return tuple(order)

    def loop(self, node: Node) -> Step:
        """Lower a loop."""
        body = node.body
        assert body is not None
        lowering = Lowering(body, self.tables)
        order = lowering.order()
        scans = node.integer("num_scan_inputs", 1)
        states = len(node.inputs) - scans
        formal, results = [v.name for v in body.inputs], [v.name for v in body.outputs]
        outputs = (*node.outputs, *("" for _ in range(len(results) - len(node.outputs))))
        loop = Loop(
            name=node.name,
            order=order,
            states=tuple(map(State, node.inputs[:states], formal[:states], results[:states], outputs[:states])),
            scanned=tuple(map(Stream, node.inputs[states:], formal[states:])),
            collected=tuple(s for s in map(Stream, outputs[states:], results[states:]) if s.outside),
        )
        self.tables.loops.append(loop)
        steps = static_shape(self.graph.values.get(loop.scanned[0].outside)) or (1,)
        for index in lowering.index.values():
            matrix = self.tables.matrices[index]
            self.tables.matrices[index] = replace(matrix, vectors=matrix.vectors * steps[0])
        return Step(StepKind.LOOP, len(self.tables.loops) - 1)

    def segment(self, nodes: list[Node], wanted: set[str]) -> Segment:
        """Build one segment; `wanted` are tensors that matrices, loops or the model's caller read."""
        graph = self.graph
        inside = {node.name for node in nodes}
        produced = dict.fromkeys(name for node in nodes for name in node.outputs if name)
        read = list(dict.fromkeys(name for node in nodes for name in node.reads()))
        inputs = tuple(n for n in read if n not in produced and n not in graph.constants)
        outputs = tuple(
            name
            for name in produced
            if name in wanted or any(reader.name not in inside for reader in self.digital_readers(name))
        )
        name = f"digital{len(self.tables.segments)}"
        model = part_to_onnx(graph, tuple(nodes), inputs, outputs)
        return Segment(name, inputs, outputs, tuple(node.name for node in nodes), model)

    def digital_readers(self, tensor: str) -> Iterable[Node]:
        """Return the readers of a tensor that no matrix stands for."""
        return (
            node
            for node in self.graph.readers.get(tensor, [])
            if node.name not in self.matrices and node.name not in self.tables.absorbed
        )

    def placements(self) -> tuple[Placement, ...]:
        """Say of each node of the file where it went: its matrices first, then what of it is digital."""
        matrices: dict[str, list[Matrix]] = {}
        rest: dict[str, list[tuple[Node, Graph]]] = {}
        for matrix in self.tables.matrices:
            matrices.setdefault(matrix.origin.node, []).append(matrix)
        for node, graph in self.tables.digital.values():
            if node.name not in self.bodies:
                rest.setdefault(node.origin_name, []).append((node, graph))
        times, found = repeats(self.graph), []
        for name, op_type in self.graph.source_nodes:
            elements = sum(elements_of(node, graph) * times[id(graph)] for node, graph in rest.get(name, []))
            if name in self.graph.folded:
                found.append(Placement(name, op_type, "folded", self.graph.folded[name]))
            elif name in matrices:
                own = matrices[name]
                reason = "; ".join(shapes_of(matrix) for matrix in own)
                macs = sum(matrix.macs for matrix in own)
                found.append(Placement(name, op_type, "crossbar", reason, macs, elements))
            elif name in rest:
                macs = sum(macs_of(node, graph) * times[id(graph)] for node, graph in rest[name])
                found.append(Placement(name, op_type, "digital", self.reason_of(rest[name]), macs, elements))
            else:
                kept = {"QuantizeLinear", "DequantizeLinear"}
                reason = "into the integers of the matrices that read it" if op_type in kept else DEAD
                found.append(Placement(name, op_type, "folded", self.tables.absorbed.get(name, reason)))
        return tuple(found)

    def reason_of(self, parts: list[tuple[Node, Graph]]) -> str:
        """Say why a node of the file is digital: of what it was taken apart into, the product's reason."""
        products = [node for node, _ in parts if node.op_type in {*OPERATORS, *UNFOLDED}]
        return self.tables.refusals[(products or [parts[0][0]])[0].name]


def repeats(graph: Graph, times: int = 1) -> dict[int, int]:
    """Return how often a graph, and each body in it, runs for one sample; by identity."""
    found = {id(graph): times}
    for node in graph.nodes:
        if node.body is not None:
            found |= repeats(node.body, times * (static_shape(graph.values.get(node.inputs[-1])) or (1,))[0])
    return found


def with_computed_states(graph: Graph) -> Graph:
    """Return a graph whose loops read no constants: a program holds none but in its matrices and segments."""
    if all(node.body is None for node in graph.nodes):
        return graph
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = list(node.inputs)
        for position, name in enumerate(node.inputs):
            if node.body is not None and name in graph.constants:
                inputs[position] = f"{node.name}.state{position}"
                copy = Node(inputs[position], "Identity", (name,), (inputs[position],), source=node.origin_name)
                nodes.append(copy)
        nodes.append(replace(node, inputs=tuple(inputs)))
    return replace(graph, nodes=tuple(nodes))


def shapes_of(matrix: Matrix) -> str:
    """Describe the shapes of a matrix."""
    return f"{matrix.groups} matrix{'' if matrix.groups == 1 else ' groups'} of {matrix.rows} x {matrix.columns}"
