"""What the cells of a die conduct: written, aged, stuck, and behind what is in series with them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.die import Die
from rcompile.devices.faults import HIGH, LOW
from rcompile.devices.model import Model
from rcompile.devices.streams import Moment, Streams
from rcompile.ir.arrays import frozen
from rcompile.ir.cells import Crossbars
from rcompile.ir.placed import PlacedProgram


class Conductances:
    """The cells of a program's crossbars on a die, line by line.

    Args:
        placed: the program.
        die: that it runs on.
        crossbars: of the program.
        streams: of its trial.
    """

    def __init__(self, placed: PlacedProgram, die: Die, crossbars: Crossbars, streams: Streams) -> None:
        self._placed, self._die, self._crossbars, self._streams = placed, die, crossbars, streams
        self.bare = lru_cache(maxsize=16)(self._bare)

    @property
    def data_lines(self) -> tuple[int, int]:
        """Lines for rows, and for columns, of a crossbar, without its reference column."""
        program, have = self._placed.program, self._die.lines
        return max(have[0], program.crossbar_rows), max(have[1], program.crossbar_columns)

    @property
    def lines(self) -> tuple[int, int]:
        """Lines for rows, and for columns, of a crossbar; the last column is the reference column, if there is one."""
        rows, columns = self.data_lines
        return rows, columns + self._die.reference_column

    def wires(self, crossbar: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Return the lines of a crossbar's rows and columns."""
        wiring, program = self._placed.wiring, self._placed.program
        if wiring is None:
            return np.arange(program.crossbar_rows), np.arange(program.crossbar_columns)
        return wiring.rows[crossbar], wiring.columns[crossbar]

    def seen(self, crossbar: int, cells: np.ndarray) -> np.ndarray:
        """Return what of all cells, line by line, the rows and columns of a place meet."""
        rows, columns = self.wires(crossbar)
        return cells[rows[:, None], columns]

    def dead(self, crossbar: int) -> NDArray[np.bool_] | None:
        """Return which cells, line by line, lie on dead lines; None: none does."""
        if self._die.faults is None:
            return None
        return self._die.faults.dead(self._placed.position_of(crossbar), *self.lines)

    def states(self, crossbar: int) -> NDArray[np.int8] | None:
        """Return where faults hold cells, line by line; None: nowhere."""
        if self._die.faults is None:
            return None
        return self._die.faults.states(self._placed.position_of(crossbar), *self.lines)

    def of(self, crossbar: int) -> NDArray[np.float64]:
        """Return the conductances of all cells of a crossbar with what is in series, in siemens, when it is read."""
        return self._die.device.series(self.bare(crossbar))

    def _bare(self, crossbar: int) -> NDArray[np.float64]:
        """Return the conductances of all cells of a crossbar, in siemens, when it is read."""
        device, cell = self._die.device, self._die.device.cell
        step = cell.span_s / (2**self._placed.program.cell_bits - 1)
        rows, columns = self.wires(crossbar)
        levels = np.zeros(self.lines)
        levels[rows[:, None], columns] = self._crossbars.levels(crossbar)
        g = cell.g_min_s + levels * step
        for model in device.models.values():
            g = model.aimed(g, cell)
        age, position = device.age(), self._placed.position_of(crossbar)
        rewrite = (age.rewrites,) if age.rewrites else ()
        models = [
            model.on_cells(self.lines, self._streams.of(position, Moment.MAKING, number))
            for number, model in device.numbered()
        ]
        for number, model in enumerate(models):
            g = model.program(g, cell, self._stream(crossbar, Moment.PROGRAMMING, number, model, rewrite))
        for number, model in enumerate(models):
            seconds = age.seconds if model.thermal else age.real_s
            moment = age.moment if model.momentary else rewrite
            g = model.drift(g, seconds, cell, self._stream(crossbar, Moment.DRIFT, number, model, moment))
        for number, model in enumerate(models):
            g = model.stick(g, 1 + age.rewrites, cell, self._stream(crossbar, Moment.STICKING, number, model, ()))
        states = self.states(crossbar)
        if states is not None:
            g = np.where(states == LOW, cell.g_min_s, np.where(states == HIGH, cell.g_max_s, g))
        return frozen(g)

    def _stream(
        self, crossbar: int, moment: Moment, number: int, model: Model, when: tuple[int, ...]
    ) -> np.random.Generator:
        """Return a model's stream: that of the cells at a position, or of what is written there in one round.

        Args:
            crossbar: of the program.
            moment: at which the model acts.
            number: of the model.
            model: that draws.
            when: the rewrite, or the time, that it draws for.
        """
        written = (0,) if model.of_cell else (1 + crossbar,)
        when = () if model.of_cell and not model.momentary else when
        return self._streams.of(self._placed.position_of(crossbar), moment, *written, number, *when)
