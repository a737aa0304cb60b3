"""Transformers and a recurrent language model."""

import numpy as np

from networks.builder import Network, Tensor

HEADS = 12
WIDTH = 768


def vit_b16() -> tuple[Network, Tensor]:
    """ViT-B/16 (Dosovitskiy et al. 2021)."""
    net = Network("vit_b16", (3, 224, 224))
    patches = net.conv(net.input, WIDTH, 16, 16, pad=0, relu=False)
    tokens = net.transpose(net.reshape(patches, WIDTH, 14 * 14), 1, 0)
    x = net.concat(Tensor(net.weight(1, 1, WIDTH), (1, WIDTH)), tokens)
    x = net.add("Add", [x.name, net.weight(1, *x.shape)], x.shape)
    for _ in range(12):
        x = net.sum(x, attention(net, norm(net, x)))
        x = net.sum(x, perceptron(net, norm(net, x)))
    first = net.add("Gather", [norm(net, x).name, net.constant(np.array(0))], (WIDTH,), axis=1)
    return net, net.linear(first, 1000)


def bert_base(tokens: int = 128) -> tuple[Network, Tensor]:
    """BERT-base, uncased, with its pooler (Devlin et al. 2019); all tokens of one segment."""
    net = Network("bert_base", (tokens,), integer=True)
    words = net.add("Gather", [net.weight(30522, WIDTH), net.input.name], (tokens, WIDTH))
    positions = net.add("Slice", [net.weight(512, WIDTH), *slice_of(net, tokens)], (tokens, WIDTH))
    segment = net.add("Slice", [net.weight(2, WIDTH), *slice_of(net, 1)], (1, WIDTH))
    x = norm(net, net.sum(net.sum(words, positions), segment))
    for _ in range(12):
        x = norm(net, net.sum(x, attention(net, x)))
        x = norm(net, net.sum(x, perceptron(net, x)))
    first = net.add("Gather", [x.name, net.constant(np.array(0))], (WIDTH,), axis=1)
    pooled = net.linear(first, WIDTH)
    return net, net.add("Tanh", [pooled.name], pooled.shape)


def lstm(width: int = 650, words: int = 10_000, steps: int = 35) -> tuple[Network, Tensor]:
    """Two-layer LSTM language model of medium size (Zaremba et al. 2014)."""
    net = Network("lstm", (steps,), integer=True)
    x = net.add("Gather", [net.weight(words, width), net.input.name], (steps, width))
    x = net.add("Transpose", [x.name], x.shape, perm=[1, 0, 2])
    for _ in range(2):
        weights = [net.weight(1, 4 * width, width), net.weight(1, 4 * width, width), net.weight(1, 8 * width)]
        net.macs += steps * 8 * width * width
        y = net.add("LSTM", [x.name, *weights], (steps, width), hidden_size=width)
        x = net.add("Squeeze", [y.name, net.constant(np.array([1]))], (steps, width))
    x = net.add("Transpose", [x.name], x.shape, perm=[1, 0, 2])
    return net, net.linear(x, words)


def slice_of(net: Network, rows: int) -> list[str]:
    """Return starts, ends and axes of the first rows."""
    return [net.constant(np.array([value], np.int64)) for value in (0, rows, 0)]


def norm(net: Network, x: Tensor) -> Tensor:
    """Append a layer normalisation."""
    weights = [net.weight(x.shape[-1]), net.weight(x.shape[-1])]
    return net.add("LayerNormalization", [x.name, *weights], x.shape, axis=-1)


def attention(net: Network, x: Tensor) -> Tensor:
    """Append self-attention of all heads; its products of activations are counted."""
    tokens, width = x.shape

    def heads(*order: int) -> Tensor:
        return net.transpose(net.reshape(net.linear(x, width), tokens, HEADS, width // HEADS), *order)

    query, key, value = heads(1, 0, 2), heads(1, 2, 0), heads(1, 0, 2)
    scores = net.add("MatMul", [query.name, key.name], (HEADS, tokens, tokens))
    scores = net.add("Div", [scores.name, net.constant(np.float32(np.sqrt(width // HEADS)))], scores.shape)
    shares = net.add("Softmax", [scores.name], scores.shape, axis=-1)
    mixed = net.add("MatMul", [shares.name, value.name], value.shape)
    net.macs += 2 * tokens * tokens * width
    return net.linear(net.reshape(net.transpose(mixed, 1, 0, 2), tokens, width), width)


def perceptron(net: Network, x: Tensor) -> Tensor:
    """Append two products around a GELU."""
    y = net.linear(x, 4 * x.shape[-1])
    scaled = net.add("Div", [y.name, net.constant(np.float32(np.sqrt(2)))], y.shape)
    error = net.add("Erf", [scaled.name], y.shape)
    gate = net.add("Add", [error.name, net.constant(np.float32(1))], y.shape)
    half = net.add("Mul", [y.name, net.constant(np.float32(0.5))], y.shape)
    return net.linear(net.add("Mul", [half.name, gate.name], y.shape), x.shape[-1])
