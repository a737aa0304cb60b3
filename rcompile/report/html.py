"""report.html (placeholder)."""

from rcompile.report.schema import Report


def to_html(report: Report) -> str:
    """Return the page."""
    return "<!doctype html>"
