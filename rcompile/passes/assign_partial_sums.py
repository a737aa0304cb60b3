"""Make the partial sums of each matrix explicit: how many, how wide, how they are added, what they are rounded to.

A row partition adds its slices and cycles up where they are read; what it sends on is one partial sum for each output
and vector. `partial_sums.bits` rounds these and their total (quantize, add, quantize: Cai et al., TCAD 2020, [7] of the
survey), in steps of a power of two that hold what calibration samples caused.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram
from rcompile.ir.partial_sums import PartialSums, Quantizer
from rcompile.targets import Target

Largest = Callable[[int], tuple[float, float]]


def assign_partial_sums(program: CrossbarProgram, target: Target, largest: Largest) -> CrossbarProgram:
    """Give each matrix its partial sums.

    Args:
        program: with input slices.
        target: says what they are rounded to.
        largest: magnitudes of a matrix's partial sums and of their totals on calibration samples, by its index; asked
            only where they are rounded.
    """
    bits = target.partial_sums.bits
    matrices = []
    for index, item in enumerate(program.matrices):
        rounded = bits > 0 and item.row_partitions > 1
        sizes = largest(index) if rounded else None
        matrices.append(replace(item, partial_sums=partial_sums(item, bits, sizes)))
    return replace(program, matrices=tuple(matrices))


def partial_sums(item: CrossbarMatrix, bits: int, sizes: tuple[float, float] | None) -> PartialSums:
    """Return a matrix's partial sums; `sizes` are the magnitudes that rounded ones must hold, None rounds none."""
    matrix = item.matrix
    count = item.row_partitions * matrix.groups * matrix.columns * matrix.vectors
    found = PartialSums(count=count, bits=exact_bits(item), depth=(item.row_partitions - 1).bit_length(), bytes=0)
    if sizes is not None:
        found = replace(found, quantizer=quantizer(bits, sizes[0]), merge=quantizer(bits, sizes[1]))
    return replace(found, bytes=count * found.bytes_each)


def exact_bits(item: CrossbarMatrix) -> int:
    """Return the bits, with a sign, that hold sum(x * w) over any row partition."""
    inputs = item.presented
    largest = 0
    for start, stop in pairwise(item.row_cuts):
        weights = item.matrix.weights[:, start:stop].astype(np.int64)
        up, down = np.maximum(weights, 0).sum(axis=1), -np.minimum(weights, 0).sum(axis=1)
        size = up + down if inputs.least < 0 else np.maximum(up, down)
        largest = max(largest, int(size.max()))
    return (largest * inputs.largest).bit_length() + 1


def quantizer(bits: int, largest: float) -> Quantizer:
    """Return the finest quantizer that holds magnitudes up to `largest`."""
    step = 1
    while largest > step * (2 ** (bits - 1) - 1) + step / 2:
        step *= 2
    return Quantizer(bits, step)
