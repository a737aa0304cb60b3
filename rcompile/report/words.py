"""Figures in words: units, counts, times."""

from rcompile.devices.load import UNITS
from rcompile.report.schema import LayerInfo

PREFIXES = (
    (1e-12, "p"),
    (1e-9, "n"),
    (1e-6, "u"),
    (1e-3, "m"),
    (1.0, ""),
    (1e3, "k"),
    (1e6, "M"),
    (1e9, "G"),
    (1e12, "T"),
)


def si(value: float, unit: str) -> str:
    """Return a figure with an SI prefix and three digits."""
    if value == 0:
        return f"0 {unit}"
    value = float(f"{value:.3g}")  # rounded first: 999.6 u is 1 m
    factor, prefix = max((p for p in PREFIXES if abs(value) >= p[0]), default=PREFIXES[0])
    return f"{value / factor:.3g} {prefix}{unit}"


def plural(count: int, word: str) -> str:
    """Return a count with its word."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def dies(count: int) -> str:
    """Return a number of dies in words."""
    return f"{count} di{'e' if count == 1 else 'es'}"


def age(seconds: float) -> str:
    """Return a time after writing in the unit that suits it."""
    unit = max((u for u in UNITS if UNITS[u] <= seconds), key=lambda u: UNITS[u], default="s")
    return f"{seconds / UNITS[unit]:.3g} {unit}"


def adc_text(layer: LayerInfo) -> str:
    """Return the resolution of a layer's converters."""
    found = layer.converters
    if found.kind == "none":
        return "none"
    bits = f"{found.bits_most}" if found.bits_least == found.bits_most else f"{found.bits_least}-{found.bits_most}"
    loss = "" if layer.lossless else " sign" if found.keeps_signs else " lossy"
    return f"{bits} b{loss}"
