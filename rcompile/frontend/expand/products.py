"""MatMul, Gemm and Einsum with a static operand, in whatever order and shape, as MatMul(data, matrix).

A static left operand is transposed to the right: (W x)' = x' W'. A stack of matrices becomes the groups of a
convolution of width 1. What a Gemm or a fused operator does besides its product follows as operators of its own.
"""

import string
from collections.abc import Callable
from math import prod

import numpy as np

from rcompile.frontend.expand import blockwise
from rcompile.frontend.expand.builder import Builder
from rcompile.frontend.matrix_operator import static_operand
from rcompile.ir.graph import MICROSOFT, Array


def swapped(rank: int) -> tuple[int, ...]:
    """Return the order that exchanges the last two of `rank` axes."""
    return (*range(rank - 2), rank - 1, rank - 2)


def transposed(build: Builder, data: str, rank: int) -> str:
    """Return a tensor with its last two axes exchanged; it stays quantized where it is."""
    return build.on_codes(data, lambda tensor: build.transpose(tensor, swapped(rank)))


def expand_matmul(build: Builder) -> bool:  # noqa: C901, PLR0911 - one form of the operands after the other
    """Bring the static operand of a MatMul to the right, as one matrix or as groups."""
    left, right = build.node.inputs[:2]
    weight, shape = static_operand(right, build.graph), build.shape(left)
    blocks = blockwise.blocks_of(build, right, transposed=False)
    if blocks is not None and shape:
        blockwise.product(build, left, blocks, out=build.output(0))
        return True
    if weight is None:
        return left_static(build, left, right)
    if weight.ndim == 2:
        return False
    static = build.static(right)
    if not shape:
        return False
    if static is None:
        return weight.ndim > 2 and quantized_stack(build, left, shape, right)
    if weight.ndim == 1:
        column = build.product("MatMul", (left, build.constant(static.reshape(-1, 1), "matrix")))
        if len(shape) == 1:
            build.reshape(column, np.zeros(0), out=build.output(0))
        else:
            build.squeeze(column, len(shape) - 1, out=build.output(0))
        return True
    if prod(static.shape[:-2]) == 1 and len(shape) >= static.ndim:
        build.product(
            "MatMul", (left, build.constant(static.reshape(static.shape[-2:]), "matrix")), out=build.output(0)
        )
        return True
    if len(shape) == 1:
        row = build.reshape(left, (1, *shape))
        result = build.add("MatMul", row, right)
        build.squeeze(result, weight.ndim - 2, out=build.output(0))
        return True
    while static.ndim > 3 and len(static) == 1 and static.ndim <= len(shape):
        static = static[0]
    return stack(build, left, shape, static, lambda kernel, _: build.constant(kernel, "matrix"))


def quantized_stack(build: Builder, data: str, shape: tuple[int, ...], right: str) -> bool:
    """Write data @ dequantized weights (G, K, N), with one scale or one a column, as a grouped convolution."""
    node = build.graph.producers[right]
    parameters = [build.static(name) for name in node.inputs if name]
    if any(array is None for array in parameters) or node.integer("block_size", 0) or len(shape) < 2:
        return False
    codes, scale = build.graph.constants[node.inputs[0]], build.graph.constants[node.inputs[1]]
    if scale.size != 1 and node.integer("axis", 1) % codes.ndim != codes.ndim - 1:
        return False

    def weights(kernel: Array, groups: int) -> str:
        columns = len(kernel) // groups

        def of_outputs(array: Array, what: str) -> str:
            return build.constant(np.tile(np.broadcast_to(array.reshape(-1), columns), groups), what)

        parts = [
            of_outputs(array, what)
            for array, what in zip(parameters[1:], ("scale", "zero"), strict=False)
            if array is not None
        ]
        name = build.constant(kernel, "matrix")
        if node.inputs[0] in build.graph.bits:
            build.bits[name] = build.graph.bits[node.inputs[0]]
        return build.add("DequantizeLinear", name, *parts, domain=MICROSOFT, axis=0)

    return stack(build, data, shape, codes, weights)


def left_static(build: Builder, left: str, right: str) -> bool:
    """Transpose a product with a static left operand."""
    weight = static_operand(left, build.graph)
    shape = build.shape(right)
    if weight is None or not shape or weight.ndim < 1:
        return False
    if build.static(left) is None and weight.ndim != 2:
        return False
    rank = weight.ndim
    if rank == 1:  # a row vector from the left: (w x) = (x' w)
        turned = transposed(build, right, len(shape)) if len(shape) > 1 else right
        build.add("MatMul", turned, left, out=build.output(0))
        return True
    matrix = build.transpose(left, swapped(rank))
    if len(shape) == 1:
        build.add("MatMul", right, matrix, out=build.output(0))
        return True
    result = build.add("MatMul", transposed(build, right, len(shape)), matrix)
    build.transpose(result, swapped(max(rank, len(shape))), out=build.output(0))
    return True


def stack(
    build: Builder, data: str, shape: tuple[int, ...], weights: Array, operand: Callable[[Array, int], str]
) -> bool:
    """Write data (..., G, M, K) @ weights (G, K, N) as a grouped convolution.

    Args:
        build: collects the nodes.
        data: the left operand.
        shape: of the left operand.
        weights: the right operand, numbers or codes.
        operand: makes a tensor of the kernel (G * N, K, 1), given G.
    """
    batch_rank = weights.ndim - 2
    lead, own = shape[: max(len(shape) - 2 - batch_rank, 0)], shape[max(len(shape) - 2 - batch_rank, 0) : -2]
    if (build.graph.batch.free and not lead) or len(shape) < 2:
        return False
    own = (1,) * (batch_rank - len(own)) + own
    full = np.broadcast_shapes(own, weights.shape[:-2])
    weights = np.broadcast_to(weights, (*full, *weights.shape[-2:]))
    rows, (inputs, columns) = shape[-2], weights.shape[-2:]
    rest = (-1, *lead[1:]) if lead else ()
    groups = prod(full)

    def flat_groups(tensor: str) -> str:
        if own != full or len(shape) < batch_rank + 2:
            tensor = build.reshape(tensor, (*rest, *own, rows, inputs))
        if own != full:
            tensor = build.add("Expand", tensor, build.integers((*(1 for _ in lead), *full, rows, inputs), "shape"))
        turned = build.transpose(tensor, swapped(len(lead) + batch_rank + 2))
        return build.reshape(turned, (-1, groups * inputs, rows))

    flat = build.on_codes(data, flat_groups)
    kernel = weights.reshape(groups, inputs, columns).transpose(0, 2, 1).reshape(groups * columns, inputs, 1)
    result = build.product("Conv", (flat, operand(kernel, groups)), attributes={"group": groups, "kernel_shape": (1,)})
    whole = build.reshape(result, (*rest, *full, columns, rows))
    build.transpose(whole, swapped(len(lead) + batch_rank + 2), out=build.output(0))
    return True


def expand_gemm(build: Builder) -> bool:
    """Write a Gemm as MatMul, Mul and Add where a matrix with a bias per column does not cover it."""
    node = build.node
    left, right, bias = (build.input(position) for position in range(3))
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    turned_left, turned_right = node.integer("transA", 0), node.integer("transB", 0)
    weight, other = static_operand(right, build.graph), static_operand(left, build.graph)
    if weight is None and other is None:
        return False
    blocks = None if weight is None else blockwise.blocks_of(build, right, transposed=bool(turned_right))
    operand = static_operand(bias, build.graph) if bias else None
    columns = 0 if weight is None else weight.shape[0 if turned_right else 1]
    plain_bias = not bias or (operand is not None and is_row(operand, columns))
    scaled = (alpha != 1.0 and build.static(right) is None) or (
        beta != 1.0 and build.static(bias) is None and bool(bias)
    )
    if weight is not None and blocks is None and plain_bias and not turned_left and not scaled:
        return False
    out = build.output(0)
    data = transposed(build, left, 2) if turned_left else left
    if weight is not None and blocks is None and plain_bias and not scaled:
        attributes = {name: value for name, value in node.attributes.items() if name != "transA"}
        build.product("Gemm", (data, *node.inputs[1:]), out=out, attributes=attributes)
        return True
    if blocks is not None:
        result = blockwise.product(build, data, blocks)
    else:
        matrix = build.transpose(right, (1, 0)) if turned_right else right
        result = build.add("MatMul", data, matrix)
    if alpha != 1.0:
        result = build.add("Mul", result, build.constant(alpha, "alpha", np.dtype(build.dtype(left) or "float32")))
    if bias and beta != 1.0:
        bias = build.add("Mul", bias, build.constant(beta, "beta", np.dtype(build.dtype(left) or "float32")))
    if bias:
        build.add("Add", result, bias, out=out)
    else:
        build.add("Identity", result, out=out)
    return True


def is_row(operand: Array, columns: int) -> bool:
    """Tell whether an operand is one value per column, or one."""
    return operand.size in {1, columns} and operand.ndim <= 2 and (operand.ndim < 2 or operand.shape[0] == 1)


def expand_einsum(build: Builder) -> bool:  # noqa: C901, PLR0911 - one refusal a line
    """Write an Einsum of one static and one other operand as a MatMul, or as a grouped convolution."""
    equation = build.node.text("equation", "").replace(" ", "")
    if len(build.node.inputs) == 3:
        return pairwise(build, equation)
    if len(build.node.inputs) != 2:
        return False
    arrays = [build.static(name) for name in build.node.inputs]
    shapes = [build.shape(name) for name in build.node.inputs]
    if (arrays[0] is None) == (arrays[1] is None) or shapes[0] is None or shapes[1] is None:
        return False
    terms = letters_of(equation, [len(shape) for shape in shapes if shape is not None])
    if terms is None:
        return False
    static = 0 if arrays[0] is not None else 1
    weights, fixed = arrays[static], terms[static]
    data, moving, result = build.node.inputs[1 - static], terms[1 - static], terms[2]
    sizes = dict(zip(moving, shapes[1 - static] or (), strict=True)) | dict(
        zip(fixed, shapes[static] or (), strict=True)
    )
    if weights is None or len({*fixed}) < len(fixed) or len({*moving}) < len(moving):
        return False
    own = dict(zip(moving, shapes[1 - static] or (), strict=True))
    if any(own.get(letter, size) != size for letter, size in zip(fixed, weights.shape, strict=True)):
        return False  # an axis of length 1 may stand for any length
    for letter in [x for x in moving if x not in fixed and x not in result]:
        data = build.reduce_sum(data, moving.index(letter))
        moving = moving.replace(letter, "")
    for letter in [x for x in fixed if x not in moving and x not in result]:
        weights, fixed = weights.sum(axis=fixed.index(letter)), fixed.replace(letter, "")
    shared = [x for x in moving if x in fixed]
    groups, summed = [x for x in shared if x in result], [x for x in shared if x not in result]
    kept, added = [x for x in moving if x not in fixed], [x for x in fixed if x not in moving]
    if not summed or (build.graph.batch.free and (not kept or kept[0] != moving[0])):
        return False

    def count(names: list[str]) -> int:
        return prod(sizes[name] for name in names)

    matrix = weights.transpose([fixed.index(x) for x in groups + summed + added])
    stacked = matrix.reshape(count(groups), count(summed), count(added))
    turned = build.transpose(data, tuple(moving.index(x) for x in kept + groups + summed))
    lead = (-1, *(sizes[x] for x in kept[1:])) if kept else (1,)
    if not groups:
        flat = build.reshape(turned, (*lead, count(summed)))
        total = build.product("MatMul", (flat, build.constant(stacked[0], "matrix")))
    else:
        flat = build.reshape(turned, (-1, count(groups) * count(summed), 1))
        kernel = stacked.transpose(0, 2, 1).reshape(-1, count(summed), 1)
        total = build.product(
            "Conv",
            (flat, build.constant(kernel, "matrix")),
            attributes={"group": count(groups), "kernel_shape": (1,)},
        )
    shape = (*(lead if kept else ()), *(sizes[x] for x in groups + added))
    whole = build.reshape(total, shape)
    order = kept + groups + added
    build.transpose(whole, tuple(order.index(x) for x in result), out=build.output(0))
    return True


def pairwise(build: Builder, equation: str) -> bool:
    """Write an Einsum of one static and two other operands as two: the static one with its first partner, then both."""
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    static = [position for position, name in enumerate(build.node.inputs) if build.static(name) is not None]
    if len(static) != 1 or not arrow or "." in equation or len(terms) != 3:
        return False
    own = terms[static[0]]
    first, other = (position for position in range(3) if position != static[0])
    if not set(terms[first]) & set(own):
        first, other = other, first
    kept = "".join(x for x in dict.fromkeys(terms[first] + own) if x in terms[other] or x in result)
    partial = f"{terms[first]},{own}->{kept}"
    product_ = build.add("Einsum", build.node.inputs[first], build.node.inputs[static[0]], equation=partial)
    rest = f"{kept},{terms[other]}->{result}"
    build.add("Einsum", product_, build.node.inputs[other], out=build.output(0), equation=rest)
    return True


def letters_of(equation: str, ranks: list[int]) -> list[str] | None:
    """Return the letters of both operands and of the result, '...' spelled out; None where that fails."""
    if not equation:
        return None
    left, _, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != 2:
        return None
    spare = [letter for letter in string.ascii_letters if letter not in equation]
    widest = 0
    spelled = []
    for term, rank in zip(terms, ranks, strict=True):
        width = rank - len(term.replace("...", ""))
        if width < 0 or (width and "..." not in term):
            return None
        widest = max(widest, width)
        spelled.append((term, width))
    names = "".join(spare[:widest])
    found = [term.replace("...", names[widest - width :]) for term, width in spelled]
    if "->" in equation:
        result = right.replace("...", names)
    else:
        both = "".join(found)
        result = names + "".join(sorted(x for x in set(both) if both.count(x) == 1 and x not in names))
    if set(result) - set("".join(found)) or len(set(result)) < len(result):
        return None
    return [*found, result]
