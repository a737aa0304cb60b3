"""The part of report.json about energy and area."""

import msgspec


class ComponentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The components of one name.

    at: the level that has them; count: how many that has; per: the action that their energy is of. bits: their
    resolution, 0 where none matters. unit_*: of one; unit_energy_j: [bits, J of one action] for each resolution that
    occurs (of 'time': W). switched_on: how many are in the tiles and chips that hold something; on_chips: on all chips
    used. dynamic_j: of an inference; static_j: leakage in an interval. null: not stated by the target.
    """

    name: str
    at: str
    count: float
    per: str
    bits: int
    unit_energy_j: list[tuple[int, float]]
    unit_power_w: float | None
    unit_leakage_w: float | None
    unit_area_m2: float | None
    switched_on: float
    on_chips: float
    dynamic_j: float | None
    static_j: float | None
    area_m2: float | None


class LayerCostInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer does in one inference, and what that takes.

    actions: how often each action happens. conversions: [bits, number] for each resolution that is paid for.
    at_work_s: by level, how long what holds the layer is at work, summed over all that hold it. energy_by_component:
    J, without leakage.
    """

    actions: dict[str, float]
    conversions: list[tuple[int, float]]
    at_work_s: dict[str, float]
    energy_by_component: dict[str, float]


class CostInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an inference takes, component by component.

    digital: what operators between matrices do and take. missing: what the target does not state, and energy or area
    therefore leave out, or are null for. formulas: how each figure follows from others of this report.
    """

    components: list[ComponentInfo]
    digital: LayerCostInfo
    missing: list[str]
    formulas: dict[str, str]
