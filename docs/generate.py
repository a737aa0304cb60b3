"""Write the pages that come from code: targets, devices and supported operators. A test holds them against it."""

import sys
from dataclasses import fields
from pathlib import Path

import effects

from rcompile.cost.prices import unpaid
from rcompile.cost.roll_up import levels, peak
from rcompile.devices import list_devices
from rcompile.devices.load import DEVICE
from rcompile.frontend.dialect import KNOWN_DOMAINS
from rcompile.frontend.expand import EXPANSIONS
from rcompile.frontend.operators import OPERATORS, UNFOLDED
from rcompile.frontend.supported import RANDOM
from rcompile.report.plots import draw
from rcompile.targets import Target, list_targets, resolve_target
from rcompile.targets.actions import ACTIONS
from rcompile.targets.schema import TARGET
from rcompile.toml_file import Kind

FOLDER = Path(__file__).parent


def targets_page() -> str:
    """Describe the presets and every field of a target file."""
    lines = ["# Writing a target", "", "<!-- made by docs/generate.py -->", ""]
    lines += [
        "A target is a TOML file: `schema_version = 1`, `name`, `summary`, the sections below, and `[sources]`, which",
        'says for each field (`"crossbar.rows" = "..."`) or section (`crossbar = "..."`) where its values come from.',
        "`rcompile targets my.toml` checks a file and shows it; `rcompile model.onnx --target my.toml` uses it.",
        "`--set FIELD=VALUE` overrides one field.",
        "",
        'A file may build on another one, a preset or a file beside it: `extends = "isaac"`. Its own fields replace',
        "those of the other, and need sources of their own. What nobody states but a compiler must know goes into",
        '`[assumed]`, which says why the value is what it is; every report lists such fields. `extends = "macro"`',
        "brings an assumption for everything that a paper on a single crossbar leaves out.",
        "`rcompile targets my.toml --check` says what a file states, assumes and leaves out. One's own, complete:",
        "",
        "```toml",
        *example_target().splitlines(),
        "```",
        "",
        "| Preset | What |",
        "|---|---|",
        *(f"| `{name}` | {summary} |" for name, summary in list_targets().items()),
    ]
    for section, kind in TARGET.sections.items():
        lines += ["", f"## [{section}]", "", (kind.__doc__ or "").strip(), ""]
        lines += field_table(TARGET, section)
    lines += ["", "## [components.NAME]", "", *COMPONENTS, "", *field_table(TARGET, "components.NAME"), ""]
    lines += [
        "| Action | What is counted |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, text in ACTIONS.items()),
    ]
    return "\n".join(lines) + "\n"


COMPONENTS = (
    "What the chip is made of, any number of them, from which energy, power and area follow. The energy of an",
    "inference is, for each component, how often its action happens times the energy of one; power at full work and",
    "area of a level are the sums over all that it contains (`rcompile targets NAME` prints them). A figure that is",
    "left out is unknown: the report says what is missing, energies are then *at least* what they say, and there is no",
    "energy at all where reads or conversions have none, no area where any component has none.",
    "",
    "Tiles and chips that hold nothing are switched off: leakage is that of all components in those that hold",
    "something, for the interval between inferences. What works by `time` works while what contains it is reading.",
    "",
    'Figures for several resolutions come from a table, `model = "adc.csv#sar"`: rows of a CSV file beside the target.',
    "Cells may be empty (not stated), in all rows of a name alike; between its rows figures lie on a line, beyond",
    "them they follow `scaling`. Without `adc.adjustable` or adaptive resolution every conversion is paid at the",
    "resolution that the converters have.",
    "",
    "```csv",
    "name,bits,energy_j,power_w,leakage_w,rate_per_s,area_m2,source",
    "sar,6,0.9e-12,,1e-6,,600e-12,simulated",
    "sar,8,1.6e-12,,1e-6,,1100e-12,simulated",
    "```",
)


def example_target() -> str:
    """Return the target that the page shows."""
    return (FOLDER / "example_target.toml").read_text("utf-8").rstrip()


def operators_page() -> str:
    """Describe what goes to crossbars, what is taken apart first, what stays digital, and what is refused."""
    families: dict[str, list[str]] = {}
    for (domain, name), family in EXPANSIONS.items():
        text = (family.__doc__ or "").strip().split("\n")[0]
        families.setdefault(text, []).append(f"{domain}::{name}" if domain else name)
    lines = ["# Supported operators", "", "<!-- made by docs/generate.py -->", ""]
    lines += [
        "## On crossbars",
        "",
        "Where their weights are static (constants, or dequantized constants) and their input is quantized, by the",
        "model or by rcompile. A node that does not qualify stays digital; the report says why.",
        "",
        "| Operator | Mapped as |",
        "|---|---|",
        *(f"| {name} | {' '.join(family.mapped_as.split())} |" for name, family in OPERATORS.items()),
        "",
        "## Taken apart first",
        "",
        "| Operator | How |",
        "|---|---|",
        *(f"| {', '.join(names)} | {text} |" for text, names in families.items()),
        "",
        "What remains of them where that is not possible is digital, for this reason:",
        "",
        "| Operator | Reason |",
        "|---|---|",
        *(f"| {name} | {reason} |" for name, reason in UNFOLDED.items()),
        "",
        "## Digital",
        "",
        "Every other operator goes, unchanged, to a digital segment that onnxruntime executes or, where onnxruntime",
        "lacks the operator or is known to err, onnx's reference evaluator. BatchNormalization after Conv or Gemm is",
        "folded into the weights; Identity, inference Dropout and whatever depends on constants only is folded away.",
        "",
        "## Refused",
        "",
        f"- Operators of other domains than {', '.join(sorted(f'`{name}`' for name in KNOWN_DOMAINS if name))},",
        "  unless the model brings them as local functions.",
        f"- Results drawn at random ({', '.join(RANDOM)}, Dropout in training mode): nothing could be verified.",
        "- Free dimensions other than the batch axis 0 without a size: `--dim NAME=SIZE`.",
        "- Missing weights, without `--weightless`.",
        "- QONNX operators whose scale, zero point or bit width is computed at run time.",
    ]
    return "\n".join(lines) + "\n"


def devices_page() -> str:
    """Describe the presets, every model with its law and fields, and what works with what."""
    lines = ["# Devices", "", "<!-- made by docs/generate.py -->", ""]
    lines += [
        "A device is a TOML file: `schema_version = 1`, `name`, `summary`, `[cell]`, any of the models below in the",
        "order in which they act, the circuit's sections (from `[wires]` on, below), and `[sources]`, which says for",
        "each field or section where its values come from. `rcompile devices my.toml` checks a file and shows it.",
        "",
        "    rcompile model.onnx --data test.npz --device hfo2_1t1r --trials 20",
        "    rcompile model.onnx --data test.npz --device hfo2_1t1r@1day --at 1h,1year",
        "    rcompile verify DIR --data test.npz --device 'hfo2_1t1r?lognormal.sigma=0.1&stuck.at_g_min=0'",
        "",
        "`@TIME` reads cells that long after writing; `?SECTION.FIELD=VALUE&...` replaces fields, and adds a model",
        "that the file does not have (at the end). [What a die computes](semantics.md) is in section 7 there.",
        "",
        "| Preset | What |",
        "|---|---|",
        *(f"| `{name}` | {summary} |" for name, summary in list_devices().items()),
        "",
        "Without strength no section changes a bit of a result (`tests/backends/test_dies.py`); with strength, what",
        "acts on which sign scheme was tried for this table (`docs/effects.py`):",
        "",
        *effects.lines(),
    ]
    for section, kind in DEVICE.sections.items():
        lines += ["", f"## [{section}]", "", " ".join((kind.__doc__ or "").split()), ""]
        lines += field_table(DEVICE, section)
        lines += wire_table() if section == "wires" else []
    return "\n".join(lines) + "\n"


WIRES = (
    (130, 0.144, 0.287, 0.861),
    (90, 0.250, 0.500, 1.500),
    (65, 0.248, 0.495, 1.486),
    (45, 0.349, 0.697, 2.091),
    (32, 0.522, 1.044, 3.131),
    (22, 0.782, 1.563, 4.689),
    (14, 1.016, 2.031, 6.094),
    (10, 1.795, 3.591, 10.773),
    (7, 2.085, 4.170, 12.510),
)
"""Node in nm, then ohm from cell to cell: cross-point (2F), 1T1R along rows (4F) and along columns (12F)."""


def wire_table() -> list[str]:
    """Describe what wires have at different nodes, line by line."""
    return [
        "",
        "What to expect from cell to cell, in ohm: resistivities, widths and aspect ratios of NeuroSim V1.4, without",
        "barriers, which make it 1.18 to 1.33 times as much:",
        "",
        "| Node | cross-point, 2F | 1T1R, along rows, 4F | 1T1R, along columns, 12F |",
        "|---|---|---|---|",
        *(f"| {node} nm | {ohms[0]:.2f} | {ohms[1]:.2f} | {ohms[2]:.2f} |" for node, *ohms in WIRES),
    ]


def field_table(kind: Kind, section: str) -> list[str]:
    """Describe the fields of a section, line by line."""
    entries = [section] if "." in section else []
    known, assumed, described = kind.rules(entries), kind.defaults(entries), kind.parts(entries)[section]
    lines = ["| Field | Value | Meaning |", "|---|---|---|"]
    for name in (item.name for item in fields(described)):
        rule = known[f"{section}.{name}"]
        values = ", ".join(f"`{choice}`" for choice in rule.choices) or "true or false"
        if rule.kind is str and not rule.choices:
            values = "a text"
        if rule.kind in {int, float}:
            values = "number"
        if rule.low is not None:
            values = f"{rule.low:g} to {rule.high:g}"
        values = f"list of {values}" if rule.many else values
        left_out = assumed.get(f"{section}.{name}")
        left_out = list(left_out) if isinstance(left_out, tuple) else left_out
        said = f"{section}.{name}" in assumed and not (rule.optional and left_out in (None, "", []))
        default = f"; {left_out} where it is left out" if said else ""
        lines.append(f"| `{name}` | {f'{values} {rule.unit}'.strip()} | {rule.doc}{default} |")
    return lines


def architectures_page() -> str:
    """Describe the presets as the survey's Table I does, and what their components add up to."""
    targets = [resolve_target(name) for name in list_targets()]
    lines = ["# Architectures", "", "<!-- made by docs/generate.py -->", ""]
    lines += [
        "The presets in the form of Table I of Krestinskaya, Zhang, Salama, IEEE NANO 2022; `Row` is the number there.",
        "What a paper does not state, and is therefore assumed, is counted in the last column, and listed in reports.",
        "",
        f"| {' | '.join(TABLE)} |",
        "|---" * len(TABLE) + "|",
        *(table_row(target) for target in sorted(targets, key=lambda t: (t.paper.row or 99, t.name))),
        "",
        "![Bits of cells and weights; power and density](architectures.svg)",
        "",
        "`rcompile targets --plot all.svg` draws this, `rcompile targets my.toml --plot all.svg` with yours in it.",
        "",
        "## What their components add up to",
        "",
        "A chip at full work, for operands of the bits that its paper quotes. Where a component's power or area is not",
        "known, there is no figure. [Published figures](published.md) holds these against the papers.",
        "",
        "| Target | Power | Area | Peak | GOPS/s/mm2 | GOPS/s/W | Cells |",
        "|---|---|---|---|---|---|---|",
        *(roll_up_row(target) for target in targets if target.components),
    ]
    return "\n".join(lines) + "\n"


TABLE = (
    "Row", "Target", "Paper", "CMOS", "Cells", "Crossbar", "Bits a cell", "W", "I", "O", "Signs", "Networks",
    "Training", "Assumed",
)  # fmt: skip


def table_row(target: Target) -> str:
    """Return a target's row of the table."""
    paper, crossbar = target.paper, target.crossbar
    cells = [
        f"[{paper.row}]" if paper.row else "",
        f"`{target.name}`",
        paper.title or "-",
        f"{paper.cmos_m * 1e9:.4g} nm" if paper.cmos_m else "-",
        paper.material or "-",
        f"{crossbar.rows} x {crossbar.columns}",
        str(crossbar.cell_bits),
        paper.weight_bits or "-",
        paper.input_bits or "-",
        paper.output_bits or "-",
        target.weights.sign,
        paper.networks or "-",
        paper.training or "-",
        str(len(target.assumed_fields)),
    ]
    return f"| {' | '.join(cells)} |"


def roll_up_row(target: Target) -> str:
    """Return what a target's components add up to."""
    chip, most = levels(target)[-1], peak(target)
    complete = not unpaid(target)
    cells = [
        f"`{target.name}`",
        "-" if chip.power_w is None or not complete else f"{chip.power_w:.4g} W",
        "-" if chip.area_m2 is None or not complete else f"{chip.area_m2 * 1e6:.4g} mm2",
        f"{most.operations_per_s / 1e12:.4g} TOPS",
        "-" if most.per_area is None else f"{most.per_area * 1e-15:.4g}",
        "-" if most.per_power is None else f"{most.per_power * 1e-9:.4g}",
        f"{most.storage_bytes / 2**20:.4g} MiB",
    ]
    return f"| {' | '.join(cells)} |"


def architectures_svg() -> str:
    """Draw the presets."""
    return draw([resolve_target(name) for name in list_targets()])[0]


def diagnostics_page() -> str:
    """Return what each diagnostic means, and what changes it."""
    from rcompile.report.codes import CODES

    lines = [
        "# Diagnostics",
        "",
        "What `rcompile` says beside figures, by code. `rcompile explain CODE` says the same, `rcompile explain FOLDER "
        "CODE` also what it is about there.",
        "",
        "| Code | Meaning | What would change it |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {code.meaning} | {code.remedy} |" for name, code in CODES.items()]
    return "\n".join([*lines, ""])


PAGES = {
    "diagnostics.md": diagnostics_page,
    "architectures.md": architectures_page,
    "architectures.svg": architectures_svg,
    "devices.md": devices_page,
    "targets.md": targets_page,
    "supported-operators.md": operators_page,
}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
