"""A transistor or a fixed resistor in series with each cell."""

from dataclasses import dataclass

from rcompile.devices.model import Model, Siemens
from rcompile.fields import rule


@dataclass(frozen=True)
class Access(Model):
    """G / (1 + G R): what is read of a cell behind R.

    Converters are set for what the highest and the lowest level give behind R; levels between come out too high.
    """

    ohm: float = rule(float, "R", unit="ohm", low=0.0, high=1e9)

    @property
    def draws(self) -> bool:
        """Not at all."""
        return False

    def series(self, g: Siemens) -> Siemens:
        """Return what is read of conductances."""
        return g / (1 + g * self.ohm)
