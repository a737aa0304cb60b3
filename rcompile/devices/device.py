"""A device: a cell, what happens to it in order, and the circuit around it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rcompile.circuits.amplifiers import Amplifiers
from rcompile.circuits.converters import Converters
from rcompile.circuits.drivers import Drivers
from rcompile.circuits.gated import Gated
from rcompile.circuits.wires import Wires
from rcompile.devices.ageing import Age, Refresh, Temperature
from rcompile.devices.model import Cell, Model, Siemens, Term

NO_WIRES = Wires(0.0, 0.0)
IDEAL_DRIVERS = Drivers()
IDEAL_AMPLIFIERS = Amplifiers()
IDEAL_CONVERTERS = Converters()


@dataclass(frozen=True)
class Device:
    """A cell's behaviour, and that of the circuit around it.

    Attributes:
        name: of the device.
        summary: in one line.
        cell: its conductances.
        models: non-idealities by the names of their sections, in the order in which they act.
        wires: of its crossbars, where rows are driven.
        gated: lines of its crossbars, where inputs switch transistors instead; None: they do not.
        drivers: of rows.
        amplifiers: between columns and converters.
        converters: behind them.
        temperature: of cells; None: that of the measurements.
        refresh: when cells are written anew; None: never.
        age_s: how long after installation it is read.
        sources: where values come from.
        assumptions: why values that nobody states are what they are.
        assumed_fields: fields that its file leaves out, or gives as assumed.
    """

    name: str
    summary: str
    cell: Cell
    models: Mapping[str, Model] = field(default_factory=dict)
    wires: Wires = NO_WIRES
    gated: Gated | None = None
    drivers: Drivers = IDEAL_DRIVERS
    amplifiers: Amplifiers = IDEAL_AMPLIFIERS
    converters: Converters = IDEAL_CONVERTERS
    temperature: Temperature | None = None
    refresh: Refresh | None = None
    age_s: float = 0.0
    sources: Mapping[str, str] = field(default_factory=dict)
    assumptions: Mapping[str, str] = field(default_factory=dict)
    assumed_fields: tuple[str, ...] = ()

    @property
    def ideal(self) -> bool:
        """Whether cells hold exactly what is written, and circuits read it exactly."""
        circuits = (self.wires, self.drivers, self.amplifiers, self.converters)
        return not self.models and self.gated is None and all(circuit.none for circuit in circuits)

    @property
    def draws(self) -> bool:
        """Whether dies of it differ."""
        circuits = self.drivers.draws or self.amplifiers.draws or self.converters.draws
        return circuits or any(model.draws for model in self.models.values())

    def age(self) -> Age:
        """Return what time has done when it is read."""
        seconds, rewrites = self.refresh.after(self.age_s) if self.refresh else (self.age_s, 0)
        faster = self.temperature.acceleration if self.temperature else 1.0
        return Age(seconds * faster, seconds, rewrites, self.age_s)

    def numbered(self) -> Iterator[tuple[int, Model]]:
        """Yield the models with the numbers of their streams."""
        return enumerate(self.models.values())

    def series(self, g: Siemens) -> Siemens:
        """Return the conductances of cells with what is in series with them."""
        for model in self.models.values():
            g = model.series(g)
        return g

    def softening(self, g: Siemens) -> Siemens:
        """Return by how much what is read of cells grows with their conductances."""
        found = np.ones_like(g)
        for model in self.models.values():
            found = found * model.softening(g)
            g = model.series(g)
        return found

    def terms(self) -> tuple[Term, ...]:
        """Return what a cell's current at any voltage is made of; () where it is ohmic."""
        return next((found for model in self.models.values() if (found := model.terms(self.cell))), ())

    def as_dict(self) -> dict[str, Any]:
        """Return the device as plain data, as reports hold it."""
        models = {name: asdict(model) for name, model in self.models.items()}  # type: ignore[call-overload]
        circuits = {name: getattr(self, name) for name in CIRCUITS}
        return {
            "name": self.name,
            "summary": self.summary,
            "age_s": self.age_s,
            "cell": asdict(self.cell),
            **models,
            **{name: asdict(item) for name, item in circuits.items() if item is not None},
            "sources": dict(self.sources),
            "assumptions": dict(self.assumptions),
            "assumed_fields": list(self.assumed_fields),
        }


CIRCUITS: dict[str, type] = {
    "wires": Wires,
    "gated": Gated,
    "drivers": Drivers,
    "amplifiers": Amplifiers,
    "converters": Converters,
    "temperature": Temperature,
    "refresh": Refresh,
}
"""The sections of a device file besides the cell and the models."""

IDEAL = Device("ideal", "Cells that hold their levels exactly, for ever, and read without noise", Cell(0.0, 1e-4))
"""What programs are proven on."""
