"""What one component takes at work on a target: its figures, with those that follow from others."""

from dataclasses import dataclass
from math import ceil

from rcompile.targets import Target
from rcompile.targets.actions import ACTIONS
from rcompile.targets.components import Component, Point

CYCLIC = {"read", "cell", "sram_read", "row", "sample"}
"""Actions that happen once a read cycle at full work."""

SIDE_BY_SIDE = {"center_offset", "ternary_pair"}
"""Sign schemes whose two columns are subtracted before one converter, whatever weights.subtraction says."""

NEEDED = ("read", "conversion")
"""Actions without whose energy a total would say nothing; what reads cells may be stated by crossbar or by cell."""

SAME = {"read": ("read", "cell"), "cell": ("read", "cell")}
"""Actions that stand for each other."""


@dataclass(frozen=True)
class Price:
    """Figures of one component; None where neither they nor others that they follow from are stated.

    Attributes:
        energy_j: of one action; of a component that works by time, of a second: its power.
        power_w: at full work, leakage included.
        leakage_w: whenever it is switched on.
        area_m2: of one.
    """

    energy_j: float | None
    power_w: float | None
    leakage_w: float | None
    area_m2: float | None


def cycle_s(target: Target) -> float:
    """Return how long a read takes at full work: a read cycle, or what the conversions of all columns take."""
    rate, weights = target.adc.per_crossbar * target.adc.rate_per_s, target.weights
    subtracted = weights.sign in SIDE_BY_SIDE or (
        weights.sign == "differential_columns" and weights.subtraction == "analog"
    )
    columns = target.crossbar.columns // (2 if subtracted else 1)
    return max(target.timing.read_cycle_s, columns / rate if rate and target.adc.kind != "none" else 0.0)


def vector_s(target: Target) -> float:
    """Return how long a vector of the bits that figures are quoted for takes at full work."""
    bits, inputs = target.inputs.quoted_bits, target.inputs
    widths = [min(inputs.dac_bits, bits - first) for first in range(0, bits, inputs.dac_bits)]
    if inputs.encoding == "amplitude":
        widths = widths[:1]
    pulses = inputs.encoding == "pulse_width"
    once, read = cycle_s(target), target.timing.read_cycle_s
    total = sum(max((2**width - 1) * read, once) if pulses else once for width in widths)
    return total * ceil(target.crossbar.rows / target.rows_at_once)


def own_bits(component: Component, target: Target) -> int:
    """Return the resolution that a target gives a component: that of its converters, or of its drivers; else 0."""
    return {"conversion": target.adc.bits, "row": target.inputs.dac_bits}.get(component.per, 0)


def price(component: Component, target: Target, bits: int | None = None) -> Price:
    """Return what a component takes at a resolution; without one, at the target's."""
    point = component.at_bits(own_bits(component, target) if bits is None else bits)
    rate = rate_of(component, point, target)
    energy, power, leakage = point.energy_j, point.power_w, point.leakage_w or 0.0
    if component.per == "time":
        energy = None if power is None else max(power - leakage, 0.0)
    elif energy is None and power is not None and rate is not None:
        energy = max(power - leakage, 0.0) / rate
    if component.per in CYCLIC and energy is not None and rate is not None:
        power = leakage + energy * rate * target.timing.read_cycle_s / cycle_s(target)  # idle while sums are converted
    elif power is None and energy is not None and rate is not None:
        power = leakage + energy * rate
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


def unpaid(target: Target) -> list[str]:
    """Return the actions without whose energy totals would say nothing, and that no component states."""
    needed = [action for action in NEEDED if action != "conversion" or target.adc.kind != "none"]
    return [action for action in needed if not paid(action, target)]


def unpriced(target: Target) -> list[str]:
    """Return all actions whose energy no component states; cells and samples are part of reads and conversions."""
    return [action for action in ACTIONS if action not in {"time", "cell", "sample"} and not paid(action, target)]
