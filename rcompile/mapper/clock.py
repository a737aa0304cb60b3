"""How long a crossbar takes for an input vector: read cycles, and conversions where several columns share a converter.

Times are whole picoseconds, so that sums of them are exact.
"""

from dataclasses import dataclass
from math import ceil

from rcompile.ir.crossbar import CrossbarMatrix
from rcompile.targets import Target

PS = 1e-12
"""One picosecond in seconds."""

ROUNDING = 1e-9
"""Relative, of times that are given as floating-point numbers."""


@dataclass(frozen=True)
class Clock:
    """What a target says of times.

    Attributes:
        read_ps: of one read cycle.
        columns_per_s: that the converters of a crossbar convert; 0: as many as there are in a read cycle.
        pulses: whether a DAC encodes a digit in time, where b bits last 2^b - 1 read cycles.
    """

    read_ps: int
    columns_per_s: float
    pulses: bool

    @classmethod
    def of(cls, target: Target) -> "Clock":
        """Return a target's clock."""
        adc = target.adc
        return cls(
            read_ps=picoseconds(target.timing.read_cycle_s),
            columns_per_s=0.0 if adc.kind == "none" else adc.per_crossbar * adc.rate_per_s,
            pulses=target.inputs.encoding == "pulse_width",
        )

    def vector_ps(self, item: CrossbarMatrix, columns: int) -> int:
        """Return how long a matrix's crossbars take for one input vector, of whose columns the busiest reads so many.

        While the converters are at the sums of one read, the rows are driven for the next one.
        """
        convert_ps = picoseconds(columns / self.columns_per_s) if self.columns_per_s else 0
        once = sum(max((s.top if self.pulses else 1) * self.read_ps, convert_ps) for s in item.presented.slices)
        return once * item.reads_per_cycle


def picoseconds(seconds: float) -> int:
    """Return a time in whole picoseconds, rounded up; at least one."""
    return max(1, ceil(seconds / PS * (1 - ROUNDING)))
