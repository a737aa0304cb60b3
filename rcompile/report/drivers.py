"""What an inference's energy goes to, and what would change it."""

from dataclasses import dataclass

from rcompile.report.cost_schema import ComponentInfo
from rcompile.report.schema import Report

SHOWN = 3

BITS = "--input-bits, "
"""What a model that came quantized does not take."""

CYCLES = f"{BITS}inputs.dac_bits"
BYTES = f"{BITS}crossbar.rows"
FARTHER = "--effort high, larger tiles (hierarchy.counts)"

LEVERS = {
    "time": "--objective throughput",
    "read": f"{CYCLES}, crossbar.sharing",
    "cell": CYCLES,
    "sram_read": CYCLES,
    "row": f"{CYCLES}, crossbar.columns",
    "sample": CYCLES,
    "conversion": f"{CYCLES}, adc.bits, adc.adjustable",
    "shift_add": CYCLES,
    "input_byte": BYTES,
    "output_byte": BYTES,
    "buffer_byte": BYTES,
    "bus_byte": BYTES,
    "element": "the model's own operators",
    "hop_byte": FARTHER,
    "chip_byte": "fewer and larger chips (hierarchy.mesh_rows, hierarchy.mesh_columns)",
}
"""By what a component's energy is per."""

SMALLER = "fewer tiles in use (hierarchy.counts)"


@dataclass(frozen=True)
class Driver:
    """One component's part of the energy.

    Attributes:
        component: its name.
        energy_j: of an inference, leakage included.
        share: of what is known.
        lever: flags and fields of the target that would change it.
    """

    component: str
    energy_j: float
    share: float
    lever: str


def drivers(report: Report) -> list[Driver]:
    """Return the components that take most of an inference's energy, largest first; none where no total is known."""
    total = report.totals.energy_j
    if not total:
        return []
    largest = sorted(report.cost.components, key=energy_of, reverse=True)[:SHOWN]
    kept = (BITS, "" if report.model.quantized_by == "model" else BITS)
    copied = report.mapping.replication.objective == "throughput"
    return [
        Driver(item.name, energy_of(item), energy_of(item) / total, lever(item, copied=copied).replace(*kept))
        for item in largest
        if energy_of(item)
    ]


def energy_of(item: ComponentInfo) -> float:
    """Return what is known of a component's energy."""
    return (item.dynamic_j or 0.0) + (item.static_j or 0.0)


def lever(item: ComponentInfo, *, copied: bool) -> str:
    """Return what would change a component's energy; not copies of layers, where they were made already."""
    if (item.static_j or 0.0) > (item.dynamic_j or 0.0):
        return SMALLER if copied else f"--objective throughput, {SMALLER}"
    return CYCLES if copied and item.per == "time" else LEVERS[item.per]
