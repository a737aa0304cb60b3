"""What a target's components add up to, as text."""

from rcompile.cost.prices import unpaid
from rcompile.cost.roll_up import Level, levels, peak
from rcompile.report.words import si
from rcompile.targets import Target

MM2 = 1e-6
MIB = 2**20


def roll_up_lines(target: Target) -> list[str]:
    """Return the tree of a target with power and area at full work, from the chip in, and its peak figures."""
    found = levels(target)
    lacking = unpaid(target) if target.components else []
    lines = [f"without what a {' and a '.join(lacking)} takes, which is not stated:"] if lacking else []
    for depth, level in enumerate(reversed(found)):
        indent = "  " * depth
        inside = found[len(found) - depth - 2].name if depth < len(found) - 1 else ""
        holds = (
            f", {level.inside:,} x {inside}"
            if inside
            else f", {target.crossbar.rows} x {target.crossbar.columns} cells"
        )
        lines.append(f"{indent}{level.name}: {of_level(level)}{holds}")
        for item, taken in level.own:
            power = "power not stated" if taken.power_w is None else si(item.count * taken.power_w, "W")
            area = "area not stated" if taken.area_m2 is None else square(item.count * taken.area_m2)
            lines.append(f"{indent}  {item.count:g} x {item.name}: {power}, {area}, per {item.per}")
    return [*lines, "", *peak_lines(target)]


def of_level(level: Level) -> str:
    """Return what one of a level takes."""
    if not level.stated:
        return "no components stated"
    if level.power_w is None and level.area_m2 is None:
        return "power and area not known"
    power = "power not known" if level.power_w is None else si(level.power_w, "W")
    area = "area not known" if level.area_m2 is None else square(level.area_m2)
    shares = [
        f"{100 * part / whole:.1f} % of the {name}"
        for name, part, whole in (
            ("power", level.adc_power_w, level.power_w),
            ("area", level.adc_area_m2, level.area_m2),
        )
        if part and whole
    ]
    return f"{power}, {area}" + (f"; converters {' and '.join(shares)}" if shares else "")


def peak_lines(target: Target) -> list[str]:
    """Return what a chip reaches at most."""
    found = peak(target)
    bits = f"{target.weights.quoted_bits}-bit weights, {target.inputs.quoted_bits}-bit inputs"
    lines = [
        f"{target.levels['chip']:,} crossbars a chip, {target.crossbars_available:,} in all",
        f"peak: {si(found.operations_per_s, 'OP/s')} a chip ({bits}), {found.storage_bytes / MIB:.4g} MiB of cells",
    ]
    densities = [
        (found.per_area, MM2 / 1e9, "GOPS/s/mm2"),
        (found.per_power, 1e-9, "GOPS/s/W"),
        (found.storage_per_area, MM2 / MIB, "MiB/mm2"),
    ]
    known = [f"{value * scale:.5g} {unit}" for value, scale, unit in densities if value is not None]
    return [*lines, *([", ".join(known)] if known else [])]


def square(area_m2: float) -> str:
    """Return an area in a unit that suits it."""
    return f"{area_m2 / MM2:.4g} mm2" if area_m2 >= 1e-3 * MM2 else f"{area_m2 / 1e-12:.4g} um2"
