"""Write the pages that come from code: targets, devices and supported operators. A test holds them against it."""

import sys
from dataclasses import fields
from pathlib import Path

import effects

from rcompile.devices import list_devices
from rcompile.devices.load import DEVICE
from rcompile.frontend.dialect import KNOWN_DOMAINS
from rcompile.frontend.expand import EXPANSIONS
from rcompile.frontend.operators import OPERATORS, UNFOLDED
from rcompile.frontend.supported import RANDOM
from rcompile.targets import list_targets
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
        "| Preset | What |",
        "|---|---|",
        *(f"| `{name}` | {summary} |" for name, summary in list_targets().items()),
    ]
    for section, kind in TARGET.sections.items():
        lines += ["", f"## [{section}]", "", (kind.__doc__ or "").strip(), ""]
        lines += field_table(TARGET, section)
    return "\n".join(lines) + "\n"


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
    known, assumed = kind.rules(), kind.defaults()
    lines = ["| Field | Value | Meaning |", "|---|---|---|"]
    for name in (item.name for item in fields(kind.sections[section])):
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
        default = f"; {left_out} where it is left out" if f"{section}.{name}" in assumed else ""
        lines.append(f"| `{name}` | {f'{values} {rule.unit}'.strip()} | {rule.doc}{default} |")
    return lines


PAGES = {"devices.md": devices_page, "targets.md": targets_page, "supported-operators.md": operators_page}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
