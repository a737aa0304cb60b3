"""The reference's numbers with fewer steps: all columns of a read are converted at once, and added up by one product.

What lies behind the converters is linear in their codes: sections, slices, polarities, inverted columns and XNOR pairs
become one small matrix for each read of a crossbar, a second one for the sums of its inputs, and constants. Every
number is exact, so that the order in which they are added up makes no difference: accumulators are the reference's bit
for bit (tests/backends/test_engines.py), noise included, which the chip draws in both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.chip import Chip
from rcompile.backends.chunks import OneByOne
from rcompile.backends.die import Vectors
from rcompile.backends.reading import Readout, readouts
from rcompile.backends.reference import Part, driven_rows, exact_float, parts_of, reads
from rcompile.ir.cells import Crossbars
from rcompile.ir.converter import floored
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import InputSlice, SignScheme
from rcompile.ir.graph import Array
from rcompile.ir.placed import PlacedProgram

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]

KEPT = 10_000
"""Crossbars whose reads are kept laid out, of about 20 kB each."""


@dataclass(frozen=True)
class Linear:
    """What the codes of a read's columns stand for in one cycle: codes @ .. + totals @ .. + constant.

    Attributes:
        low: (columns, 1) sum that code 0 stands for.
        step: (columns, 1) of a code; None: all are 1.
        top: (columns, 1) largest code.
        factor: (columns) what a code counts.
        codes: (outputs, columns) the same, as a matrix.
        totals: (outputs, totals), of sums of the inputs; None: they do not matter.
        constant: (outputs, 1).
    """

    low: Array
    step: Array | None
    top: Array
    factor: Numbers
    codes: Numbers
    totals: Numbers | None
    constant: Numbers


class Read:
    """One read of a crossbar, or of two whose columns are subtracted: what is driven, and what becomes of its columns.

    Attributes:
        read: the readouts, each with its section.
        plus: of the columns of all parts, one after the other, those that are converted,
        minus: and those that are subtracted from them; None: none is.
        outputs: (outputs) that codes are added to: of (partitions, G, N), flat.
        target: (columns) which of the outputs.
        summed: (group, first row, last + 1) of the inputs that sums are needed of.

    Args:
        item: the matrix.
        read: the readouts, each with its section.
        parts: what is needed of each crossbar.
    """

    def __init__(self, item: CrossbarMatrix, read: list[tuple[Readout, int]], parts: dict[int, Part]) -> None:
        self.read = read
        self._item = item
        starts = np.cumsum([0, *(len(part.columns) for part in parts.values())]).tolist()
        first = dict(zip(parts, starts, strict=False))

        def lines(readout: Readout, *, minus: bool) -> Indices:
            reading = readout.minus if minus else readout.reading
            assert reading is not None
            place = parts[reading.crossbar].place(reading.columns)
            return np.arange(place.start, place.stop) + first[reading.crossbar]

        self.plus = np.concatenate([lines(readout, minus=False) for readout, _ in read])
        self.minus = np.concatenate([lines(r, minus=True) for r, _ in read]) if read[0][0].minus is not None else None
        self.all_in_order = self.minus is None and np.array_equal(self.plus, np.arange(starts[-1]))
        flat = [self._flat(readout) for readout, _ in read]
        self.outputs, self.target = np.unique(np.concatenate(flat), return_inverse=True)
        self.summed = list(dict.fromkeys(self._inputs(readout, section) for readout, section in read))
        # one for all cycles but for their weights, unless converters differ from cycle to cycle
        alike = item.converter.kind == "none" or item.converter.alike_in_cycles
        self._alike = alike and item.encoding.scheme is not SignScheme.XNOR_PAIR
        self._linear: dict[tuple[int, type[np.floating]], Linear] = {}

    def _flat(self, readout: Readout) -> Indices:
        """Return where a readout's columns are added to: of (partitions, G, N), flat."""
        matrix, reading = self._item.matrix, readout.reading
        partition = 0 if self._item.sums_exactly else readout.partition
        outputs = np.arange(reading.outputs.start, reading.outputs.stop)
        return (partition * matrix.groups + reading.group) * matrix.columns + outputs

    def _inputs(self, readout: Readout, section: int) -> tuple[int, int, int]:
        """Return the group and the rows of the matrix that a readout sums up."""
        cuts = self._item.read_cuts
        return readout.reading.group, cuts[section], cuts[section + 1]

    def totals(self, digits: Array) -> Numbers:
        """Return the sums of the inputs (totals, vectors) of each group and section."""
        return np.stack([digits[group, start:stop].sum(axis=0, dtype=np.float64) for group, start, stop in self.summed])

    def linear(self, cycle: int, kind: type[np.floating]) -> Linear:
        """Return what codes stand for in a cycle, but for the weight of the cycle."""
        key = (0 if self._alike else cycle, kind)
        if key not in self._linear:
            self._linear[key] = self._work_out(*key)
        return self._linear[key]

    def _work_out(self, cycle: int, kind: type[np.floating]) -> Linear:
        item, input_slice = self._item, self._item.presented.slices[cycle]
        count = len(self.outputs), len(self.target)
        low, step, top, signed, constant = np.zeros((5, count[1]))
        totals = np.zeros((count[0], len(self.summed)))
        start = 0
        for readout, section in self.read:
            reading = readout.reading
            own = slice(start, start + reading.outputs.stop - reading.outputs.start)
            start = own.stop
            low[own], step[own], origin, top[own] = self._tables(readout, section, cycle)
            kept = top[own] > 0 if item.converter.kind != "none" else np.ones(own.stop - own.start, bool)
            weight = kept * float(reading.weight)
            flips = reading.flips_of(section)
            signed[own] = np.where(flips, -weight, weight)
            constant[own] = signed[own] * origin - weight * reading.constant_of(section, input_slice.top)
            of_inputs = weight * reading.top * (flips if reading.complement is None else 1)
            np.add.at(totals[:, self.summed.index(self._inputs(readout, section))], self.target[own], of_inputs)
        codes = np.zeros(count)
        factor = signed * step
        codes[self.target, np.arange(count[1])] = factor
        return Linear(
            low=low.astype(kind)[:, None],
            step=None if (step == 1).all() else step.astype(kind)[:, None],
            top=top.astype(kind)[:, None],
            factor=factor,
            codes=codes,
            totals=totals if totals.any() else None,
            constant=np.bincount(self.target, constant, minlength=count[0]).astype(np.float64)[:, None],
        )

    def _tables(self, readout: Readout, section: int, cycle: int) -> tuple[Array, ...]:
        """Return (low, step, origin, top code) of a readout's conversions."""
        if self._item.converter.kind == "none":
            zero = np.zeros(1)
            return zero, zero + 1, zero, zero
        return readout.reading.tables(self._item, cycle, section)


@dataclass(frozen=True)
class Fusion:
    """What is read together.

    Attributes:
        parts: what is needed of each crossbar.
        turns: the reads that follow each other in a cycle.
    """

    parts: dict[int, Part]
    turns: tuple[Read, ...]


class Plans:
    """How the crossbars of a program are read, which no die changes: laid out once for all trials.

    Args:
        placed: the program.
        crossbars: of it, where they are known already.
    """

    def __init__(self, placed: PlacedProgram, crossbars: Crossbars | None = None) -> None:
        self._placed = placed
        self.crossbars = crossbars or Crossbars(placed)
        self._found: dict[tuple[int, int], list[Fusion]] = {}

    def of(self, index: int, replica: int) -> list[Fusion]:
        """Return the reads of one copy of a matrix, crossbar by crossbar."""
        if (index, replica) not in self._found:
            found = list(self._fusions(index, replica))
            while self._found and sum(map(len, self._found.values())) + len(found) > KEPT:
                del self._found[next(iter(self._found))]
            self._found[index, replica] = found
        return self._found[index, replica]

    def _fusions(self, index: int, replica: int) -> Iterator[Fusion]:
        item = self._placed.program.matrices[index]
        for group in readouts(item, self._placed, self.crossbars, index, replica):
            parts = parts_of(group)
            turns = reads(group, one_at_a_time=self._placed.takes_turns)
            yield Fusion(parts, tuple(Read(item, read, parts) for read in turns))


class Fused(OneByOne[Fusion]):
    """Accumulators of each matrix of a program, all columns of a read at once.

    Args:
        placed: the program.
        chip: that it runs on; without, one whose cells hold what is written.
        plans: of the program, where there are some already.
    """

    name = "fused"

    def __init__(self, placed: PlacedProgram, chip: Chip | None = None, plans: Plans | None = None) -> None:
        super().__init__(placed, chip)
        self.plans = plans or Plans(placed, self.chip.crossbars)

    def can_run(self, index: int) -> bool:
        """Tell whether all numbers are exact: not where sums that are not whole are added up without a conversion."""
        return not (self.chip.analog and self.placed.program.matrices[index].converter.kind == "none")

    def _prepare(self, index: int, replica: int) -> list[Fusion]:
        """Return the reads of one copy of a matrix, crossbar by crossbar."""
        return self.plans.of(index, replica)

    def _read(self, item: CrossbarMatrix, group: Fusion, inputs: Array, sums: Array, which: Vectors) -> None:
        """Drive one crossbar, or a pair of them, with inputs (G, K, vectors); see OneByOne."""
        flat = sums.reshape(-1, sums.shape[-1])
        kind = np.float64 if self.chip.analog else exact_float(item)
        cells = {} if self.chip.analog else {c: part.cells(self.chip, c, kind) for c, part in group.parts.items()}
        for cycle, input_slice in enumerate(item.presented.slices):
            digits = input_slice.of(inputs)
            for turn, read in enumerate(group.turns):
                this = Vectors(which.positions, (*which.read, cycle, turn))
                products = [
                    self._product(item, read, crossbar, part, cells, digits, input_slice, this)
                    for crossbar, part in group.parts.items()
                ]
                plain = products[0] if len(products) == 1 else np.concatenate(products)
                if read.minus is not None:
                    plain = plain[read.plus] - plain[read.minus]
                elif not read.all_in_order:
                    plain = plain[read.plus]
                linear = read.linear(cycle, kind)
                if item.converter.kind != "none":
                    plain = self._codes(item, read, linear, plain, this)
                found = linear.codes @ plain + linear.constant
                if linear.totals is not None:
                    found += linear.totals @ read.totals(digits)
                flat[read.outputs] += found * float(input_slice.weight)

    def _product(
        self,
        item: CrossbarMatrix,
        read: Read,
        crossbar: int,
        part: Part,
        cells: dict[int, Array],
        digits: Array,
        input_slice: InputSlice,
        which: Vectors,
    ) -> Array:
        """Return the sums (columns of the part, vectors) of one read of a crossbar."""
        driven = driven_rows(item, read.read, crossbar, digits, input_slice, part.height)
        if crossbar in cells:
            return np.asarray(cells[crossbar] @ driven)
        return self.chip.sums(crossbar, driven.astype(np.float64), input_slice.top, part.columns, which)

    def _codes(self, item: CrossbarMatrix, read: Read, linear: Linear, sums: Array, which: Vectors) -> Array:
        """Return the codes that converters give for sums (columns, vectors)."""
        if self.chip.analog:
            sums = self._disturbed(item, read, linear, sums, which)
        return floored(sums, linear.low, linear.step, linear.top, analog=self.chip.analog)

    def _disturbed(self, item: CrossbarMatrix, read: Read, linear: Linear, sums: Array, which: Vectors) -> Array:
        """Return sums as ideal converters would have to see them, readout by readout."""
        if not self.chip.converters_err:
            return sums
        found, start = [], 0
        step = np.ones_like(linear.low) if linear.step is None else linear.step
        for readout, _ in read.read:
            columns = readout.reading.columns
            own = slice(start, start + columns.stop - columns.start)
            start = own.stop
            tables = linear.low[own, 0], step[own, 0]
            at = readout.reading.crossbar, columns
            found.append(self.chip.converted(at, sums[own], tables, item.converter, which))
        return np.concatenate(found)
