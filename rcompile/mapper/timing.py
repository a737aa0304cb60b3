"""When each layer of a pipeline computes, in whole ticks of a clock.

A layer with r copies takes ceil(vectors / r) vectors one after another, each in some ticks; or longer, where digital
units or links do not keep pace. It starts when the producers of its input have made its first window and that has
arrived: for a convolution the rows that the kernel spans, for a product everything. It stops no earlier than it can
after its last producer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd

import numpy as np

from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram, strips
from rcompile.mapper.clock import Clock
from rcompile.mapper.packing import crossbars_per_copy, partitions_per_crossbar


@dataclass(frozen=True)
class Layer:
    """What a matrix asks of the pipeline.

    Attributes:
        vectors: input vectors per inference.
        cycles: ticks of one vector.
        in_turn: partitions of a copy that one crossbar reads one after another for it.
        crossbars: of one copy.
        serial: whether each vector waits for the one before, so that copies would not help.
        window: share of the input that must exist before the first output can be computed.
        producers: layers that its input comes from, each before it in order of execution.
        waits_for: layers before it that must have stopped, since it uses their crossbars.
        least: ticks that it takes at least, however many copies it has: of its digital units and links.
        arrival: ticks from a producer to it, the same from all.
    """

    vectors: int
    cycles: int
    crossbars: int
    serial: bool
    window: Fraction
    producers: tuple[int, ...]
    waits_for: tuple[int, ...] = ()
    in_turn: int = 1
    least: int = 0
    arrival: int = 0

    def slots(self, copies: int) -> int:
        """Return how many vectors the busiest copy takes."""
        return -(-self.vectors // copies)

    def busy(self, copies: int) -> int:
        """Return how many ticks the busiest copy takes."""
        return self.slots(copies) * self.cycles

    def awaited(self, producer: "Layer", copies: int) -> int:
        """Return how many vectors each copy of a producer finishes before this layer can start; at least one."""
        return max(1, ceil(self.window * producer.slots(copies)))


@dataclass(frozen=True)
class Span:
    """From when to when a layer computes, in ticks."""

    start: int
    stop: int


def layers_of(
    program: CrossbarProgram, clock: Clock, columns: Sequence[int] | None = None
) -> tuple[tuple[Layer, ...], int]:
    """Return the layers of a program, one per matrix, and how many picoseconds a tick has.

    Ticks are as long as a read cycle and all layers' times allow, which keeps numbers small for solvers.

    Args:
        program: matrices whose inputs are sliced.
        clock: of the target.
        columns: that the busiest crossbar of each matrix converts at once; without, before it is packed, as many as
            one of its partitions has.
    """
    place = {matrix: position for position, matrix in enumerate(program.source.matrix_order())}
    before: dict[int, list[int]] = {}
    for edge in program.source.edges:
        if place[edge.producer] < place[edge.consumer]:  # not what a loop carries back
            before.setdefault(edge.consumer, []).append(edge.producer)
    limited = program.rows_at_once < program.crossbar_rows
    turns = [partitions_per_crossbar(program, item) if limited else 1 for item in program.matrices]
    columns = columns or [columns_read(item) for item in program.matrices]
    times = [clock.vector_ps(item, count) for item, count in zip(program.matrices, columns, strict=True)]
    tick = gcd(clock.read_ps, *times)
    layers = tuple(
        Layer(
            vectors=item.matrix.vectors,
            cycles=times[index] // tick * turns[index],
            in_turn=turns[index],
            crossbars=crossbars_per_copy(program, item),
            serial=item.matrix.serial,
            window=first_window(item),
            producers=tuple(sorted(set(before.get(index, ())))),
        )
        for index, item in enumerate(program.matrices)
    )
    return layers, tick


def columns_read(item: CrossbarMatrix) -> int:
    """Return how many columns of a crossbar are converted for a partition of a matrix.

    Of two that are subtracted before the converter, one.
    """
    places = strips(item.encoding.scheme, item.weight_slices)
    converted = places[: len(item.weight_slices)] if item.analog else places
    return int(np.diff(item.column_cuts).max()) * int(np.bincount(converted).max())


def first_window(item: CrossbarMatrix) -> Fraction:
    """Return the share of the input that must exist before the first output can be computed."""
    window = item.matrix.window
    if window is None:
        return Fraction(1)
    reach = (window.kernel[0] - 1) * window.dilations[0] + 1 - window.pads_begin[0]
    size = (window.input_shape[0] - 1) * window.spacing[0] + 1
    return min(Fraction(1), Fraction(max(reach, 1), size))


def spans(layers: Sequence[Layer], copies: Sequence[int], order: Sequence[int]) -> dict[int, Span]:
    """Return when each layer computes, by its index, in order of execution."""
    found: dict[int, Span] = {}
    for index in order:
        layer = layers[index]
        before = [(found[p], layers[p], copies[p]) for p in layer.producers]
        begun = [first_input(span, layer, producer, count) + layer.arrival for span, producer, count in before]
        start = max([*begun, *(found[other].stop for other in layer.waits_for)], default=0)
        lasts = max(layer.busy(copies[index]), layer.least)
        after = [span.stop + layer.arrival + layer.cycles for span, _, _ in before]
        stop = max([start + lasts, *after])
        found[index] = Span(start, stop)
    return found


def first_input(span: Span, layer: Layer, producer: Layer, copies: int) -> int:
    """Return when a producer has made what a layer starts with: after whole vectors."""
    return span.start + -(-(span.stop - span.start) * layer.awaited(producer, copies) // producer.slots(copies))


def latency(layers: Sequence[Layer], copies: Sequence[int], order: Sequence[int]) -> int:
    """Return when the last layer stops."""
    return max(span.stop for span in spans(layers, copies, order).values())


def interval(layers: Sequence[Layer], copies: Sequence[int]) -> int:
    """Return the ticks between two inferences: those of the busiest layer."""
    return max(layer.busy(count) for layer, count in zip(layers, copies, strict=True))
