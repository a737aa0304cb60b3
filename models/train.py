"""Training of the small networks, in JAX, over one shared Adam loop.

Every public function trains one network and returns its parameters as the exported model holds them:
weights in PyTorch's layout (outputs first), already binarized or ternarized where the network is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from data import Samples
from jax import Array, lax
from numpy.typing import NDArray

Parameters = dict[str, Array]
Trained = dict[str, NDArray[np.float32]]
Forward = Callable[[Parameters, Array], Array]
AdamState = tuple[Parameters, Parameters, Parameters]

MLP_WIDTHS = (64, 64, 32, 10)
BINARY_WIDTHS = (64, 256, 128, 10)
TERNARY_WIDTHS = (64, 128, 64, 10)
LSTM_HIDDEN = 32
TERNARY_THRESHOLD = 0.7
"""A ternary weight is zero below this share of its row's mean magnitude (Li et al., 2016)."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train; deviations come from cross-validation on the training samples."""

    epochs: int = 100
    batch: int = 48
    rate: float = 3e-3
    decay: float = 0.1
    seed: int = 1


def fit(forward: Forward, initial: Parameters, samples: Samples, recipe: Recipe) -> Parameters:
    """Minimize the mean cross-entropy by Adam with decoupled weight decay and a cosine schedule."""
    images, labels = jnp.asarray(samples.images), jnp.asarray(samples.labels)
    steps = recipe.epochs * (len(labels) // recipe.batch)

    def loss(parameters: Parameters, batch: Array) -> Array:
        scores = jax.nn.log_softmax(forward(parameters, images[batch]))
        return -jnp.take_along_axis(scores, labels[batch][:, None], axis=1).mean()

    def step(state: AdamState, clock_and_batch: tuple[Array, Array]) -> tuple[AdamState, None]:
        parameters, mean, square = state
        clock, batch = clock_and_batch
        slope = jax.grad(loss)(parameters, batch)
        rate = recipe.rate * 0.5 * (1 + jnp.cos(jnp.pi * (clock - 1) / steps))
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, slope)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, slope)

        def update(value: Array, m: Array, v: Array) -> Array:
            direction = m / (1 - 0.9**clock) / (jnp.sqrt(v / (1 - 0.999**clock)) + 1e-8)
            return value - rate * (direction + recipe.decay * value)

        return (jax.tree.map(update, parameters, mean, square), mean, square), None

    zeros = jax.tree.map(jnp.zeros_like, initial)
    clocks = jnp.arange(1, steps + 1, dtype=jnp.float32)
    schedule = (clocks, batches(len(labels), recipe))
    (trained, _, _), _ = jax.jit(partial(lax.scan, step))((initial, zeros, zeros), schedule)
    return trained


def batches(samples: int, recipe: Recipe) -> Array:
    """Return the sample indices of every step, (steps, batch): each epoch is one shuffle of the samples."""
    generator = np.random.default_rng(recipe.seed)
    whole = samples // recipe.batch * recipe.batch
    epochs = [generator.permutation(samples)[:whole] for _ in range(recipe.epochs)]
    return jnp.asarray(np.concatenate(epochs).reshape(-1, recipe.batch))


def normal(generator: np.random.Generator, *shape: int) -> Array:
    """Draw weights (outputs first) with the variance that keeps a ReLU layer's signal (He et al.)."""
    fan_in = np.prod(shape[1:])
    return jnp.asarray(generator.normal(0, np.sqrt(2 / fan_in), shape), jnp.float32)


def dense_parameters(widths: tuple[int, ...], seed: int) -> Parameters:
    """Return starting weights and biases of dense layers: fc1.weight, fc1.bias, fc2.weight, ..."""
    generator = np.random.default_rng(seed)
    parameters: Parameters = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        parameters[f"fc{layer}.weight"] = normal(generator, outputs, inputs)
        parameters[f"fc{layer}.bias"] = jnp.zeros(outputs)
    return parameters


def straight_through(value: Array, discrete: Array) -> Array:
    """Return exactly the discrete value, with the gradient of the continuous one."""
    return lax.stop_gradient(discrete) + (value - lax.stop_gradient(value))


def sign(value: Array) -> Array:
    """Return the sign (as ONNX's Sign), with the gradient of a clip to -1..1."""
    return straight_through(jnp.clip(value, -1, 1), jnp.sign(value))


def binary(weight: Array) -> Array:
    """Return a row's weights as +-a, with a the row's mean magnitude."""
    scale = jnp.abs(weight).mean(axis=1, keepdims=True)
    return straight_through(weight, jnp.where(weight < 0, -scale, scale))


def ternary(weight: Array) -> Array:
    """Return a row's weights as -a, 0 or +a, with a the mean magnitude of those that are not zero."""
    magnitude = jnp.abs(weight)
    kept = magnitude > TERNARY_THRESHOLD * magnitude.mean(axis=1, keepdims=True)
    scale = (magnitude * kept).sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
    return straight_through(weight, jnp.sign(weight) * kept * scale)


def discretize(parameters: Parameters, quantizer: Callable[[Array], Array]) -> Parameters:
    """Apply a quantizer to the weights and leave the biases as they are."""
    return {key: quantizer(value) if key.endswith("weight") else value for key, value in parameters.items()}


def dense(parameters: Parameters, name: str, value: Array) -> Array:
    """Compute one dense layer."""
    return value @ parameters[f"{name}.weight"].T + parameters[f"{name}.bias"]


def train_dense(
    samples: Samples,
    widths: tuple[int, ...],
    activation: Callable[[Array], Array],
    quantizer: Callable[[Array], Array],
    recipe: Recipe,
) -> Trained:
    """Train a chain of dense layers whose weights pass through a quantizer."""
    last = len(widths) - 1

    def forward(latent: Parameters, images: Array) -> Array:
        parameters = discretize(latent, quantizer)
        value = images.reshape(len(images), -1)
        for layer in range(1, last):
            value = activation(dense(parameters, f"fc{layer}", value))
        return dense(parameters, f"fc{last}", value)

    latent = fit(forward, dense_parameters(widths, recipe.seed), samples, recipe)
    return to_numpy(discretize(latent, quantizer))


def to_numpy(parameters: Parameters) -> Trained:
    """Copy parameters out of JAX."""
    return {name: np.asarray(value, np.float32) for name, value in parameters.items()}


def mlp(samples: Samples) -> Trained:
    """Train the plain multi-layer perceptron."""
    return train_dense(samples, MLP_WIDTHS, jax.nn.relu, lambda weight: weight, Recipe(epochs=60, decay=0.3))


def bnn_mlp(samples: Samples) -> Trained:
    """Train the perceptron of binary weights and binary activations."""
    return train_dense(samples, BINARY_WIDTHS, sign, binary, Recipe(epochs=200, decay=0.0))


def ternary_mlp(samples: Samples) -> Trained:
    """Train the perceptron of ternary weights."""
    return train_dense(samples, TERNARY_WIDTHS, jax.nn.relu, ternary, Recipe())


def lenet(samples: Samples) -> Trained:
    """Train the convolutional network: two convolutions, each halved by pooling, and two dense layers."""
    recipe = Recipe(epochs=60)
    generator = np.random.default_rng(recipe.seed)
    initial = {
        "conv1.weight": normal(generator, 8, 1, 3, 3),
        "conv1.bias": jnp.zeros(8),
        "conv2.weight": normal(generator, 16, 8, 3, 3),
        "conv2.bias": jnp.zeros(16),
        **dense_parameters((64, 32, 10), recipe.seed),
    }

    def stage(parameters: Parameters, name: str, value: Array) -> Array:
        value = lax.conv_general_dilated(value, parameters[f"{name}.weight"], (1, 1), "SAME")
        value = jax.nn.relu(value + parameters[f"{name}.bias"][:, None, None])
        return lax.reduce_window(value, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def forward(parameters: Parameters, images: Array) -> Array:
        value = stage(parameters, "conv2", stage(parameters, "conv1", images))
        value = jax.nn.relu(dense(parameters, "fc1", value.reshape(len(value), -1)))
        return dense(parameters, "fc2", value)

    return to_numpy(fit(forward, initial, samples, recipe))


def row_lstm(samples: Samples) -> Trained:
    """Train an LSTM that reads the image row by row; its gates are in ONNX's order i, o, f, c."""
    recipe = Recipe()
    generator = np.random.default_rng(recipe.seed)
    initial = {
        "lstm.weight": normal(generator, 4 * LSTM_HIDDEN, 8),
        "lstm.recurrence": normal(generator, 4 * LSTM_HIDDEN, LSTM_HIDDEN),
        "lstm.bias": jnp.zeros(4 * LSTM_HIDDEN),
        **dense_parameters((LSTM_HIDDEN, 10), recipe.seed),
    }

    def forward(parameters: Parameters, images: Array) -> Array:
        def step(state: tuple[Array, Array], row: Array) -> tuple[tuple[Array, Array], None]:
            hidden, cell = state
            gates = row @ parameters["lstm.weight"].T + hidden @ parameters["lstm.recurrence"].T
            enter, leave, keep, fresh = jnp.split(gates + parameters["lstm.bias"], 4, axis=1)
            cell = jax.nn.sigmoid(keep) * cell + jax.nn.sigmoid(enter) * jnp.tanh(fresh)
            return (jax.nn.sigmoid(leave) * jnp.tanh(cell), cell), None

        nothing = jnp.zeros((len(images), LSTM_HIDDEN))
        (hidden, _), _ = lax.scan(step, (nothing, nothing), images[:, 0].transpose(1, 0, 2))
        return dense(parameters, "fc1", hidden)

    return to_numpy(fit(forward, initial, samples, recipe))
