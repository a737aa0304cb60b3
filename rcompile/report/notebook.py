"""A report in a notebook: its key figures as a small table."""

import html

from rcompile.report.schema import Report
from rcompile.report.words import si

UNKNOWN = "not known"


def summary_html(report: Report) -> str:
    """Return key figures as markup without script or style of its own."""
    totals, accuracy = report.totals, report.verification.accuracy
    rows = [
        ("model", f"{report.model.name} on {report.target['name']}, {report.device['name']} cells"),
        ("equal to integer arithmetic, bit for bit", report.verification.exact.status),
        ("crossbars", f"{totals.crossbars_used:,} of {totals.crossbars_available:,}"),
        ("latency, interval", f"{si(totals.latency_s, 's')}, {si(totals.interval_s, 's')}"),
        ("energy an inference", UNKNOWN if totals.energy_j is None else si(totals.energy_j, "J")),
        ("area", UNKNOWN if totals.area_m2 is None else f"{totals.area_m2 * 1e6:.4g} mm2"),
    ]
    known = [] if accuracy is None else [("quantized", accuracy.quantized), ("mapped", accuracy.ideal)]
    known += [] if accuracy is None else [("on dies", accuracy.mean)]
    figures = ", ".join(f"{name} {100 * value:.2f} %" for name, value in known if value is not None)
    rows += [("accuracy", figures)] if figures else []
    rows += [(item.severity, item.message) for item in report.diagnostics if item.severity != "note"]
    body = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in rows)
    return f"<table>{body}</table>"
