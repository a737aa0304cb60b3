"""What training on the chip would take: writes, time, energy, storage and wear of an epoch.

Krestinskaya et al., IEEE NANO 2022, sections III.5 and IV.2; outer-product updates: Ankit et al., PANTHER, IEEE
Transactions on Computers 2020. An estimate: nothing here is executed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from rcompile.cost.actions import input_codes
from rcompile.ir.placed import PlacedProgram
from rcompile.mapper.traffic import firsts

FORWARD_AND_BACKWARD = 3
"""Products of a training step over those of an inference: outputs, gradients of inputs, gradients of weights."""

MASTER_BYTES = 4
"""Of a weight's accumulator of 32 bits, in which small updates add up (Table I: networks are trained at 32 bits)."""


@dataclass(frozen=True)
class Pulse:
    """A write of a cell.

    Attributes:
        time_s: of a pulse, or of a train that is verified.
        energy_j: of it.
        endurance: writes that a cell takes.
    """

    time_s: float
    energy_j: float
    endurance: float


SURVEY = Pulse(50e-9, 2e-9, 1e6)
"""Krestinskaya et al., IEEE NANO 2022, II.2 and IV.2: 50 ns and 2 nJ a write, 10^6 cycles."""

OUTER_PRODUCT_S, OUTER_PRODUCT_W = 20e-9, 4.44e-3
"""PANTHER: a whole crossbar at once, rows encoded in time, columns in amplitude (puma-simulator a206f75a)."""


@dataclass(frozen=True)
class LayerTraining:
    """What one update of a layer writes, all copies.

    Attributes:
        name: of the layer.
        cells: that are written.
        rows: of crossbars that are written.
        crossbars: that are written.
        rows_of_busiest: of the crossbar with the most.
        activation_bytes: of its input, for one sample.
        weights: of one copy.
    """

    name: str
    cells: int
    rows: int
    crossbars: int
    rows_of_busiest: int
    activation_bytes: float
    weights: int


@dataclass(frozen=True)
class Way:
    """A way of updating all weights once.

    Attributes:
        name: of the way.
        writes: one after another or together, as `steps` says.
        steps: that follow each other.
        time_s: of all steps.
        energy_j: of all writes.
    """

    name: str
    writes: int
    steps: int
    time_s: float
    energy_j: float


@dataclass(frozen=True)
class Training:
    """What an epoch takes.

    Attributes:
        ways: of one update of all weights.
        last_only: the same of the last layer's alone (hybrid training: Yao et al., Nature 2020).
        updates: of an epoch.
        macs: of an epoch, forward and backward.
        activation_bytes: that a batch keeps until its gradients are known.
        master_bytes: of the accumulators of all weights.
        endurance_used: share of it that an epoch takes, of a cell that each update writes.
        epochs: until cells have failed.
    """

    ways: tuple[Way, ...]
    last_only: tuple[Way, ...]
    updates: int
    macs: int
    activation_bytes: float
    master_bytes: int
    endurance_used: float
    epochs: float


def training(placed: PlacedProgram, pulse: Pulse, samples: int, batch: int) -> Training:
    """Return what an epoch takes.

    Args:
        placed: the program whose weights are trained.
        pulse: a write.
        samples: of an epoch.
        batch: samples of an update.
    """
    layers = [layer_training(placed, index) for index in range(len(placed.program.matrices))]
    last = placed.program.source.matrix_order()[-1]
    updates = ceil(samples / batch)
    return Training(
        ways=ways(layers, pulse),
        last_only=ways([layers[last]], pulse),
        updates=updates,
        macs=FORWARD_AND_BACKWARD * placed.program.source.macs * samples,
        activation_bytes=batch * sum(layer.activation_bytes for layer in layers),
        master_bytes=MASTER_BYTES * sum(layer.weights for layer in layers),
        endurance_used=updates / pulse.endurance,
        epochs=pulse.endurance / updates,
    )


def layer_training(placed: PlacedProgram, index: int) -> LayerTraining:
    """Return what one update of a layer writes."""
    program = placed.program
    item, own = program.matrices[index], program.blocks["matrix"] == index
    blocks, crossbar = program.blocks[own], placed.places["crossbar"][own]
    heights = program.heights()[own]
    first = firsts(crossbar, blocks["replica"], blocks["group"], blocks["row_start"], blocks["column_start"])
    rows = np.bincount(crossbar[first], heights[first])
    return LayerTraining(
        name=item.matrix.name,
        cells=item.cells,
        rows=int(rows.sum()),
        crossbars=len(np.unique(crossbar)),
        rows_of_busiest=int(rows.max()),
        activation_bytes=input_codes(item.matrix) * item.matrix.input.bits / 8,
        weights=item.matrix.weights.size,
    )


def ways(layers: Sequence[LayerTraining], pulse: Pulse) -> tuple[Way, ...]:
    """Return the ways of updating some layers once."""
    cells, rows = sum(layer.cells for layer in layers), sum(layer.rows for layer in layers)
    crossbars, deepest = sum(layer.crossbars for layer in layers), max(layer.rows_of_busiest for layer in layers)
    energy = cells * pulse.energy_j
    return (
        Way("cell by cell", cells, cells, cells * pulse.time_s, energy),
        Way("row by row", rows, rows, rows * pulse.time_s, energy),
        Way("rows, crossbars at once", rows, deepest, deepest * pulse.time_s, energy),
        Way(
            "outer products",
            crossbars,
            1,
            OUTER_PRODUCT_S,
            crossbars * OUTER_PRODUCT_S * OUTER_PRODUCT_W,
        ),
    )
