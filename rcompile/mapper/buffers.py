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
from rcompile.ir.edges import Edge
from rcompile.ir.placed import PlacedProgram, Stage
from rcompile.mapper.traffic import Spread

ROUNDING = 1e-9
"""Relative, of shares of vectors."""


def vectors_waiting(placed: PlacedProgram) -> list[int]:
    """Return how many vectors wait at most, for each edge of a scheduled program; of what loops carry back, too."""
    stages = {stage.matrix: stage for stage in placed.stages}
    found = least_room(placed.program)
    for number, edge in enumerate(placed.program.source.edges):
        if edge.producer < edge.consumer:  # not what a loop carries back
            count = placed.program.matrices[edge.producer].matrix.vectors
            window = min(1.0, found[number] / count)
            share = most_waiting(stages[edge.producer], stages[edge.consumer], window, placed.interval_s)
            found[number] = max(found[number], ceil(share * count * (1 - ROUNDING)))
    return found


def least_room(program: CrossbarProgram) -> list[int]:
    """Return for how many vectors there must be room, for each edge, so that layers never wait for each other.

    A consumer that also waits for a longer way from the same producer holds what comes the short way, until the
    producer has made what the long way needs.
    """
    edges = program.source.edges
    into: dict[int, list[Edge]] = {}
    for edge in edges:
        if edge.producer < edge.consumer:
            into.setdefault(edge.consumer, []).append(edge)
    found = [edge.held(program.matrices[edge.consumer].replicas) for edge in edges]
    for producer, item in enumerate(program.matrices):
        out = {e.consumer: number for number, e in enumerate(edges) if e.producer == producer < e.consumer}
        if len(out) < 2:
            continue
        needed = {producer: np.arange(1, item.matrix.vectors + 1)}  # of its vectors, for each vector of another layer
        for consumer in range(producer + 1, max(out) + 1):
            ways = [
                np.where(edge.needed > 0, needed[edge.producer][np.maximum(edge.needed - 1, 0)], 0)
                for edge in into.get(consumer, ())
                if edge.producer in needed
            ]
            if ways:
                needed[consumer] = np.maximum.reduce(ways)
        for consumer, number in out.items():
            found[number] = max(found[number], int((needed[consumer] - edges[number].finished).max()))
    return found


def waiting_bytes(placed: PlacedProgram, spreads: Sequence[Spread]) -> NDArray[np.int64]:
    """Return how many bytes wait in each tile at most.

    Args:
        placed: a program with stages and an interval.
        spreads: of its matrices over tiles.
    """
    waiting = np.zeros(len(placed.floorplan.slots))
    edges, rooms = placed.program.source.edges, vectors_waiting(placed)
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
