"""Random numbers that depend on what they are for alone, never on the order or the number of workers.

A stream is keyed by the seed, the trial, the position of a crossbar on the chip, the moment (making, programming,
drift, reading, sticking) and what draws. Any subset of trials, crossbars or vectors, in any order, on any number of
workers, draws the same numbers.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Moment(IntEnum):
    """When a non-ideality acts."""

    PROGRAMMING = 0
    DRIFT = 1
    READING = 2
    STICKING = 3
    MAKING = 4


@dataclass(frozen=True)
class Streams:
    """The streams of one trial.

    Attributes:
        seed: of all trials.
        trial: its number.
    """

    seed: int
    trial: int

    def of(self, position: int, moment: Moment, *what: int) -> np.random.Generator:
        """Return the stream of something at a position."""
        return np.random.Generator(np.random.Philox(self._seeds(position, moment, what)))

    def words(self, position: int, moment: Moment, *what: int) -> tuple[int, int]:
        """Return two random 32-bit words for something at a position."""
        first, second = self._seeds(position, moment, what).generate_state(2).tolist()
        return first, second

    def _seeds(self, position: int, moment: Moment, what: tuple[int, ...]) -> np.random.SeedSequence:
        return np.random.SeedSequence((self.seed, self.trial, position, int(moment), *what))
