"""A mapped program as a plain ONNX model: onnxruntime alone then computes what crossbars and converters do.

Standard operators, in double precision, in which all of these numbers are exact: inputs are gathered into vectors
(im2col) and cut into digits, each crossbar is a product with what its cells hold, each converter a floor and a
clip, shift-and-add a sum. docs/semantics.md gives the formulas, in the same order.
"""

from dataclasses import replace
from itertools import pairwise
from math import prod

import numpy as np

from rcompile.backends.assembly import Assembly
from rcompile.backends.chip import Chip
from rcompile.backends.fused import Fusion, Linear, Plans, Read
from rcompile.backends.im2col import vectors_of
from rcompile.backends.reference import driven_rows
from rcompile.errors import UsageError
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.encoding import InputSlice, SignScheme
from rcompile.ir.matrix import Epilogue, InputCode, Matrix
from rcompile.ir.partial_sums import Quantizer
from rcompile.ir.placed import PlacedProgram

LEAST_OPSET = 8
"""From which on Max and Min broadcast."""

ONE_BIT = InputSlice(0, 1)

BELOW_ALL = -(2.0**62)


def emulation(placed: PlacedProgram, chip: Chip) -> bytes:
    """Return a program as a model that computes what it computes on a chip.

    Args:
        placed: the program.
        chip: that it runs on.

    Raises:
        UsageError: reads of the chip draw anew each time, or are no products; or the file would be too large.
    """
    require_products(placed, chip)
    found = Emulation(placed, chip)
    if found.opset < LEAST_OPSET:
        raise UsageError(
            f"the model's digital operators are of opset {found.opset}: the emulation needs {LEAST_OPSET} at least",
            at=placed.program.source.origin,
            hint="export the model with a later opset",
        )
    return found.model()


def require_products(placed: PlacedProgram, chip: Chip) -> None:
    """Refuse what no fixed operators do."""
    at = placed.program.source.origin
    tops = {cycle.top for item in placed.program.matrices for cycle in item.presented.slices}
    if chip.noisy:
        raise UsageError(
            "reads of the device are noisy, and an ONNX model computes the same each time",
            at=at,
            hint="another device, or this one without noise of reads ('hfo2_1t1r?read_noise.sigma=0')",
        )
    if chip.analog and not all(chip.adds_up(top) for top in tops):
        raise UsageError(
            "reads of the device are no products of inputs and cells (drivers, amplifiers, converters, gated or "
            "floating lines, or bent cells)",
            at=at,
            hint="a device with models of cells alone, or with wires and grounded rows",
        )


class Emulation(Assembly):
    """A program on a chip, as a graph under construction.

    Args:
        placed: the program.
        chip: that it runs on.
    """

    def __init__(self, placed: PlacedProgram, chip: Chip) -> None:
        super().__init__(placed.program.source)
        self._placed, self._chip = placed, chip
        self._plans = Plans(placed, chip.crossbars)
        self._cells: dict[int, str] = {}

    def _matrix(self, index: int) -> None:
        """Append what crossbars compute of a matrix."""
        item = self._placed.program.matrices[index]
        x = self._vectors(item)
        sums = self._copy(item, index, 0, x) if item.replicas == 1 else self._copies(item, index, x)
        self._outputs(item.matrix, self._corrected(item, sums, x))

    def _vectors(self, item: CrossbarMatrix) -> str:
        """Return what rows are driven with, x (vectors, G K)."""
        draft, matrix = self._draft, item.matrix
        codes = draft.cast(matrix.input.tensor, np.float64)
        if (window := matrix.window) is not None:
            channels = matrix.groups * matrix.rows // prod(window.kernel)
            flat = draft.reshaped(codes, -1, channels * prod(window.input_shape))
            numbers = np.arange(1, channels * prod(window.input_shape) + 1).reshape(1, channels, *window.input_shape)
            plain = replace(matrix, input=InputCode("", "int32", 31, 0, 0))
            places = vectors_of(plain, numbers.astype(np.int32)).reshape(-1)  # 0: padding
            codes = draft.picked(self._after(flat, 1, float(matrix.input.zero_point)), places, axis=1)
        x = draft.reshaped(codes, -1, matrix.groups * matrix.rows)
        presented = item.presented
        return self._scaled(self._plus(x, -presented.base), 1 / presented.step)

    def _copies(self, item: CrossbarMatrix, index: int, x: str) -> str:
        """Return the sums of all copies (vectors, F): vector v of a sample goes to copy v mod R."""
        draft, matrix, count = self._draft, item.matrix, item.replicas
        wide, steps_first = matrix.groups * matrix.rows, matrix.samples_axis == 1
        apart = draft.reshaped(x, *((matrix.vectors, -1, wide) if steps_first else (-1, matrix.vectors, wide)))
        axis, found = 0 if steps_first else 1, []
        for replica in range(min(count, matrix.vectors)):
            own = np.arange(replica, matrix.vectors, count)
            sums = self._copy(item, index, replica, draft.reshaped(draft.picked(apart, own, axis), -1, wide))
            features = self._features(item)
            found.append(draft.reshaped(sums, *((len(own), -1, features) if steps_first else (-1, len(own), features))))
        order = np.concatenate([np.arange(r, matrix.vectors, count) for r in range(count)])
        return draft.reshaped(
            draft.picked(draft.add("Concat", *found, axis=axis), np.argsort(order), axis), -1, self._features(item)
        )

    @staticmethod
    def _features(item: CrossbarMatrix) -> int:
        """Return how many sums a vector has: of each partition, if these are rounded, group and column."""
        return (1 if item.sums_exactly else item.row_partitions) * item.matrix.groups * item.matrix.columns

    def _copy(self, item: CrossbarMatrix, index: int, replica: int, x: str) -> str:
        """Return the sums (vectors, F) of x * code of one copy, shifted and added."""
        draft, slices = self._draft, item.presented.slices
        digits = self._digits(item, x)
        driving = self._after(digits, 2, 0.0)
        sections: dict[tuple[int, int, int], str] = {}
        constant, terms = np.zeros(self._features(item)), []
        for fusion in self._plans.of(index, replica):
            for read in fusion.turns:
                cycles = [read.linear(cycle, np.float64) for cycle in range(len(slices))]
                weights = [float(cycle.weight) for cycle in slices]
                for cycle, weight in zip(cycles, weights, strict=True):
                    np.add.at(constant, read.outputs, cycle.constant[:, 0] * weight)
                codes = self._codes(item, cycles, self._sums(item, fusion, read, driving))
                factor = np.stack([c.factor * w for c, w in zip(cycles, weights, strict=True)])
                added = draft.summed(draft.add("Mul", codes, draft.constant(factor[:, None, :])), 0)
                chosen = np.zeros((len(read.target), len(read.outputs)))
                chosen[np.arange(len(read.target)), read.target] = 1
                found = draft.add("MatMul", added, draft.constant(chosen))
                totals = [
                    np.zeros((len(read.outputs), len(read.summed))) if c.totals is None else c.totals * w
                    for c, w in zip(cycles, weights, strict=True)
                ]
                if any(part.any() for part in totals):
                    of_inputs = self._section_sums(item, read, digits, sections)
                    product = draft.add("MatMul", of_inputs, draft.constant(np.stack([part.T for part in totals])))
                    found = draft.add("Add", found, draft.summed(product, 0))
                terms.append(self._spread(item, read, found))
        total = terms[0]
        for term in terms[1:]:
            total = draft.add("Add", total, term)
        return draft.add("Add", total, draft.constant(constant)) if constant.any() else total

    def _digits(self, item: CrossbarMatrix, x: str) -> str:
        """Return the digits (cycles, vectors, G K) of x (vectors, G K)."""
        draft, slices = self._draft, item.presented.slices

        def column(values: list[float]) -> str:
            return draft.constant(np.array(values, np.float64).reshape(-1, 1, 1))

        part = draft.reshaped(x, 1, -1, item.matrix.groups * item.matrix.rows)
        if any(s.part for s in slices):
            part = draft.add("Mul", part, column([-1 if s.part < 0 else 1 for s in slices]))
            part = draft.add("Max", part, column([0 if s.part else BELOW_ALL for s in slices]))
        shifted = draft.add("Floor", draft.add("Mul", part, column([2.0**-s.shift for s in slices])))
        above = draft.add("Floor", draft.add("Mul", shifted, column([2.0**-s.bits for s in slices])))
        return draft.add("Sub", shifted, draft.add("Mul", above, column([2.0**s.bits for s in slices])))

    def _sums(self, item: CrossbarMatrix, fusion: Fusion, read: Read, driving: str) -> str:
        """Return what a read gives to its converters (cycles, vectors, columns)."""
        draft, parts = self._draft, []
        tops = np.array([cycle.top for cycle in item.presented.slices], np.float64)
        for crossbar, part in fusion.parts.items():
            places, signs, complements = wiring(item, read, crossbar, part.height)
            rows = draft.picked(driving, places, axis=2)
            if (signs < 0).any():
                rows = draft.add("Mul", rows, draft.constant(signs))
            if complements.any():
                rows = draft.add("Add", rows, draft.constant(tops[:, None, None] * complements))
            parts.append(draft.add("MatMul", rows, self._held(crossbar, part.height, part.columns)))
        sums = parts[0] if len(parts) == 1 else draft.add("Concat", *parts, axis=2)
        if read.minus is not None:
            plus, minus = (draft.picked(sums, columns, axis=2) for columns in (read.plus, read.minus))
            return draft.add("Sub", plus, minus)
        return sums if read.all_in_order else draft.picked(sums, read.plus, axis=2)

    def _held(self, crossbar: int, height: int, columns: np.ndarray) -> str:
        """Return what cells of a crossbar hold (rows, columns), in levels."""
        draft = self._draft
        levels = self._chip.levels(crossbar)
        kind = np.float32 if self._chip.analog else np.uint8  # steps of at most 15 bits: exact in single precision
        if crossbar not in self._cells:
            self._cells[crossbar] = draft.constant(levels.astype(kind), f"{draft.prefix}crossbar{crossbar}")
        cells = self._cells[crossbar]
        if height < levels.shape[0]:
            cells = draft.sliced(cells, 0, 0, height)
        if not np.array_equal(columns, np.arange(levels.shape[1])):
            cells = draft.picked(cells, columns, axis=1)
        return draft.cast(cells, np.float64)

    def _codes(self, item: CrossbarMatrix, cycles: list[Linear], sums: str) -> str:
        """Return the codes (cycles, vectors, columns) that converters give for sums; these, where there are none."""
        if item.converter.kind == "none":
            return sums
        draft = self._draft
        low, top = (np.stack([getattr(cycle, name)[:, 0] for cycle in cycles])[:, None, :] for name in ("low", "top"))
        steps = [np.ones(len(c.low)) if c.step is None else c.step[:, 0] for c in cycles]
        step = np.stack(steps)[:, None, :]
        if self._chip.analog:
            sums = draft.add("Floor", self._plus(sums, 0.5))
        codes = draft.add("Sub", sums, draft.constant(low)) if low.any() else sums
        if (step != 1).any():
            codes = draft.add("Floor", draft.add("Div", codes, draft.constant(step)))
        codes = draft.add("Max", codes, draft.constant(np.float64(0)))
        return draft.add("Min", codes, draft.constant(top))

    def _section_sums(
        self, item: CrossbarMatrix, read: Read, digits: str, known: dict[tuple[int, int, int], str]
    ) -> str:
        """Return the sums of digits (cycles, vectors, sections) that a read needs."""
        draft = self._draft
        for section in read.summed:
            if section not in known:
                group, start, stop = section
                first = group * item.matrix.rows
                known[section] = draft.summed(draft.sliced(digits, 2, first + start, first + stop), 2, keep=True)
        found = [known[section] for section in read.summed]
        return found[0] if len(found) == 1 else draft.add("Concat", *found, axis=2)

    def _spread(self, item: CrossbarMatrix, read: Read, found: str) -> str:
        """Return what a read adds to all sums (vectors, F)."""
        places = np.zeros(self._features(item), np.int64)
        places[read.outputs] = np.arange(1, len(read.outputs) + 1)
        if np.array_equal(places, np.arange(1, len(places) + 1)):
            return found
        return self._draft.picked(self._after(found, 1, 0.0), places, axis=1)

    def _corrected(self, item: CrossbarMatrix, sums: str, x: str) -> str:
        """Return accumulators (vectors, G N), whole numbers in doubles; see correction.py."""
        draft, encoding, rounding = self._draft, item.encoding, item.partial_sums
        outputs = item.matrix.groups * item.matrix.columns
        parts = self._features(item) // outputs
        total = self._scaled(sums, np.tile(encoding.step.reshape(-1), parts))
        if encoding.scheme is SignScheme.XNOR_PAIR:
            total = self._scaled(total, 0.5)
        if encoding.offset.any():
            cuts = (0, item.matrix.rows) if parts == 1 else item.row_cuts
            grouped = draft.reshaped(x, -1, item.matrix.groups, item.matrix.rows)
            offset = draft.constant(encoding.offset.astype(np.float64))
            added = [
                draft.reshaped(
                    draft.add("Mul", draft.summed(draft.sliced(grouped, 2, start, stop), 2, keep=True), offset),
                    -1,
                    outputs,
                )
                for start, stop in pairwise(cuts)
            ]
            whole = added[0] if parts == 1 else draft.add("Concat", *added, axis=1)
            total = draft.add("Add", total, whole)
        if parts > 1:
            if rounding is not None and rounding.quantizer is not None:
                total = self._quantized(total, rounding.quantizer)
            total = draft.summed(draft.reshaped(total, -1, parts, outputs), 1)
            if rounding is not None and rounding.merge is not None:
                total = self._quantized(total, rounding.merge)
        total = self._scaled(draft.rounded(total), item.presented.step)
        zero = item.matrix.input.zero_point - item.presented.base
        return self._plus(total, -zero * encoding.column_sums.reshape(-1))

    def _quantized(self, sums: str, quantizer: Quantizer) -> str:
        """Return rounded partial sums; see Quantizer."""
        draft, half = self._draft, 2.0 ** (quantizer.bits - 1)
        steps = draft.add("Floor", self._plus(self._scaled(sums, 1 / quantizer.step), 0.5))
        held = draft.add("Max", steps, draft.constant(np.float64(-half)))
        return self._scaled(draft.add("Min", held, draft.constant(np.float64(half - 1))), quantizer.step)

    def _outputs(self, matrix: Matrix, accumulators: str) -> None:
        """Append what makes a matrix's output tensor of its accumulators (vectors, G N)."""
        draft, window = self._draft, matrix.window
        found = self._epilogue(matrix.epilogue, accumulators)
        width = matrix.groups * matrix.columns
        if window is None:
            shape = draft.sliced(draft.add("Shape", matrix.input.tensor), 0, 0, -1)
            whole = draft.add("Concat", shape, draft.constant(np.array([width])), axis=0)
            draft.add("Reshape", found, whole, name=matrix.output)
            return
        rank = len(window.output_shape)
        apart = draft.reshaped(found, -1, *window.output_shape, width)
        draft.add("Transpose", apart, name=matrix.output, perm=[0, rank + 1, *range(1, rank + 1)])

    def _epilogue(self, epilogue: Epilogue, accumulators: str) -> str:
        """Return outputs (vectors, G N) of accumulators; see epilogue.py, operation by operation."""
        draft, end = self._draft, epilogue.requantize
        if epilogue.integer:
            return draft.cast(accumulators, np.int32)
        total = accumulators
        if epilogue.integer_bias is not None:
            total = self._plus(total, epilogue.integer_bias)
        value = draft.cast(total, np.float32)
        if end is not None and end.multiplier is not None:
            value = draft.add("Mul", value, draft.constant(end.multiplier))
        else:
            value = draft.add("Mul", value, draft.constant(epilogue.scale))
            if epilogue.bias is not None:
                value = draft.add("Add", value, draft.constant(epilogue.bias))
            if end is None:
                return value
            value = draft.add("Div", value, draft.constant(np.float32(end.scale)))
        # whole numbers: doubles hold what single precision would
        codes = self._plus(draft.rounded(draft.cast(value, np.float64)), end.zero_point)
        codes = draft.add("Max", codes, draft.constant(np.float64(end.minimum)))
        return draft.cast(draft.add("Min", codes, draft.constant(np.float64(end.maximum))), end.dtype)

    def _after(self, tensor: str, axis: int, value: float) -> str:
        """Return a tensor with a value in front, along an axis."""
        draft = self._draft
        front = self._plus(self._scaled(draft.sliced(tensor, axis, 0, 1), 0.0), value)
        return draft.add("Concat", front, tensor, axis=axis)

    def _scaled(self, tensor: str, factor: np.ndarray | float) -> str:
        """Return a tensor times a factor."""
        if np.all(np.equal(factor, 1)):
            return tensor
        return self._draft.add("Mul", tensor, self._draft.constant(np.asarray(factor, np.float64)))

    def _plus(self, tensor: str, term: np.ndarray | float) -> str:
        """Return a tensor plus a term."""
        if not np.any(term):
            return tensor
        return self._draft.add("Add", tensor, self._draft.constant(np.asarray(term, np.float64)))


def wiring(item: CrossbarMatrix, read: Read, crossbar: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what drives rows in a read: (number of the input plus 1, or 0; its sign; whether its complement does)."""
    shape = item.matrix.groups, item.matrix.rows, 1
    numbers = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    still, driven = (
        driven_rows(item, read.read, crossbar, digits, ONE_BIT, height)[:, 0].astype(np.float64)
        for digits in (np.zeros_like(numbers), numbers)
    )
    moved = driven - still
    return np.abs(moved).astype(np.int64), np.where(moved < 0, -1.0, 1.0), still
