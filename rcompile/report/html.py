"""report.html: one page that holds report.json and draws it, without a network."""

import base64
import hashlib
import html
import re
import zlib
from importlib import resources

import msgspec

from rcompile.report.schema import Report

LARGE = 1 << 20
"""Bytes of JSON beyond which the page holds it compressed."""

PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def to_html(report: Report) -> str:
    """Return the page: style, script and data in one file.

    Args:
        report: what to show; the same report always gives the same page.

    Returns:
        HTML. Its Content-Security-Policy allows the page's own script and style only, and no connection.
    """
    style, script = asset("page.css"), asset("page.js")
    parts = {
        "title": html.escape(f"{report.model.name} on {report.target.get('name', '')} - rcompile report"),
        "policy": f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "data": data_block(report),
        "script": script,
    }
    return PLACEHOLDER.sub(lambda match: parts[match[1]], asset("page.html"))


def asset(name: str) -> str:
    """Return a file that lies beside this module."""
    return resources.files("rcompile.report").joinpath(name).read_text("utf-8")


def digest(text: str) -> str:
    """Return how a Content-Security-Policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def data_block(report: Report) -> str:
    """Return the report as an inert element: JSON without '<', '>' and '&', or, of a large one, deflated Base64."""
    data = msgspec.json.encode(report)
    if len(data) > LARGE:
        packed = base64.b64encode(zlib.compress(data, 9)).decode()
        return f'<script type="text/plain" id="report" data-encoding="deflate">{packed}</script>'
    text = data.decode()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" id="report">{text}</script>'
