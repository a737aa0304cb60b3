"""Run a program's instruction streams: the same numbers, and the times that its schedule promises."""

from dataclasses import dataclass

from rcompile.backends.executor import Executor
from rcompile.backends.instructions import Instructions
from rcompile.backends.machine import Machine
from rcompile.backends.reference import cell_reads
from rcompile.ir.placed import PlacedProgram
from rcompile.mapper.clock import PS
from rcompile.passes.emit import emit
from rcompile.pipeline import Trace
from rcompile.targets import Target
from rcompile.verification.data import DataSet
from rcompile.verification.exact import CELL_READS, affordable_samples, difference
from rcompile.verification.verify import fastest_engine

INFERENCES = 6
"""That follow each other on the machine, as fast as the schedule says."""


@dataclass(frozen=True)
class InstructionRun:
    """What running instruction streams showed, beside what the schedule says.

    Attributes:
        tiles: that have threads.
        threads: of all tiles.
        instructions: executed for an inference.
        samples: whose outputs were compared; 0 where executing one takes too long.
        outputs: the largest difference from the outputs of the mapped program.
        latency_s: of one inference alone.
        interval_s: between inferences whose inputs come as fast as the schedule says.
        planned_latency_s: of the schedule.
        planned_interval_s: of the schedule.
        held_bytes: of inputs that waited in the fullest tile.
        buffer_bytes: of a tile; 0: not known.
        stuck: what threads wait for that never comes; empty: no deadlock.
    """

    tiles: int
    threads: int
    instructions: int
    samples: int
    outputs: float
    latency_s: float
    interval_s: float
    planned_latency_s: float
    planned_interval_s: float
    held_bytes: float
    buffer_bytes: int
    stuck: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether outputs are equal and every thread comes to its end."""
        return self.outputs == 0 and not self.stuck

    @property
    def overflows(self) -> bool:
        """Whether more waited in a tile than it has room for."""
        return 0 < self.buffer_bytes < self.held_bytes

    def failure(self) -> str:
        """Say what is wrong."""
        if self.stuck:
            others = f", and {len(self.stuck) - 1} more threads wait" if len(self.stuck) > 1 else ""
            return f"they stop for ever: {self.stuck[0]}{others}"
        return f"their outputs differ from the program's by up to {self.outputs:.3g}"


def run_instructions(
    placed: PlacedProgram, target: Target, data: DataSet, samples: int, trace: Trace
) -> InstructionRun:
    """Emit the instruction streams of a program, execute them on samples, and let them run against the clock.

    Args:
        placed: the program.
        target: that it is for.
        data: inputs.
        samples: how many samples to compare; 0: as many as the work limit allows, none where one is too much.
        trace: where to record phases.
    """
    stream = trace.run(emit, placed, target)
    if not samples and cell_reads(placed) <= CELL_READS:
        samples = affordable_samples(placed, data.samples)
    samples = min(samples, data.samples)
    worst = 0.0
    if samples:
        feeds = {name: array[:samples] for name, array in data.inputs.items()}
        with trace.phase("instructions", samples) as advance:
            found = Executor(Instructions(stream)).run(feeds, advance)
        expected = Executor(fastest_engine(placed)).run(feeds)
        worst = max(difference(array, expected[name]) for name, array in found.items())
    every = round(placed.interval_s / PS)
    finished = sum(thread.vectors for thread in stream.threads if not thread.reads)
    with trace.phase("machine", finished * (1 + INFERENCES)) as advance:
        alone, following = (Machine(stream, count, every, advance).run() for count in (1, INFERENCES))
    return InstructionRun(
        tiles=len({thread.tile for thread in stream.threads}),
        threads=len(stream.threads),
        instructions=stream.instructions,
        samples=samples,
        outputs=worst,
        latency_s=alone.finished_ps[0] * PS,
        interval_s=following.interval_ps * PS,
        planned_latency_s=max(stage.stop_s for stage in placed.stages),
        planned_interval_s=placed.interval_s,
        held_bytes=max(following.held_bytes.values(), default=0.0),
        buffer_bytes=target.tile.buffer_bytes,
        stuck=following.stuck,
    )
