"""report.csv: one row a layer, the plain fields of report.json's `layers`, in their order."""

import csv
import io

import msgspec

from rcompile.report.schema import Report


def to_csv(report: Report) -> str:
    """Return the table; lists and nested figures are in report.json alone."""
    rows = [msgspec.to_builtins(layer) for layer in report.layers]
    plain = [name for name in rows[0] if not isinstance(rows[0][name], dict | list)]
    table = io.StringIO()
    writer = csv.DictWriter(table, plain, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
