"""Random numbers that depend on what they are for alone, never on the order or the number of workers.

A stream is keyed by the seed, the trial, the position of a crossbar on the chip, the moment (programming, drift,
reading) and what draws. Any subset of trials, crossbars or vectors, in any order, on any number of workers, draws the
same numbers.
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
        key = np.random.SeedSequence((self.seed, self.trial, position, int(moment), *what))
        return np.random.Generator(np.random.Philox(key))
