"""When each layer of a pipeline computes, in whole ticks of a clock.

A layer with r copies takes ceil(vectors / r) vectors one after another, each in some ticks; or longer, where digital
units or links do not keep pace. It starts when the producers of its input have made what its first vector needs, and
that has arrived (`ir.edges`: for a convolution a few rows, behind a softmax over all positions everything). It stops
no earlier than it can take those of its vectors that follow, after any that waits for a producer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram, strips
from rcompile.mapper.clock import Clock
from rcompile.mapper.packing import crossbars_per_copy, partitions_per_crossbar


@dataclass(frozen=True)
class Feed:
    """What a layer needs of another one.

    Attributes:
        producer: the other layer.
        head: vectors of it that must be there before the first one of this layer.
        tail: vectors of this layer that need the last one of it.
        between: how many vectors of it must be there before so many last ones of this layer; see Edge.
    """

    producer: int
    head: int
    tail: int
    between: tuple[tuple[int, int], ...] = ()

    def slots(self, copies: int) -> int:
        """Return how many vectors each copy of the producer finishes first; at least one."""
        return max(1, -(-self.head // copies))


@dataclass(frozen=True)
class Layer:
    """What a matrix asks of the pipeline.

    Attributes:
        vectors: input vectors per inference.
        cycles: ticks of one vector.
        in_turn: partitions of a copy that one crossbar reads one after another for it.
        crossbars: of one copy.
        serial: whether each vector waits for the one before, so that copies would not help.
        feeds: what its input comes from, layers before it in order of execution.
        waits_for: layers before it that must have stopped, since it uses their crossbars.
        least: ticks that it takes at least, however many copies it has: of its digital units and links.
        arrival: ticks from a producer to it, the same from all.
    """

    vectors: int
    cycles: int
    crossbars: int
    serial: bool
    feeds: tuple[Feed, ...]
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

    def last(self, vectors: int, copies: int) -> int:
        """Return how many ticks its last vectors take."""
        return -(-vectors // copies) * self.cycles


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
    before: dict[int, list[Feed]] = {}
    for edge in program.source.edges:
        if place[edge.producer] < place[edge.consumer]:  # not what a loop carries back
            before.setdefault(edge.consumer, []).append(Feed(edge.producer, edge.head, edge.tail, edge.between))
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
            feeds=tuple(before.get(index, ())),
        )
        for index, item in enumerate(program.matrices)
    )
    return layers, tick


def layers_in_ps(program: CrossbarProgram, clock: Clock, columns: Sequence[int]) -> tuple[Layer, ...]:
    """Return the layers of a program, in picoseconds; see `layers_of`."""
    layers, tick = layers_of(program, clock, columns)
    return tuple(replace(layer, cycles=layer.cycles * tick) for layer in layers)


def columns_read(item: CrossbarMatrix) -> int:
    """Return how many columns of a crossbar are converted for a partition of a matrix.

    Of two that are subtracted before the converter, one.
    """
    places = strips(item.encoding.scheme, item.weight_slices)
    converted = places[: len(item.weight_slices)] if item.analog else places
    return int(np.diff(item.column_cuts).max()) * int(np.bincount(converted).max())


def spans(layers: Sequence[Layer], copies: Sequence[int], order: Sequence[int]) -> dict[int, Span]:
    """Return when each layer computes, by its index, in order of execution."""
    found: dict[int, Span] = {}
    for index in order:
        layer = layers[index]
        begun = [made(f.slots(copies[f.producer]), found, f, layers, copies) for f in layer.feeds]
        waited = [found[other].stop for other in layer.waits_for]
        start = max([*(at + layer.arrival for at in begun), *waited], default=0)
        lasts = max(layer.busy(copies[index]), layer.least)
        stop = start + lasts
        for feed in layer.feeds:
            stop = max(stop, found[feed.producer].stop + layer.arrival + layer.last(feed.tail, copies[index]))
            for there, follow in feed.between:
                at = made(-(-there // copies[feed.producer]), found, feed, layers, copies)
                stop = max(stop, at + layer.arrival + layer.last(follow, copies[index]))
        found[index] = Span(start, stop)
    return found


def made(slots: int, found: dict[int, Span], feed: Feed, layers: Sequence[Layer], copies: Sequence[int]) -> int:
    """Return when each copy of a producer has made so many vectors, evenly over the time that it takes."""
    span, producer = found[feed.producer], layers[feed.producer]
    return span.start + -(-(span.stop - span.start) * slots // producer.slots(copies[feed.producer]))


def latency(layers: Sequence[Layer], copies: Sequence[int], order: Sequence[int]) -> int:
    """Return when the last layer stops."""
    return max(span.stop for span in spans(layers, copies, order).values())


def interval(layers: Sequence[Layer], copies: Sequence[int]) -> int:
    """Return the ticks between two inferences: those of the busiest layer."""
    return max(layer.busy(count) for layer, count in zip(layers, copies, strict=True))
