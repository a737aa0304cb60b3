"""Instruction streams of a placed program: what its tiles do, and for how long, as `schedule` assumes it."""

import numpy as np

from rcompile.errors import UsageError
from rcompile.ir.placed import PlacedProgram
from rcompile.ir.stream import (
    Finish,
    Instruction,
    InstructionStream,
    Load,
    Mvm,
    Receive,
    ReceiveSums,
    Send,
    SendSums,
    ShiftAdd,
    Speed,
    Sums,
    Thread,
)
from rcompile.mapper.buffers import least_room, vectors_waiting
from rcompile.mapper.clock import PS, Clock
from rcompile.mapper.movement import lasting
from rcompile.mapper.reads import columns_converted, reads_of
from rcompile.mapper.timing import layers_in_ps
from rcompile.mapper.traffic import firsts, parts_of, spreads
from rcompile.targets import Target


def emit(placed: PlacedProgram, target: Target) -> InstructionStream:
    """Return what each tile does for an inference.

    Raises:
        UsageError: the program runs in rounds.
    """
    rounds = placed.floorplan.round_count
    if rounds > 1:
        raise UsageError(
            f"the program runs in {rounds} rounds: instruction streams are of programs that stay on the chip",
            hint="compile it for more chips or tiles (--set hierarchy.chips=N, hierarchy.mesh_rows=N), or --fit",
        )
    noc = target.noc
    return InstructionStream(
        placed,
        tuple(sorted(Emission(placed, target).threads(), key=lambda t: (t.tile, t.matrix, t.replica, not t.reads))),
        Speed(
            byte_ps=1 / noc.link_bytes_per_s / PS if noc.link_bytes_per_s else 0.0,
            chip_byte_ps=1 / noc.chip_link_bytes_per_s / PS if noc.chip_link_bytes_per_s else 0.0,
            hop_ps=round(noc.hop_s / PS),
        ),
    )


class Emission:
    """Emits the threads of a program.

    Args:
        placed: the program.
        target: says how long things take.
    """

    def __init__(self, placed: PlacedProgram, target: Target) -> None:
        self._placed, self._target = placed, target
        self._program = placed.program
        self._layers = layers_in_ps(self._program, Clock.of(target), columns_converted(placed))
        self._reads = reads_of(placed, self._layers)
        self._spreads = spreads(self._program, placed.places, placed.floorplan.crossbars_per_tile)
        self._least = least_room(self._program)
        self._waiting = vectors_waiting(placed, self._least)
        self._roomy: dict[int, float] = {}

    def threads(self) -> list[Thread]:
        """Return all threads."""
        return [thread for index in range(len(self._program.matrices)) for thread in self._of(index)]

    def _of(self, index: int) -> list[Thread]:
        """Return the threads of a matrix."""
        item, placed = self._program.matrices[index], self._placed
        own = self._program.blocks["matrix"] == index
        blocks, crossbars = self._program.blocks[own], placed.places["crossbar"][own]
        tile = placed.tile_of(crossbars).astype(np.int64)
        parts = parts_of(blocks, tile, crossbars)
        first = np.unique(parts.which, return_index=True)[1]
        sums = [Sums(int(b["group"]), int(b["column_start"]), int(b["column_stop"])) for b in blocks[first]]
        replica = blocks["replica"][first]
        part, at = parts.sent
        found = []
        for copy in range(item.replicas):
            vectors = len(range(copy, item.matrix.vectors, item.replicas))
            for here in np.unique(tile[blocks["replica"] == copy]).tolist():
                held = part[(at == here) & (replica[part] == copy)].tolist()
                read = blocks[(tile == here) & (blocks["replica"] == copy)]
                read = read[firsts(read["group"], read["row_start"])]
                body = [
                    *self._receives(index, here),
                    Load(int((read["row_stop"] - read["row_start"]).sum())),
                    self._mvm(index, copy, here),
                    ShiftAdd(tuple(sums[p] for p in held)),
                    *(SendSums(sums[p], int(parts.home[p]), int(parts.width[p]) * item.sent.bytes_each) for p in held),
                ]
                found.append(Thread(here, index, copy, vectors, True, tuple(body)))
            mine = np.flatnonzero(replica == copy)
            for home in np.unique(parts.home[mine]).tolist():
                made = mine[parts.home[mine] == home].tolist()
                width = int(parts.width[made].sum())
                body = [
                    *(ReceiveSums(sums[p], tuple(sorted(at[part == p].tolist()))) for p in made),
                    Finish(width, lasting(width, self._target.tile.elements_per_s)),
                    *self._sends(index, width / (item.matrix.groups * item.matrix.columns * item.matrix.vectors)),
                ]
                found.append(Thread(home, index, copy, vectors, False, tuple(body)))
        return found

    def _mvm(self, index: int, copy: int, tile: int) -> Mvm:
        reads = self._reads
        own = reads[(reads["matrix"] == index) & (reads["replica"] == copy)]
        own = own[self._placed.tile_of(own["crossbar"]) == tile]
        cycles = len(self._program.matrices[index].presented.slices)
        return Mvm(tuple(own["crossbar"].tolist()), tuple(np.ceil(own["ps"]).astype(int).tolist()), cycles)

    def _receives(self, index: int, tile: int) -> list[Instruction]:
        """Return what a tile waits for before it reads a vector."""
        found: list[Instruction] = []
        if tile not in self._roomy:
            self._roomy[tile] = self._roominess(tile)
        for number, edge in enumerate(self._program.source.edges):
            if edge.consumer == index:
                wanted, least = self._waiting[number], self._least[number]
                room = least + int((wanted - least) * self._roomy[tile])
                found.append(Receive(number, room, room * self._bytes_each(number, tile)))
        return found

    def _roominess(self, tile: int) -> float:
        """Return how much of the room that the schedule asks for, above what there must be, a tile has; 0 to 1."""
        buffer = self._target.tile.buffer_bytes
        least, wanted = 0.0, 0.0
        for number, edge in enumerate(self._program.source.edges):
            if tile in self._spreads[edge.consumer].tiles:
                each = self._bytes_each(number, tile)
                least, wanted = least + self._least[number] * each, wanted + self._waiting[number] * each
        if not buffer or wanted <= buffer:
            return 1.0
        return max(0.0, (buffer - least) / (wanted - least)) if wanted > least else 0.0

    def _bytes_each(self, edge: int, tile: int) -> float:
        """Return the bytes that a tile is sent of a vector of an edge."""
        flow = self._program.source.edges[edge]
        return flow.bytes / self._program.matrices[flow.producer].matrix.vectors * self._share(edge, tile)

    def _sends(self, index: int, share: float) -> list[Instruction]:
        """Return where outputs go, of which a vector is a share of all."""
        found: list[Instruction] = []
        for number, edge in enumerate(self._program.source.edges):
            if edge.producer == index:
                for tile in self._spreads[edge.consumer].tiles.tolist():
                    count = edge.bytes * share * self._share(number, tile)
                    found.append(Send(number, tile, count))
        return found

    def _share(self, edge: int, tile: int) -> float:
        """Return the share of an edge's bytes that a tile is sent."""
        own = self._spreads[self._program.source.edges[edge].consumer]
        return float(own.gets[edge][np.searchsorted(own.tiles, tile)])
