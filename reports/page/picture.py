"""Draw a problem: the padded input, the window with its holes, the result with its wrong elements."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from markupsafe import Markup

from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.reports.page.geometry import AxisPicture, Wrong, axes, narrow_role, wide_role
from convlaws.reports.page.svg import box, boxes, path, svg, text

WIDE, HIGH = 560, 240  # of the drawing, without labels
LARGEST, SMALLEST = 18.0, 4.0  # side of a cell; below, no lines are drawn between cells
LONGEST = 400  # elements of an axis beyond which nothing is drawn
LABEL, GAP = 92, 26
MOST_SINGLE = 80  # wrong elements that are drawn individually
_NAMES = {"x": "input x", "y": "output y", "w": "kernel w"}
_OTHER = {
    ("dgrad", "x"): "gradient of x",
    ("wgrad", "w"): "gradient of w",
    ("dgrad", "y"): "gradient gy",
    ("wgrad", "y"): "gradient gy",
}


def picture(problem: Problem, wrong: Wrong | None) -> Markup | None:
    """Return the picture, or None for bgrad (it has no window) and for a problem too large to draw."""
    sides = axes(problem)
    if problem.op == "bgrad" or any(max(a.span, a.narrow, a.reach) > LONGEST for a in sides):
        return None
    mine = wrong if wrong and wrong.of(problem) else None
    place = _place(problem, sides, mine)
    draw = _plane if len(sides) == 2 else _strips
    parts, wide, high = draw(problem, sides, place, _marks(problem, mine))
    return svg(wide, high, parts, _says(problem, mine))


def _says(problem: Problem, wrong: Wrong | None) -> str:
    marked = f"; wrong: {int(wrong.mask.sum())} of {wrong.mask.size} elements" if wrong else ""
    return f"{shapes(problem)}{marked}"


def shapes(problem: Problem) -> str:
    """Return the problem's arrays and fields in words.

    >>> shapes(Problem.parse("n1c1k1_x3_r2_d2"))
    'x (1, 1, 3), w (1, 1, 2), y (1, 1, 1); stride 1, padding 0, dilation 2, 1 group'
    """
    s = problem.spec
    arrays = ", ".join(f"{role} {tuple(shape_of(s, role))}" for role in "xwy")
    pads = [str(low) if low == high else f"{low}+{high}" for low, high in s.sides]
    fields = {"stride": s.stride, "padding": pads, "dilation": s.dilation}
    said = ", ".join(f"{name} {' x '.join(map(str, values))}" for name, values in fields.items())
    kind = f", {s.padding_mode} padding" if s.padding_mode != "zeros" else ""
    groups = f"{s.groups} group{'s' * (s.groups > 1)}"
    return f"{'transposed: ' * s.transposed}{arrays}; {said}{kind}, {groups}{', with bias' * s.bias}"


def _place(problem: Problem, sides: list[AxisPicture], wrong: Wrong | None) -> list[int]:
    """Return the place of the window: at the worst element, if it is a place of the window."""
    result = RESULT[problem.op]
    if wrong is None or result == "w":
        return [0] * len(sides)
    at = wrong.worst[-len(sides) :]
    if result == narrow_role(problem):
        return list(at)
    return [min(a.narrow - 1, (i + a.low) // a.stride) for a, i in zip(sides, at, strict=True)]


def _marks(problem: Problem, wrong: Wrong | None) -> dict[str, np.ndarray]:
    """Return, by role, the places where any image or channel of the result is wrong."""
    return {RESULT[problem.op]: wrong.spatial(problem.spec.ndim)} if wrong else {}


def _name(problem: Problem, role: str) -> str:
    return _OTHER.get((problem.op, role), _NAMES[role])


# --- one strip per axis: 1-D, and 3-D axis by axis -------------------------------------
def _strips(problem: Problem, sides: list[AxisPicture], place: list[int], marks: dict) -> tuple[list[str], float, float]:
    side = min(LARGEST, *(WIDE / a.span for a in sides))
    high = max(side, 11)
    block = 3 * (high + 6) + (22 if len(sides) > 1 else 4)
    parts: list[str] = []
    for number, (axis, at) in enumerate(zip(sides, place, strict=True)):
        mine = {role: _onto(mask, number) for role, mask in marks.items()}
        if len(sides) > 1:
            parts.append(text(0, number * block + 11, f"axis {number}", "head"))
        parts += _strip(problem, axis, at, mine, side, number * block + (16 if len(sides) > 1 else 1))
    return parts, LABEL + max(a.span for a in sides) * side + 2, block * len(sides)


def _onto(mask: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(mask.any(axis=tuple(i for i in range(mask.ndim) if i != axis)))


def _strip(problem: Problem, a: AxisPicture, at: int, marks: dict, side: float, top: float) -> list[str]:
    """Draw wide side, window and narrow side, each result under the middle of its window."""
    step = max(side, 11) + 6
    rows = (wide_role(problem), "w", narrow_role(problem))
    parts = [text(0, top + i * step + 10, _name(problem, role)) for i, role in enumerate(rows)]
    parts += [path("pad", _grid(LABEL, top, a.span, 1, side)), path("cell", _grid(LABEL + a.low * side, top, a.wide, 1, side))]
    parts.append(_wrong(marks.get(rows[0]), LABEL + a.low * side, top, side))
    taps = a.taps(at)
    parts.append(path("tap", boxes([(LABEL + t * side, top) for t in taps if t < a.span], side)))
    holes = [t for t in range(at * a.stride, at * a.stride + a.reach) if t not in taps]
    parts.append(path("hole", boxes([(LABEL + t * side, top + step) for t in holes], side, side * 0.35)))
    bad = marks.get("w", np.zeros(a.kernel, bool))
    for css, kind in (("ker", False), ("wrong", True)):
        at_taps = [(LABEL + t * side, top + step) for t, flag in zip(taps, bad, strict=True) if bool(flag) is kind]
        parts.append(path(css, boxes(at_taps, side)))
    middle = LABEL + (a.reach - 1) / 2 * side
    places = [(middle + i * a.stride * side, top + 2 * step) for i in range(a.narrow)]
    bad = marks.get(rows[2], np.zeros(a.narrow, bool))
    for css, kind in (("cell", False), ("wrong", True)):
        parts.append(path(css, boxes([p for p, flag in zip(places, bad, strict=True) if bool(flag) is kind], side)))
    return [*parts, path("worst", boxes([places[at]], side))]


# --- two axes as planes ----------------------------------------------------------------
def _plane(problem: Problem, sides: list[AxisPicture], place: list[int], marks: dict) -> tuple[list[str], float, float]:
    """Draw three panels: wide side with the window on it, kernel with its holes, narrow side."""
    rows, columns = sides
    total = columns.span + columns.reach + columns.narrow
    side = min(LARGEST, WIDE / total, HIGH / max(rows.span, rows.reach, rows.narrow))
    names = (wide_role(problem), "w", narrow_role(problem))
    widths = [max(86, n * side) for n in (columns.span, columns.reach, columns.narrow)]
    lefts = [1, widths[0] + GAP, widths[0] + widths[1] + 2 * GAP]
    parts = [text(x, 11, _name(problem, role)) for x, role in zip(lefts, names, strict=True)]
    parts += _wide(sides, place, marks.get(names[0]), side)
    parts += _kernel(sides, marks.get("w"), lefts[1], side)
    parts.append(path("cell", _grid(lefts[2], 18, columns.narrow, rows.narrow, side)))
    parts.append(_wrong(marks.get(names[2]), lefts[2], 18, side))
    parts.append(path("worst", box(lefts[2] + place[1] * side, 18 + place[0] * side, side, side)))
    return parts, lefts[2] + widths[2] + 2, 20 + max(rows.span, rows.reach, rows.narrow) * side


def _wide(sides: list[AxisPicture], place: list[int], wrong: np.ndarray | None, side: float) -> list[str]:
    rows, columns = sides
    left, top = 1 + columns.low * side, 18 + rows.low * side
    parts = [
        path("pad", _grid(1, 18, columns.span, rows.span, side)),
        path("cell", _grid(left, top, columns.wide, rows.wide, side)),
    ]
    parts.append(_wrong(wrong, left, top, side))
    taps = [(1 + j * side, 18 + i * side) for i in rows.taps(place[0]) for j in columns.taps(place[1])]
    follows = [min(p + 1, a.narrow - 1) for p, a in zip(place, sides, strict=True)]
    y, x = (18 + follows[0] * rows.stride * side, 1 + follows[1] * columns.stride * side)
    moved = follows != place
    return [
        *parts,
        path("tap", boxes(taps, side)),
        path("next", box(x, y, columns.reach * side, rows.reach * side) if moved else ""),
    ]


def _kernel(sides: list[AxisPicture], wrong: np.ndarray | None, left: float, side: float) -> list[str]:
    rows, columns = sides
    taps = np.zeros((rows.reach, columns.reach), bool)
    taps[:: rows.dilation, :: columns.dilation] = True
    bad = np.zeros(taps.shape, bool)
    if wrong is not None:
        bad[:: rows.dilation, :: columns.dilation] = wrong

    def at(mask: np.ndarray) -> list[tuple[float, float]]:
        return [(left + j * side, 18 + i * side) for i, j in np.argwhere(mask)]

    return [
        path("hole", boxes(at(~taps), side, side * 0.35)),
        path("ker", boxes(at(taps & ~bad), side)),
        path("wrong", boxes(at(bad), side)),
    ]


# --- shared pieces -----------------------------------------------------------------
def _grid(x: float, y: float, columns: int, rows: int, side: float) -> str:
    """Return a grid of cells: its outline, and lines between the cells if they are large enough."""
    lines = ""
    if side >= SMALLEST:
        lines = "".join(f"M{x + i * side:.1f} {y:.1f}v{rows * side:.1f}" for i in range(1, columns))
        lines += "".join(f"M{x:.1f} {y + i * side:.1f}h{columns * side:.1f}" for i in range(1, rows))
    return box(x, y, columns * side, rows * side) + lines


def _wrong(mask: np.ndarray | None, x: float, y: float, side: float) -> str:
    return "" if mask is None else path("wrong", runs(np.atleast_2d(mask), x, y, side))


def runs(mask: np.ndarray, x: float, y: float, side: float) -> str:
    """Return the true elements of a plane as boxes: one per element, or one per run of a row if there are many."""
    path_data = ""
    if side >= SMALLEST and mask.sum() <= MOST_SINGLE:
        return boxes([(x + j * side, y + i * side) for i, j in np.argwhere(mask)], side)
    for i, row in enumerate(mask):
        j = 0
        for flag, group in groupby(row.tolist()):
            length = len(list(group))
            path_data += box(x + j * side, y + i * side, length * side, side) if flag else ""
            j += length
    return path_data


# --- the whole result ----------------------------------------------------------------
PANELS = 12


def heat(wrong: Wrong) -> Markup | None:
    """Draw the wrong elements plane by plane (the last two axes), the worst outlined; None for a single element.

    A plane has two colours only: the file has the mask of all wrong elements, but the errors of only a few.
    """
    mask = wrong.mask if wrong.mask.ndim > 1 else wrong.mask[None]
    if mask.size < 2 or not wrong.whole or max(mask.shape[-2:]) > LONGEST:
        return None
    planes = mask.reshape(-1, *mask.shape[-2:])
    order = sorted(range(len(planes)), key=lambda i: not planes[i].any())[:PANELS]
    high, wide = planes.shape[1:]
    side = min(14.0, 150 / max(wide, high))
    across = max(1, min(len(order), int(WIDE // max(wide * side + 12, 64))))
    lead = mask.shape[:-2]
    worst = int(np.ravel_multi_index(wrong.worst[-mask.ndim : -2], lead)) if lead else 0
    parts = []
    for number, plane in enumerate(sorted(order)):
        x, y = (number % across) * max(wide * side + 12, 64) + 1, (number // across) * (high * side + 24) + 14
        at = np.unravel_index(plane, lead) if lead else ()
        parts += [text(x, y - 4, f"[{', '.join(str(int(i)) for i in at)}]")] if lead else []
        parts += [path("cell", _grid(x, y, wide, high, side)), path("wrong", runs(planes[plane], x, y, side))]
        if plane == worst:
            i, j = wrong.worst[-2:] if wrong.mask.ndim > 1 else (0, wrong.worst[0])
            parts.append(path("worst", box(x + j * side, y + i * side, side, side)))
    rows = -(-len(order) // across)
    more = f", the first {PANELS} of {len(planes)} planes" if len(planes) > PANELS else ""
    says = f"{int(mask.sum())} of {mask.size} elements are wrong{more}"
    return svg(across * max(wide * side + 12, 64), rows * (high * side + 24) + 2, parts, says)
