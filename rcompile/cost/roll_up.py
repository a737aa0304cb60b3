"""Peak figures of a target, from its components alone: power and area of each level, throughput, storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from rcompile.cost.prices import Price, price, unpaid, vector_s
from rcompile.ir.encoding import SignScheme
from rcompile.targets import Target
from rcompile.targets.components import Component


@dataclass(frozen=True)
class Level:
    """One of a level, with all that it contains.

    Attributes:
        name: of the level.
        inside: how many of the level below it has.
        own: its components, and what one of each takes.
        stated: whether it contains components at all; where not, its figures say nothing.
        power_w: at full work of all that it contains; None where a component's is not stated.
        area_m2: of all that it contains; None where a component's is not stated.
        adc_power_w: the part of the power that converters take.
        adc_area_m2: the part of the area that converters take.
    """

    name: str
    inside: int
    own: tuple[tuple[Component, Price], ...]
    stated: bool
    power_w: float | None
    area_m2: float | None
    adc_power_w: float | None
    adc_area_m2: float | None


@dataclass(frozen=True)
class Peak:
    """What a chip reaches at most, for operands of the bits that figures are quoted for.

    Attributes:
        operations_per_s: 2 x rows x columns / cells per weight of each crossbar in the time of a vector.
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
    found: list[Level] = []
    for name, count in zip(target.levels, (1, *target.hierarchy.counts, target.tiles_per_chip), strict=True):
        own = tuple((item, price(item, target)) for item in target.components if item.at == name)
        converters = [(item, taken) for item, taken in own if item.per == "conversion"]
        inner = found[-1:] if found and found[-1].stated else []
        beside = count / (target.hierarchy.mesh_layers if name == "chip" else 1)  # not on top of each other
        found.append(
            Level(
                name=name,
                inside=count,
                own=own,
                stated=bool(own or inner),
                power_w=added([(count, i.power_w) for i in inner] + [(i.count, p.power_w) for i, p in own]),
                area_m2=added([(beside, i.area_m2) for i in inner] + [(i.count, p.area_m2) for i, p in own]),
                adc_power_w=added(
                    [(count, i.adc_power_w) for i in inner] + [(i.count, p.power_w) for i, p in converters]
                ),
                adc_area_m2=added(
                    [(beside, i.adc_area_m2) for i in inner] + [(i.count, p.area_m2) for i, p in converters]
                ),
            )
        )
    return tuple(found)


def added(parts: Sequence[tuple[float, float | None]]) -> float | None:
    """Return the sum of counts times figures; None where a figure is not known."""
    known = [count * figure for count, figure in parts if figure is not None]
    return sum(known) if len(known) == len(parts) else None


def peak(target: Target) -> Peak:
    """Return what a chip reaches at most."""
    chip = levels(target)[-1]
    crossbar, scheme = target.crossbar, SignScheme(target.weights.sign)
    size = crossbar.rows * crossbar.columns
    arrays = target.levels["chip"]
    operations = arrays * 2 * size / cells_per_weight(target, scheme) / vector_s(target)
    storage = arrays * size * crossbar.cell_bits / 8
    area, power = (None, None) if unpaid(target) else (chip.area_m2, chip.power_w)
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
