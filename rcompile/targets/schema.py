"""What a target file describes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import msgspec

from rcompile.targets.components import Component, Entry
from rcompile.targets.sections import (
    Adcs,
    Crossbar,
    Hierarchy,
    Inputs,
    Noc,
    Paper,
    PartialSums,
    Tile,
    Timing,
    Weights,
)
from rcompile.toml_file import Kind


@dataclass(frozen=True)
class Target:
    """An architecture.

    `sources` says for each field, or for a section, where its value comes from, `assumptions` why it has it though
    nobody states it.
    """

    name: str
    summary: str
    crossbar: Crossbar
    weights: Weights
    inputs: Inputs
    adc: Adcs
    partial_sums: PartialSums
    hierarchy: Hierarchy
    tile: Tile
    noc: Noc
    timing: Timing
    paper: Paper
    components: tuple[Component, ...]
    sources: dict[str, str]
    assumptions: dict[str, str]
    assumed_fields: tuple[str, ...] = ()
    """Fields that the file leaves out, or gives as assumed."""

    @property
    def rows_at_once(self) -> int:
        """Rows of a crossbar that are driven together."""
        return min(self.crossbar.rows_at_once or self.crossbar.rows, self.crossbar.rows)

    @property
    def crossbars_per_tile(self) -> int:
        """Crossbars of one tile."""
        return prod(self.hierarchy.counts)

    @property
    def usable_per_tile(self) -> int:
        """Crossbars of one tile that may hold something: all but the spare ones."""
        return self.crossbars_per_tile - self.hierarchy.spare_crossbars

    @property
    def lines(self) -> tuple[int, int]:
        """Lines for rows, and for columns, of a crossbar, spare ones included."""
        crossbar = self.crossbar
        return crossbar.rows + crossbar.spare_rows, crossbar.columns + crossbar.spare_columns

    @property
    def levels(self) -> dict[str, int]:
        """Crossbars that each level has, from the crossbar to the chip."""
        return self.hierarchy.crossbars

    @property
    def positions(self) -> int:
        """Crossbars of all chips, spare ones included."""
        return self.hierarchy.chips * self.tiles_per_chip * self.crossbars_per_tile

    @property
    def tiles_per_chip(self) -> int:
        """Tiles of one chip."""
        return self.hierarchy.tiles

    @property
    def usable_per_chip(self) -> int:
        """Crossbars of one chip that may hold something."""
        return self.tiles_per_chip * self.usable_per_tile

    @property
    def crossbars_available(self) -> int:
        """Crossbars of all chips that may hold something."""
        return self.hierarchy.chips * self.usable_per_chip


SECTIONS: dict[str, type] = {
    "crossbar": Crossbar,
    "weights": Weights,
    "inputs": Inputs,
    "adc": Adcs,
    "partial_sums": PartialSums,
    "hierarchy": Hierarchy,
    "tile": Tile,
    "noc": Noc,
    "timing": Timing,
    "paper": Paper,
}
"""The sections of a target file, in order."""


TARGET = Kind(
    name="target",
    package="rcompile.targets",
    sections=SECTIONS,
    always=tuple(SECTIONS),
    option="--set",
    shown="`rcompile targets isaac`",
    tables={"components": Entry},
    own=("paper",),
    paths={"components": "model"},
)
"""What a target file is."""


def as_dict(target: Target) -> dict[str, Any]:
    """Return a target as plain data, as reports hold it."""
    return asdict(target) | {"assumed_fields": list(target.assumed_fields)}


def from_dict(data: Mapping[str, Any]) -> Target:
    """Return the target that a report or a program holds."""
    return msgspec.convert(data, Target)
