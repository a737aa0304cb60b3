"""The survey's pictures of architectures, drawn from the targets: bits of a cell and of a weight; power and density.

Krestinskaya et al., IEEE NANO 2022, Fig. 1 and Fig. 2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from rcompile.cost.roll_up import levels, peak
from rcompile.targets import Target

WIDTH, HEIGHT, MARGIN = 520, 420, 56
MM2 = 1e-6
CHARACTER = 6.2
"""Width of a character of a label."""


@dataclass(frozen=True)
class Point:
    """A target in a picture."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Box:
    """What a label or a mark covers."""

    left: float
    top: float
    right: float
    bottom: float

    def within(self, other: "Box") -> bool:
        """Tell whether it lies in another box."""
        across = other.left <= self.left and self.right <= other.right
        return across and other.top <= self.top and self.bottom <= other.bottom

    def meets(self, other: "Box") -> bool:
        """Tell whether two boxes overlap."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis: what it shows, and its ends."""

    label: str
    low: float
    high: float
    base: float

    def place(self, value: float) -> float:
        """Return where a value lies, 0 to 1."""
        return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))

    def ticks(self) -> list[float]:
        """Return the values that are marked."""
        found = [self.low]
        while found[-1] * self.base <= self.high * 1.001:
            found.append(found[-1] * self.base)
        return found


def bits_points(targets: Iterable[Target]) -> list[Point]:
    """Return bits of weights that figures are quoted for, against bits that a cell holds."""
    return [Point(t.name, t.weights.quoted_bits, t.crossbar.cell_bits) for t in targets]


def density_points(targets: Iterable[Target]) -> list[Point]:
    """Return peak operations per area, in GOPS/s/mm2, against power at full work, in W; where both are known."""
    found = []
    for target in targets:
        density, power = peak(target).per_area, levels(target)[-1].power_w
        if density and power:
            found.append(Point(target.name, density * MM2 / 1e9, power))
    return found


def draw(targets: Sequence[Target], own: Target | None = None) -> tuple[str, list[str]]:
    """Return both pictures as one SVG, and the names of what the second one lacks where it was asked for.

    Args:
        targets: all that are drawn.
        own: another one, which stands out.
    """
    both = [*targets, *([own] if own else [])]
    densities = density_points(both)
    panels = [
        panel("Bits of a cell against bits of a weight", bits_points(both),
              Axis("bits of a weight", 1, 32, 2), Axis("bits of a cell", 1, 8, 2), own),
        panel("Power against area efficiency, at full work", densities,
              decades("GOPS/s/mm2", [p.x for p in densities]), decades("W", [p.y for p in densities]), own),
    ]  # fmt: skip
    body = "".join(f'<g transform="translate({WIDTH * n} 0)">{text}</g>' for n, text in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="#fff"/>{body}</svg>\n',
        [own.name] if own and own.name not in {point.name for point in densities} else [],
    )


def decades(label: str, values: Sequence[float]) -> Axis:
    """Return an axis of whole decades that holds some values."""
    known = values or [1.0]
    low, high = floor(log10(min(known))), ceil(log10(max(known) * 1.001))
    return Axis(label, 10.0**low, 10.0 ** max(high, low + 1), 10)


def panel(title: str, points: Sequence[Point], across: Axis, up: Axis, own: Target | None) -> str:
    """Return one picture."""
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    parts = [
        f'<text x="{MARGIN}" y="24" font-size="13" font-weight="bold">{escape(title)}</text>',
        f'<text x="{MARGIN + wide / 2:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{escape(across.label)}</text>',
        f'<text transform="translate(16 {MARGIN + high / 2:.1f}) rotate(-90)" text-anchor="middle">'
        f"{escape(up.label)}</text>",
    ]
    for value in across.ticks():
        x = MARGIN + wide * across.place(value)
        parts.append(f'<path d="M{x:.1f} {MARGIN}V{MARGIN + high}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{MARGIN + high + 16}" text-anchor="middle">{value:g}</text>')
    for value in up.ticks():
        y = MARGIN + high * (1 - up.place(value))
        parts.append(f'<path d="M{MARGIN} {y:.1f}H{MARGIN + wide}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    spots = {
        (MARGIN + wide * across.place(x), MARGIN + high * (1 - up.place(y))): names
        for (x, y), names in together(points).items()
    }
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in spots]
    for (x, y), names in spots.items():
        hint = escape(", ".join(names))
        mine = own is not None and own.name in names
        first = own.name if own is not None and mine else names[0]
        label = first if len(names) == 1 else f"{first} + {len(names) - 1}"
        box = free_box(x, y, CHARACTER * len(label), taken)
        taken.append(box)
        colour = "#c2410c" if mine else "#0b62a8"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{hint}</title></circle>')
        parts.append(f'<text x="{box.left:.1f}" y="{box.bottom - 2:.1f}">{escape(label)}</text>')
    return "".join(parts)


def together(points: Sequence[Point]) -> dict[tuple[float, float], list[str]]:
    """Return the names at each place."""
    found: dict[tuple[float, float], list[str]] = {}
    for point in points:
        found.setdefault((point.x, point.y), []).append(point.name)
    return found


def free_box(x: float, y: float, width: float, taken: Sequence[Box]) -> Box:
    """Return where a label beside a point covers nothing: to the right, the left, below or above, near or far."""
    candidates = [
        Box(left, y + shift - 6, left + width, y + shift + 6)
        for shift in (0, 13, -13, 26, -26, 39, -39)
        for left in (x + 7, x - 7 - width, x - width / 2)
        if shift or left != x - width / 2
    ]
    inside = Box(0, 0, WIDTH, HEIGHT - MARGIN + 2)
    free = (box for box in candidates if box.within(inside) and not any(box.meets(other) for other in taken))
    return next(free, candidates[0])
