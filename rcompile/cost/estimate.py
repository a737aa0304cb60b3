"""Energy of an inference and area of the chips, component by component and layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass

from rcompile.cost.actions import Counted, count, count_digital
from rcompile.cost.prices import Price, own_bits, price, unpaid, unpriced
from rcompile.ir.placed import PlacedProgram
from rcompile.targets import Target
from rcompile.targets.components import Component

FORMULAS = {
    "component.dynamic_j": "sum over layers, and cost.digital, of energy_by_component",
    "component.static_j": "leakage_w x switched_on x totals.interval_s",
    "component.area_m2": "unit_area_m2 x on_chips; of what is in tiles, / target.hierarchy.mesh_layers",
    "layer.energy_by_component": "layer.actions[per] x unit energy; of conversions, the sum over their resolutions; of "
    "time, layer.at_work_s[at] x count x unit energy",
    "layer.energy_j": "sum of layer.energy_by_component",
    "totals.energy_j": "sum of layer.energy_j + sum of cost.digital.energy_by_component + sum of component.static_j",
    "totals.power_w": "totals.energy_j / totals.interval_s",
    "totals.area_m2": "sum of component.area_m2",
    "totals.adc_energy_share": "dynamic_j + static_j of the components of conversions / totals.energy_j",
}
"""How each figure follows from others of the report, by its name."""


@dataclass(frozen=True)
class ComponentCost:
    """What the components of one name take.

    Attributes:
        component: which ones.
        bits: the resolution that the target gives them; 0 where none matters.
        price: of one at that resolution.
        energies: J of one action by resolution, for all that occur.
        switched_on: how many are in the tiles and chips that hold something.
        on_chips: how many are on the chips used.
        dynamic_j: of one inference; None where it is not known.
        static_j: their leakage in an interval; None where it is not known.
        area_m2: of the chips that they take, where meshes are stacked their share of it; None where it is not known.
    """

    component: Component
    bits: int
    price: Price
    energies: dict[int, float]
    switched_on: float
    on_chips: float
    dynamic_j: float | None
    static_j: float | None
    area_m2: float | None


@dataclass(frozen=True)
class LayerCost:
    """What one layer takes in one inference, without leakage: J by component, those whose energy is known."""

    counted: Counted
    by_component: dict[str, float]


@dataclass(frozen=True)
class Cost:
    """What a program costs.

    Attributes:
        components: in the order of the target.
        layers: in the order of the program.
        digital: of the operators between matrices.
        energy_j: of an inference in steady state, as far as it is stated; None where reads or conversions are not.
        area_m2: of the chips used; None where an area is not stated, or nothing reads or converts.
        adc_energy_share: of the energy; None where that is not known.
        missing: why energy or area are not known, and what they leave out.
    """

    components: tuple[ComponentCost, ...]
    layers: tuple[LayerCost, ...]
    digital: LayerCost
    energy_j: float | None
    area_m2: float | None
    adc_energy_share: float | None
    missing: tuple[str, ...]


def estimate(placed: PlacedProgram, target: Target) -> Cost:
    """Return what a scheduled program costs on its target."""
    counted = (*count(placed, target), count_digital(placed, target))
    costs = tuple(LayerCost(own, by_component(own, target)) for own in counted)
    components = tuple(component_cost(item, placed, target, costs) for item in target.components)
    needed = [action for action in unpaid(target) if total(counted, action)]
    energy = None
    if components and not needed:
        energy = sum(sum(layer.by_component.values()) for layer in costs)
        energy += sum(item.static_j or 0.0 for item in components)
    areas = [item.area_m2 for item in components]
    converters = [item for item in components if item.component.per == "conversion"]
    converting = sum((item.dynamic_j or 0.0) + (item.static_j or 0.0) for item in converters)
    lumped = any("conversion" in item.component.covers for item in components)  # with what else they take
    return Cost(
        components=components,
        layers=costs[:-1],
        digital=costs[-1],
        energy_j=energy,
        area_m2=sum(area for area in areas if area is not None) if not unpaid(target) and None not in areas else None,
        adc_energy_share=converting / energy if energy and not lumped else None,
        missing=tuple(missing(components, counted, target, needed)),
    )


def by_component(own: Counted, target: Target) -> dict[str, float]:
    """Return what each component takes for a layer, where that is known."""
    found = {}
    for item in target.components:
        energies = {bits: price(item, target, bits).energy_j for bits in resolutions(item, target, own)}
        if None in energies.values():
            continue
        known = {bits: value for bits, value in energies.items() if value is not None}
        if item.per == "time":
            found[item.name] = own.at_work_s[item.at] * item.count * known[0]
        elif item.per == "conversion":
            found[item.name] = sum(number * known[bits] for bits, number in own.conversions.items())
        else:
            found[item.name] = own.actions[item.per] * known[own_bits(item, target)]
    return found


def resolutions(item: Component, target: Target, own: Counted) -> list[int]:
    """Return the resolutions at which a component works for a layer."""
    return sorted(own.conversions) if item.per == "conversion" else [own_bits(item, target)]


def component_cost(item: Component, placed: PlacedProgram, target: Target, costs: Sequence[LayerCost]) -> ComponentCost:
    """Return what the components of one name take."""
    found = price(item, target)
    plan = placed.floorplan
    chips = len({slot // plan.tiles_per_chip for slot in plan.slots})
    size = target.levels[item.at]
    on_chips = item.count * chips * target.levels["chip"] / size
    stacked = 1 if item.at == "chip" else target.hierarchy.mesh_layers
    holding = chips if item.at == "chip" else len(set(plan.slots)) * target.crossbars_per_tile / size
    energies = [cost.by_component.get(item.name) for cost in costs]
    known = [energy for energy in energies if energy is not None]
    used = sorted({bits for cost in costs for bits in resolutions(item, target, cost.counted)})
    prices = {bits: price(item, target, bits).energy_j for bits in used}
    return ComponentCost(
        component=item,
        bits=own_bits(item, target),
        price=found,
        energies={bits: value for bits, value in prices.items() if value is not None},
        switched_on=item.count * holding,
        on_chips=on_chips,
        dynamic_j=sum(known) if len(known) == len(energies) else None,
        static_j=None if found.leakage_w is None else found.leakage_w * item.count * holding * placed.interval_s,
        area_m2=None if found.area_m2 is None else found.area_m2 * on_chips / stacked,
    )


def total(counted: Sequence[Counted], action: str) -> float:
    """Return how often something happens in all layers."""
    return sum(own.actions[action] for own in counted)


def missing(
    components: Sequence[ComponentCost], counted: Sequence[Counted], target: Target, needed: Sequence[str]
) -> list[str]:
    """Return what the target does not state."""
    if not components:
        return ["any components"]
    found = [f"the energy of {item.component.name}" for item in components if item.dynamic_j is None]
    found += [f"the area of {item.component.name}" for item in components if item.area_m2 is None]
    found += [f"energy per {action}" for action in needed]
    found += [f"energy per {a}" for a in unpriced(target) if a not in needed and total(counted, a)]
    leaking = [item.component.name for item in components if item.static_j is None]
    if len(leaking) == len(components):
        found.append("leakage")
    elif leaking:
        found.append(f"the leakage of {', '.join(leaking)}")
    return found
