"""Helpers that write SVG. Every shape has a style-sheet class, and a colour for where there is no style sheet."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

# class: (fill, stroke) where no style sheet is applied
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
    """Format a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def path(css: str, data: str) -> str:
    """Return a path of a class, or '' without data."""
    fill, stroke = INK[css]
    return f'<path class="{css}" fill="{fill}" stroke="{stroke}" d="{data}"/>' if data else ""


def box(x: float, y: float, wide: float, high: float) -> str:
    """Return a rectangle as path data."""
    return f"M{trim(x)} {trim(y)}h{trim(wide)}v{trim(high)}h{trim(-wide)}z"


def boxes(places: Iterable[tuple[float, float]], side: float, inset: float = 0) -> str:
    """Return squares as path data."""
    return "".join(box(x + inset, y + inset, side - 2 * inset, side - 2 * inset) for x, y in places)


def text(x: float, y: float, said: object, css: str = "", anchor: str = "start") -> str:
    """Return a line of text as SVG."""
    name = f' class="{css}"' if css else ""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{trim(x)}" y="{trim(y)}"{name}{where} font-size="11">{escape(said)}</text>'


def svg(wide: float, high: float, parts: Iterable[str], says: str) -> Markup:
    """Return the SVG element; `says` is its text alternative."""
    w, h = trim(wide), trim(high)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img"'
    return Markup(f'{head} aria-label="{escape(says)}">{"".join(parts)}</svg>')
