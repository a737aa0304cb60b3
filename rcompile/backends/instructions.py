"""The reference, thread by thread: numbers that instruction streams compute.

Each reading thread drives its own crossbars and sends its sums to where they meet; each finishing thread adds up what
it receives, and nothing else. What is sent and never received, or received and never sent, is an error. When each of
this happens is the machine's affair (machine.py).
"""

from collections import defaultdict

import numpy as np

from rcompile.backends.chip import Chip
from rcompile.backends.correction import copy_of_vector
from rcompile.backends.die import Vectors
from rcompile.backends.reading import Readout
from rcompile.backends.reference import Reference
from rcompile.errors import InternalError
from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.ir.graph import Array
from rcompile.ir.matrix import IntegerArray
from rcompile.ir.stream import InstructionStream, Mvm, ReceiveSums, SendSums, Sums, Thread


class Instructions(Reference):
    """Accumulators of each matrix of a program, by the threads of its instruction stream.

    Args:
        stream: that is executed.
        chip: that it runs on; without, one whose cells hold what is written.
    """

    name = "instructions"

    def __init__(self, stream: InstructionStream, chip: Chip | None = None) -> None:
        super().__init__(stream.placed, chip)
        self._threads: dict[tuple[int, int], list[Thread]] = defaultdict(list)
        for thread in stream.threads:
            self._threads[thread.matrix, thread.replica].append(thread)

    def _run(
        self, item: CrossbarMatrix, groups: list[list[Readout]], inputs: IntegerArray, sums: Array, which: Vectors
    ) -> None:
        """Let the threads of one copy read, send and add; see Chunked."""
        copy = int(copy_of_vector(item, which.positions[:1])[0])
        threads = self._threads[which.read[0], copy]
        columns = np.ascontiguousarray(inputs.transpose(1, 2, 0))
        sent: dict[tuple[int, Sums, int], Array] = {}
        for thread in threads:
            if thread.reads:
                made = np.zeros_like(sums)
                own = {crossbar for one in thread.body if isinstance(one, Mvm) for crossbar in one.crossbars}
                for group in groups:
                    if group[0].reading.crossbar in own:
                        self._read(item, group, columns, made, which)
                sends = [one for one in thread.body if isinstance(one, SendSums)]
                sent |= {(one.tile, one.sums, thread.tile): made[place_of(one.sums)] for one in sends}
        for thread in threads:
            add_up(thread, sent, sums)
        if sent:
            tile, part, source = next(iter(sent))
            raise InternalError(f"tile {source} sends sums {part} that tile {tile} does not receive")


def add_up(thread: Thread, sent: dict[tuple[int, Sums, int], Array], sums: Array) -> None:
    """Add what a thread receives to its sums, and take it away from what was sent."""
    for one in thread.body:
        if isinstance(one, ReceiveSums):
            for tile in one.tiles:
                if (key := (thread.tile, one.sums, tile)) not in sent:
                    raise InternalError(f"tile {thread.tile} waits for sums {one.sums} that tile {tile} keeps")
                sums[place_of(one.sums)] += sent.pop(key)


def place_of(sums: Sums) -> tuple[slice, int, slice]:
    """Return where partial sums are among (row partitions, G, N, vectors)."""
    return slice(None), sums.group, slice(sums.start, sums.stop)
