"""The compiled kernels (lookup.hpp), if they were compiled: what they are called with, and which of them run here.

docs/kernels.md explains them. Without a compiler at install time there is no library, and numpy does the same.
"""

import ctypes
import os
import sysconfig
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rcompile.errors import UsageError

CHOICE = "RCOMPILE_KERNELS"
"""Environment variable: the instruction set whose kernels are used, or `none`."""

LINE = 64
"""Bytes of a cache line."""

_I32, _I64, _P = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class _Packing(ctypes.Structure):
    """As kernels.h says."""

    _fields_ = (
        ("inputs", _P),
        ("vectors", _I64),
        ("row_bytes", _I64),
        ("wires", _P),
        ("runs", _I64),
        ("input_bytes", _I32),
        ("stride", _I32),
        ("index", _P),
    )


class _Reading(ctypes.Structure):
    """As kernels.h says."""

    _fields_ = (
        ("index", _P),
        ("lanes", _I64),
        ("vectors", _I64),
        ("stride", _I32),
        ("rows", _I32),
        ("groups", _I32),
        ("digit_bits", _I32),
        ("columns", _I32),
        ("plane_bits", _I32),
        ("planes", _I32),
        ("offset", _I32),
        ("cells", _P),
        ("low", _P),
        ("shift", _P),
        ("top", _P),
        ("scale", _P),
        ("minus", _P),
        ("output", _P),
        ("outputs", _I32),
        ("narrow", _I32),
        ("places", _P),
        ("sums", _P),
        ("variances", _P),
        ("spread", _P),
        ("numbers", _P),
        ("positions", _P),
        ("key", ctypes.c_uint32 * 2),
    )


class _Drawing(ctypes.Structure):
    """As kernels.h says."""

    _fields_ = (
        ("seeds", _P),
        ("pairs", _I64),
        ("columns", _P),
        ("count", _I64),
        ("which", _I32),
        ("variance", _P),
        ("out", _P),
    )


@dataclass(frozen=True)
class Packed:
    """Inputs as kernels look them up.

    Attributes:
        index: (blocks, groups, lanes of a block) which rows of a group are driven, bit by bit.
        vectors: that they are of.
        rows: that they drive.
        stride: lanes of a vector, see stride_of.
    """

    index: NDArray[np.uint8]
    vectors: int
    rows: int
    stride: int

    @property
    def lanes(self) -> int:
        """Of all blocks."""
        return self.index.shape[0] * self.index.shape[2]


@dataclass(frozen=True)
class Columns:
    """The columns of a read, as kernels take them.

    Attributes:
        cells: (columns, rows rounded up to groups), not negative.
        offset: that was added to each cell for that.
        planes: that a cell has, each of `plane_bits`.
        low: (columns, digits of a vector) what is subtracted from a sum,
        shift: (columns, digits) by how much it is shifted right then,
        top: (columns, digits) what it is limited to, to give a code,
        scale: (columns, digits) which counts 2^scale,
        minus: (columns) or -2^scale where -1, else 0,
        output: (columns) for this output; ascending.
        places: (outputs) their rows in the sums.
        narrow: whether there is one plane, all sums fit 15 bits, `low` is not negative and there is no offset.
    """

    cells: NDArray[np.uint16]
    offset: int
    planes: int
    plane_bits: int
    low: NDArray[np.int32]
    shift: NDArray[np.int32]
    top: NDArray[np.int32]
    scale: NDArray[np.int32]
    minus: NDArray[np.int32]
    output: NDArray[np.int32]
    places: NDArray[np.int64]
    narrow: bool

    @cached_property
    def reading(self) -> bytes:
        """What kernels are called with, as far as columns say it: put together once for all vectors."""
        return bytes(
            _Reading(
                columns=len(self.cells),
                plane_bits=self.plane_bits,
                planes=self.planes,
                offset=self.offset,
                cells=_at(self.cells),
                low=_at(self.low),
                shift=_at(self.shift),
                top=_at(self.top),
                scale=_at(self.scale),
                minus=_at(self.minus),
                output=_at(self.output),
                outputs=len(self.places),
                narrow=self.narrow,
                places=_at(self.places),
            )
        )


@dataclass(frozen=True)
class Noise:
    """Read noise of a read.

    Attributes:
        variances: (columns, rows rounded up to groups), at most 255 / group.
        spread: (columns) squared standard deviation, in steps of a cell, of a variance of 1.
        numbers: (columns) that it is drawn for.
        positions: (vectors) their numbers.
        key: two words that name the read.
    """

    variances: NDArray[np.uint16]
    spread: NDArray[np.float32]
    numbers: NDArray[np.uint32]
    positions: NDArray[np.int64]
    key: tuple[int, int]


class Kernels:
    """The kernels of one instruction set.

    Args:
        library: that holds them.
        number: of the instruction set.
    """

    def __init__(self, library: ctypes.CDLL, number: int) -> None:
        self._library, self._number = library, number
        self.name: str = library.rcompile_name(number).decode()
        self.runs = bool(library.rcompile_runs(number))
        self.group: int = library.rcompile_group(number)
        self.block: int = library.rcompile_block(number)

    def groups(self, rows: int) -> int:
        """Return how many lookups so many rows take."""
        return -(-rows // self.group)

    def pack(self, inputs: NDArray[np.unsignedinteger], wires: NDArray[np.int64], bits: int) -> Packed:
        """Return inputs laid out for lookups.

        Args:
            inputs: (vectors, K) of 8 or 16 bits.
            wires: (runs, 2) the first, and the number, of inputs that drive rows one after the other.
            bits: of an input.
        """
        stride = stride_of(bits)
        blocks = -(-len(inputs) * stride // self.block)
        inputs = np.ascontiguousarray(inputs)
        rows = int(wires[:, 1].sum())
        index = aligned((blocks, self.groups(rows), self.block))
        self._library.rcompile_pack(
            self._number,
            ctypes.byref(
                _Packing(
                    inputs=_at(inputs),
                    vectors=len(inputs),
                    row_bytes=inputs.shape[1] * inputs.itemsize,
                    wires=_at(wires),
                    runs=len(wires),
                    input_bytes=inputs.itemsize,
                    stride=stride,
                    index=_at(index),
                )
            ),
        )
        return Packed(index, len(inputs), rows, stride)

    def read(
        self, packed: Packed, columns: Columns, digit_bits: int, sums: NDArray[np.float64], noise: Noise | None = None
    ) -> None:
        """Add what columns give, digit by digit, to rows of sums (any, vectors)."""
        reading = _Reading.from_buffer_copy(columns.reading)
        reading.index = _at(packed.index)
        reading.lanes, reading.vectors = packed.lanes, packed.vectors
        reading.stride, reading.rows, reading.groups = packed.stride, packed.rows, packed.index.shape[1]
        reading.digit_bits = digit_bits
        reading.sums = _at(sums)
        if noise is not None:
            reading.variances, reading.spread = _at(noise.variances), _at(noise.spread)
            reading.numbers, reading.positions = _at(noise.numbers), _at(noise.positions)
            reading.key[:] = noise.key
        self._library.rcompile_read(self._number, ctypes.byref(reading))

    def normals(
        self,
        seeds: NDArray[np.uint32],
        columns: NDArray[np.uint32],
        which: int,
        variance: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return normal numbers (columns, pairs); see devices/normals.py."""
        found = np.empty((len(columns), seeds.shape[1]), np.float32)
        variance = None if variance is None else np.ascontiguousarray(variance)
        drawing = _Drawing(
            seeds=_at(seeds),
            pairs=seeds.shape[1],
            columns=_at(columns),
            count=len(columns),
            which=which,
            variance=None if variance is None else _at(variance),
            out=_at(found),
        )
        self._library.rcompile_normals(self._number, ctypes.byref(drawing))
        return found


def stride_of(bits: int) -> int:
    """Return the lanes of a vector: its bits, rounded up to a power of two from 2 to 16."""
    return max(2, 1 << (bits - 1).bit_length())


def aligned(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an array of bytes that begins with a cache line."""
    size = int(np.prod(shape))
    raw = np.empty(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].reshape(shape)


def _at(array: np.ndarray) -> int:
    """Return the address of an array, which must lie in one piece."""
    if not array.flags.c_contiguous:
        raise ValueError("kernels take arrays in one piece")
    return array.ctypes.data


@cache
def all_kernels() -> tuple[Kernels, ...]:
    """Return the compiled kernels, the best first, those that this processor cannot run too; (): there are none."""
    path = Path(__file__).with_name("_lookup" + (sysconfig.get_config_var("EXT_SUFFIX") or ".so"))
    if not path.exists():
        return ()
    library = ctypes.CDLL(str(path))
    library.rcompile_name.restype = ctypes.c_char_p
    return tuple(Kernels(library, number) for number in range(library.rcompile_count()))


def chosen() -> Kernels | None:
    """Return the best kernels that run here, or those that the environment names; None: numpy does it all.

    Raises:
        UsageError: the environment names others.
    """
    runnable = [kernels for kernels in all_kernels() if kernels.runs]
    wanted = os.environ.get(CHOICE)
    if wanted is None:
        return runnable[0] if runnable else None
    if wanted == "none":
        return None
    for kernels in runnable:
        if kernels.name == wanted:
            return kernels
    raise UsageError(
        f"{CHOICE} is {wanted!r}: there are no such kernels here",
        hint="one of " + ", ".join([*(k.name for k in runnable), "none"]),
    )
