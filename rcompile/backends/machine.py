"""An event-driven machine that runs instruction streams: when each instruction is done, if all of them ever are.

Threads run side by side and wait for what they receive, for room where they send to, for crossbars and for digital
units. Bytes go link by link, those of one link after the other. Numbers are not computed here (backends/
instructions.py does): in a network of threads that block on reads, no number depends on when it is computed (Kahn, The
semantics of a simple language for parallel programming, 1974).
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count, product

from rcompile.ir.stream import (
    Finish,
    InstructionStream,
    Mvm,
    Receive,
    ReceiveSums,
    Send,
    SendSums,
    Sums,
    Thread,
)
from rcompile.mapper.fabric import Link
from rcompile.mapper.topology import fabric_of

QUEUED = 2
"""Vectors whose partial sums a tile has room for: one is worked on, one arrives."""

SHOWN_TOGETHER = 1000
"""Vectors after which progress is shown."""

LONGEST = 60
"""Characters of a layer's name in a message."""

CHIP_LINK = 2
"""Length of the name of a link between chips."""

Steps = Generator["int | tuple[Level, int, str, int]", None, None]
"""What a thread does: it yields picoseconds that pass, or what it waits for: a level, its goal, and both in words."""


@dataclass(frozen=True)
class Run:
    """What happened.

    Attributes:
        finished_ps: when each inference was finished, after the inputs of the first one came.
        stuck: what each thread waits for that never came, where the machine stopped before its end.
        held_bytes: of each tile, of inputs at most.
        link_busy_ps: of the busiest link.
    """

    finished_ps: tuple[int, ...]
    stuck: tuple[str, ...]
    held_bytes: dict[int, float]
    link_busy_ps: int

    @property
    def interval_ps(self) -> float:
        """Between inferences, but for the first one, which finds nothing before it, and the last, nothing after it."""
        return (self.finished_ps[-2] - self.finished_ps[1]) / (len(self.finished_ps) - 3)


class Level:
    """A number that only grows, and the threads that wait until it is large enough.

    Args:
        machine: that they run on.
        value: at the beginning.
    """

    def __init__(self, machine: "Machine", value: int = 0) -> None:
        self._machine = machine
        self._waiting: list[tuple[int, int, Steps]] = []
        self.value = value

    def wait(self, goal: int, steps: Steps) -> None:
        """Let a thread wait."""
        heapq.heappush(self._waiting, (goal, self._machine.number(), steps))

    def reach(self, value: int) -> None:
        """Grow, and let those go on whose goal is reached."""
        self.value = value
        while self._waiting and self._waiting[0][0] <= value:
            steps = heapq.heappop(self._waiting)[2]
            self._machine.at(0, partial(self._machine.resume, steps))


class Port:
    """Where a tile receives the outputs of one matrix for another one, vector by vector, counted over all inferences.

    Args:
        machine: that it belongs to.
        senders: the (copy, tile) that send to it, each every so many vectors, from the number of the copy on.
        readers: copies of the other matrix in the tile.
        room: vectors that there is room for.
    """

    def __init__(self, machine: "Machine", senders: list[tuple[int, int]], readers: list[int], room: int) -> None:
        self._next = {(copy, tile): copy for copy, tile in senders}
        self._freed = dict.fromkeys(readers, 0)
        self.there = Level(machine, min(self._next.values()))
        self.open = Level(machine, room)
        self._room = room
        self.most = 0

    def arrive(self, sender: tuple[int, int], following: int) -> None:
        """Take what a sender sends, whose next vector is `following`."""
        behind = self._next[sender] == self.there.value
        self._next[sender] = following
        if behind:
            self.there.reach(min(self._next.values()))
            self.most = max(self.most, self.there.value - self.open.value + self._room)

    def free(self, reader: int, vectors: int) -> None:
        """Let go of the first vectors, as far as all readers have."""
        self._freed[reader] = vectors
        if (room := min(self._freed.values()) + self._room) > self.open.value:
            self.open.reach(room)


class Machine:
    """Threads, ports, links and units of an instruction stream.

    Args:
        stream: that is run.
        inferences: whose inputs come one after the other,
        every_ps: after so many picoseconds each.
        progress: called with the number of vectors that threads have finished since the last call.
    """

    def __init__(
        self,
        stream: InstructionStream,
        inferences: int,
        every_ps: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._stream, self._inferences, self._every = stream, inferences, every_ps
        self._progress, self._unseen = progress, 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._number, self._now = count(), 0
        self._fabric = fabric_of(stream.floorplan)
        self._routes: dict[tuple[int, int], list[Link]] = {}
        self._matrices = [item.matrix for item in stream.placed.program.matrices]
        self._copies = [item.replicas for item in stream.placed.program.matrices]
        self._ports = self._make_ports()
        # when crossbars, digital units and links are free again, and for how long links were busy
        self._crossbars, self._units = defaultdict[int, int](int), defaultdict[int, int](int)
        self._links, self._busy = defaultdict[Link, int](int), defaultdict[Link, int](int)
        # by matrix and copy: partial sums that have arrived from each tile, and that are added up
        self._sums: dict[tuple[int, int, Sums, int], Level] = {}
        self._added: dict[tuple[int, int, Sums], Level] = {}
        # by matrix: the next output of each copy and tile, and of all without gaps
        self._next: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        self._made = [Level(self) for _ in self._matrices]
        for thread in stream.threads:
            for one in thread.body:
                if isinstance(one, ReceiveSums):
                    self._added[thread.matrix, thread.replica, one.sums] = Level(self)
                    for tile in one.tiles:
                        self._sums[thread.matrix, thread.replica, one.sums, tile] = Level(self)
        self._finished = [0] * inferences
        # by the identity of its steps: each thread, and what it waits for
        self._doing: dict[int, Thread] = {}
        self._waits: dict[int, tuple[Thread, Level, int, str, int]] = {}

    def run(self) -> Run:
        """Run all threads until nothing happens any more."""
        for thread in self._stream.threads:
            if not thread.reads:
                self._next[thread.matrix][thread.replica, thread.tile] = thread.replica
        for thread in self._stream.threads:
            steps = self._reading(thread) if thread.reads else self._finishing(thread)
            self._doing[id(steps)] = thread
            self.at(0, partial(self.resume, steps))
        while self._events:
            self._now, _, action = heapq.heappop(self._events)
            action()
        held: dict[tuple[int, int], float] = {}
        for thread in self._stream.threads:
            for one in thread.body:
                if isinstance(one, Receive):  # copies in a tile share what it receives
                    held[one.edge, thread.tile] = self._ports[one.edge, thread.tile].most * one.bytes / one.room
        return Run(
            finished_ps=tuple(self._finished),
            stuck=tuple(self._why(*wait) for wait in self._waits.values()),
            held_bytes={tile: sum(v for (_, t), v in held.items() if t == tile) for _, tile in held},
            link_busy_ps=max(self._busy.values(), default=0),
        )

    def number(self) -> int:
        """Return a number for what happens at the same time: larger than all before."""
        return next(self._number)

    def at(self, delay: int, action: Callable[[], None]) -> None:
        """Do something after some picoseconds."""
        heapq.heappush(self._events, (self._now + delay, self.number(), action))

    def resume(self, steps: Steps) -> None:
        """Let a thread go on until it waits."""
        self._waits.pop(id(steps), None)
        for what in steps:
            if isinstance(what, int):
                if what:
                    self.at(what, partial(self.resume, steps))
                    return
            elif what[0].value < what[1]:
                what[0].wait(what[1], steps)
                self._waits[id(steps)] = (self._doing[id(steps)], *what)
                return

    def _why(self, thread: Thread, level: Level, goal: int, what: str, matrix: int) -> str:
        """Say what a thread waits for."""
        names = [one.name if len(one.name) <= LONGEST else f"...{one.name[-LONGEST:]}" for one in self._matrices]
        where = f"tile {thread.tile} {'reads' if thread.reads else 'finishes'} {names[thread.matrix]}"
        return f"{where} and waits for {what} of {names[matrix]}: {level.value} of {goal} vectors"

    def _make_ports(self) -> dict[tuple[int, int], Port]:
        """Return the ports of all edges and tiles."""
        senders, readers, rooms = defaultdict(list), defaultdict(list), {}
        for thread in self._stream.threads:
            for one in thread.body:
                if isinstance(one, Send):
                    senders[one.edge, one.tile].append((thread.replica, thread.tile))
                elif isinstance(one, Receive):
                    readers[one.edge, thread.tile].append(thread.replica)
                    rooms[one.edge, thread.tile] = one
        return {key: Port(self, senders[key], readers[key], one.room) for key, one in rooms.items()}

    def _reading(self, thread: Thread) -> Steps:
        """Read crossbars for each vector of a copy."""
        index, matrix = thread.matrix, self._matrices[thread.matrix]
        receives = [one for one in thread.body if isinstance(one, Receive)]
        edges = [self._stream.edges[one.edge] for one in receives]
        ports = [self._ports[one.edge, thread.tile] for one in receives]
        needed, finished = [e.needed.tolist() for e in edges], [e.finished.tolist() for e in edges]
        made = [self._matrices[edge.producer].vectors for edge in edges]
        (mvm,) = (one for one in thread.body if isinstance(one, Mvm))
        sends = [one for one in thread.body if isinstance(one, SendSums)]
        added = [self._added[index, thread.replica, one.sums] for one in sends]
        arrived = [self._sums[index, thread.replica, one.sums, thread.tile] for one in sends]
        for done, (inference, vector) in enumerate(self._vectors(thread)):
            if not edges and self._now < inference * self._every:
                yield inference * self._every - self._now  # until the model's inputs come
            for edge, port, need, vectors in zip(edges, ports, needed, made, strict=True):
                yield port.there, inference * vectors + need[vector], "outputs", edge.producer
            if matrix.serial:
                yield self._made[index], inference * matrix.vectors + vector, "its own outputs", index
            for level in added:
                yield level, done + 1 - QUEUED, "room for partial sums", index
            yield self._occupied(mvm)
            later, following = divmod(vector + self._copies[index], matrix.vectors)
            following = thread.replica if later else following
            for port, free, vectors in zip(ports, finished, made, strict=True):
                port.free(thread.replica, (inference + later) * vectors + free[following])
            for one, level in zip(sends, arrived, strict=True):
                self._travel(thread.tile, one.tile, one.bytes, partial(level.reach, done + 1))

    def _finishing(self, thread: Thread) -> Steps:
        """Finish the outputs of each vector of a copy."""
        index, matrix = thread.matrix, self._matrices[thread.matrix]
        sums = [(one.sums, tile) for one in thread.body if isinstance(one, ReceiveSums) for tile in one.tiles]
        arrived = [(self._sums[index, thread.replica, one, tile], tile) for one, tile in sums]
        added = [self._added[index, thread.replica, one] for one in dict.fromkeys(one for one, _ in sums)]
        (finish,) = (one for one in thread.body if isinstance(one, Finish))
        sends = [(one, self._ports[one.edge, one.tile]) for one in thread.body if isinstance(one, Send)]
        sender, made = (thread.replica, thread.tile), self._next[index]
        for done, (inference, vector) in enumerate(self._vectors(thread)):
            for level, tile in arrived:
                yield level, done + 1, f"sums that tile {tile} makes", index
            for level in added:
                level.reach(done + 1)
            if finish.ps:
                self._units[thread.tile] = max(self._now, self._units[thread.tile]) + finish.ps
                yield self._units[thread.tile] - self._now
            following = vector + self._copies[index]
            if following >= matrix.vectors:
                following = matrix.vectors + thread.replica
            following += inference * matrix.vectors
            behind, made[sender] = made[sender] == self._made[index].value, following
            if behind:
                self._made[index].reach(min(made.values()))
            for send, port in sends:
                number = inference * matrix.vectors + vector
                consumer = self._stream.edges[send.edge].consumer
                yield port.open, number + 1, f"room in tile {send.tile}, for inputs", consumer
                self._travel(thread.tile, send.tile, send.bytes, partial(port.arrive, sender, following))
            self._finished[inference] = max(self._finished[inference], self._now)
            self._unseen += 1
            if self._unseen == SHOWN_TOGETHER:
                self._progress(self._unseen)
                self._unseen = 0

    def _vectors(self, thread: Thread) -> Iterator[tuple[int, int]]:
        """Yield what a thread works on: inference and vector."""
        own = range(thread.replica, self._matrices[thread.matrix].vectors, self._copies[thread.matrix])
        return product(range(self._inferences), own)

    def _occupied(self, mvm: Mvm) -> int:
        """Return how long it takes until crossbars are read, each after what was asked of it before."""
        last = 0
        for crossbar, ps in zip(mvm.crossbars, mvm.ps, strict=True):
            self._crossbars[crossbar] = max(self._now, self._crossbars[crossbar]) + ps
            last = max(last, self._crossbars[crossbar])
        return last - self._now

    def _travel(self, source: int, destination: int, size: float, arrive: Callable[[], None]) -> None:
        """Send bytes from tile to tile; they arrive when the last of them has passed all links."""
        speed = self._stream.speed
        if source == destination or not (speed.byte_ps or speed.chip_byte_ps or speed.hop_ps):
            arrive()
            return
        if (source, destination) not in self._routes:
            slots = self._stream.floorplan.slots
            self._routes[source, destination] = self._fabric.route(slots[source], slots[destination])
        self._pass(self._routes[source, destination], 0, size, 0, arrive)

    def _pass(self, route: list[Link], number: int, size: float, last: int, arrive: Callable[[], None]) -> None:
        """Take the links of a route from one of them on; `last` is how long the slowest link before takes."""
        speed = self._stream.speed
        while number < len(route):
            link = route[number]
            lasting = int(size * (speed.chip_byte_ps if len(link) == CHIP_LINK else speed.byte_ps) + 0.5)
            free = self._links[link]
            start = free if free > self._now else self._now
            self._links[link] = start + lasting
            self._busy[link] += lasting
            last, number = max(last, lasting), number + 1
            if delay := start - self._now + speed.hop_ps:
                self.at(delay, partial(self._pass, route, number, size, last, arrive))
                return
        self.at(last, arrive)
