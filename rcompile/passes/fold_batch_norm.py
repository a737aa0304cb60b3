"""Fold BatchNormalization into the product before it.

`BatchNorm(Conv(x, W) + b)` becomes `Conv(x, W * g) + ((b - mean) * g + beta)` with g = gamma / sqrt(var + eps)
(Jacob et al., 2018, section 3.2). Computed in float64, stored as float32.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.arrays import frozen
from rcompile.ir.graph import Array, Graph, Names, Node


def fold_batch_norm(graph: Graph) -> Graph:
    """Remove each BatchNormalization that is the only reader of a Conv or Gemm with constant weights."""
    producers = graph.producers
    constants, reasons, names = dict(graph.constants), dict(graph.folded), Names(graph)
    replaced: dict[str, Node] = {}
    removed: set[str] = set()
    for norm in graph.nodes:
        product = producers.get(norm.inputs[0]) if norm.is_a("BatchNormalization") else None
        if product is None or product.name in replaced or not foldable(norm, product, graph):
            continue
        replaced[product.name] = merged(norm, product, constants, names)
        removed.add(norm.name)
        reasons[norm.name] = f"folded into the weights of {product.name}"
    nodes = tuple(replaced.get(node.name, node) for node in graph.nodes if node.name not in removed)
    return replace(graph, nodes=nodes, constants=constants, folded=reasons)


def foldable(norm: Node, product: Node, graph: Graph) -> bool:
    """Tell whether a normalization in inference mode follows a product with constant operands, alone."""
    between = product.outputs[0]
    bias = graph.constants.get(product.inputs[2]) if len(product.inputs) > 2 else None
    channels = graph.constants[norm.inputs[1]].size if norm.inputs[1] in graph.constants else 0
    if bias is not None and bias.size > 1 and not bias.shape[-1] == bias.size == channels:
        return False  # a Gemm's C of a value per row, or per element
    return (
        product.is_a("Conv", "Gemm")
        and product.number("alpha", 1.0) == product.number("beta", 1.0) == 1.0
        and all(name in graph.constants for name in (*product.inputs[1:], *norm.inputs[1:]) if name)
        and graph.readers[between] == [norm]
        and between not in graph.output_names()
        and not norm.integer("training_mode", 0)
        and not any(name in graph.readers or name in graph.output_names() for name in norm.outputs[1:])
    )


def merged(norm: Node, product: Node, constants: dict[str, Array], names: Names) -> Node:
    """Return the product with scaled weights and a bias, writing the normalization's output."""

    def real(name: str) -> NDArray[np.float64]:
        return constants[name].astype(np.float64)

    gamma, beta, mean, variance = (real(name) for name in norm.inputs[1:5])
    gain = gamma / np.sqrt(variance + norm.number("epsilon", 1e-5))
    weight = real(product.inputs[1])
    axis = 1 if product.op_type == "Gemm" and not product.integer("transB", 0) else 0
    shape = [1] * weight.ndim
    shape[axis] = -1
    bias = real(product.inputs[2]) if len(product.inputs) > 2 and product.inputs[2] else 0.0
    weight_name, bias_name = names.fresh(f"{product.name}.folded_weight"), names.fresh(f"{product.name}.folded_bias")
    kind = constants[product.inputs[1]].dtype
    constants[weight_name] = frozen((weight * gain.reshape(shape)).astype(kind))
    constants[bias_name] = frozen(((bias - mean) * gain + beta).reshape(-1).astype(kind))
    return replace(product, inputs=(product.inputs[0], weight_name, bias_name), outputs=norm.outputs[:1])
