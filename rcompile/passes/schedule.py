"""When each matrix computes, in a layer pipeline (mapper/timing.py says how it is timed).

Where partitions share a crossbar and are read one at a time, a vector takes as many reads as partitions of its copy
stand on one crossbar, and a layer waits for those before it whose crossbars it uses. Rounds follow each other; a layer
that is cut takes its vectors in each of its rounds. Programming in between is not counted here.
"""

from dataclasses import replace

import numpy as np

from rcompile.ir.placed import PlacedProgram, Sharing, Stage
from rcompile.mapper.timing import Layer, layers_of, spans
from rcompile.targets import Target


def schedule(placed: PlacedProgram, target: Target) -> PlacedProgram:
    """Return the program with a stage per matrix, in order of execution."""
    program = placed.program
    order = program.source.matrix_order()
    layers = layers_of(program, pulses=target.inputs.encoding == "pulse_width")
    if placed.sharing is Sharing.EXCLUSIVE:
        layers = taking_turns(layers, placed, order)
    copies = [item.replicas for item in program.matrices]
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
        between += busiest(placed, [seconds if index in members else 0.0 for index, seconds in enumerate(busy)])
    return replace(placed, stages=tuple(stages[index] for index in order), interval_s=between)


def by_round(placed: PlacedProgram) -> list[set[int]]:
    """Return the matrices that compute in each round."""
    plan = placed.floorplan
    members: list[set[int]] = [set() for _ in range(plan.round_count)]
    for index in range(len(placed.program.matrices)):
        for tile in placed.tiles_of(index):
            members[plan.rounds[tile]].add(index)
    return members


def taking_turns(layers: tuple[Layer, ...], placed: PlacedProgram, order: tuple[int, ...]) -> tuple[Layer, ...]:
    """Return layers whose partitions and crossbars are used one at a time."""
    users = users_of_crossbars(placed)
    found = list(layers)
    for position, index in enumerate(order):
        earlier = set(order[:position])
        beside = {int(other) for other in users[users[:, index]].any(axis=0).nonzero()[0]} & earlier
        reads = placed.partitions_on_a_crossbar(index)
        found[index] = replace(layers[index], cycles=layers[index].cycles * reads, waits_for=tuple(sorted(beside)))
    return tuple(found)


def users_of_crossbars(placed: PlacedProgram) -> np.ndarray:
    """Return (crossbars, matrices): which matrices a crossbar holds."""
    users = np.zeros((placed.crossbars, len(placed.program.matrices)), bool)
    users[placed.places["crossbar"], placed.program.blocks["matrix"]] = True
    return users


def busiest(placed: PlacedProgram, busy: list[float]) -> float:
    """Return how long the busiest crossbar computes for one inference."""
    if placed.sharing is Sharing.EXCLUSIVE:
        return float((users_of_crossbars(placed) @ np.array(busy)).max())
    return max(busy)
