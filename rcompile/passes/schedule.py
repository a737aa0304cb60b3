"""When each matrix computes, in a layer pipeline (mapper/timing.py says how it is timed).

A layer takes as long as its crossbars, the digital units that finish its outputs, or the links that carry them,
whichever are slowest. Where partitions on a crossbar take turns, it takes as long as the crossbar that reads its
partitions longest, and waits for those before it whose crossbars it uses. The interval is what the busiest crossbar,
digital unit or link does for one inference. Rounds follow each other; a layer that is cut takes its vectors in each of
its rounds. Programming in between is not counted here.
"""

from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.placed import Pace, PlacedProgram, Stage
from rcompile.mapper.buffers import waiting_bytes
from rcompile.mapper.clock import PS, Clock
from rcompile.mapper.movement import Movement
from rcompile.mapper.timing import Layer, layers_of, spans
from rcompile.mapper.traffic import numbered
from rcompile.targets import Target


def schedule(placed: PlacedProgram, target: Target) -> PlacedProgram:
    """Return the program with a stage per matrix, in order of execution, and what waits in its tiles."""
    program = placed.program
    order = program.source.matrix_order()
    copies = [item.replicas for item in program.matrices]
    layers, tick = layers_of(program, Clock.of(target), columns_converted(placed))
    layers = tuple(replace(layer, cycles=layer.cycles * tick) for layer in layers)  # in picoseconds
    load = None
    if placed.takes_turns:
        load = reading_load(placed, layers)
        layers = taking_turns(layers, load, copies, order)
    reading = [layer.busy(count) for layer, count in zip(layers, copies, strict=True)]
    movement = Movement(placed, target)
    layers = keeping_pace(layers, movement)
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
        crossbars = max(reading[index] for index in own) if load is None else int(load[:, own].sum(axis=1).max())
        moved = movement.busy(own)
        paces.append(Pace(crossbars * PS, moved.units * PS, moved.links * PS, moved.chips * PS))
    interval = sum(pace.slowest_s for pace in paces)
    waiting = waiting_bytes(placed, layers, movement.spreads, stages, interval)
    return replace(
        placed,
        stages=tuple(stages[index] for index in order),
        interval_s=interval,
        pace=max(paces, key=lambda pace: pace.slowest_s),
        waiting_bytes=tuple(waiting.tolist()),
    )


def keeping_pace(layers: tuple[Layer, ...], movement: Movement) -> tuple[Layer, ...]:
    """Return layers that take at least as long as their digital units and links, after what travels to them."""
    moved = [movement.of_one(index) for index in range(len(layers))]
    return tuple(
        replace(layer, least=moved[index][0].most, arrival=max((moved[f.producer][1] for f in layer.feeds), default=0))
        for index, layer in enumerate(layers)
    )


def columns_converted(placed: PlacedProgram) -> list[int]:
    """Return how many columns the busiest crossbar of each matrix converts at once: all, or those of a partition."""
    blocks, program = placed.program.blocks, placed.program
    names = ("matrix", "replica", "group", "row_start", "column_start") if placed.takes_turns else ()
    columns = (placed.places["crossbar"], *(blocks[name] for name in names))
    read = numbered(*columns)
    analog = np.array([item.analog for item in program.matrices])[blocks["matrix"]]
    subtracted = analog & (blocks["polarity"] == 1)  # before the converter of the other polarity's column
    width = np.bincount(read, (blocks["column_stop"] - blocks["column_start"]) * ~subtracted).astype(np.int64)
    return [int(width[read[blocks["matrix"] == index]].max()) for index in range(len(program.matrices))]


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
    blocks, program = placed.program.blocks, placed.program
    names = ("matrix", "replica", "group", "row_start", "column_start")
    columns = [placed.places["crossbar"], *(blocks[name] for name in names)]
    order = np.lexsort(columns[::-1])
    first = np.ones(len(order), bool)
    first[1:] = np.any([values[order][1:] != values[order][:-1] for values in columns], axis=0)
    load = np.zeros((placed.crossbars, len(program.matrices)))
    each = np.zeros(len(blocks))
    for index, item in enumerate(program.matrices):
        own = blocks["matrix"] == index
        sections = np.searchsorted(item.read_cuts, [blocks["row_start"][own], blocks["row_stop"][own]])
        one_read = layers[index].cycles / item.reads_per_cycle / layers[index].in_turn
        each[own] = (sections[1] - sections[0]) * one_read * layers[index].slots(item.replicas)
    chosen = order[first]
    np.add.at(load, (placed.places["crossbar"][chosen], blocks["matrix"][chosen]), each[chosen])
    return load
