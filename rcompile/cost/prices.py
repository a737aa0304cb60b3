"""What one component takes at work on a target: its figures, with those that follow from others."""

from dataclasses import dataclass

from rcompile.targets import Target
from rcompile.targets.components import Component, Point

CYCLIC = {"read", "cell", "sram_read", "row", "sample"}
"""Actions that happen once a read cycle at full work."""

NEEDED = ("read", "conversion")
"""Actions without whose energy a total would say nothing; what reads cells may be stated by crossbar or by cell."""

SAME = {"read": ("read", "cell"), "cell": ("read", "cell")}
"""Actions that stand for each other."""


@dataclass(frozen=True)
class Price:
    """Figures of one component; None where neither they nor others that they follow from are stated.

    Attributes:
        energy_j: of one action; of a component that works by time, of a second: its power.
        power_w: at full work.
        leakage_w: whenever it is switched on.
        area_m2: of one.
    """

    energy_j: float | None
    power_w: float | None
    leakage_w: float | None
    area_m2: float | None


def cycle_s(target: Target) -> float:
    """Return how long a read takes at full work: a read cycle, or what the conversions of all columns take."""
    rate = target.adc.per_crossbar * target.adc.rate_per_s
    return max(target.timing.read_cycle_s, target.crossbar.columns / rate if rate else 0.0)


def own_bits(component: Component, target: Target) -> int:
    """Return the resolution that a target gives a component: that of its converters, or of its drivers; else 0."""
    return {"conversion": target.adc.bits, "row": target.inputs.dac_bits}.get(component.per, 0)


def price(component: Component, target: Target, bits: int | None = None) -> Price:
    """Return what a component takes at a resolution; without one, at the target's."""
    point = component.at_bits(own_bits(component, target) if bits is None else bits)
    rate = rate_of(component, point, target)
    energy, power = point.energy_j, point.power_w
    if component.per == "time":
        energy = power
    elif energy is None and power is not None and rate is not None:
        energy = power / rate
    elif power is None and energy is not None and rate is not None:
        power = energy * rate
    if component.per in CYCLIC and power is not None:
        power *= target.timing.read_cycle_s / cycle_s(target)  # idle while the converters are at the sums
    return Price(energy, power, point.leakage_w, point.area_m2)


def rate_of(component: Component, point: Point, target: Target) -> float | None:
    """Return how many actions a component does a second at full work; None where that is not stated."""
    if point.rate_per_s is not None:
        return point.rate_per_s
    if component.per == "conversion":
        return target.adc.rate_per_s or None
    return 1 / target.timing.read_cycle_s if component.per in CYCLIC else None


def paid(action: str, target: Target) -> bool:
    """Tell whether a component's energy has that of an action in it."""
    stand = SAME.get(action, (action,))
    return any(
        price(item, target).energy_j is not None and {item.per, *item.covers} & {*stand} for item in target.components
    )
