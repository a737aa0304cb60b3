"""Give each matrix the least converter resolution that loses nothing.

ceil(log2((2^dac - 1)(2^cell - 1) rows + 1)): a column of n rows has n * (..) + 1 different sums. The survey's
formula (section III.1) leaves out the + 1 and is one bit short where its argument is a power of two; both are kept.
"""

from dataclasses import replace

import numpy as np

from rcompile.ir.crossbar import Adc, CrossbarMatrix, CrossbarProgram, exact_adc_bits, paper_adc_bits


def assign_adcs(program: CrossbarProgram) -> CrossbarProgram:
    """Assign lossless resolutions, from the highest row partition and the widest slices of each matrix."""
    return replace(program, matrices=tuple(replace(item, adc=lossless(item)) for item in program.matrices))


def lossless(item: CrossbarMatrix) -> Adc:
    """Return a matrix's resolution."""
    rows = int(np.diff(item.row_cuts).max())
    input_bits = max(s.bits for s in item.input_slices)
    cell_bits = max(s.bits for s in item.weight_slices)
    exact = exact_adc_bits(input_bits, cell_bits, rows, flipped=item.flips is not None)
    return Adc(exact, paper_adc_bits(input_bits, cell_bits, rows), exact)
