"""Bytes between tiles per inference.

Each matrix has a home tile, the one with most of its crossbars, where its partial sums meet and its output is
made. Tiles that hold other parts send their partial sums home; outputs go from home to the tiles of each consumer,
in proportion to the crossbars that they hold. Model inputs and outputs come from outside and are not counted.
"""

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.crossbar import CrossbarProgram


def tile_flows(
    program: CrossbarProgram, places: NDArray[np.void], crossbars_per_tile: int, tiles: int
) -> NDArray[np.int64]:
    """Return (tiles, tiles): bytes from one tile to another."""
    tile = places["crossbar"] // crossbars_per_tile
    counts = np.zeros((len(program.matrices), tiles), np.int64)
    crossbars = int(places["crossbar"].max()) + 1
    matrix, crossbar = np.divmod(
        np.unique(program.blocks["matrix"] * np.int64(crossbars) + places["crossbar"]), crossbars
    )
    np.add.at(counts, (matrix, crossbar // crossbars_per_tile), 1)
    homes = counts.argmax(axis=1)
    flows = np.zeros((tiles, tiles), np.int64)
    for edge in program.source.edges:
        share = counts[edge.consumer] / counts[edge.consumer].sum()
        flows[homes[edge.producer]] += np.rint(edge.bytes * share).astype(np.int64)
    for index, item in enumerate(program.matrices):
        if np.count_nonzero(counts[index]) > 1:
            own = program.blocks["matrix"] == index
            sent = partial_sums_sent(program.blocks[own], tile[own], tiles, item.matrix.vectors, item.replicas)
            flows[:, homes[index]] += sent * item.sent.bytes_each
    np.fill_diagonal(flows, 0)
    return flows


def partial_sums_sent(
    blocks: NDArray[np.void], tile: NDArray[np.integer], tiles: int, vectors: int, replicas: int
) -> NDArray[np.int64]:
    """Return how many sums each tile sends home: one per output column that it holds, and vector."""
    key = np.zeros(len(blocks), np.int64)
    for values in (tile, blocks["replica"], blocks["group"], blocks["column_start"]):
        key = key * (int(values.max()) + 1) + values
    first = np.unique(key, return_index=True)[1]
    sent = np.zeros(tiles, np.int64)
    np.add.at(sent, tile[first], blocks["column_stop"][first] - blocks["column_start"][first])
    return sent * -(-vectors // replicas)
