"""Weights with a scale per block of inputs: one group of a grouped convolution per block, summed digitally.

    y[m, n] = sum over blocks g of  s[g, n] * sum over k of x[m, g, k] * (q[g, k, n] - z[g, n])

Each block keeps its own scale, so nothing is quantized again. (MatMulNBits; DequantizeLinear with block_size.)
"""

from dataclasses import dataclass

import numpy as np

from rcompile.frontend.expand.builder import Builder
from rcompile.ir.graph import MICROSOFT, QUANTIZATION_DOMAINS, Array


@dataclass(frozen=True)
class Blocks:
    """Codes (G, k, N) in blocks of k inputs, with scales and zero points (G, N); `bits` of a code."""

    codes: Array
    scales: Array
    zeros: Array
    bits: int
    inputs: int


def blocks_of(build: Builder, name: str, *, transposed: bool) -> Blocks | None:
    """Return a matrix (K, N), or (N, K) where transposed, that is dequantized by blocks along K; None otherwise."""
    node = build.graph.producers.get(name)
    if node is not None and node.is_a("Transpose"):
        return blocks_of(build, node.inputs[0], transposed=not transposed)
    if node is None or not node.is_a("DequantizeLinear", domains=QUANTIZATION_DOMAINS):
        return None
    size = node.integer("block_size", 0)
    codes, scales = (build.static(name) for name in node.inputs[:2])
    zeros = build.static(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    if not size or codes is None or scales is None or codes.ndim != 2 or (len(node.inputs) > 2 and zeros is None):
        return None
    if node.integer("axis", 1) % 2 != (1 if transposed else 0) or codes.dtype.name.startswith("float"):
        return None
    bits = build.graph.bits.get(node.inputs[0], 8 * codes.dtype.itemsize)
    if codes.dtype.itemsize > 2:
        return None
    zeros = np.zeros(scales.shape, np.int64) if zeros is None else zeros.astype(np.int64)
    wide = codes.astype(np.int32)
    if transposed:
        wide, scales, zeros = wide.T, scales.T, zeros.T
    kind = codes.dtype
    blocks, inputs = len(scales), len(wide)
    padded = np.repeat(zeros, size, axis=0).astype(np.int32)  # what is beyond the last input counts as zero
    padded[:inputs] = wide
    return Blocks(
        padded.reshape(blocks, size, -1).astype(kind), scales.astype(np.float32), zeros.astype(kind), bits, inputs
    )


def expand_dequantize(build: Builder) -> bool:
    """Dequantize now what no crossbar can take as codes: floats of 8 bits, blocks that are not along a MatMul's inputs.

    The result is a float weight, quantized again like that of a float model.
    """
    node = build.node
    codes, scale = (build.static(build.input(position)) for position in range(2))
    zero = build.static(build.input(2)) if build.input(2) else np.zeros((), np.float32)
    if codes is None or scale is None or zero is None or codes.size == 0:
        return False
    blocks, real = node.integer("block_size", 0), codes.dtype.kind not in "iu"
    if not real and (not blocks or taken_by_blocks(build)):
        return False
    axis = node.integer("axis", 1)
    if blocks:
        scale, zero = (
            np.repeat(array, blocks, axis)[tuple(map(slice, codes.shape))] if array.ndim else array
            for array in (scale, zero)
        )
    elif scale.ndim == 1 and scale.size > 1:
        shape = [1] * codes.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape) if zero.size > 1 else zero
    values = (codes.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)
    build.add("Identity", build.constant(values, "values", scale.dtype), out=build.output(0))
    return True


def taken_by_blocks(build: Builder) -> bool:
    """Tell whether every reader is a product that takes the node's blocks as they are."""
    readers = build.graph.readers.get(build.output(0), [])
    if len(readers) == 1 and readers[0].is_a("Transpose"):
        readers = build.graph.readers.get(readers[0].outputs[0], [])
    for reader in readers:
        turned = reader.is_a("Gemm") and bool(reader.integer("transB", 0))
        if not reader.is_a("MatMul", "Gemm") or blocks_of(build, reader.inputs[1], transposed=turned) is None:
            return False
    return bool(readers)


def product(build: Builder, data: str, blocks: Blocks, out: str = "") -> str:
    """Append data (..., K) @ weights (K, N)."""
    shape = build.shape(data)
    assert shape is not None
    count, size, columns = blocks.codes.shape
    if count * size > blocks.inputs:
        last = build.slice(data, len(shape) - 1, 0, count * size - blocks.inputs)
        data = build.add(
            "Concat", data, build.add("Mul", last, build.constant(0.0, "zero", np.float32)), axis=len(shape) - 1
        )
    vectors = build.reshape(data, (-1, count * size, 1))
    codes = build.constant(blocks.codes.transpose(0, 2, 1).reshape(count * columns, size, 1), "codes")
    build.bits[codes] = blocks.bits
    scale, zero = (
        build.constant(array.reshape(-1), what) for array, what in ((blocks.scales, "scale"), (blocks.zeros, "zero"))
    )
    weights = build.add("DequantizeLinear", codes, scale, zero, domain=MICROSOFT, axis=0)
    partial = build.product("Conv", (vectors, weights), attributes={"group": count, "kernel_shape": (1,)})
    total = build.reduce_sum(build.reshape(partial, (-1, count, columns)), 1)
    rest = (-1, *shape[1:-1]) if len(shape) > 1 else ()
    return build.reshape(total, (*rest, columns), out=out)


def expand_nbits(build: Builder) -> bool:
    """MatMulNBits (com.microsoft): A, packed codes, scales, zero points, group index, bias."""
    node = build.node
    packed, scales = (build.static(build.input(position)) for position in (1, 2))
    bits, size = node.integer("bits", 4), node.integer("block_size", 32)
    inputs, columns = node.integer("K", 0), node.integer("N", 0)
    shape = build.shape(build.input(0))
    if packed is None or scales is None or bits not in {2, 4, 8} or build.input(4) or not shape or shape[-1] != inputs:
        return False
    if build.dtype(build.input(0)) != "float32":
        return False
    blocks = -(-inputs // size)
    codes = unpacked(packed.reshape(columns, -1), bits)[:, : blocks * size]
    zeros = np.full((columns, blocks), 2 ** (bits - 1), np.uint8)
    if build.input(3):
        given = build.static(build.input(3))
        if given is None or given.dtype != np.uint8:
            return False
        zeros = unpacked(given.reshape(columns, -1), bits)[:, :blocks]
    codes = codes.reshape(columns, blocks, size).copy()
    codes.reshape(columns, -1)[:, inputs:] = np.repeat(zeros, size, axis=1)[:, inputs:]
    found = Blocks(
        codes.transpose(1, 2, 0), scales.reshape(columns, blocks).T.astype(np.float32), zeros.T, bits, inputs
    )
    bias = build.input(5)
    result = product(build, build.input(0), found, "" if bias else build.output(0))
    if bias:
        build.add("Add", result, bias, out=build.output(0))
    return True


def unpacked(data: Array, bits: int) -> Array:
    """Return the codes of packed bytes, the least significant bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return np.asarray(((data[..., None] >> shifts) & np.uint8(2**bits - 1)).reshape(len(data), -1))
