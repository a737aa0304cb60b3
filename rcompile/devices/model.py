"""What a non-ideality is: what it does to a cell's conductance at each of the three moments when it can act."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rcompile.fields import rule

Siemens = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One memory cell: between which conductances its levels lie, and how it is read."""

    g_min_s: float = rule(float, "conductance of level 0", unit="S", low=0.0, high=1.0)
    g_max_s: float = rule(float, "conductance of the highest level", unit="S", low=1e-12, high=1.0)
    read_v: float = rule(float, "voltage of the largest input", unit="V", low=1e-3, high=10.0, default=0.2)

    @property
    def span_s(self) -> float:
        """From level 0 to the highest level."""
        return self.g_max_s - self.g_min_s


@dataclass(frozen=True)
class Term:
    """A summand of the current of a cell that is not ohmic: voltage(share of the read voltage) x conductance(G).

    All terms add up to G at the read voltage, and to nothing at 0.
    """

    voltage: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    conductance: Callable[[Siemens], Siemens]


@dataclass(frozen=True)
class Writing:
    """What writing a cell takes on average; 0 where it is not known.

    Attributes:
        pulses: until it is accepted.
        energy_j: of them.
        time_s: of them, and of the reads between.
    """

    pulses: float
    energy_j: float
    time_s: float


def as_it_is(g: Siemens) -> Siemens:
    """Return the conductance itself: the only term of a current that is a function of the voltage times G."""
    return g


class Model:
    """A non-ideality that does nothing: each one overrides what it does.

    `of_cell` says that it is the cell's own: the same however often the cell is written; `thermal` that heat makes its
    time pass faster; `momentary` that it draws anew at each time.

    Conductances are arrays (rows, columns) of a crossbar, in siemens. The generator is the model's own for this
    crossbar, trial and moment, so that what it draws depends on nothing else.
    """

    of_cell: ClassVar[bool] = False
    thermal: ClassVar[bool] = True
    momentary: ClassVar[bool] = False

    @property
    def draws(self) -> bool:
        """Whether dies differ by it."""
        return True

    def contradictions(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong) where fields do not fit each other."""
        del cell
        yield from ()

    def program(self, g: Siemens, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return conductances after writing; `g` is what the models before this one made of the levels."""
        del cell, rng
        return g

    def writing(self, cell: Cell) -> Writing | None:
        """Return what writing a cell takes; None where this model does not say it."""
        del cell
        return None

    def drift(self, g: Siemens, seconds: float, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return conductances some seconds after they were written; 0: at once."""
        del seconds, cell, rng
        return g

    def stick(self, g: Siemens, writes: int, cell: Cell, rng: np.random.Generator) -> Siemens:
        """Return conductances with those of cells that obey neither writing nor time, after so many writes."""
        del writes, cell, rng
        return g

    def aimed(self, g: Siemens, cell: Cell) -> Siemens:
        """Return the conductances to write for levels, given those of evenly spaced ones."""
        del cell
        return g

    def on_cells(self, shape: tuple[int, int], rng: np.random.Generator) -> "Model":
        """Return the model on an array of cells, with what they are from their making on."""
        del shape, rng
        return self

    def softening(self, g: Siemens) -> Siemens:
        """Return by how much what `series` returns grows with the conductances."""
        return np.ones_like(g)

    def series(self, g: Siemens) -> Siemens:
        """Return the conductances of cells with what is in series with them."""
        return g

    def terms(self, cell: Cell) -> tuple[Term, ...]:
        """Return what the current at any voltage is made of; () where it is proportional to the voltage."""
        del cell
        return ()

    def read_sigma(self, g: Siemens, cell: Cell) -> Siemens | None:
        """Return the standard deviation of each read, in siemens; None where reads are exact."""
        del g, cell
        return None
