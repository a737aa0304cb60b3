"""Cut input codes into what the DACs present cycle by cycle: 8 bits on 1-bit DACs take 8 cycles."""

from dataclasses import replace

from rcompile.ir.crossbar import CrossbarProgram, cut_bits
from rcompile.targets import Target


def slice_inputs(program: CrossbarProgram, target: Target) -> CrossbarProgram:
    """Give each matrix its input slices, least significant first."""
    width = target.inputs.dac_bits
    matrices = tuple(replace(item, input_slices=cut_bits(item.matrix.input.bits, width)) for item in program.matrices)
    return replace(program, matrices=matrices)
