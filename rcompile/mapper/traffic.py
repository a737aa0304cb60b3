"""Bytes between tiles per inference.

The outputs of a copy's column partition are made where most of its crossbars are, in its home tile: other tiles that
hold parts of it send their partial sums there. From the home, outputs go to each tile that holds rows of a consumer,
and to each copy its share. Model inputs and outputs come from outside and are not counted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.crossbar import BlockTable, CrossbarMatrix, CrossbarProgram

PARTS = 2**10
"""Of a byte, in which flows are counted: copies send each other less than one an inference."""


@dataclass(frozen=True)
class Spread:
    """How a matrix is spread over tiles.

    Attributes:
        tiles: that hold some of it.
        reads: the share of its input that each of them reads.
        makes: the share of its output that each of them makes.
        sums: partial sums per inference as (source, destination, count), tiles as indices into `tiles`.
    """

    tiles: NDArray[np.int64]
    reads: NDArray[np.float64]
    makes: NDArray[np.float64]
    sums: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def spreads(program: CrossbarProgram, places: NDArray[np.void], crossbars_per_tile: int) -> list[Spread]:
    """Return how each matrix is spread over tiles."""
    tile = (places["crossbar"] // crossbars_per_tile).astype(np.int64)
    found = []
    for index, item in enumerate(program.matrices):
        own = program.blocks["matrix"] == index
        found.append(spread(item, program.blocks[own], tile[own], places["crossbar"][own]))
    return found


def spread(item: CrossbarMatrix, blocks: BlockTable, tile: NDArray[np.int64], crossbar: NDArray[np.integer]) -> Spread:
    """Return how one matrix is spread over tiles; blocks, tiles and crossbars in the same order."""
    matrix = item.matrix
    tiles, here = np.unique(tile, return_inverse=True)
    inputs = firsts(here, blocks["replica"], blocks["group"], blocks["row_start"])
    rows = np.bincount(here[inputs], (blocks["row_stop"] - blocks["row_start"])[inputs], len(tiles))
    # crossbars of each part of the output, a copy's column partition, in each tile
    part = numbered(blocks["replica"], blocks["group"], blocks["column_start"])
    arrays = firsts(part, here, crossbar)
    key = numbered(part, here)[arrays]
    _, which, counts = np.unique(key, return_index=True, return_counts=True)
    parts, at = part[arrays][which], here[arrays][which]
    order = np.lexsort((at, -counts, parts))
    leading = order[np.unique(parts[order], return_index=True)[1]]
    home = np.empty(int(part.max()) + 1, np.int64)
    home[parts[leading]] = at[leading]
    width = np.empty(len(home), np.int64)
    width[part] = blocks["column_stop"] - blocks["column_start"]
    away = np.flatnonzero(at != home[parts])
    slots = -(-matrix.vectors // item.replicas)
    return Spread(
        tiles=tiles,
        reads=rows / (matrix.groups * matrix.rows * item.replicas),
        makes=np.bincount(home, width, len(tiles)) / width.sum(),
        sums=(at[away], home[parts[away]], width[parts[away]] * slots),
    )


def firsts(*values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return where each combination of values occurs first."""
    return np.unique(numbered(*values), return_index=True)[1]


def numbered(*values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return a number for each combination of values, without gaps."""
    key = np.zeros(len(values[0]), np.int64)
    for value in values:
        key = key * (int(value.max()) + 1) + value
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def add_sent(flows: NDArray[np.float64], program: CrossbarProgram, found: list[Spread], index: int) -> None:
    """Add to (tiles, tiles) the bytes that a matrix's partial sums and outputs bring from one tile to another."""
    own = found[index]
    source, destination, count = own.sums
    np.add.at(flows, (own.tiles[source], own.tiles[destination]), count * program.matrices[index].sent.bytes_each)
    for edge in program.source.edges:
        if edge.producer == index:
            consumer = found[edge.consumer]
            flows[np.ix_(own.tiles, consumer.tiles)] += edge.bytes * np.outer(own.makes, consumer.reads)


def tile_flows(
    program: CrossbarProgram, places: NDArray[np.void], crossbars_per_tile: int, tiles: int
) -> NDArray[np.int64]:
    """Return (tiles, tiles): parts of bytes from one tile to another."""
    found = spreads(program, places, crossbars_per_tile)
    flows = np.zeros((tiles, tiles))
    for index in range(len(program.matrices)):
        add_sent(flows, program, found, index)
    np.fill_diagonal(flows, 0)
    return in_parts(flows)


def in_parts(flows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return bytes in whole parts of bytes."""
    return np.rint(flows * PARTS).astype(np.int64)


def in_bytes(parts: int) -> int:
    """Return parts of bytes in bytes, rounded up."""
    return -(-parts // PARTS)
