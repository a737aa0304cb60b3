"""Cut matrices into blocks: weight slices, row and column partitions, sections.

    matrix conv2 [1 x 150 x 16], 8-bit weights, 128 x 128 crossbars of 2-bit cells
    -> block conv2[0:128, 0:16].bits[0:2], ..[2:4], ..[4:6], ..[6:8], block conv2[128:150, 0:16].bits[0:2], ...

All slices and polarities of an output stand side by side in one crossbar (Shafiee et al., ISCA 2016), so a
crossbar takes floor(columns / (slices * polarities)) outputs. What SRAM holds, and with differential_arrays the
negative polarity, stands in crossbars of its own.
"""

from itertools import pairwise

import numpy as np

from rcompile.encodings.encode import encode
from rcompile.errors import UsageError
from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import BLOCK, BlockTable, CrossbarMatrix, CrossbarProgram, bundle_sizes
from rcompile.ir.encoding import Encoding, Memory, SignScheme, Slice, cut_bits, cut_list
from rcompile.ir.matrix import MatrixProgram
from rcompile.targets import Target


def partition(program: MatrixProgram, target: Target) -> CrossbarProgram:
    """Encode each matrix's weights and cut it to the target's crossbars.

    Raises:
        UsageError: the target's slices do not fit the weights.
    """
    crossbar = target.crossbar
    scheme = SignScheme(target.weights.sign)
    analog = scheme.always_analog or (scheme.block_polarities == 2 and target.weights.subtraction == "analog")
    encodings = [encode(matrix, scheme) for matrix in program.matrices]
    require_slices(program, encodings, target)
    matrices, tables = [], []
    for index, (matrix, encoding) in enumerate(zip(program.matrices, encodings, strict=True)):
        slices = weight_slices(encoding.code_bits, target)
        outputs = max(1, crossbar.columns // max(bundle_sizes(scheme, slices)))
        rows = crossbar.rows // scheme.rows_per_weight
        row_cuts = cuts(matrix.rows, rows)
        item = CrossbarMatrix(
            matrix=matrix,
            encoding=encoding,
            row_cuts=row_cuts,
            read_cuts=sections(row_cuts, target.rows_at_once // scheme.rows_per_weight),
            column_cuts=cuts(matrix.columns, outputs),
            weight_slices=slices,
            analog=analog,
        )
        matrices.append(item)
        tables.append(block_table(index, item))
    return CrossbarProgram(
        source=program,
        crossbar_rows=crossbar.rows,
        crossbar_columns=crossbar.columns,
        rows_at_once=target.rows_at_once,
        cell_bits=crossbar.cell_bits,
        matrices=tuple(matrices),
        blocks=frozen(np.concatenate(tables)),
    )


def weight_slices(code_bits: int, target: Target) -> tuple[Slice, ...]:
    """Return the slices of codes: bits in SRAM one by one, the others as listed, else as many as a cell holds."""
    in_sram = min(target.weights.sram_bits, code_bits)
    rest = code_bits - in_sram
    listed = target.weights.slices
    cut = cut_list(rest, listed) if listed else cut_bits(rest, target.crossbar.cell_bits)
    sram = tuple(Slice(bit, 1, Memory.SRAM) for bit in range(in_sram))
    return (*sram, *(Slice(in_sram + s.shift, s.bits) for s in cut))


def require_slices(program: MatrixProgram, encodings: list[Encoding], target: Target) -> None:
    """Refuse a list of slices that holds more or fewer bits than the widest weights have."""
    listed, in_sram = target.weights.slices, target.weights.sram_bits
    widest = max(range(len(encodings)), key=lambda index: encodings[index].code_bits)
    bits, matrix = encodings[widest].code_bits, program.matrices[widest]
    if not listed or sum(listed) == max(bits - in_sram, 0):
        return
    terms = f"{' + '.join(map(str, listed))} = {sum(listed)}"
    beside = f" beside {in_sram} in SRAM" if in_sram else ""
    raise UsageError(
        f"weights.slices = {list(listed)} holds {terms} bits{beside}; the {matrix.weight_bits}-bit weights of "
        f"{matrix.name} are codes of {bits} bits in {target.weights.sign}",
        at=matrix.origin,
        hint=f"give widths that add up to {max(bits - in_sram, 0)}, for example {example(bits - in_sram, target)}, or "
        "[] for as many as a cell holds",
    )


def example(bits: int, target: Target) -> list[int]:
    """Return widths that would do."""
    return [s.bits for s in cut_bits(max(bits, 0), target.crossbar.cell_bits)]


def sections(row_cuts: tuple[int, ...], at_once: int) -> tuple[int, ...]:
    """Return the borders of rows that are read at once: row partitions, cut again where they are too high."""
    return (*(border for start, stop in pairwise(row_cuts) for border in range(start, stop, at_once)), row_cuts[-1])


def cuts(total: int, width: int) -> tuple[int, ...]:
    """Return the borders of pieces of at most `width`."""
    return (*range(0, total, width), total)


def block_table(index: int, item: CrossbarMatrix) -> BlockTable:
    """Return the blocks of one copy of a matrix: group, row and column partition, polarity, slice (fastest)."""
    rows, columns = np.array(item.row_cuts), np.array(item.column_cuts)
    scheme = item.encoding.scheme
    counts = (item.matrix.groups, len(rows) - 1, len(columns) - 1, scheme.block_polarities, len(item.weight_slices))
    group, row, column, polarity, weight_slice = (axis.reshape(-1) for axis in np.indices(counts))
    table = np.zeros(group.size, BLOCK)
    table["matrix"], table["group"] = index, group
    table["row_start"], table["row_stop"] = rows[row], rows[row + 1]
    table["column_start"], table["column_stop"] = columns[column], columns[column + 1]
    table["polarity"], table["weight_slice"] = polarity, weight_slice
    return table
