"""Give each conversion its resolution and range.

What a column's own weights can sum to is an exact bound: for digits up to d, d times the sum of its levels. The
survey's formula ceil(log2((2^dac - 1)(2^cell - 1) rows)) (section III.1) leaves out a + 1 and is one bit short where
its argument is a power of two; reports show both. Where the target's converters cannot resolve the bound,
or the target asks for it, ranges are calibrated on the sums that samples cause (ir/ranges.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import UsageError
from rcompile.ir.arrays import frozen
from rcompile.ir.bounds import column_bounds, worst_case
from rcompile.ir.converter import Adc, Need, kept_bits, paper_adc_bits
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram
from rcompile.ir.matrix import IntegerArray
from rcompile.ir.observed import Observed
from rcompile.ir.ranges import Range, fit
from rcompile.ir.thresholds import compared
from rcompile.targets import Target
from rcompile.targets.schema import Adcs

Seen = Callable[[int], Observed]

ACCUMULATOR_BITS = 53
"""No accumulator has more."""


def assign_adcs(program: CrossbarProgram, target: Target, seen: Seen, bits: tuple[int, ...] = ()) -> CrossbarProgram:
    """Assign converters to each matrix.

    Args:
        program: with input slices and flips.
        target: says what converters there are and how they are used.
        seen: the sums of a matrix on calibration samples, by its index; asked only where ranges are calibrated.
        bits: resolution of each matrix's converters; () gives all the target's.
    """
    matrices = []
    for index, item in enumerate(program.matrices):
        adc = replace(target.adc, bits=bits[index]) if bits else target.adc
        matrices.append(replace(item, adc=Assignment(item, adc, partial(seen, index)).adc()))
    return replace(program, matrices=tuple(matrices))


@dataclass
class Tables:
    """Resolution, range and step of conversions, with the axes of converter.AXES."""

    bits: IntegerArray
    low: IntegerArray
    step: IntegerArray
    origin: IntegerArray

    @classmethod
    def centred(cls, bits: IntegerArray, low: IntegerArray, step: IntegerArray) -> "Tables":
        """Return tables whose codes read as the middle of their sums."""
        return cls(bits, low, step, low + (step - 1) / 2)


class Assignment:
    """The converters of one matrix."""

    def __init__(self, item: CrossbarMatrix, spec: Adcs, seen: Callable[[], Observed]) -> None:
        self.item = item
        self.spec = spec
        self.seen = seen
        tops = np.array([s.top for s in item.presented.slices])
        lowest, highest = column_bounds(item)
        distinct = tops if len(set(tops.tolist())) > 1 else tops[:1]
        self.tops = distinct.reshape(-1, 1, 1, 1, 1, 1)
        self.lowest, self.highest = self.tops * lowest, self.tops * highest
        self.needed = bit_lengths(self.highest - self.lowest)

    def adc(self) -> Adc:
        """Return the converters."""
        item, spec = self.item, self.spec
        if spec.kind == "none":
            require_one_read(item)
        tables = self.tables()
        tables = self.truncated(tables) if spec.truncated_bits else tables
        tables = self.skipped(tables) if spec.skipped_below else tables
        rows = int(np.diff(item.read_cuts).max())
        input_bits = max(s.bits for s in item.presented.slices)
        widest = max(item.weight_slices, key=lambda s: s.bits)
        low, high = worst_case(item, widest, rows)
        return Adc(
            kind=spec.kind,
            bits=frozen(tables.bits.astype(np.uint8)),
            low=frozen(tables.low.astype(np.int64)),
            step=frozen(tables.step.astype(np.int64)),
            origin=frozen(tables.origin.astype(np.float64)),
            lossless=self.is_lossless(tables),
            paper=paper_adc_bits(input_bits, widest.bits, rows),
            exact=((2**input_bits - 1) * (high - low)).bit_length(),
            column=Need(int(self.needed.max()), float(self.needed.mean())),
            unflipped=self.unflipped(),
        )

    def unflipped(self) -> Need:
        """Return what columns would need, were none stored inverted."""
        if self.item.flips is None:
            return Need(int(self.needed.max()), float(self.needed.mean()))
        lowest, highest = column_bounds(self.item, flips=False)
        needed = bit_lengths(self.tops * (highest - lowest))
        return Need(int(needed.max()), float(needed.mean()))

    def tables(self) -> Tables:
        """Return what the target's way of using its converters gives."""
        resolution, most = self.spec.resolution, self.spec.bits
        if self.spec.kind == "sense_amplifier" and (found := compared(self.item, self.seen)) is not None:
            return Tables.centred(*found)
        if resolution == "adaptive":
            return self.adaptive()
        if resolution == "calibrated":
            return self.calibrated()
        if resolution == "per_column":
            return self.per_column()
        low, high = int(self.lowest.min()), int(self.highest.max())
        if (high - low).bit_length() > most and resolution != "lossless" and self.spec.kind != "none":
            return self.calibrated()
        return Tables.centred(one(max((high - low).bit_length(), 1)), one(low), one(1))

    def per_column(self) -> Tables:
        """Resolve what each column can sum to; calibrated ranges where that is too much."""
        exact = Tables.centred(np.maximum(self.needed, 1), self.lowest, np.ones_like(self.lowest))
        if int(self.needed.max()) <= self.spec.bits:
            return exact
        fitted, wide = self.calibrated(), self.needed > self.spec.bits
        return Tables(
            np.where(wide, fitted.bits, exact.bits),
            np.where(wide, fitted.low, exact.low),
            np.where(wide, fitted.step, exact.step),
            np.where(wide, fitted.origin, exact.origin),
        )

    def calibrated(self) -> Tables:
        """Return ranges per input slice, polarity and weight slice, as calibration saw them."""
        seen = self.seen()
        cycles, polarities, slices = seen.least.shape
        found = np.zeros((3, cycles, 1, polarities, slices, 1, 1), np.int64)
        origin = np.zeros(found.shape[1:])
        for cycle, polarity, index in np.ndindex(cycles, polarities, slices):
            row = min(cycle, len(self.lowest) - 1)
            limits = Range(
                int(self.lowest[row, :, polarity, index].min()), int(self.highest[row, :, polarity, index].max())
            )
            chosen = fit(seen, (cycle, polarity, index), limits, self.spec.bits, self.spec.range, self.spec.percentile)
            found[:, cycle, 0, polarity, index, 0, 0] = chosen.bits, chosen.low, chosen.step
            origin[cycle, 0, polarity, index, 0, 0] = chosen.origin
        return Tables(found[0], found[1], found[2], origin)

    def adaptive(self) -> Tables:
        """Resolve only the bits that reach the output (Newton): from `guard_bits` below its step upwards."""
        item = self.item
        lowest_kept = output_step(item) - self.spec.guard_bits
        base = self.per_column()
        shape = (len(item.presented.slices), 1, 1, len(item.weight_slices), 1, 1)
        bits = np.broadcast_to(base.bits, np.broadcast_shapes(base.bits.shape, shape)).copy()
        low, step = (np.broadcast_to(table, bits.shape).copy() for table in (base.low, base.step))
        for cycle, index in np.ndindex(shape[0], shape[3]):
            position = item.presented.slices[cycle].shift + item.weight_slices[index].shift
            place = (cycle, slice(None), slice(None), index)
            least = 2 ** max(lowest_kept - position, 0)
            step[place] = np.maximum(step[place], least)
            bits[place] = kept_bits(position, bits[place], lowest_kept, ACCUMULATOR_BITS)
        return Tables(bits, low, step, base.origin + (step - base.step) / 2)

    def truncated(self, tables: Tables) -> Tables:
        """Leave out the least significant bits of every conversion."""
        step = np.maximum(tables.step, 2**self.spec.truncated_bits)
        saved = bit_lengths(step // tables.step) - 1
        origin = tables.origin + (step - tables.step) / 2
        return Tables(np.maximum(tables.bits - saved, np.minimum(tables.bits, 1)), tables.low, step, origin)

    def skipped(self, tables: Tables) -> Tables:
        """Convert no partial products of low weight ([6] of the survey)."""
        item = self.item
        shape = (len(item.presented.slices), 1, 1, len(item.weight_slices), 1, 1)
        bits = np.broadcast_to(tables.bits, np.broadcast_shapes(tables.bits.shape, shape)).copy()
        for cycle, index in np.ndindex(shape[0], shape[3]):
            if item.presented.slices[cycle].shift + item.weight_slices[index].shift < self.spec.skipped_below:
                bits[cycle, :, :, index] = 0
        return replace(tables, bits=bits)

    def is_lossless(self, tables: Tables) -> bool:
        """Tell whether no sum that the columns can take is changed."""
        high = tables.low + tables.step * (2**tables.bits - 1)
        inside = (tables.low <= self.lowest) & (high >= self.highest) & (tables.step == 1) & (tables.bits > 0)
        return bool((inside & (tables.origin == tables.low)).all())


def one(value: int) -> NDArray[np.int64]:
    """Return a table that says the same of all conversions."""
    return np.full((1, 1, 1, 1, 1, 1), value, np.int64)


def bit_lengths(values: IntegerArray) -> IntegerArray:
    """Return the bits of non-negative integers below 2^53."""
    return np.asarray(np.frexp(values.astype(np.float64))[1], np.int64)


def output_step(item: CrossbarMatrix) -> int:
    """Return the accumulator bit below which nothing changes an output by half a step.

    Of a requantized output that is log2 of what one code stands for; of a real one, of 2^-8 of the largest accumulator.
    """
    epilogue, matrix = item.matrix.epilogue, item.matrix
    if epilogue.requantize is not None:
        step = float(np.min(epilogue.requantize.scale / np.maximum(np.abs(epilogue.scale.astype(np.float64)), 1e-300)))
    else:
        largest = (2**matrix.input.bits - 1) * float(np.abs(matrix.weights.astype(np.int64)).sum(axis=1).max())
        step = largest / 2**8
    return max(int(np.floor(np.log2(max(step, 1.0)))), 0)


def require_one_read(item: CrossbarMatrix) -> None:
    """Refuse what cannot stay analog: sums that only a conversion can bring together."""
    name = item.matrix.name
    if len(item.weight_slices) > 1:
        raise UsageError(
            f"adc.kind = none adds nothing behind the crossbar, but the weights of {name} take "
            f"{len(item.weight_slices)} slices",
            at=item.matrix.origin,
            hint=f"hold a weight in one cell: crossbar.cell_bits of at least {item.encoding.code_bits}, or fewer bits",
        )
    if len(item.presented.slices) > 1:
        raise UsageError(
            f"adc.kind = none adds nothing behind the crossbar, but the inputs of {name} take "
            f"{len(item.presented.slices)} cycles",
            at=item.matrix.origin,
            hint="present inputs at once: inputs.encoding = amplitude, inputs.signed = unsigned",
        )
