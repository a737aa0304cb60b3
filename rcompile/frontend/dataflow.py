"""Which matrix's output reaches which matrix's input, how many bytes, and what of it each vector needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from rcompile.frontend.matrix_operator import static_shape
from rcompile.frontend.reach import Reach, composed, joined, same, shape_of, shifted, through, window_reach
from rcompile.ir.edges import Along, Edge
from rcompile.ir.graph import Graph, Node
from rcompile.ir.matrix import Matrix


@dataclass(frozen=True)
class Source:
    """How a tensor depends on a matrix's output.

    Attributes:
        reach: what of the output it needs, axis by axis; None: everything, or what is not known.
        earlier: it is what the step before of their loop has left.
    """

    reach: Reach | None
    earlier: bool = False

    def also(self, other: "Source") -> "Source":
        """Return what is needed on either of two ways."""
        if self.reach is None or other.reach is None or self.earlier != other.earlier:
            return EVERYTHING
        return Source(joined(self.reach, other.reach), self.earlier)

    def at(self, reach: Reach) -> "Source":
        """Return what is needed by a tensor that needs some of this one."""
        return self if self.reach is None or self.earlier else Source(composed(self.reach, reach))


EVERYTHING = Source(None)
EARLIER = Source(None, earlier=True)

Sources = dict[int, Source]
"""By matrix."""


def edges(graph: Graph, matrices: Sequence[Matrix]) -> tuple[Edge, ...]:
    """Return what flows between the matrices of a graph and of the loops in it."""
    flow = Flow(matrices)
    for _ in range(1 if all(node.body is None for node in graph.nodes) else 2):  # what loops carry back comes late
        flow.spread(graph, 1)
    sizes = sizes_of(graph)
    return tuple(
        flow.edge(source, consumer, sizes)
        for consumer, matrix in enumerate(matrices)
        for source in sorted(flow.sources.get(matrix.input.tensor, {}))
        if source != consumer
    )


class Flow:
    """What tensors depend on.

    Attributes:
        sources: of each tensor, the nearest matrices.

    Args:
        matrices: of the program, in order of execution.
    """

    def __init__(self, matrices: Sequence[Matrix]) -> None:
        self._matrices = matrices
        self._made_by = {matrix.output: index for index, matrix in enumerate(matrices)}
        self.sources: dict[str, Sources] = {}
        self._home: dict[int, tuple[Graph, int]] = {}

    def spread(self, graph: Graph, times: int) -> None:
        """Say of each tensor of a graph, which runs so many times an inference, what it depends on."""
        for node in graph.nodes:
            if node.body is not None:
                self._loop(node, node.body, times * steps_of(node, graph))
                continue
            found: Sources = {}
            for position, name in enumerate(node.inputs):
                if node.is_a("Shape", "Size") or not self.sources.get(name):
                    continue
                reach = through(node, graph, position)
                merge(found, {index: source.at(reach) for index, source in self.sources[name].items()})
            for name in node.captured:
                merge(found, dict.fromkeys(self.sources.get(name, {}), EVERYTHING))
            for name in node.outputs:
                if name in self._made_by:
                    index = self._made_by[name]
                    self._home[index] = graph, times
                    rank = len(shape_of(name, graph) or ())
                    self.sources[name] = {index: Source(same(rank) or None)}
                else:
                    self.sources[name] = found

    def _loop(self, node: Node, body: Graph, times: int) -> None:
        for outside, inside in zip(node.inputs, body.inputs, strict=True):
            merge(self.sources.setdefault(inside.name, {}), dict.fromkeys(self.sources.get(outside, {}), EVERYTHING))
        self.spread(body, times)
        states = len(node.inputs) - node.integer("num_scan_inputs", 1)
        results = [self.sources.get(value.name, {}) for value in body.outputs]
        for inside, result in zip(body.inputs[:states], results, strict=False):
            merge(self.sources[inside.name], dict.fromkeys(result, EARLIER))
        for name, result in zip(node.outputs, results, strict=False):
            self.sources[name] = dict.fromkeys(result, EVERYTHING)

    def edge(self, producer: int, consumer: int, sizes: Mapping[str, int]) -> Edge:
        """Return what flows from one matrix to another.

        Args:
            producer: index of the matrix.
            consumer: index of the other one.
            sizes: elements of tensors for one sample.
        """
        source, matrix = self._matrices[producer], self._matrices[consumer]
        elements = min(
            sizes.get(source.output, source.vectors * source.groups * source.columns),
            sizes.get(matrix.input.tensor, matrix.vectors * matrix.groups * matrix.rows),
        )
        made, read, along = self._reach(producer, consumer)
        return Edge(producer, consumer, elements * ((matrix.input.bits + 7) // 8), made, read, along)

    def _reach(self, producer: int, consumer: int) -> tuple[tuple[int, ...], tuple[int, ...], Reach]:
        """Return the axes of the vectors of two matrices, and what of the first ones the second ones need."""
        source, matrix = self._matrices[producer], self._matrices[consumer]
        found = self.sources[matrix.input.tensor][producer]
        (graph, times), (other, _) = self._home[producer], self._home[consumer]
        everything = (source.vectors,), (matrix.vectors,), (None,)
        if graph is not other:
            return everything
        made, read = positions_made(source, graph, times), positions_read(matrix, graph, times)
        if made is None or read is None:
            return everything
        if found.reach is None:
            if times == 1:
                return everything
            before = found.earlier or producer > consumer  # round the loop
            step = Along(0, first=-1, last=-1) if before else Along(0)
            return (times, *made), (times, *read), (step, *(None for _ in made))
        rank = len(shape_of(matrix.input.tensor, graph) or ())
        final = composed(found.reach, last_reach(matrix, rank))
        axes = (0, *range(2, len(final))) if source.window else range(len(final) - 1)
        along = tuple(final[axis] for axis in axes)
        if times == 1:
            return made, read, along
        return (times, *made), (times, *read), (Along(0), *shifted(along, 1))


def merge(found: Sources, more: Sources) -> None:
    """Add dependences to others."""
    for index, source in more.items():
        found[index] = found[index].also(source) if index in found else source


def steps_of(node: Node, graph: Graph) -> int:
    """Return how often a loop's body runs for one sample; 1 where that is not known."""
    return (static_shape(graph.values.get(node.inputs[-1])) or (1,))[0]


def positions_made(matrix: Matrix, graph: Graph, times: int) -> tuple[int, ...] | None:
    """Return the vectors that a matrix makes each time, along the axes of its output; None where that is not known."""
    shape = shape_of(matrix.output, graph)
    return positions(matrix, shape, shape and shape[2:], times)


def positions_read(matrix: Matrix, graph: Graph, times: int) -> tuple[int, ...] | None:
    """Return the vectors that a matrix reads each time, along axes; None where that is not known."""
    shape = shape_of(matrix.input.tensor, graph)
    return positions(matrix, shape, matrix.window.output_shape if matrix.window else None, times)


def positions(
    matrix: Matrix, shape: tuple[int, ...] | None, spatial: tuple[int, ...] | None, times: int
) -> tuple[int, ...] | None:
    """Return the vectors of a tensor along axes; None where they are not those of the matrix."""
    if not shape or (spatial is None and matrix.window):
        return None
    found = (shape[0], *(spatial or ())) if matrix.window else shape[:-1]
    return found if prod(found) * times == matrix.vectors else None


def last_reach(matrix: Matrix, rank: int) -> Reach:
    """Return what of the axes of its input tensor, of some rank, a matrix's vectors need."""
    if matrix.window is None:
        return (*same(rank - 1), None)
    return (Along(0), None, *shifted(window_reach(matrix.window), 1))


def sizes_of(graph: Graph) -> dict[str, int]:
    """Return each tensor's number of elements for one sample; of a body's, over all steps."""
    shapes = {name: static_shape(value) for name, value in graph.values.items()}
    found = {name: prod(shape) for name, shape in shapes.items() if shape is not None}
    for node in graph.nodes:
        if node.body is not None:
            found |= {name: size * steps_of(node, graph) for name, size in sizes_of(node.body).items()}
    return found
