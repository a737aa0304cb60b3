"""Programs larger than their chips run in rounds: crossbars are programmed anew in between.

Crossbars are in the order in which their layers compute. A round holds a run of them; the last ones stay programmed
in all rounds. With M crossbars on N places, R rounds rewrite at least R (M - N) / (R - 1) of them per repetition, and
however many rounds, M - N + 1. Cuts are at the borders of layers, or of tiles within a layer, whose partial sums
are then kept until the next round; of the cuts with the fewest writes, those with the fewest bytes to keep are taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.matrix import StepKind
from rcompile.ir.placed import Sharing
from rcompile.mapper.packing import Packing
from rcompile.targets import Target


@dataclass(frozen=True)
class Rounds:
    """Runs of crossbars.

    Attributes:
        starts: the first crossbar of each round.
        resident: the first crossbar of those that stay programmed; they compute in the last round.
        bytes: kept from round to round, per inference.
    """

    starts: tuple[int, ...]
    resident: int
    bytes: int


def rounds_of(program: CrossbarProgram, target: Target, packing: Packing, most: int) -> Rounds | None:
    """Return the rounds in which a program runs that is larger than the target; None where it cannot."""
    in_order = program.source.matrix_order() == tuple(range(len(program.matrices)))
    if most < 2 or target.crossbar.sharing != Sharing.LAYER or not in_order:
        return None
    crossbars, matrix = packing.places["crossbar"], program.blocks["matrix"]
    last = np.zeros(len(program.matrices), np.int64)
    np.maximum.at(last, matrix, crossbars + 1)
    spans = np.stack([np.concatenate([[0], last[:-1]]), last], axis=1)
    tiles = target.hierarchy.chips * target.tiles_per_chip
    return cut_into_rounds(program, spans, target.usable_per_tile, tiles, most)


def cut_into_rounds(
    program: CrossbarProgram, spans: NDArray[np.int64], per_tile: int, tiles: int, most: int
) -> Rounds | None:
    """Return the rounds with the fewest writes, at most so many; None where there are none.

    Args:
        program: matrices in order of execution.
        spans: (matrices, 2) first crossbar of each matrix, and the one after its last; without gaps.
        per_tile: crossbars of a tile; a round starts with a tile.
        tiles: there are.
        most: rounds.
    """
    places = positions(program, spans, per_tile)
    end = int(spans[-1, 1])
    for resident in places[1:]:
        room = (tiles - -(-(end - resident) // per_tile)) * per_tile
        own = [place for place in places if place <= resident]
        if room > 0 and (count := fewest_runs(own, room)) is not None and 2 <= count <= most:
            kept = {place: bytes_kept(program, spans, place) for place in own[1:]}
            starts = cheapest_runs(own, room, count, kept)
            return Rounds(tuple(starts), resident, sum(kept[start] for start in starts[1:]))
    return None


def positions(program: CrossbarProgram, spans: NDArray[np.int64], per_tile: int) -> list[int]:
    """Return the crossbars at which a round may start, and the end: not within a loop, whose matrices repeat."""
    found = {0, int(spans[-1, 1])}
    for start, stop in spans.tolist():
        found.update(range(start, stop, per_tile))
    for loop in program.source.loops:
        inside = [step.index for step in loop.order if step.kind is StepKind.MATRIX]
        if inside:
            first, last = int(spans[inside, 0].min()), int(spans[inside, 1].max())
            found -= set(range(first + 1, last))
    return sorted(found)


def fewest_runs(places: Sequence[int], room: int) -> int | None:
    """Return how few runs of at most so many crossbars reach from the first place to the last."""
    count, start, reached = 0, places[0], places[0]
    for place in places[1:]:
        if place - start > room:
            if reached == start:
                return None
            count, start = count + 1, reached
            if place - start > room:
                return None
        reached = place
    return count + 1


def cheapest_runs(places: Sequence[int], room: int, count: int, kept: dict[int, int]) -> list[int]:
    """Return where so many runs start that the fewest bytes are kept between them."""
    never = np.iinfo(np.int64).max // 4
    at = np.array(places)
    cost = np.array([0, *(kept[place] for place in places[1:])], np.int64)
    least = np.full(len(places), never)
    least[0] = 0
    before = []
    for _ in range(count):
        following, chosen = np.full(len(places), never), np.zeros(len(places), np.int64)
        for stop in range(1, len(places)):
            first = int(np.searchsorted(at, at[stop] - room))
            total = least[first:stop] + np.where(np.arange(first, stop) > 0, cost[first:stop], 0)
            if total.size and total.min() < never:
                chosen[stop], following[stop] = first + int(total.argmin()), total.min()
        before.append(chosen)
        least = following
    starts, stop = [], len(places) - 1
    for chosen in reversed(before):
        stop = int(chosen[stop])
        starts.append(places[stop])
    return starts[::-1]


def bytes_kept(program: CrossbarProgram, spans: NDArray[np.int64], place: int) -> int:
    """Return what must be kept where a round ends: outputs that are still needed, and partial sums of a cut layer."""
    outputs: dict[int, int] = {}
    for edge in program.source.edges:
        if spans[edge.producer, 1] <= place < spans[edge.consumer, 1]:
            outputs[edge.producer] = max(outputs.get(edge.producer, 0), edge.bytes)
    total = sum(outputs.values())
    for index in np.flatnonzero((spans[:, 0] < place) & (place < spans[:, 1])):
        item = program.matrices[index]
        total += item.sent.bytes_each * item.matrix.vectors * item.matrix.groups * item.matrix.columns
    return total


def numbered(packing: Packing, cut: Rounds | None, per_tile: int) -> tuple[NDArray[np.void], NDArray[np.int64], int]:
    """Return places, the round of each tile, and the first resident tile.

    Each round, and what stays in all of them, starts with a tile of its own.
    """
    if cut is None:
        tiles = -(-packing.crossbars // per_tile)
        return packing.places.copy(), np.zeros(tiles, np.int64), 0
    borders = np.array([*cut.starts, cut.resident])
    sizes = np.diff([*borders, packing.crossbars])
    tiles_of = -(-sizes // per_tile)
    first = np.cumsum(tiles_of) - tiles_of
    places = packing.places.copy()
    run = np.searchsorted(borders, places["crossbar"], side="right") - 1
    places["crossbar"] += (first[run] * per_tile - borders[run]).astype(np.int32)
    last = len(cut.starts) - 1
    rounds = np.repeat(np.minimum(np.arange(len(borders)), last), tiles_of)
    return places, rounds, int(first[-1])
