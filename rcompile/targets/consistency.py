"""What the fields of a target must agree on: each rule names the field to change and how."""

from collections.abc import Iterator

from rcompile.targets.components import Entry
from rcompile.targets.schema import Target
from rcompile.targets.sections import Adcs, Hierarchy

ROUNDED = 0.1
"""By how much two statements of one figure may differ: papers round."""

FLASH_BITS = 6
"""A flash converter has 2^bits - 1 comparators: beyond, it is larger than the crossbar that it reads."""

UNIT_SCHEMES = {"offset", "offset_flip", "zero_offset", "xnor_pair"}
PAIRS_IN_ROWS = {"differential_rows", "xnor_pair"}
APART = {"differential_columns", "differential_arrays"}


def contradictions(target: Target) -> Iterator[tuple[str, str]]:
    """Yield (field, what is wrong and what to change) of a target whose single fields are right."""
    yield from of_weights(target)
    yield from of_converters(target)
    crossbar = target.crossbar
    if crossbar.rows_at_once > crossbar.rows:
        yield (
            "crossbar.rows_at_once",
            f"must be at most crossbar.rows ({crossbar.rows}), is {crossbar.rows_at_once}: 0 reads all rows at once",
        )
    if target.usable_per_tile < 1:
        yield (
            "hierarchy.spare_crossbars",
            f"must be less than the {target.crossbars_per_tile} crossbars of a tile, "
            f"is {target.hierarchy.spare_crossbars}",
        )
    noc = target.noc
    if noc.topology != "mesh" and (noc.router_rows, noc.router_columns) != (1, 1):
        yield (
            "noc.router_rows",
            f"must be 1, as router_columns, where noc.topology is {noc.topology}: only routers of a mesh serve blocks "
            "of tiles",
        )
    if noc.topology != "mesh" and target.hierarchy.mesh_layers > 1:
        yield (
            "hierarchy.mesh_layers",
            f"must be 1 where noc.topology is {noc.topology}, is {target.hierarchy.mesh_layers}: only meshes are "
            "connected from layer to layer",
        )
    if target.weights.sign in PAIRS_IN_ROWS and target.rows_at_once < 2:
        yield (
            "crossbar.rows_at_once",
            f"must be at least 2 for {target.weights.sign}, whose pairs of cells take two rows, "
            f"is {target.rows_at_once}",
        )


def of_hierarchy(hierarchy: Hierarchy) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the names and numbers of the levels."""
    levels, counts = hierarchy.levels, hierarchy.counts
    if not levels:
        yield "hierarchy.levels", "must name at least what is on the mesh, is empty"
    if len(levels) != len(counts):
        yield (
            "hierarchy.counts",
            f"must be one for each of hierarchy.levels ({', '.join(levels)}): {len(levels)}, is {list(counts)}",
        )
    if len({*levels, "crossbar", "chip"}) != len(levels) + 2:
        yield "hierarchy.levels", f"must differ from each other and from crossbar and chip, is {list(levels)}"


def count_of(name: str, entry: Entry, adc: Adcs, hierarchy: Hierarchy) -> tuple[float, list[tuple[str, str]]]:
    """Return how many of a component its level has, and what contradicts what is said of converters elsewhere."""
    crossbars, converts = hierarchy.crossbars[entry.at], entry.per == "conversion"
    expected = adc.per_crossbar * crossbars if converts else 0.0
    field = f"components.{name}"
    if entry.count is None:
        missing = [(f"{field}.count", f"is missing: how many of it {entry.at} has")]
        return (expected, []) if expected else (0.0, missing)
    mistakes = []
    if expected and entry.count and abs(entry.count - expected) > ROUNDED * expected:
        mistakes.append(
            (
                f"{field}.count",
                f"is {entry.count:g} for {crossbars:,} crossbar{'s' * (crossbars > 1)}, and adc.per_crossbar says "
                f"{expected:g}: leave one of them out",
            )
        )
    rate = entry.rate_per_s if converts and adc.rate_per_s else None
    if rate is not None and abs(rate - adc.rate_per_s) > ROUNDED * adc.rate_per_s:
        mistakes.append(
            (
                f"{field}.rate_per_s",
                f"is {rate:g}, and adc.rate_per_s says {adc.rate_per_s:g}: leave one of them out",
            )
        )
    return entry.count, mistakes


def of_weights(target: Target) -> Iterator[tuple[str, str]]:
    """Yield what contradicts the sign scheme or the slices."""
    weights, cell_bits = target.weights, target.crossbar.cell_bits
    if weights.supported and weights.sign not in weights.supported:
        yield (
            "weights.sign",
            f"is {weights.sign}, which the periphery of {target.name} cannot do: weights.supported lists "
            f"{', '.join(weights.supported)}",
        )
    if weights.subtraction == "analog" and weights.sign in UNIT_SCHEMES:
        yield (
            "weights.subtraction",
            f"must be digital for {weights.sign}, which has no second polarity to subtract; "
            f"{' and '.join(sorted(APART))} have one",
        )
    widest = max(weights.slices, default=0)
    if widest > cell_bits:
        yield (
            "weights.slices",
            f"has a slice of {widest} bits; a cell holds {cell_bits}: raise crossbar.cell_bits or cut the slice",
        )
    if weights.sign == "ternary_pair" and cell_bits != 1:
        yield "crossbar.cell_bits", f"must be 1 for ternary_pair, whose cells are on or off, is {cell_bits}"


def of_converters(target: Target) -> Iterator[tuple[str, str]]:
    """Yield what converters of a kind cannot do."""
    adc, weights = target.adc, target.weights
    if adc.kind == "flash" and adc.bits > FLASH_BITS:
        yield (
            "adc.bits",
            f"must be at most {FLASH_BITS} for a flash converter, is {adc.bits}: it would have {2**adc.bits - 1} "
            "comparators, more than there are cells to read; adc.kind = sar has one",
        )
    if adc.kind == "none":
        if target.inputs.encoding != "amplitude":
            yield (
                "inputs.encoding",
                f"must be amplitude where adc.kind is none, is {target.inputs.encoding}: cycles can only be added up "
                "after a conversion",
            )
        if weights.sign in UNIT_SCHEMES - {"xnor_pair"}:
            yield (
                "weights.sign",
                f"must be differential where adc.kind is none, is {weights.sign}: its correction is digital",
            )
        if weights.sign in APART and weights.subtraction == "digital":
            yield "weights.subtraction", "must be analog where adc.kind is none, is digital"
        if target.partial_sums.bits:
            yield "partial_sums.bits", f"must be 0 where adc.kind is none, is {target.partial_sums.bits}"
    if adc.resolution != "lossless" and adc.truncated_bits >= adc.bits:
        yield (
            "adc.truncated_bits",
            f"must be smaller than adc.bits ({adc.bits}), is {adc.truncated_bits}: no bit would be left",
        )
    if target.partial_sums.bits == 1:
        yield "partial_sums.bits", "must be 0 (none are rounded) or at least 2 (a sign and a bit), is 1"
