"""Energy and area, for the report."""

from rcompile.cost.estimate import FORMULAS, Cost, LayerCost
from rcompile.report.cost_schema import ComponentInfo, CostInfo, LayerCostInfo


def cost_info(cost: Cost) -> CostInfo:
    """Describe what each component takes."""
    return CostInfo(
        components=[
            ComponentInfo(
                name=item.component.name,
                at=item.component.at,
                count=item.component.count,
                per=item.component.per,
                bits=item.bits,
                unit_energy_j=list(item.energies.items()),
                unit_power_w=item.price.power_w,
                unit_leakage_w=item.price.leakage_w,
                unit_area_m2=item.price.area_m2,
                switched_on=item.switched_on,
                on_chips=item.on_chips,
                dynamic_j=item.dynamic_j,
                static_j=item.static_j,
                area_m2=item.area_m2,
            )
            for item in cost.components
        ],
        digital=layer_cost_info(cost.digital),
        missing=list(cost.missing),
        formulas=FORMULAS,
    )


def layer_cost_info(layer: LayerCost) -> LayerCostInfo:
    """Describe what a layer does and takes."""
    return LayerCostInfo(
        actions=layer.counted.actions,
        conversions=list(layer.counted.conversions.items()),
        at_work_s=layer.counted.at_work_s,
        energy_by_component=layer.by_component,
    )
