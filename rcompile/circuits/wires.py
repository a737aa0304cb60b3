"""Wire resistance: the network of a passive crossbar is linear, so one matrix says what its columns sense.

Word lines run along the rows from their drivers, bit lines down the columns to their sense amplifiers, which hold them
at ground; rows that are not driven are held at ground, too. Between cells, before the first and behind the last one
lies one segment of wire. Eliminating the word line of a row leaves an admittance A between its bit-line nodes and a
current f V into them; then the rows are eliminated from the far end on. Each elimination adds admittances, none is
subtracted: what is lost to rounding is 1e-16 of a wire's conductance relative to a cell's, 1e-11 for 1 ohm and
100 kohm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_banded

from rcompile.fields import rule

Siemens = NDArray[np.float64]


@dataclass(frozen=True)
class Wires:
    """Resistances of a crossbar's lines; all 0: none."""

    row_ohm: float = rule(float, "word line, from cell to cell", unit="ohm", low=0.0, high=1e6)
    column_ohm: float = rule(float, "bit line, from cell to cell", unit="ohm", low=0.0, high=1e6)
    driver_ohm: float = rule(float, "driver of a word line", unit="ohm", low=0.0, high=1e6, default=0.0, choice=True)
    sense_ohm: float = rule(
        float, "sense amplifier of a bit line", unit="ohm", low=0.0, high=1e6, default=0.0, choice=True
    )
    drive: str = rule(
        str, "where word lines are driven", choices=("left", "right", "both"), default="left", choice=True
    )
    sense: str = rule(str, "where bit lines are sensed", choices=("bottom", "top"), default="bottom", choice=True)

    @property
    def none(self) -> bool:
        """Whether there is no resistance."""
        return self.row_ohm == self.column_ohm == self.driver_ohm == self.sense_ohm == 0

    def sensed(self, g: Siemens) -> Siemens:
        """Return (rows, columns): what a column senses for each volt of a row, with cells of g (rows, columns)."""
        if self.none:
            return g
        turned = g[:, ::-1] if self.drive == "right" else g
        turned = turned[::-1] if self.sense == "top" else turned
        rows = [self._word_line(row) for row in turned]
        found = self._bit_lines(rows)
        found = found[::-1] if self.sense == "top" else found
        return found[:, ::-1] if self.drive == "right" else found

    def _word_line(self, g: Siemens) -> tuple[Siemens, Siemens]:
        """Return what a row is to the bit lines: admittance A (columns, columns), and current f for each volt."""
        count = len(g)
        if self.row_ohm == 0:
            if self.driver_ohm == 0:
                return np.diag(g), g
            drivers = (2 if self.drive == "both" else 1) / self.driver_ohm
            whole = drivers + g.sum()
            return np.diag(g) - np.outer(g, g) / whole, g * drivers / whole
        wire = 1 / self.row_ohm
        end = 1 / (self.row_ohm + self.driver_ohm)
        diagonal = np.full(count, 2 * wire)
        diagonal[0] += end - wire
        diagonal[-1] += (end if self.drive == "both" else 0.0) - wire
        line = np.diag(diagonal) - wire * (np.eye(count, k=1) + np.eye(count, k=-1))
        driven = np.zeros(count)
        driven[0] += end
        driven[-1] += end if self.drive == "both" else 0.0
        banded = np.zeros((3, count))
        banded[0, 1:] = banded[2, :-1] = -wire
        banded[1] = diagonal + g
        found = solve_banded((1, 1), banded, np.column_stack([line, driven]), check_finite=False)
        return g[:, None] * found[:, :-1], g * found[:, -1]

    def _bit_lines(self, rows: list[tuple[Siemens, Siemens]]) -> Siemens:
        """Return the sensed currents (rows, columns) of word lines, from the one farthest from the sense amplifiers."""
        count = len(rows[0][1])
        currents = np.stack([current for _, current in rows])
        if self.column_ohm == 0:
            if self.sense_ohm == 0:
                return currents
            whole = sum((admittance for admittance, _ in rows), np.zeros((count, count)))
            sense = 1 / self.sense_ohm
            return np.asarray(sense * np.linalg.solve(whole + sense * np.eye(count), currents.T).T)
        wire, sense = 1 / self.column_ohm, 1 / (self.column_ohm + self.sense_ohm)
        seen = np.zeros((count, count))  # admittance of all rows so far, at the next node of the bit lines
        below = np.zeros((0, count))  # what of each of their volts arrives there
        for number, (admittance, current) in enumerate(rows):
            onward = sense if number == len(rows) - 1 else wire
            seen = seen + (admittance + admittance.T) / 2
            below = np.vstack([below, current])
            factor = cho_factor(seen + onward * np.eye(count), lower=True, check_finite=False)
            found = cho_solve(factor, np.column_stack([seen, below.T]), check_finite=False)
            seen, below = onward * found[:, :count], onward * found[:, count:].T
        return below
