"""Convolution inputs as vectors."""

from collections.abc import Iterable
from itertools import product
from math import prod

import numpy as np

from rcompile.errors import InputError, InternalError
from rcompile.ir.arrays import unsigned
from rcompile.ir.matrix import Matrix, Window


def vectors_of(matrix: Matrix, codes: np.ndarray) -> np.ndarray:
    """Return the unsigned input vectors of a tensor, sample by sample.

    Args:
        matrix: the matrix that reads the tensor.
        codes: (samples, C, *spatial) for a window, else (..., K).

    Returns:
        (vectors, G, K) unsigned: (code - minimum) / step. Padding holds the zero point. Row order: channel, then
        kernel.

    Raises:
        InputError: a code is none of the input's, which uses fewer bits than its type has.
    """
    read = matrix.input
    low, width = read.minimum, read.bits
    high = low + read.step * (2**width - 1)
    if (
        (width < 8 * codes.dtype.itemsize or read.step > 1)
        and codes.size
        and not low <= int(codes.min()) <= int(codes.max()) <= high
    ):
        raise InputError(
            f"its input '{read.tensor}' takes values that its {width} bits do not hold (NaN before it was quantized?)",
            at=matrix.origin,
            hint="check the weights of the model and the samples",
        )
    kind = unsigned(width)
    steps = (codes.astype(np.int32) - low).astype(kind)
    if read.step > 1:
        if (steps % read.step).any():
            raise InternalError(f"'{read.tensor}' takes a value between {low} and {high} that was proven impossible")
        steps = (steps // read.step).astype(kind)
    window = matrix.window
    if window is None:
        return steps.reshape(-1, 1, matrix.rows)
    padded = padded_input(steps, window, (read.zero_point - low) // read.step)
    samples, channels = padded.shape[:2]
    # place by place of the kernel: channels stay together, which is many times faster than windows one by one
    channels_last = np.ascontiguousarray(np.moveaxis(padded, 1, -1))
    vectors = np.empty((samples, *window.output_shape, channels, prod(window.kernel)), padded.dtype)
    for number, place in enumerate(product(*map(range, window.kernel))):
        picked = (
            slice(at * dilation, at * dilation + (size - 1) * stride + 1, stride)
            for at, dilation, size, stride in zip(
                place, window.dilations, window.output_shape, window.strides, strict=True
            )
        )
        vectors[..., number] = channels_last[(slice(None), *picked)]
    return vectors.reshape(samples * window.positions, matrix.groups, matrix.rows)


def padded_input(codes: np.ndarray, window: Window, zero: int) -> np.ndarray:
    """Return a convolution's input with zeros between and around, or cut off where pads are negative."""
    if any(step > 1 for step in window.spacing):
        spread = [(size - 1) * step + 1 for size, step in zip(window.input_shape, window.spacing, strict=True)]
        apart = np.full((*codes.shape[:2], *spread), zero, codes.dtype)
        apart[every(slice(None, None, step) for step in window.spacing)] = codes
        codes = apart
    pads = list(zip(window.pads_begin, window.pads_end, strict=True))
    if any(pad < 0 for pair in pads for pad in pair):
        inner = [slice(max(-b, 0), size - max(-e, 0)) for (b, e), size in zip(pads, codes.shape[2:], strict=True)]
        codes = codes[every(inner)]
        pads = [(max(b, 0), max(e, 0)) for b, e in pads]
    return np.pad(codes, [(0, 0), (0, 0), *pads], constant_values=zero)


def every(spatial: Iterable[slice]) -> tuple[slice, ...]:
    """Return the index of all samples and channels, and of some positions."""
    return (slice(None), slice(None), *spatial)


def tensor_of(matrix: Matrix, outputs: np.ndarray, codes_shape: tuple[int, ...]) -> np.ndarray:
    """Put outputs (vectors, G * N) back into the shape of the operator's result."""
    if matrix.window is None:
        return outputs.reshape(*codes_shape[:-1], outputs.shape[1])
    samples = codes_shape[0]
    spatial = matrix.window.output_shape
    tensor = outputs.reshape(samples, *spatial, outputs.shape[1])
    return np.ascontiguousarray(np.moveaxis(tensor, -1, 1))
