"""Random numbers that depend on what they are for alone, never on the order or the number of workers.

A stream is keyed by the seed, the trial, the position of a crossbar on the chip, the moment (making, programming,
drift, reading, sticking) and what draws. Any subset of trials, crossbars or vectors, in any order, on any number of
workers, draws the same numbers.
"""

from collections.abc import Callable
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

    def blocks(self, position: int, moment: Moment, *what: int) -> Callable[[int], np.random.Generator]:
        """Return a function that moves a stream to the start of a block of something at a position, and returns it.

        All blocks have one key; a block's number is in the counter (Philox: Salmon et al., SC 2011), beyond what a
        block draws. That takes a twentieth of the time that a key of its own would take.
        """
        philox = np.random.Philox(self._seeds(position, moment, what))
        stream, state = np.random.Generator(philox), philox.state

        def block(number: int) -> np.random.Generator:
            state["state"]["counter"] = np.array([0, number, 0, 0], np.uint64)
            philox.state = state
            return stream

        return block

    def _seeds(self, position: int, moment: Moment, what: tuple[int, ...]) -> np.random.SeedSequence:
        return np.random.SeedSequence((self.seed, self.trial, position, int(moment), *what))
