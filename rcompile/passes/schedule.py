"""When each matrix computes, in a layer pipeline (mapper/timing.py says how it is timed).

A layer takes as long as its crossbars, the digital units that finish its outputs, or the links that carry them,
whichever are slowest. Where partitions on a crossbar take turns, it takes as long as the crossbar that reads its
partitions longest, and waits for those before it whose crossbars it uses. The interval is what the busiest crossbar,
digital unit or link does for one inference. Rounds follow each other; a layer that is cut takes its vectors in each of
its rounds. Programming in between is not counted here.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.placed import Pace, PlacedProgram, Stage
from rcompile.mapper.buffers import waiting_bytes
from rcompile.mapper.clock import PS, Clock
from rcompile.mapper.movement import Journey, Movement
from rcompile.mapper.reads import columns_converted, reads_of
from rcompile.mapper.timing import Layer, layers_in_ps, spans
from rcompile.targets import Target


def schedule(placed: PlacedProgram, target: Target) -> PlacedProgram:
    """Return the program with a stage per matrix, in order of execution, and what waits in its tiles."""
    program = placed.program
    order = program.source.matrix_order()
    copies = [item.replicas for item in program.matrices]
    layers = layers_in_ps(program, Clock.of(target), columns_converted(placed))
    load = None
    if placed.takes_turns:
        load = reading_load(placed, layers)
        layers = taking_turns(layers, load, copies, order)
    movement = Movement(placed, target)
    journeys = [movement.of_one(index) for index in range(len(layers))]
    layers = tuple(
        replace(layer, cycles=layer.cycles + journey.finishing) if layer.serial else layer  # waits for its own results
        for layer, journey in zip(layers, journeys, strict=True)
    )
    reading = [layer.busy(count) for layer, count in zip(layers, copies, strict=True)]
    layers = keeping_pace(layers, reading, journeys)
    stages: dict[int, Stage] = {}
    begun, paces = 0, []
    for members in by_round(placed):
        inside = tuple(index for index in order if index in members)
        alone = [replace(layer, feeds=tuple(f for f in layer.feeds if f.producer in members)) for layer in layers]
        found = spans(alone, copies, inside)
        for index, span in found.items():
            first = stages.get(index, Stage(index, (begun + span.start) * PS, 0.0, 0.0))
            stop, busy = (begun + span.stop) * PS, first.busy_s + reading[index] * PS
            stages[index] = replace(first, stop_s=stop, busy_s=busy)
        begun += max(span.stop for span in found.values())
        own = sorted(members)
        crossbars = max((reading[index] for index in own if load is None or layers[index].serial), default=0)
        if load is not None:
            crossbars = max(crossbars, int(load[:, own].sum(axis=1).max()))
        moved = movement.busy(own)
        paces.append(Pace(crossbars * PS, moved.units * PS, moved.links * PS, moved.chips * PS))
    interval = sum(pace.slowest_s for pace in paces)
    timed = replace(
        placed,
        stages=tuple(stages[index] for index in order),
        interval_s=interval,
        pace=max(paces, key=lambda pace: pace.slowest_s),
    )
    return replace(timed, waiting_bytes=tuple(waiting_bytes(timed, movement.spreads).tolist()))


def keeping_pace(layers: tuple[Layer, ...], reading: Sequence[int], journeys: Sequence[Journey]) -> tuple[Layer, ...]:
    """Return layers that take at least as long as their digital units and links, after what travels to them."""
    arrivals = [
        journey.arrival(busy, layer.cycles) for layer, busy, journey in zip(layers, reading, journeys, strict=True)
    ]
    return tuple(
        replace(layer, least=journey.busy.most, arrival=max((arrivals[f.producer] for f in layer.feeds), default=0))
        for layer, journey in zip(layers, journeys, strict=True)
    )


def by_round(placed: PlacedProgram) -> list[set[int]]:
    """Return the matrices that compute in each round."""
    plan = placed.floorplan
    members: list[set[int]] = [set() for _ in range(plan.round_count)]
    for index in range(len(placed.program.matrices)):
        for tile in placed.tiles_of(index):
            members[plan.rounds[tile]].add(index)
    return members


def taking_turns(
    layers: tuple[Layer, ...], load: NDArray[np.float64], copies: list[int], order: tuple[int, ...]
) -> tuple[Layer, ...]:
    """Return layers that take as long as the crossbar that reads them longest, after those whose crossbars they use."""
    found = list(layers)
    used = load > 0
    for position, index in enumerate(order):
        earlier = set(order[:position])
        beside = set(np.flatnonzero(used[used[:, index]].any(axis=0)).tolist()) & earlier
        cycles = load[:, index].max() / layers[index].slots(copies[index])
        found[index] = replace(layers[index], cycles=ceil(cycles), waits_for=tuple(sorted(beside)))
    return tuple(found)


def reading_load(placed: PlacedProgram, layers: tuple[Layer, ...]) -> NDArray[np.float64]:
    """Return (crossbars, matrices): picoseconds of reads per inference, where partitions on a crossbar take turns."""
    found = reads_of(placed, layers)
    slots = np.array([layer.slots(m.replicas) for layer, m in zip(layers, placed.program.matrices, strict=True)])
    load = np.zeros((placed.crossbars, len(layers)))
    np.add.at(load, (found["crossbar"], found["matrix"]), found["ps"] * slots[found["matrix"]])
    return load
