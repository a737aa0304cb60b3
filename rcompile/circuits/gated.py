"""Input-gated crossbars: inputs switch each cell's transistor, and current runs from source lines to bit lines.

Every column has a source line, held at the read voltage at one end, and a bit line, sensed at ground at the bottom;
both run along the column, and cells bridge them where their row is on. Word lines carry no current, so columns do not
see each other; but which cells conduct depends on the input, so no one matrix says what a column senses. The column
is a ladder: seen from the rows behind, all rows before are one two-port, which each row and each piece of wire change
by a formula. That is exact, and takes O(rows) for each column and input.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.fields import rule

Siemens = NDArray[np.float64]


@dataclass(frozen=True)
class Gated:
    """Resistances of input-gated columns; inputs are bits, or pulses of a fixed voltage."""

    bit_line_ohm: float = rule(float, "bit line, from cell to cell", unit="ohm", low=0.0, high=1e6)
    source_line_ohm: float = rule(float, "source line, from cell to cell", unit="ohm", low=0.0, high=1e6)
    driver_ohm: float = rule(float, "driver of a source line", unit="ohm", low=0.0, high=1e6, default=0.0, choice=True)
    sense_ohm: float = rule(
        float, "sense amplifier of a bit line", unit="ohm", low=0.0, high=1e6, default=0.0, choice=True
    )
    supply: str = rule(
        str,
        "end at which source lines are driven",
        choices=("sensed_end", "far_end"),
        default="sensed_end",
        choice=True,
    )

    def sensed(self, g: Siemens, on: NDArray[np.float64]) -> Siemens:
        """Return what columns sense for one volt, in siemens (columns, inputs).

        Args:
            g: (rows, columns), the last row next to the sense amplifiers.
            on: (rows, inputs), how far rows are on: 1, or 0.
        """
        if self.supply == "sensed_end":
            return self._from_the_sensed_end(g, on)
        return self._from_the_far_end(g, on)

    def _from_the_sensed_end(self, g: Siemens, on: NDArray[np.float64]) -> Siemens:
        """Both ends at the bottom: the rows above are one conductance between the lines."""
        wire = self.bit_line_ohm + self.source_line_ohm
        above = np.zeros((g.shape[1], on.shape[1]))
        for row, gates in zip(g, on, strict=True):
            above += np.outer(row, gates)
            above /= 1 + wire * above
        return above / (1 + (self.sense_ohm + self.driver_ohm) * above)

    def _from_the_far_end(self, g: Siemens, on: NDArray[np.float64]) -> Siemens:
        """Source lines driven at the top: the rows above are a hybrid two-port, whose terms all have one sign.

        With the bit line at u volts and a current i drawn from the source line, the source line is at
        volts - impedance i + coupling u, and into the bit line run current - admittance u - coupling i (reciprocity).
        """
        shape = (g.shape[1], on.shape[1])
        current, admittance, coupling = np.zeros((3, *shape))
        volts, impedance = np.ones(shape), np.full(shape, self.driver_ohm)
        for row, gates in zip(g, on, strict=True):
            cell = np.outer(row, gates)
            share = cell / (1 + impedance * cell)
            gap = 1 - coupling
            current = current + gap * share * volts
            admittance = admittance + gap * gap * share
            coupling = coupling + gap * share * impedance
            volts, impedance = volts / (1 + impedance * cell), impedance / (1 + impedance * cell)
            # then one piece of each line
            kept = 1 / (1 + self.bit_line_ohm * admittance)
            volts = volts + coupling * self.bit_line_ohm * current * kept
            impedance = impedance + coupling * coupling * self.bit_line_ohm * kept + self.source_line_ohm
            current, admittance, coupling = current * kept, admittance * kept, coupling * kept
        return current / (1 + self.sense_ohm * admittance)
