"""Wire resistance: the network of a passive crossbar is linear, so one matrix says what its columns sense.

Word lines run along the rows from their drivers, bit lines down the columns to their sense amplifiers, which hold them
at ground; rows that are not driven are held at ground, too. Between cells, before the first and behind the last one
lies one segment of wire. Eliminating the word line of a row leaves an admittance A between its bit-line nodes and a
current f V into them; then the rows are eliminated from the far end on. Each elimination adds admittances, none is
subtracted: what is lost to rounding is 1e-16 of a wire's conductance relative to a cell's, 1e-11 for 1 ohm and
100 kohm.

Where idle rows float instead, they take whatever voltage leaves them without current, and current sneaks through them
from column to column. Which rows are idle depends on the input; the matrix of currents into rows says what they take.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from rcompile.fields import rule

Siemens = NDArray[np.float64]

ROWS_BYTES = 2**24
"""Admittances that are worked out at once."""


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

    idle: str = rule(
        str, "what rows that are not driven are", choices=("grounded", "floating"), default="grounded", choice=True
    )

    @property
    def none(self) -> bool:
        """Whether there is no resistance."""
        return self.row_ohm == self.column_ohm == self.driver_ohm == self.sense_ohm == 0

    def sensed(self, g: Siemens) -> Siemens:
        """Return (rows, columns): what a column senses for each volt of a row, with cells of g (rows, columns)."""
        return g if self.none else self.network(g)[0]

    def network(self, g: Siemens) -> tuple[Siemens, Siemens]:
        """Return what columns sense (rows, columns) and the current into rows (rows, rows), for each volt of a row.

        The second is worked out for idle rows that float, else empty. The last few networks are kept: dies whose
        conductances do not differ have the same.
        """
        key = (self, g.shape, blake2b(np.ascontiguousarray(g).tobytes()).digest())
        found = KEPT.get(key)
        if found is None:
            found = self._solved(g)
            KEPT.put(key, found)
        return found

    def _solved(self, g: Siemens) -> tuple[Siemens, Siemens]:
        turned = g[:, ::-1] if self.drive == "right" else g
        turned = turned[::-1] if self.sense == "top" else turned
        sensed, ports = self._bit_lines(np.ascontiguousarray(turned))
        if self.sense == "top":
            sensed, ports = sensed[::-1], ports[::-1, ::-1]
        return sensed[:, ::-1] if self.drive == "right" else sensed, ports

    def settled(self, ports: Siemens, volts: Siemens) -> Siemens:
        """Return the voltages of rows (rows, inputs), where those at 0 float and take what leaves them no current."""
        if self.idle == "grounded":
            return volts
        found = volts.copy()
        connected = ports.diagonal() > 0
        for column in range(volts.shape[1]):
            driven = volts[:, column] != 0
            floating = ~driven & connected
            if driven.any() and floating.any():
                into = ports[np.ix_(floating, driven)] @ volts[driven, column]
                found[floating, column] = -np.linalg.solve(ports[np.ix_(floating, floating)], into)
        return found

    def _word_lines(self, g: Siemens) -> tuple[Siemens, Siemens]:
        """Return what rows (rows, columns) are to the bit lines.

        That is, of each row: its admittance A (rows, columns, columns), and its currents f for each volt (rows,
        columns). All word lines are eliminated at once, by the recursion for tridiagonal systems (Thomas).
        """
        count = g.shape[1]
        alone = g[:, :, None] * np.eye(count)
        if self.row_ohm == 0:
            if self.driver_ohm == 0:
                return alone, g
            drivers = (2 if self.drive == "both" else 1) / self.driver_ohm
            whole = (drivers + g.sum(axis=1))[:, None]
            return alone - g[:, :, None] * (g / whole)[:, None, :], g * drivers / whole
        wire = 1 / self.row_ohm
        end = 1 / (self.row_ohm + self.driver_ohm)
        ends = np.zeros(count)
        ends[0] += end
        ends[-1] += end if self.drive == "both" else 0.0
        line = 2 * wire * np.eye(count) - wire * (np.eye(count, k=1) + np.eye(count, k=-1))
        line[0, 0] -= wire
        line[-1, -1] -= wire
        line += np.diag(ends)
        right = np.column_stack([line, ends])  # for volts on bit lines, and for those of the drivers
        pivots = line.diagonal() + g
        found = np.empty((count, len(g), count + 1))
        found[0] = right[0]
        for node in range(1, count):
            taken = wire / pivots[:, node - 1]
            pivots[:, node] -= wire * taken
            np.multiply(found[node - 1], taken[:, None], out=found[node])
            found[node] += right[node]
        found[-1] /= pivots[:, -1, None]
        for node in range(count - 2, -1, -1):
            found[node] += wire * found[node + 1]
            found[node] /= pivots[:, node, None]
        found = found.transpose(1, 0, 2) * g[:, :, None]
        return found[:, :, :-1], found[:, :, -1]

    def _by_rows(self, g: Siemens) -> Iterator[tuple[Siemens, Siemens]]:
        """Yield what each row is to the bit lines: an admittance, symmetric but for rounding, and currents."""
        size = max(ROWS_BYTES // (8 * g.shape[1] ** 2), 1)
        for start in range(0, len(g), size):
            admittances, currents = self._word_lines(g[start : start + size])
            yield from zip(admittances, currents, strict=True)

    def _bit_lines(self, g: Siemens) -> tuple[Siemens, Siemens]:
        """Return the network of rows (rows, columns), the last one next to the sense amplifiers; see `network`."""
        rows, count = g.shape
        if self.column_ohm == 0:
            whole, currents = np.zeros((count, count)), np.empty((rows, count))
            for row, (admittance, current) in enumerate(self._by_rows(g)):
                whole += admittance
                currents[row] = current
            if self.sense_ohm == 0:
                return currents, self._ports(currents, np.zeros((rows, count, rows)))
            sense = 1 / self.sense_ohm
            volts = np.linalg.solve(whole + sense * np.eye(count), currents.T)
            return np.asarray(sense * volts.T), self._ports(currents, np.broadcast_to(volts, (rows, *volts.shape)))
        from scipy.linalg.lapack import dpotrf, dpotrs

        wire, sense = 1 / self.column_ohm, 1 / (self.column_ohm + self.sense_ohm)
        # side by side, so that one solve serves both: the admittance of all rows so far at the next node of the bit
        # lines, and what of each of their volts arrives there
        seen = np.zeros((count, count + rows), order="F")
        currents = np.empty((rows, count))
        solved = []
        for row, (admittance, current) in enumerate(self._by_rows(g)):
            onward = sense if row == rows - 1 else wire
            seen[:, :count] += admittance.T  # symmetric, and then as `seen` lies in memory
            seen[:, count + row] = currents[row] = current
            pivot = seen[:, :count].copy(order="F")
            pivot.ravel("K")[:: count + 1] += onward
            factor, _ = dpotrf(pivot, lower=1, overwrite_a=1)
            part = seen[:, : count + row + 1]
            dpotrs(factor, part, lower=1, overwrite_b=1)
            if self.idle == "floating":
                solved.append((factor, part[:, count:].copy(order="F")))
            part *= onward
        sensed = np.ascontiguousarray(seen[:, count:].T)
        return sensed, self._ports(currents, self._volts(solved, wire)) if solved else np.zeros((0, 0))

    def _volts(self, solved: list[tuple[Siemens, Siemens]], wire: float) -> Siemens:
        """Return the voltages of bit lines (rows, columns, driven rows): the elimination followed backwards."""
        from scipy.linalg.lapack import dpotrs

        count = len(solved)
        found = np.zeros((count, len(solved[0][1]), count))
        for row in range(count - 1, -1, -1):
            factor, own = solved[row]
            found[row, :, : row + 1] = own
            if row + 1 < count:
                found[row] += wire * dpotrs(factor, found[row + 1], lower=1)[0]
        return found

    def _ports(self, currents: Siemens, volts: Siemens) -> Siemens:
        """Return the current into each row, from that at grounded columns and from the columns' voltages."""
        if self.idle == "grounded":
            return np.zeros((0, 0))
        found: Siemens = np.diag(currents.sum(axis=1)) - np.einsum("rc,rck->rk", currents, volts)
        return found


class Kept:
    """Networks that were solved, the latest of them, up to a number of bytes.

    Args:
        limit_bytes: that they may take.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit, self._bytes = limit_bytes, 0
        self._found: OrderedDict[object, tuple[Siemens, Siemens]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: object) -> tuple[Siemens, Siemens] | None:
        """Return a network, or None."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: object, found: tuple[Siemens, Siemens]) -> None:
        """Keep a network, and let go of those that were not asked for the longest."""
        with self._lock:
            if key not in self._found:
                self._found[key] = found
                self._bytes += sum(part.nbytes for part in found)
            while self._bytes > self._limit and len(self._found) > 1:
                _, oldest = self._found.popitem(last=False)
                self._bytes -= sum(part.nbytes for part in oldest)


KEPT = Kept(2**28)
"""Those of this process: about 2,000 of 128 x 128."""
