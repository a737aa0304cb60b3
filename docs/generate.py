"""Write the pages that come from code: docs/targets.md and docs/operators.md. A test holds them against the files."""

import sys
from pathlib import Path

from rcompile.frontend.operators import OPERATORS
from rcompile.targets import list_targets
from rcompile.targets.schema import SECTIONS, defaults, field_names, rules

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
    known, assumed = rules(), defaults()
    for section, kind in SECTIONS.items():
        lines += [
            "",
            f"## [{section}]",
            "",
            (kind.__doc__ or "").strip(),
            "",
            "| Field | Value | Meaning |",
            "|---|---|---|",
        ]
        for name in field_names(kind):
            rule = known[f"{section}.{name}"]
            values = (
                ", ".join(f"`{choice}`" for choice in rule.choices)
                or f"{rule.low:g} to {rule.high:g} {rule.unit}".strip()
            )
            default = f"; {assumed[f'{section}.{name}']} where it is left out" if f"{section}.{name}" in assumed else ""
            lines.append(f"| `{name}` | {values} | {rule.doc}{default} |")
    return "\n".join(lines) + "\n"


def operators_page() -> str:
    """Describe what goes to crossbars."""
    lines = ["# Supported operators", "", "<!-- made by docs/generate.py -->", ""]
    lines += [
        "These go to crossbars, where their weights are static (constants, or dequantized constants) and their input",
        "is quantized, by the model or by rcompile. A node that does not qualify stays digital; the report says why.",
        "",
        "| Operator | Mapped as |",
        "|---|---|",
        *(f"| {name} | {' '.join(family.mapped_as.split())} |" for name, family in OPERATORS.items()),
        "",
        "Every other operator of the standard domains goes, unchanged, to a digital segment that onnxruntime executes.",
        "BatchNormalization after Conv or Gemm is folded into the weights; Identity, inference Dropout and whatever",
        "depends on constants only is folded away. Operators of other domains are refused.",
    ]
    return "\n".join(lines) + "\n"


PAGES = {"targets.md": targets_page, "operators.md": operators_page}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
