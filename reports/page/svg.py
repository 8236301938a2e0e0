"""Small pieces of SVG. Every shape has a class for the style sheet and a colour for where there is none."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

# class: (fill, stroke) where no style sheet is read
INK = {
    "cell": ("#e8edf3", "#8896a6"),
    "pad": ("#ffffff", "#b9c2cc"),
    "tap": ("none", "#1f4fa3"),
    "hole": ("#ffffff", "#9aa7b5"),
    "ker": ("#cfdcf5", "#1f4fa3"),
    "wrong": ("#c2273a", "#7d0f20"),
    "next": ("none", "#1f4fa3"),
    "worst": ("none", "#000000"),
    "bar": ("#5b7fb8", "none"),
    "over": ("#c2273a", "none"),
    "axis": ("none", "#8896a6"),
    "bound": ("none", "#c2273a"),
    "dot": ("#1f4fa3", "none"),
    "tail": ("none", "#9db2d6"),
    "line": ("none", "#1f4fa3"),
}


def trim(value: float) -> str:
    """A coordinate: one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def path(css: str, data: str) -> str:
    """A path of a class, or nothing."""
    fill, stroke = INK[css]
    return f'<path class="{css}" fill="{fill}" stroke="{stroke}" d="{data}"/>' if data else ""


def box(x: float, y: float, wide: float, high: float) -> str:
    """A rectangle as path data."""
    return f"M{trim(x)} {trim(y)}h{trim(wide)}v{trim(high)}h{trim(-wide)}z"


def boxes(places: Iterable[tuple[float, float]], side: float, inset: float = 0) -> str:
    """Squares as path data."""
    return "".join(box(x + inset, y + inset, side - 2 * inset, side - 2 * inset) for x, y in places)


def text(x: float, y: float, said: object, css: str = "", anchor: str = "start") -> str:
    """A line of text."""
    name = f' class="{css}"' if css else ""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{trim(x)}" y="{trim(y)}"{name}{where} font-size="11">{escape(said)}</text>'


def svg(wide: float, high: float, parts: Iterable[str], says: str) -> Markup:
    """The picture; `says` is read instead of it."""
    w, h = trim(wide), trim(high)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img"'
    return Markup(f'{head} aria-label="{escape(says)}">{"".join(parts)}</svg>')
