"""When each matrix computes, in a layer pipeline (mapper/timing.py says how it is timed).

Where partitions on a crossbar take turns, a layer takes as long as the crossbar that reads its partitions longest, and
waits for those before it whose crossbars it uses; the interval is what the busiest crossbar reads for one inference.
Rounds follow each other; a layer that is cut takes its vectors in each of its rounds. Programming in between is not
counted here.
"""

from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.placed import PlacedProgram, Stage
from rcompile.mapper.timing import Layer, layers_of, spans
from rcompile.targets import Target


def schedule(placed: PlacedProgram, target: Target) -> PlacedProgram:
    """Return the program with a stage per matrix, in order of execution."""
    program = placed.program
    order = program.source.matrix_order()
    layers = layers_of(program, pulses=target.inputs.encoding == "pulse_width")
    copies = [item.replicas for item in program.matrices]
    load = None
    if placed.takes_turns:
        load = reading_load(placed, layers)
        layers = taking_turns(layers, load, copies, order)
    cycle_s = target.timing.read_cycle_s
    busy = [layer.busy(count) * cycle_s for layer, count in zip(layers, copies, strict=True)]
    stages: dict[int, Stage] = {}
    begun, between = 0.0, 0.0
    for members in by_round(placed):
        inside = tuple(index for index in order if index in members)
        alone = [replace(layer, producers=tuple(p for p in layer.producers if p in members)) for layer in layers]
        found = spans(alone, copies, inside)
        for index, span in found.items():
            first = stages.get(index, Stage(index, begun + span.start * cycle_s, 0.0, 0.0))
            stop = begun + span.stop * cycle_s
            stages[index] = replace(first, stop_s=stop, busy_s=first.busy_s + busy[index])
        begun += max(span.stop for span in found.values()) * cycle_s
        own = sorted(members)
        between += (
            max(busy[index] for index in own) if load is None else float(load[:, own].sum(axis=1).max()) * cycle_s
        )
    return replace(placed, stages=tuple(stages[index] for index in order), interval_s=between)


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
    """Return (crossbars, matrices): read cycles per inference, where partitions on a crossbar take turns."""
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
