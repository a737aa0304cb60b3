"""trace.json: the pipeline's timeline as a Chrome trace (chrome://tracing, Perfetto), made of report.json alone.

Each layer has a row of its own; a few inferences follow each other at the pipeline's interval. Times are microseconds.
"""

import msgspec

from rcompile.report.schema import Report

INFERENCES = 4
"""Shown, so that both the latency and the interval can be seen."""

US = 1e6


def to_trace(report: Report) -> bytes:
    """Return the trace; the format is Google's Trace Event Format."""
    pid = 0
    events: list[dict[str, object]] = [
        {"ph": "M", "pid": pid, "name": "process_name", "args": {"name": f"{report.model.name}: pipeline"}}
    ]
    for row, layer in enumerate(report.layers):
        events.append({"ph": "M", "pid": pid, "tid": row, "name": "thread_name", "args": {"name": layer.name}})
        events.append({"ph": "M", "pid": pid, "tid": row, "name": "thread_sort_index", "args": {"sort_index": row}})
    for number in range(INFERENCES):
        begun = number * report.totals.interval_s
        for row, layer in enumerate(report.layers):
            events.append(
                {
                    "ph": "X",
                    "pid": pid,
                    "tid": row,
                    "name": f"inference {number}",
                    "cat": layer.op_type,
                    "ts": (begun + layer.start_s) * US,
                    "dur": (layer.stop_s - layer.start_s) * US,
                    "args": {"crossbars_busy_us": layer.latency_s * US, "copies": layer.replicas},
                }
            )
    return msgspec.json.format(msgspec.json.encode({"traceEvents": events, "displayTimeUnit": "ns"}), indent=0) + b"\n"
