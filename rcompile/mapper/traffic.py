"""Bytes between tiles per inference.

The outputs of a copy's column partition are made where most of its crossbars are, in its home tile: other tiles that
hold parts of it send their partial sums there. From the home, outputs go to each tile that holds rows of a consumer:
those that its vectors need, once for all copies in the tile. Copies take vectors in turn, so that what a window reads
goes to many of them. Model inputs and outputs come from outside and are not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.crossbar import BlockTable, CrossbarMatrix, CrossbarProgram
from rcompile.ir.edges import Edge

PARTS = 2**10
"""Of a byte, in which flows are counted: copies send each other less than one an inference."""

LARGEST = 2**62


@dataclass(frozen=True)
class Spread:
    """How a matrix is spread over tiles.

    Attributes:
        tiles: that hold some of it.
        reads: the share of its input vectors that drives rows in each of them.
        gets: by the number of the edge, the share of another matrix's output that each of them is sent.
        makes: the share of its output that each of them makes.
        sums: partial sums per inference as (source, destination, count), tiles as indices into `tiles`.
    """

    tiles: NDArray[np.int64]
    reads: NDArray[np.float64]
    gets: dict[int, NDArray[np.float64]]
    makes: NDArray[np.float64]
    sums: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def spreads(program: CrossbarProgram, places: NDArray[np.void], crossbars_per_tile: int) -> list[Spread]:
    """Return how each matrix is spread over tiles."""
    tile = (places["crossbar"] // crossbars_per_tile).astype(np.int64)
    found = []
    for index, item in enumerate(program.matrices):
        own = program.blocks["matrix"] == index
        into = {number: edge for number, edge in enumerate(program.source.edges) if edge.consumer == index}
        found.append(spread(item, into, program.blocks[own], tile[own], places["crossbar"][own]))
    return found


@dataclass(frozen=True)
class Parts:
    """The parts of a matrix's output, copy by copy and column partition by column partition, and where sums meet.

    Attributes:
        which: of the parts each block adds to.
        home: tile of each part, where its outputs are made.
        width: columns of each part.
        sent: (part, tile) of each tile that holds some of a part.
    """

    which: NDArray[np.int64]
    home: NDArray[np.int64]
    width: NDArray[np.int64]
    sent: tuple[NDArray[np.int64], NDArray[np.int64]]


def parts_of(blocks: BlockTable, tile: NDArray[np.int64], crossbar: NDArray[np.integer]) -> Parts:
    """Return the parts of one matrix; blocks, their tiles and their crossbars in the same order."""
    which = numbered(blocks["replica"], blocks["group"], blocks["column_start"])
    arrays = firsts(which, tile, crossbar)  # the crossbars of each part in each tile
    key = numbered(which, tile)[arrays]
    _, place, counts = np.unique(key, return_index=True, return_counts=True)
    parts, at = which[arrays][place], tile[arrays][place]
    order = np.lexsort((at, -counts, parts))
    leading = order[np.unique(parts[order], return_index=True)[1]]
    home = np.empty(int(which.max()) + 1, np.int64)
    home[parts[leading]] = at[leading]
    width = np.empty(len(home), np.int64)
    width[which] = blocks["column_stop"] - blocks["column_start"]
    return Parts(which, home, width, (parts, at))


def spread(
    item: CrossbarMatrix,
    into: Mapping[int, Edge],
    blocks: BlockTable,
    tile: NDArray[np.int64],
    crossbar: NDArray[np.integer],
) -> Spread:
    """Return how one matrix is spread over tiles.

    Args:
        item: the matrix.
        into: what flows to it, by number.
        blocks: of it.
        tile: of each block.
        crossbar: of each block.
    """
    matrix = item.matrix
    tiles, here = np.unique(tile, return_inverse=True)
    taken = np.array([len(range(copy, matrix.vectors, item.replicas)) for copy in range(item.replicas)])
    inputs = blocks[rows := firsts(here, blocks["replica"], blocks["group"], blocks["row_start"])]
    height = (inputs["row_stop"] - inputs["row_start"]) / (matrix.groups * matrix.rows)
    found = parts_of(blocks, here.astype(np.int64), crossbar)
    parts, at = found.sent
    away = np.flatnonzero(at != found.home[parts])
    times = taken[blocks["replica"][np.unique(found.which, return_index=True)[1]]]
    made = np.bincount(found.home, found.width * times, len(tiles))
    return Spread(
        tiles=tiles,
        reads=np.bincount(here[rows], height * taken[inputs["replica"]], len(tiles)) / matrix.vectors,
        gets=shares_sent(item, into, here[rows], inputs, height),
        makes=made / made.sum(),
        sums=(at[away], found.home[parts[away]], (found.width * times)[parts[away]]),
    )


def shares_sent(
    item: CrossbarMatrix,
    into: Mapping[int, Edge],
    tile: NDArray[np.integer],
    inputs: BlockTable,
    height: NDArray[np.floating],
) -> dict[int, NDArray[np.float64]]:
    """Return for each edge the share of its bytes that each tile is sent.

    Args:
        item: the matrix.
        into: what flows to it, by number.
        tile: of each entry of `inputs`, counted from 0.
        inputs: each row partition of each copy in each tile, once.
        height: share of the rows that each has.
    """
    copies: dict[tuple[int, int, int], list[int]] = {}
    rows: dict[tuple[int, int, int], float] = {}
    for entry, share, at in zip(inputs, height.tolist(), tile.tolist(), strict=True):
        key = at, int(entry["group"]), int(entry["row_start"])
        copies.setdefault(key, []).append(int(entry["replica"]))
        rows[key] = share
    found = {}
    for number, edge in into.items():
        everywhere = item.replicas == 1 or not any(edge.along)
        whole = 1 if everywhere else edge.needed_by(np.arange(item.matrix.vectors))
        known: dict[tuple[int, ...], float] = {}
        shares = np.zeros(int(tile.max()) + 1)
        for key, own in copies.items():
            which = tuple(own)
            if which not in known:
                known[which] = 1.0 if everywhere else part_of(edge, item, which) / max(whole, 1)
            shares[key[0]] += rows[key] * known[which]
        found[number] = shares
    return found


def part_of(edge: Edge, item: CrossbarMatrix, copies: Sequence[int]) -> int:
    """Return how many vectors of a producer some copies of a matrix need."""
    turns = [np.arange(copy, item.matrix.vectors, item.replicas) for copy in copies]
    return edge.needed_by(np.concatenate(turns))


def firsts(*values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return where each combination of values occurs first."""
    return np.unique(numbered(*values), return_index=True)[1]


def numbered(*values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return a number for each combination of values, without gaps."""
    key, count = np.zeros(len(values[0]), np.int64), 1
    for value in values:
        width = int(value.max()) + 1
        if count * width >= LARGEST:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            count = int(key.max()) + 1
        key, count = key * width + value, count * width
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def add_sent(flows: NDArray[np.float64], program: CrossbarProgram, found: list[Spread], index: int) -> None:
    """Add to (tiles, tiles) the bytes that a matrix's partial sums and outputs bring from one tile to another."""
    add_sums(flows, program, found, index)
    add_outputs(flows, program, found, index)


def add_sums(flows: NDArray[np.float64], program: CrossbarProgram, found: list[Spread], index: int) -> None:
    """Add the bytes of a matrix's partial sums."""
    own = found[index]
    source, destination, count = own.sums
    np.add.at(flows, (own.tiles[source], own.tiles[destination]), count * program.matrices[index].sent.bytes_each)


def add_outputs(flows: NDArray[np.float64], program: CrossbarProgram, found: list[Spread], index: int) -> None:
    """Add the bytes of a matrix's outputs."""
    own = found[index]
    for number, edge in enumerate(program.source.edges):
        if edge.producer == index:
            consumer = found[edge.consumer]
            flows[np.ix_(own.tiles, consumer.tiles)] += edge.bytes * np.outer(own.makes, consumer.gets[number])


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
