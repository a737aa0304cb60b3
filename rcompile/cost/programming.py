"""What writing the weights takes: at installation, each time that all rounds are run, and over a life."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.devices import Device
from rcompile.devices.holding import holds_s
from rcompile.devices.model import Writing
from rcompile.devices.wear import Wear
from rcompile.ir.encoding import Memory
from rcompile.ir.placed import PlacedProgram


@dataclass(frozen=True)
class Programming:
    """What writing takes; None where the device does not say how it is written, or nothing is written again.

    The crossbars of a round are written at the same time, the cells of each one after the other.

    Attributes:
        cells: that hold weights, all copies and rounds.
        cells_per_repetition: written again each time that all rounds are run; 0 for one round.
        pulses: of the installation.
        time_s: of the installation.
        energy_j: of the installation.
        repetition_time_s: of the writes of a repetition.
        repetition_energy_j: of the writes of a repetition.
        lifetime_s: until the writes of rounds, one repetition after the other, and of refreshes reach the endurance.
        holds_s: after how long without refresh 1 % of the cells of some level are off by more than half a level; None
            where they hold for 300 years.
        refresh_power_w: of writing all cells anew: at the device's own intervals, else each `holds_s`.
    """

    cells: int
    cells_per_repetition: int
    pulses: int | None
    time_s: float | None
    energy_j: float | None
    repetition_time_s: float | None
    repetition_energy_j: float | None
    lifetime_s: float | None
    holds_s: float | None
    refresh_power_w: float | None


def programming(placed: PlacedProgram, device: Device) -> Programming:
    """Return what writing a scheduled program takes on a device."""
    writing, rounds = writing_of(device), placed.floorplan.round_count
    blocks = placed.program.blocks
    areas = placed.program.heights() * (blocks["column_stop"] - blocks["column_start"])
    cells = areas * in_rram(placed)
    again = (placed.tile_of(placed.places["crossbar"]) < placed.floorplan.resident) & (rounds > 1)
    repetition_s = None
    if writing is not None and rounds > 1:
        repetition_s = writing.time_s * slowest(placed, cells * again) or None
    energy = None if writing is None else writing.energy_j * float(cells.sum()) or None
    holds = holds_s(device, placed.program.cell_bits) if cells.any() else None
    every = device.refresh.every_s if device.refresh is not None else holds
    return Programming(
        cells=int(areas.sum()),
        cells_per_repetition=int((areas * again).sum()),
        pulses=None if writing is None else round(float(cells.sum()) * writing.pulses),
        time_s=None if writing is None else writing.time_s * slowest(placed, cells) or None,
        energy_j=energy,
        repetition_time_s=repetition_s,
        repetition_energy_j=None
        if writing is None or rounds == 1
        else writing.energy_j * float((cells * again).sum()) or None,
        lifetime_s=lifetime(placed, device, again & in_rram(placed), repetition_s or 0.0),
        holds_s=holds,
        refresh_power_w=None if energy is None or every is None else energy / every,
    )


def writing_of(device: Device) -> Writing | None:
    """Return what writing a cell of a device takes; None where it does not say."""
    said = (model.writing(device.cell) for model in device.models.values())
    return next((found for found in said if found is not None), None)


def endurance_of(device: Device) -> float | None:
    """Return after how many writes cells of a device have failed; None where it does not say."""
    return next((model.endurance for model in device.models.values() if isinstance(model, Wear)), None)


def in_rram(placed: PlacedProgram) -> NDArray[np.bool_]:
    """Return which blocks are held by RRAM cells."""
    blocks = placed.program.blocks
    found = np.zeros(len(blocks), bool)
    for index, item in enumerate(placed.program.matrices):
        own = blocks["matrix"] == index
        found[own] = np.array([s.memory is Memory.RRAM for s in item.weight_slices])[blocks["weight_slice"][own]]
    return found


def slowest(placed: PlacedProgram, cells: NDArray[np.int64]) -> int:
    """Return how many cells are written one after the other: those of each round's busiest crossbar.

    Args:
        placed: the program.
        cells: of each block.
    """
    crossbar = placed.places["crossbar"]
    of_crossbar = np.bincount(crossbar, cells)
    rounds = np.array(placed.floorplan.rounds)[placed.tile_of(np.arange(len(of_crossbar)))]
    return int(sum(of_crossbar[rounds == number].max() for number in np.unique(rounds)))


def lifetime(placed: PlacedProgram, device: Device, again: NDArray[np.bool_], repetition_s: float) -> float | None:
    """Return how long cells that are written again last; None where none are, or their endurance is not known.

    A cell that is used in several rounds is written in each of them: those first in their crossbars are.

    Args:
        placed: the program.
        device: says how often cells can be written, and when they are refreshed.
        again: which blocks are written in each repetition.
        repetition_s: of the writes of a repetition.
    """
    endurance = endurance_of(device)
    rate = 1 / device.refresh.every_s if device.refresh is not None else 0.0
    if again.any():
        positions = [placed.position_of(int(crossbar)) for crossbar in np.unique(placed.places["crossbar"][again])]
        rate += int(np.bincount(positions).max()) / (placed.interval_s + repetition_s)
    return endurance / rate if endurance is not None and rate else None
