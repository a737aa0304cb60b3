"""Instruction streams: what each tile does for an inference, thread by thread.

A copy of a matrix has two threads in each tile that holds some of it. One reads: it waits for inputs, drives the
crossbars, recombines slices, and sends partial sums to where they meet. The other one, where sums meet, adds them up,
finishes outputs, and sends them to the tiles that read them. Both repeat their instructions for each input vector of
the copy. Sends wait for room where they go to, receives for what they name.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rcompile.errors import require
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.edges import Edge
from rcompile.ir.placed import Floorplan, PlacedProgram, runs


@dataclass(frozen=True)
class Sums:
    """Partial sums of some columns of a group, of one vector."""

    group: int
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{f'group {self.group} ' if self.group else ''}{self.start}:{self.stop}"


@dataclass(frozen=True)
class Receive:
    """Wait for the outputs of another matrix that a vector needs; let go of those that no later one needs.

    Attributes:
        edge: number of the edge of the program that says which.
        room: vectors of the other matrix that the tile has room for.
        bytes: of all of them.
    """

    edge: int
    room: int
    bytes: float


@dataclass(frozen=True)
class Load:
    """Put a vector's inputs where they drive the rows of crossbars."""

    inputs: int


@dataclass(frozen=True)
class Mvm:
    """Drive crossbars with all input slices, and convert their columns.

    Attributes:
        crossbars: that are read.
        ps: picoseconds that each is busy.
        cycles: input slices.
    """

    crossbars: tuple[int, ...]
    ps: tuple[int, ...]
    cycles: int


@dataclass(frozen=True)
class ShiftAdd:
    """Recombine the slices and polarities of what was converted."""

    sums: tuple[Sums, ...]


@dataclass(frozen=True)
class SendSums:
    """Send partial sums to the tile where they meet."""

    sums: Sums
    tile: int
    bytes: int


@dataclass(frozen=True)
class ReceiveSums:
    """Wait for partial sums, and add them up."""

    sums: Sums
    tiles: tuple[int, ...]


@dataclass(frozen=True)
class Finish:
    """Make outputs of sums: signs, zero points, scale, bias, rounding.

    Attributes:
        outputs: how many.
        ps: picoseconds that the digital units of the tile are busy.
    """

    outputs: int
    ps: int


@dataclass(frozen=True)
class Send:
    """Send outputs to a tile that reads them, which works on them with the operators between."""

    edge: int
    tile: int
    bytes: float


Instruction = Receive | Load | Mvm | ShiftAdd | SendSums | ReceiveSums | Finish | Send


@dataclass(frozen=True)
class Thread:
    """What a tile does for one copy of a matrix, vector by vector.

    Attributes:
        tile: number of the used tile.
        matrix: index of it.
        replica: of its copies.
        vectors: of an inference.
        reads: whether it reads crossbars; else it finishes outputs.
        body: for each vector.
    """

    tile: int
    matrix: int
    replica: int
    vectors: int
    reads: bool
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class Speed:
    """How fast bytes travel; 0: what is not known keeps pace.

    Attributes:
        byte_ps: picoseconds of a byte on a link between tiles.
        chip_byte_ps: picoseconds of a byte on a link between chips.
        hop_ps: picoseconds from router to router.
    """

    byte_ps: float
    chip_byte_ps: float
    hop_ps: int


@dataclass(frozen=True)
class InstructionStream:
    """What all tiles do.

    Attributes:
        placed: the program that it is of.
        threads: tile by tile.
        speed: of the links between them.
    """

    placed: PlacedProgram
    threads: tuple[Thread, ...]
    speed: Speed

    @property
    def floorplan(self) -> Floorplan:
        """Where tiles are."""
        return self.placed.floorplan

    @property
    def edges(self) -> tuple[Edge, ...]:
        """What flows between matrices."""
        return self.placed.program.source.edges

    @property
    def instructions(self) -> int:
        """How many are executed for an inference."""
        return sum(thread.vectors * len(thread.body) for thread in self.threads)

    def verify(self) -> None:
        """Check that what is sent is received where it goes to, and that copies share out the vectors."""
        self.verify_sums()
        self.verify_outputs()
        vectors: Counter[tuple[int, int, int, bool]] = Counter()
        for thread in self.threads:
            vectors[thread.matrix, thread.replica, thread.tile, thread.reads] += thread.vectors
        for (matrix, replica, _, _), count in vectors.items():
            item = self.placed.program.matrices[matrix]
            share = len(range(replica, item.matrix.vectors, item.replicas))
            require(count == share, f"{item.matrix.name}: copy {replica} takes {count} of {share} vectors")

    def verify_sums(self) -> None:
        """Check that partial sums are received where they are sent to."""
        sent: Counter[object] = Counter()
        received: Counter[object] = Counter()
        for thread in self.threads:
            copy = thread.matrix, thread.replica
            for one in thread.body:
                if isinstance(one, SendSums):
                    sent[copy, one.sums, thread.tile, one.tile] += 1
                elif isinstance(one, ReceiveSums):
                    received.update((copy, one.sums, tile, thread.tile) for tile in one.tiles)
        require(sent == received, "partial sums are sent and not received, or the other way round")

    def verify_outputs(self) -> None:
        """Check that outputs go, from all that make them, to the tiles that read them, which have room for a window."""
        readers: dict[int, set[int]] = defaultdict(set)
        for thread in self.threads:
            for one in thread.body:
                if isinstance(one, Receive):
                    edge = self.edges[one.edge]
                    require(edge.consumer == thread.matrix, f"an input comes along edge {one.edge}")
                    require(one.room >= edge.held(), f"there is no room for a window of edge {one.edge}")
                    readers[one.edge].add(thread.tile)
        for thread in self.threads:
            sends = [one for one in thread.body if isinstance(one, Send)]
            for number, edge in enumerate(self.edges):
                if edge.producer == thread.matrix and not thread.reads:
                    tiles = sorted(one.tile for one in sends if one.edge == number)
                    require(tiles == sorted(readers[number]), f"outputs of edge {number} go to other tiles")

    def lines(self) -> Iterator[str]:
        """Yield a line per tile, thread and instruction."""
        tiles = defaultdict(list)
        for thread in self.threads:
            tiles[thread.tile].append(thread)
        name = self.placed.program.source.name
        count = "1 tile" if len(tiles) == 1 else f"{len(tiles)} tiles"
        total = f"{len(self.threads)} threads, {self.instructions} instructions an inference"
        yield f"instruction stream {name}: {count}, {total}"
        for tile, threads in sorted(tiles.items()):
            chip, layer, row, column = self.floorplan.position(tile)
            above = f" layer {layer}" if self.floorplan.mesh_layers > 1 else ""
            yield f"tile {tile} at chip {chip}{above} row {row} column {column}"
            for thread in threads:
                item = self.placed.program.matrices[thread.matrix]
                copy = f" copy {thread.replica} of {item.replicas}" if item.replicas > 1 else ""
                what = "read" if thread.reads else "finish"
                times = "once" if thread.vectors == 1 else f"{thread.vectors} times"
                yield f"  {what} {item.matrix.name}{copy}, {times}"
                for instruction in thread.body:
                    yield f"    {self.text(instruction, item)}"

    def text(self, instruction: Instruction, item: CrossbarMatrix) -> str:
        """Return an instruction's line."""
        names = [matrix.matrix.name for matrix in self.placed.program.matrices]
        match instruction:
            case Receive(edge, room, count):
                flow = self.edges[edge]
                of = f"{names[flow.producer]}, first {flow.head} of {np.prod(flow.made)}"
                text = f"receive {of}; room for {room} ({number(count)} bytes)"
            case Load(inputs):
                text = f"load {inputs} inputs of {item.matrix.input.tensor}"
            case Mvm(crossbars, ps, cycles):
                text = f"mvm crossbars {runs(np.array(crossbars))}, {cycles} input slices, {max(ps)} ps"
            case ShiftAdd(sums):
                text = f"shift-and-add {len(item.weight_slices)} slices into sums {', '.join(map(str, sums))}"
            case SendSums(part, tile, size):
                text = f"send sums {part} to tile {tile} ({size} bytes)"
            case ReceiveSums(part, tiles):
                text = f"receive and add sums {part} of tiles {' '.join(map(str, tiles))}"
            case Finish(outputs, busy):
                text = f"finish {outputs} outputs{f', {busy} ps' if busy else ''}"
            case Send(edge, tile, count):
                text = f"send to tile {tile} for {names[self.edges[edge].consumer]} ({number(count)} bytes)"
        return text

    def __str__(self) -> str:
        return "\n".join(self.lines())


def number(value: float) -> str:
    """Write a number of bytes, of which there may be parts."""
    return f"{value:.4g}" if value < 1000 else f"{value:.0f}"
