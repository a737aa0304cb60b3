"""How long cells have really held what was written: heat makes time pass faster, refresh starts it anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, exp

import numpy as np

from rcompile.fields import rule

BOLTZMANN_EV = 8.617333262e-5
"""In eV / K (CODATA 2018)."""

LARGEST_EXPONENT = 30
"""Of how much faster time passes: a second would be 300,000 years."""


@dataclass(frozen=True)
class Temperature:
    """Laws of time hold at the temperature at which they were measured; at another, time passes faster (Arrhenius).

    By exp(Ea / k (1 / T_measured - 1 / T)): one activation energy for all that time does.
    """

    kelvin: float = rule(float, "T, of the cells", unit="K", low=1.0, high=1000.0)
    measured_kelvin: float = rule(float, "at which the laws were measured", unit="K", low=1.0, high=1000.0)
    activation_ev: float = rule(float, "Ea", unit="eV", low=0.0, high=5.0)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong) where time would pass beyond all measure."""
        inverse = 1 / self.measured_kelvin - 1 / self.kelvin
        if abs(self.activation_ev / BOLTZMANN_EV * inverse) > LARGEST_EXPONENT:
            yield (
                "activation_ev",
                (
                    f"makes time pass by more than e^{LARGEST_EXPONENT} times as fast, or slowly, between "
                    f"{self.measured_kelvin:g} and {self.kelvin:g} K: no law holds that far"
                ),
            )

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
        times = max(ceil(seconds / self.every_s * (1 - 1e-12)) - 1, 0)  # 2.1 / 0.3 is seven times, not a little more
        return seconds - times * self.every_s, times


@dataclass(frozen=True)
class Age:
    """What time has done.

    Attributes:
        seconds: since cells were last written, as long as they seem to them.
        real_s: the same, as a clock counts them.
        rewrites: since the installation.
        installed_s: since the installation.
    """

    seconds: float
    real_s: float
    rewrites: int
    installed_s: float

    @property
    def moment(self) -> tuple[int, ...]:
        """A key for this time and no other."""
        return tuple(np.array([self.installed_s]).view(np.uint32).tolist())
