"""Cut input codes into what the DACs present cycle by cycle: 8 bits on 1-bit DACs take 8 cycles."""

from dataclasses import replace

from rcompile.errors import UsageError
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram
from rcompile.ir.encoding import InputScheme, encode_inputs
from rcompile.targets import Target


def slice_inputs(program: CrossbarProgram, target: Target) -> CrossbarProgram:
    """Give each matrix its input slices, least significant first.

    Raises:
        UsageError: amplitude DACs have too few bits for an input.
    """
    return replace(program, matrices=tuple(with_inputs(item, target) for item in program.matrices))


def with_inputs(item: CrossbarMatrix, target: Target) -> CrossbarMatrix:
    """Return a matrix with its input slices."""
    width = target.inputs.dac_bits
    found = encode_inputs(item.matrix.input, InputScheme(target.inputs.signed), width)
    needed = max(s.shift + s.bits for s in found.slices)
    if target.inputs.encoding == "amplitude" and needed > width:
        raise UsageError(
            f"inputs.encoding = amplitude presents an input in one cycle: its {item.matrix.input.bits} bits need DACs "
            f"of {needed}, {target.name} has inputs.dac_bits = {width}",
            at=item.matrix.origin,
            hint=f"--set inputs.dac_bits={needed}, fewer --input-bits (float models), or inputs.encoding = bit_serial",
        )
    return replace(item, inputs=found)
