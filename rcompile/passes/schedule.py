"""When each matrix computes, in a layer pipeline (mapper/timing.py says how it is timed)."""

from dataclasses import replace

from rcompile.ir.placed import PlacedProgram, Stage
from rcompile.mapper.timing import layers_of, spans
from rcompile.targets import Target


def schedule(placed: PlacedProgram, target: Target) -> PlacedProgram:
    """Return the program with a stage per matrix, in order of execution."""
    program = placed.program
    layers = layers_of(program, pulses=target.inputs.encoding == "pulse_width")
    copies = [item.replicas for item in program.matrices]
    cycle_s = target.timing.read_cycle_s
    stages = tuple(
        Stage(index, span.start * cycle_s, span.stop * cycle_s, layers[index].busy(copies[index]) * cycle_s)
        for index, span in spans(layers, copies, program.source.matrix_order()).items()
    )
    return replace(placed, stages=stages)
