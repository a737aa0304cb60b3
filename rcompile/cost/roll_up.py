"""Peak figures of a target, from its components alone: power and area of each level, throughput, storage."""

from dataclasses import dataclass
from math import ceil

from rcompile.cost.prices import NEEDED, Price, cycle_s, paid, price
from rcompile.ir.encoding import SignScheme
from rcompile.targets import Target
from rcompile.targets.components import Component

MIB = 2**20


@dataclass(frozen=True)
class Level:
    """One of a level, with all that it contains.

    Attributes:
        name: of the level.
        inside: how many of the level below it has.
        own: its components, and what one of each takes.
        power_w: at full work of all that it contains; None where a component's is not stated.
        area_m2: of all that it contains; None where a component's is not stated.
        adc_power_w: the part of the power that converters take.
        adc_area_m2: the part of the area that converters take.
    """

    name: str
    inside: int
    own: tuple[tuple[Component, Price], ...]
    power_w: float | None
    area_m2: float | None
    adc_power_w: float | None
    adc_area_m2: float | None


@dataclass(frozen=True)
class Peak:
    """What a chip reaches at most, for operands of the bits that figures are quoted for.

    Attributes:
        operations_per_s: 2 x rows x columns / cells per weight of each crossbar in a vector's cycles,
            each as long as a read or the conversions of all columns take.
        storage_bytes: of all cells.
        per_area: operations/s/m2 (CE); None where the area of what reads and converts is not known.
        per_power: operations/s/W (PE); None where the power of what reads and converts is not known.
        storage_per_area: byte/m2 (SE); None where the area is not known.
    """

    operations_per_s: float
    storage_bytes: float
    per_area: float | None
    per_power: float | None
    storage_per_area: float | None


def levels(target: Target) -> tuple[Level, ...]:
    """Return the levels of a chip, from the crossbar on."""
    found = [Level("", 0, (), 0.0, 0.0, 0.0, 0.0)]  # inside a crossbar
    for name, count in zip(target.levels, (1, *target.hierarchy.counts, target.tiles_per_chip), strict=True):
        own = tuple((item, price(item, target)) for item in target.components if item.at == name and item.count)
        converters = [(item, taken) for item, taken in own if item.per == "conversion"]
        inner = found[-1]
        found.append(
            Level(
                name=name,
                inside=count,
                own=own,
                power_w=added((count, inner.power_w), *((item.count, taken.power_w) for item, taken in own)),
                area_m2=added((count, inner.area_m2), *((item.count, taken.area_m2) for item, taken in own)),
                adc_power_w=added((count, inner.adc_power_w), *((item.count, t.power_w) for item, t in converters)),
                adc_area_m2=added((count, inner.adc_area_m2), *((item.count, t.area_m2) for item, t in converters)),
            )
        )
    return tuple(found[1:])


def added(*parts: tuple[float, float | None]) -> float | None:
    """Return the sum of counts times figures; None where a figure is not known."""
    total = 0.0
    for count, figure in parts:
        if figure is None:
            return None
        total += count * figure
    return total


def peak(target: Target) -> Peak:
    """Return what a chip reaches at most."""
    chip = levels(target)[-1]
    crossbar, scheme = target.crossbar, SignScheme(target.weights.sign)
    size = crossbar.rows * crossbar.columns
    arrays = target.levels["chip"]
    cycles = ceil(target.inputs.quoted_bits / target.inputs.dac_bits)
    operations = arrays * 2 * size / cells_per_weight(target, scheme) / (cycles * cycle_s(target))
    storage = arrays * size * crossbar.cell_bits / 8
    needed = [action for action in NEEDED if action != "conversion" or target.adc.kind != "none"]
    complete = all(paid(action, target) for action in needed)
    area, power = (chip.area_m2, chip.power_w) if complete else (None, None)
    return Peak(
        operations_per_s=operations,
        storage_bytes=storage,
        per_area=operations / area if area else None,
        per_power=operations / power if power else None,
        storage_per_area=storage / area if area else None,
    )


def cells_per_weight(target: Target, scheme: SignScheme) -> int:
    """Return how many cells a weight of the quoted bits takes."""
    slices = len(target.weights.slices) or ceil(target.weights.quoted_bits / target.crossbar.cell_bits)
    return slices * scheme.block_polarities * scheme.rows_per_weight
