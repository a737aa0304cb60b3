"""What a cell does with the level that is written into it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """A cell's behaviour. The ideal one holds its level exactly, for ever, and reads without noise."""

    name: str = "ideal"


IDEAL = Device()
