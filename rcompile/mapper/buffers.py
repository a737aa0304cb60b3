"""How many bytes wait in each tile for the matrices that read them, while inferences follow each other.

What a producer makes arrives evenly from its start to its stop. A consumer lets go of it as it advances, but for what
it needs at a time (`ir.edges`); what needs everything keeps it until it stops. With buffers of this size the schedule
can be kept, and a dataflow pipeline that starts each step as soon as it can is never later than a schedule that can be
kept: it does not run into a deadlock (self-timed execution; Sriram and Bhattacharyya, Embedded Multiprocessors, 2009).
"""

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.placed import PlacedProgram, Stage
from rcompile.mapper.traffic import Spread

ROUNDING = 1e-9
"""Relative, of shares of vectors."""


def vectors_waiting(placed: PlacedProgram, least: Sequence[int]) -> list[int]:
    """Return how many vectors wait at most, for each edge of a scheduled program; of what loops carry back, too.

    Args:
        placed: a program with stages and an interval.
        least: room that there must be, for each edge.
    """
    stages = {stage.matrix: stage for stage in placed.stages}
    found = list(least)
    for number, edge in enumerate(placed.program.source.edges):
        if edge.producer < edge.consumer:  # not what a loop carries back
            count = placed.program.matrices[edge.producer].matrix.vectors
            window = min(1.0, found[number] / count)
            share = most_waiting(stages[edge.producer], stages[edge.consumer], window, placed.interval_s)
            found[number] = max(found[number], ceil(share * count * (1 - ROUNDING)))
    return found


def least_room(program: CrossbarProgram) -> list[int]:
    """Return for how many vectors there must be room, for each edge, so that layers never wait for each other.

    Where a long and a short way lead from one layer to another, what comes the short way waits until the first one
    has made what the long way needs. The short way must take all that can be made of that: if it were held up, so
    would be the first layer, and with it the long way.
    """
    edges = program.source.edges
    into: dict[int, list[int]] = {}
    for number, edge in enumerate(edges):
        if edge.producer < edge.consumer:
            into.setdefault(edge.consumer, []).append(number)
    found = [edge.held(program.matrices[edge.consumer].replicas) for edge in edges]
    for first, item in enumerate(program.matrices):
        if sum(edge.producer == first < edge.consumer for edge in edges) < 2:
            continue
        needed = {first: np.arange(1, item.matrix.vectors + 1)}  # of its vectors, for each vector of another layer
        for consumer in range(first + 1, len(program.matrices)):
            own = [number for number in into.get(consumer, ()) if edges[number].producer in needed]
            if not own:
                continue
            ways = [through(needed[edges[number].producer], edges[number].needed) for number in own]
            needed[consumer] = longest = np.maximum.accumulate(np.maximum.reduce(ways))
            for number, way in zip(own, ways, strict=True):
                if (way < longest).any():
                    made = np.searchsorted(needed[edges[number].producer], longest, side="right")
                    found[number] = max(found[number], int((made - edges[number].finished).max()))
    return found


def through(needed: NDArray[np.int64], vectors: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of a layer's vectors so many first ones of another layer need, none for none."""
    return np.where(vectors > 0, needed[np.maximum(vectors - 1, 0)], 0)


def waiting_bytes(placed: PlacedProgram, spreads: Sequence[Spread]) -> NDArray[np.int64]:
    """Return how many bytes wait in each tile at most.

    Args:
        placed: a program with stages and an interval.
        spreads: of its matrices over tiles.
    """
    waiting = np.zeros(len(placed.floorplan.slots))
    edges, rooms = placed.program.source.edges, vectors_waiting(placed, least_room(placed.program))
    for number, (edge, vectors) in enumerate(zip(edges, rooms, strict=True)):
        own = spreads[edge.consumer]
        each = edge.bytes / placed.program.matrices[edge.producer].matrix.vectors
        waiting[own.tiles] += vectors * each * own.gets[number]
    return np.ceil(waiting).astype(np.int64)


def most_waiting(producer: Stage, consumer: Stage, window: float, interval_s: float) -> float:
    """Return the largest share of a producer's output that waits for a consumer; above 1 where inferences overlap.

    Args:
        producer: when it makes the output.
        consumer: when it reads it.
        window: share of the input that it needs at any time.
        interval_s: between inferences.
    """
    lasting = consumer.stop_s - consumer.start_s
    bends = np.array([producer.stop_s, consumer.start_s, consumer.start_s + window * lasting, consumer.stop_s])
    overlapping = int(np.ceil((consumer.stop_s - producer.start_s) / interval_s))
    times = bends[:, None] + interval_s * np.arange(-overlapping, overlapping + 1)

    made = np.clip((times - producer.start_s) / (producer.stop_s - producer.start_s), 0, 1)
    read = np.clip((times - consumer.start_s) / lasting, 0, 1)
    held = np.where(times <= consumer.stop_s * (1 + 1e-12), made - np.clip(read - window, 0, None), 0)
    return float(held.sum(axis=1).max())
