"""A device: a cell, and what happens to it, in order."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rcompile.circuits.converters import Converters
from rcompile.circuits.wires import Wires
from rcompile.devices.model import Cell, Model

NO_WIRES = Wires(0.0, 0.0)
NO_ERRORS = Converters()


@dataclass(frozen=True)
class Device:
    """A cell's behaviour, and that of the circuit around it.

    Attributes:
        name: of the device.
        summary: in one line.
        cell: its conductances.
        models: non-idealities by the names of their sections, in the order in which they act.
        wires: of its crossbars.
        converters: behind them.
        age_s: how long after writing it is read.
        sources: where values come from.
        assumed_fields: fields that its file leaves out.
    """

    name: str
    summary: str
    cell: Cell
    models: Mapping[str, Model]
    wires: Wires = NO_WIRES
    converters: Converters = NO_ERRORS
    age_s: float = 0.0
    sources: Mapping[str, str] = field(default_factory=dict)
    assumed_fields: tuple[str, ...] = ()

    @property
    def ideal(self) -> bool:
        """Whether cells hold exactly what is written, and converters read it exactly."""
        return not self.models and self.wires.none and self.converters.none

    def numbered(self) -> Iterator[tuple[int, Model]]:
        """Yield the models with the numbers of their streams."""
        return enumerate(self.models.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the device as plain data, as reports hold it."""
        models = {name: asdict(model) for name, model in self.models.items()}  # type: ignore[call-overload]
        return {
            "name": self.name,
            "summary": self.summary,
            "age_s": self.age_s,
            "cell": asdict(self.cell),
            **models,
            "wires": asdict(self.wires),
            "converters": asdict(self.converters),
            "sources": dict(self.sources),
            "assumed_fields": list(self.assumed_fields),
        }


IDEAL = Device("ideal", "Cells that hold their levels exactly, for ever, and read without noise", Cell(0.0, 1e-4), {})
"""What programs are proven on."""
