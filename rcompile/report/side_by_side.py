"""A comparison of two programs as text on the terminal, and as a page."""

import html
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rcompile.report.compare import Comparison, Row, Value
from rcompile.report.html import PLACEHOLDER, asset, digest
from rcompile.report.words import plural, si

UNKNOWN = "-"
MOST_LAYERS = 24
"""That the terminal shows; the page has all."""


def shown(value: Value, unit: str) -> str:
    """Return a figure in a unit that suits it."""
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value
    if unit == "%":
        return f"{100 * value:.2f} %"
    if unit == "m2":
        return f"{1e6 * value:.4g} mm2"
    return si(value, unit) if unit in {"s", "J", "W"} else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"


def change(row: Row) -> str:
    """Return by how much the second figure differs from the first."""
    if row.first == row.second:
        return "same"
    if row.unit == "%" and isinstance(row.first, int | float) and isinstance(row.second, int | float):
        points = f"{100 * (row.second - row.first):+.2f}"
        return "less than 0.01 points" if float(points) == 0 else f"{points} points"
    ratio = row.ratio
    if ratio is None:
        return ""
    return f"{100 * (ratio - 1):+.3g} %" if 0.5 <= ratio <= 2 else f"x {ratio:.3g}"


def print_comparison(found: Comparison, console: Console) -> None:
    """Print a comparison, differing figures only of layers."""
    for letter, text in zip("AB", found.titles, strict=True):
        console.print(f"[bold]{letter}[/] {escape(text)}")
    console.print(table_of("came out", [(row.name, *cells(row)) for row in found.figures], 3))
    rows = []
    for layer in found.layers[:MOST_LAYERS]:
        name = layer.name
        if layer.there != "both":
            rows.append((f"{name}: only in {'A' if layer.there == 'first' else 'B'}", "", "", ""))
        for row in layer.rows:
            rows.append((f"{name}: {row.name}", *cells(row)))
            name = " " * len(name)
    if rows:
        console.print(table_of("layer by layer", rows, 3))
    more = len(found.layers) - MOST_LAYERS
    if more > 0:
        console.print(f"and {plural(more, 'more layer')} that differ")
    if found.same_layers:
        console.print(f"{plural(found.same_layers, 'layer')} the same")
    if found.settings:
        console.print(table_of("asked for", [(row.name, *cells(row)[:2]) for row in found.settings], 2))
    else:
        console.print("the same was asked for")


def cells(row: Row) -> tuple[str, str, str]:
    """Return the texts of a row."""
    return shown(row.first, row.unit), shown(row.second, row.unit), change(row)


def table_of(heading: str, rows: Sequence[tuple[str, ...]], columns: int) -> Table:
    """Return a table with a name and some columns on the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(heading, overflow="fold")
    for title in ("A", "B", "change")[:columns]:
        table.add_column(title, justify="right", overflow="fold")
    for row in rows:
        table.add_row(*(escape(text) for text in row))
    return table


def comparison_page(found: Comparison) -> str:
    """Return the page: the same tables, with all layers, in one file without scripts."""
    style = asset("page.css")
    parts = {
        "title": html.escape(f"{found.titles[0]} against {found.titles[1]} - rcompile"),
        "policy": f"default-src 'none'; style-src {digest(style)}; base-uri 'none'; form-action 'none'",
        "style": style,
        "first": html.escape(found.titles[0]),
        "second": html.escape(found.titles[1]),
        "settings": page_table(
            "What was asked for", ("Setting", "A", "B"), [(row.name, *cells(row)[:2]) for row in found.settings]
        )
        if found.settings
        else "<p>The same was asked for.</p>",
        "figures": page_table(
            "What came out", ("Figure", "A", "B", "Change"), [(row.name, *cells(row)) for row in found.figures]
        ),
        "layers": page_table(
            f"Figures that differ; {plural(found.same_layers, 'layer')} the same",
            ("Layer", "Figure", "A", "B", "Change"),
            [
                (layer.name, *line)
                for layer in found.layers
                for line in (
                    [(row.name, *cells(row)) for row in layer.rows]
                    or [(f"only in {'A' if layer.there == 'first' else 'B'}", "", "", "")]
                )
            ],
        ),
    }
    return PLACEHOLDER.sub(lambda match: parts[match[1]], asset("compare.html"))


def page_table(caption: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table as markup; of the cells, those of A, B and the change are figures."""
    right = {index for index, heading in enumerate(headings) if heading in {"A", "B", "Change"}}
    head = "".join(f'<th scope="col"{" class=n" if i in right else ""}>{h}</th>' for i, h in enumerate(headings))
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if i in right else ''}>{html.escape(c)}</td>" for i, c in enumerate(row))
        + "</tr>"
        for row in rows
    )  # fmt: skip
    return (
        f'<div class="panel framed"><table><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
