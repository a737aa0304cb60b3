"""Give each conversion its resolution and range.

What a column's own weights can sum to is an exact bound: for digits up to d, d times the sum of its levels. The
survey's formula ceil(log2((2^dac - 1)(2^cell - 1) rows)) (section III.1) leaves out a + 1 and is one bit short where
its argument is a power of two; reports show both. Where the target's converters cannot resolve the bound,
or the target asks for it, ranges are calibrated on the sums that samples cause (encodings/ranges.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from rcompile.encodings.bounds import column_bounds, stored
from rcompile.encodings.observed import Observed, Range
from rcompile.encodings.ranges import Choice, fit, reading
from rcompile.encodings.thresholds import compared
from rcompile.errors import UsageError
from rcompile.ir.arrays import frozen
from rcompile.ir.converter import Adc, Need, at, exact_adc_bits, kept_bits, paper_adc_bits
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram
from rcompile.ir.matrix import IntegerArray
from rcompile.targets import Target
from rcompile.targets.sections import Adcs

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
        self.seen = cache(seen)
        tops = np.array([s.top for s in item.presented.slices])
        lowest, self.plain = column_bounds(item, flips=False)
        highest = stored(item, self.plain)
        distinct = tops if len(set(tops.tolist())) > 1 else tops[:1]
        self.tops = distinct.reshape(-1, 1, 1, 1, 1, 1)
        self.lowest, self.highest = self.tops * lowest, self.tops * highest
        self.needed = bit_lengths(self.highest - self.lowest)
        inputs = np.array([s.shift for s in item.presented.slices]).reshape(-1, 1, 1, 1, 1, 1)
        self.positions = inputs + np.array([s.shift for s in item.weight_slices]).reshape(1, 1, 1, -1, 1, 1)
        """Shifts of partial products, with the axes of converter.AXES."""

    def adc(self) -> Adc:
        """Return the converters."""
        item, spec = self.item, self.spec
        if spec.kind == "none":
            require_one_read(item)
        tables = self.tables()
        if spec.truncated_bits:
            tables = self.coarser(tables, one(2**spec.truncated_bits), np.minimum(tables.bits, 1))
        if spec.skipped_below:
            tables = replace(tables, bits=np.where(self.positions < spec.skipped_below, 0, tables.bits))
        rows = int(np.diff(item.read_cuts).max())
        input_bits = max(s.bits for s in item.presented.slices)
        widest = max(item.weight_slices, key=lambda s: s.bits)
        return Adc(
            kind=spec.kind,
            bits=frozen(tables.bits.astype(np.uint8)),
            low=frozen(tables.low.astype(np.int64)),
            step=frozen(tables.step.astype(np.int64)),
            origin=frozen(tables.origin.astype(np.float64)),
            lossless=self.is_lossless(tables),
            paper=paper_adc_bits(input_bits, widest.bits, rows),
            exact=exact_adc_bits(
                input_bits, widest.bits, rows, flipped=item.flips is not None, signed=bool(self.lowest.min() < 0)
            ),
            column=Need(int(self.needed.max()), float(self.needed.mean())),
            unflipped=self.unflipped(),
        )

    def unflipped(self) -> Need:
        """Return what columns would need, were none stored inverted."""
        if self.item.flips is None:
            return Need(int(self.needed.max()), float(self.needed.mean()))
        needed = bit_lengths(self.tops * self.plain)  # what is flipped has no negative levels
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
        found = np.zeros((3, *self.by_place), np.int64)
        origin = np.zeros(self.by_place)
        for cycle, polarity, index in np.ndindex(self.by_place[0], self.by_place[2], self.by_place[3]):
            place = (cycle, slice(None), polarity, index, slice(None), slice(None))
            limits = Range(int(at(self.lowest, place).min()), int(at(self.highest, place).max()))
            chosen = fit(seen, (cycle, polarity, index), limits, self.spec.bits, self.spec.range, self.spec.percentile)
            found[:, cycle, 0, polarity, index, 0, 0] = chosen.bits, chosen.low, chosen.step
            origin[cycle, 0, polarity, index, 0, 0] = chosen.origin
        return Tables(found[0], found[1], found[2], origin)

    def adaptive(self) -> Tables:
        """Resolve only the bits that reach the output (Newton): from `guard_bits` below its step upwards."""
        lowest_kept = output_step(self.item) - self.spec.guard_bits
        base = self.per_column()
        position = self.positions + bit_lengths(base.step) - 1
        kept = kept_bits(position, base.bits, lowest_kept, ACCUMULATOR_BITS)
        return self.coarser(base, 2 ** np.maximum(lowest_kept - self.positions, 0), kept)

    def coarser(self, tables: Tables, least_step: IntegerArray, least_bits: IntegerArray) -> Tables:
        """Return tables with larger steps, and as many bits fewer; readings right on average of what was seen."""
        step = np.maximum(tables.step, least_step)
        saved = bit_lengths(step // tables.step) - 1
        bits = np.maximum(tables.bits - saved, least_bits)
        origin = np.broadcast_to(
            tables.origin + (step - tables.step) / 2, np.broadcast_shapes(step.shape, self.by_place)
        ).copy()
        seen = self.seen() if saved.any() else None
        for cycle, polarity, index in np.ndindex(self.by_place[0], self.by_place[2], self.by_place[3]):
            place = (cycle, slice(None), polarity, index, slice(None), slice(None))
            own = [at(table, place) for table in (bits, tables.low, step)]
            alike = all(table.min() == table.max() for table in own[1:])  # else each column has its own range
            if seen is not None and alike and own[2].flat[0] > 1 and seen.span((cycle, polarity, index)) is not None:
                choice = Choice(int(own[0].max()), int(own[1].flat[0]), int(own[2].flat[0]), 0.0)
                origin[cycle, :, polarity, index] = reading(seen, (cycle, polarity, index), choice)[0].origin
        return Tables(bits, tables.low, step, origin)

    @property
    def by_place(self) -> tuple[int, ...]:
        """Sizes of the axes of converter.AXES where sections, groups and columns make no difference."""
        cycles, _, polarities, slices, _, _ = self.item.conversions
        return (cycles, 1, polarities, slices, 1, 1)

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
