"""A transistor or a fixed resistor in series with each cell."""

from dataclasses import dataclass

from rcompile.devices.model import Cell, Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class Access(Model):
    """G / (1 + G R): what is read of a cell behind R; converters are set for what the ends give behind it.

    Cells that are verified behind R are written so that levels are evenly spaced there, and R only softens what becomes
    of them later; else their own conductances are, and levels between come out too high.
    """

    ohm: float = rule(float, "R", unit="ohm", low=0.0, high=1e9)
    verified: bool = rule(bool, "whether writing aims at what is read behind R", default=True, choice=True)

    @property
    def draws(self) -> bool:
        """Not at all."""
        return False

    def series(self, g: Siemens) -> Siemens:
        """Return what is read of conductances."""
        return g / (1 + g * self.ohm)

    def softening(self, g: Siemens) -> Siemens:
        """Return by how much it grows with the conductances."""
        return 1 / (1 + g * self.ohm) ** 2

    def aimed(self, g: Siemens, cell: Cell) -> Siemens:
        """Return the conductances to write for levels."""
        if not self.verified:
            return g
        low, high = (end / (1 + end * self.ohm) for end in (cell.g_min_s, cell.g_max_s))
        behind = low + (g - cell.g_min_s) / cell.span_s * (high - low)
        return behind / (1 - behind * self.ohm)
