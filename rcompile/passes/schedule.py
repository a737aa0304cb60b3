"""When each matrix computes, in a layer pipeline.

A matrix takes ceil(vectors / replicas) * input cycles * sections read one after another * read cycle; a pulse of b bits
lasts 2^b - 1 read cycles. It starts when the producers of its input have
made its first window: for a convolution the rows that the kernel spans, for a product everything. It stops no
earlier than it can after its last producer. Digital operators and transfers are taken to keep pace.
"""

from dataclasses import replace
from math import ceil

from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.placed import PlacedProgram, Stage
from rcompile.targets import Target


def schedule(placed: PlacedProgram, target: Target) -> PlacedProgram:
    """Return the program with a stage per matrix, in order of execution."""
    program = placed.program
    producers: dict[int, list[int]] = {}
    for edge in program.source.edges:
        producers.setdefault(edge.consumer, []).append(edge.producer)
    stages: dict[int, Stage] = {}
    cycle_s = target.timing.read_cycle_s
    for index in program.source.matrix_order():
        item = program.matrices[index]
        busy = vector_slots(item) * reads(item, pulses=target.inputs.encoding == "pulse_width") * cycle_s
        before = [stages[p] for p in producers.get(index, []) if p in stages]  # not what a loop carries back
        share = first_window(item)
        start = max((first_input(s, program.matrices[s.matrix], share) for s in before), default=0.0)
        one_vector = busy / vector_slots(item)
        stop = max([start + busy, *(s.stop_s + one_vector for s in before)])
        stages[index] = Stage(index, start, stop, busy)
    return replace(placed, stages=tuple(stages.values()))


def reads(item: CrossbarMatrix, *, pulses: bool) -> int:
    """Return the read cycles of one vector."""
    cycles = sum(s.top if pulses else 1 for s in item.presented.slices)
    return cycles * item.reads_per_cycle


def first_input(producer: Stage, item: CrossbarMatrix, share: float) -> float:
    """Return when a producer has made a share of its output: after whole vectors, and at least one."""
    slots = vector_slots(item)
    done = max(1, ceil(share * slots))
    return producer.start_s + (producer.stop_s - producer.start_s) * done / slots


def vector_slots(item: CrossbarMatrix) -> int:
    """Return how many vectors the busiest copy takes."""
    return -(-item.matrix.vectors // item.replicas)


def first_window(item: CrossbarMatrix) -> float:
    """Return the share of the input that must exist before the first output can be computed."""
    window = item.matrix.window
    if window is None:
        return 1.0
    reach = (window.kernel[0] - 1) * window.dilations[0] + 1 - window.pads_begin[0]
    size = (window.input_shape[0] - 1) * window.spacing[0] + 1
    return min(1.0, max(reach, 1) / size)
