"""How many bytes wait in each tile for the matrices that read them, while inferences follow each other.

What a producer makes arrives evenly from its start to its stop. A consumer lets go of it as it advances, but for what
it needs at a time (`ir.edges`); what needs everything keeps it until it stops. With buffers of this size the schedule
can be kept, and a dataflow pipeline that starts each step as soon as it can is never later than a schedule that can be
kept: it does not run into a deadlock (self-timed execution; Sriram and Bhattacharyya, Embedded Multiprocessors, 2009).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.placed import PlacedProgram, Stage
from rcompile.mapper.timing import Layer
from rcompile.mapper.traffic import Spread


def waiting_bytes(
    placed: PlacedProgram,
    layers: Sequence[Layer],
    spreads: Sequence[Spread],
    stages: dict[int, Stage],
    interval_s: float,
) -> NDArray[np.int64]:
    """Return how many bytes wait in each tile at most.

    Args:
        placed: the program.
        layers: its matrices in the pipeline.
        spreads: of its matrices over tiles.
        stages: by matrix.
        interval_s: between inferences.
    """
    waiting = np.zeros(len(placed.floorplan.slots))
    for edge in placed.program.source.edges:
        if all(feed.producer != edge.producer for feed in layers[edge.consumer].feeds):
            continue  # carried back by a loop
        window = edge.most_held / placed.program.matrices[edge.producer].matrix.vectors
        share = most_waiting(stages[edge.producer], stages[edge.consumer], window, interval_s)
        own = spreads[edge.consumer]
        waiting[own.tiles] += share * edge.bytes * own.reads
    return np.ceil(waiting).astype(np.int64)


def most_waiting(producer: Stage, consumer: Stage, window: float, interval_s: float) -> float:
    """Return the largest share of a producer's output that waits for a consumer; above 1 where inferences overlap.

    Args:
        producer: when it makes the output.
        consumer: when it reads it.
        window: share of the input that it needs at any time.
        interval_s: between inferences.
    """
    lasting = consumer.stop_s - consumer.start_s
    bends = np.array([producer.stop_s, consumer.start_s, consumer.start_s + window * lasting, consumer.stop_s])
    overlapping = int(np.ceil((consumer.stop_s - producer.start_s) / interval_s))
    times = bends[:, None] + interval_s * np.arange(-overlapping, overlapping + 1)

    made = np.clip((times - producer.start_s) / (producer.stop_s - producer.start_s), 0, 1)
    read = np.clip((times - consumer.start_s) / lasting, 0, 1)
    held = np.where(times <= consumer.stop_s * (1 + 1e-12), made - np.clip(read - window, 0, None), 0)
    return float(held.sum(axis=1).max())
