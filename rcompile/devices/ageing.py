"""How long cells have really held what was written: heat makes time pass faster, refresh starts it anew."""

from dataclasses import dataclass
from math import ceil, exp

from rcompile.fields import rule

BOLTZMANN_EV = 8.617333262e-5
"""In eV / K (CODATA 2018)."""


@dataclass(frozen=True)
class Temperature:
    """Laws of time hold at the temperature at which they were measured; at another, time passes faster (Arrhenius).

    By exp(Ea / k (1 / T_measured - 1 / T)): one activation energy for all that time does.
    """

    kelvin: float = rule(float, "T, of the cells", unit="K", low=1.0, high=1000.0)
    measured_kelvin: float = rule(float, "at which the laws were measured", unit="K", low=1.0, high=1000.0)
    activation_ev: float = rule(float, "Ea", unit="eV", low=0.0, high=5.0)

    @property
    def acceleration(self) -> float:
        """How much faster time passes."""
        return exp(self.activation_ev / BOLTZMANN_EV * (1 / self.measured_kelvin - 1 / self.kelvin))


@dataclass(frozen=True)
class Refresh:
    """All cells are written anew at regular times; a time that is such a moment is that just before it."""

    every_s: float = rule(float, "time between", unit="s", low=1e-6, high=1e12)

    def after(self, seconds: float) -> tuple[float, int]:
        """Return how long ago cells were written, some seconds after installation, and how often since then."""
        times = max(ceil(seconds / self.every_s) - 1, 0)
        return seconds - times * self.every_s, times


@dataclass(frozen=True)
class Age:
    """What time has done.

    Attributes:
        seconds: since cells were last written, as long as they seem to them.
        rewrites: since the installation.
    """

    seconds: float
    rewrites: int
