"""Charts as SVG, drawn from numbers. Pure; colours come from the style sheet, and each has its words for who cannot see it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

from markupsafe import Markup

ROW = 34
PLOT = (720, 220)
_MARGIN = 46


class Bar(NamedTuple):
    """One feature's share of a margin: its name, the value that the model saw (None: not disclosed), what it added."""

    name: str
    value: float | None
    added: float


class Point(NamedTuple):
    """Something at a time (seconds since 1970) and a height; `kind` names the style and the series."""

    time_s: float
    height: float
    kind: str = "line"
    words: str = ""


class Cell(NamedTuple):
    """One partition of a strip: how far it was decided, logged and sealed, in records; None: nobody seals."""

    partition: int
    decided: int
    logged: int
    sealed: int | None


def element(name: str, attributes: Mapping[str, object], *children: str) -> Markup:
    """Return an SVG element; `_` in attributes' names stands for `-`, text children are escaped unless they are Markup."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"' for key, value in attributes.items())
    inner = "".join(child if isinstance(child, Markup) else escape(child) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>")  # noqa: S704  every part is escaped above


def contributions(bars: Sequence[Bar], margin: float) -> Markup:
    """Draw what moved the margin: to the right what spoke for fraud, to the left what spoke against it."""
    reach = max((abs(bar.added) for bar in bars), default=1.0) or 1.0
    height = ROW * len(bars) + 8
    parts: list[str] = [element("line", {"x1": 440, "x2": 440, "y1": 0, "y2": height, "class": "axis"})]
    for place, bar in enumerate(bars):
        top, wide = 4 + ROW * place, max(2.0, abs(bar.added) / reach * 190)
        side = "for" if bar.added >= 0 else "against"
        left = 440 if bar.added >= 0 else 440 - wide
        known = "" if bar.value is None else f" = {bar.value:,.6g}"
        parts += [
            element("text", {"x": 232, "y": top + 19, "text_anchor": "end", "class": "name"}, bar.name + known),
            element("rect", {"x": left, "y": top + 4, "width": wide, "height": 20, "rx": 3, "class": side}),
            element(
                "text",
                {
                    "x": left + wide + 8 if bar.added >= 0 else left - 8,
                    "y": top + 19,
                    "text_anchor": "start" if bar.added >= 0 else "end",
                    "class": "figure",
                },
                f"{bar.added:+.3f}",
            ),
        ]
    words = "; ".join(f"{bar.name} added {bar.added:+.3f}" for bar in bars)
    return _picture((720, height), f"What moved the margin, {margin:.3f} in all", words, parts, "contributions")


def gauge(score: int, review: int, decline: int) -> Markup:
    """Draw a score on the scale from 0 to 1000, with the scores from which the policy reviews and declines."""
    bands = ((0, review, "approve"), (review, decline, "review"), (decline, 1000, "decline"))
    parts: list[str] = [
        element("rect", {"x": 20 + 0.68 * low, "y": 34, "width": max(0.0, 0.68 * (high - low)), "height": 12, "class": band})
        for low, high, band in bands
    ]
    at = 20 + 0.68 * score
    parts += [
        element("path", {"d": f"M{at:.1f} 32 l-7 -12 h14 z", "class": "needle"}),
        element("text", {"x": min(660.0, max(40.0, at)), "y": 14, "text_anchor": "middle", "class": "figure"}, f"{score:,}"),
        element("text", {"x": 20, "y": 64}, "0"),
        element("text", {"x": 700, "y": 64, "text_anchor": "end"}, "1,000"),
    ]
    words = f"{score} of 1000; review from {review}, decline from {decline}."
    return _picture((720, 72), "Score", words, parts, "gauge")


def plot(points: Sequence[Point], title: str, unit: str, marks: Sequence[Point] = ()) -> Markup:
    """Draw heights over time: a line a series of `points`, and `marks` as dots with their words."""
    everything = [*points, *marks]
    if not everything:
        return Markup("")
    begin, end = min(point.time_s for point in everything), max(point.time_s for point in everything)
    low, high = min(0.0, *(point.height for point in everything)), max(point.height for point in everything)
    wide, tall = PLOT[0] - _MARGIN - 96, PLOT[1] - 2 * 26

    def place(point: Point) -> tuple[float, float]:
        across = (point.time_s - begin) / (end - begin) if end > begin else 0.5
        up = (point.height - low) / (high - low) if high > low else 0.5
        return 84 + across * wide, 26 + (1 - up) * tall

    parts: list[str] = [
        element("line", {"x1": 84, "x2": 84 + wide, "y1": 26 + tall, "y2": 26 + tall, "class": "axis"}),
        element("text", {"x": 76, "y": 30, "text_anchor": "end"}, f"{high:,.6g}"),
        element("text", {"x": 76, "y": 30 + tall, "text_anchor": "end"}, f"{low:,.6g}"),
        element("text", {"x": 84, "y": PLOT[1] - 6}, when(begin)),
        element("text", {"x": 84 + wide, "y": PLOT[1] - 6, "text_anchor": "end"}, when(end) if end > begin else ""),
    ]
    for kind in dict.fromkeys(point.kind for point in points):
        series = [place(point) for point in sorted(points) if point.kind == kind]
        path = " ".join(f"{'L' if at else 'M'}{x:.1f} {y:.1f}" for at, (x, y) in enumerate(series))
        parts.append(element("path", {"d": path, "class": f"series {kind}"}))
    for mark in marks:
        x, y = place(mark)
        parts.append(
            element("circle", {"cx": x, "cy": y, "r": 5, "class": f"mark {mark.kind}"}, element("title", {}, mark.words))
        )
    told = f"From {low:,.6g} to {high:,.6g} {unit}, {when(begin)} to {when(end)}. " + " ".join(mark.words for mark in marks)
    return _picture(PLOT, title, told, parts, "plot")


def strip(cells: Sequence[Cell]) -> Markup:
    """Draw partitions as rods: decided, of that logged, of that sealed."""
    most = max((max(cell.decided, cell.sealed or 0) for cell in cells), default=0) or 1
    parts: list[str] = []
    for place, cell in enumerate(cells):
        top = 4 + ROW * place
        parts.append(element("text", {"x": 34, "y": top + 19, "text_anchor": "end", "class": "name"}, str(cell.partition)))
        rods = (("decided", cell.decided, 20), ("logged", cell.logged, 20), ("sealed", cell.sealed or 0, 7))
        for kind, count, height in rods:
            wide = 520 * count / most
            parts.append(
                element("rect", {"x": 46, "y": top + 24 - height, "width": wide, "height": height, "rx": 2, "class": kind})
            )
        behind = cell.decided - cell.logged
        told = f"{cell.logged:,}" + (f" (+{behind:,} on the way)" if behind > 0 else "")
        parts.append(element("text", {"x": 54 + 520 * cell.decided / most, "y": top + 19, "class": "figure"}, told))
    words = "; ".join(
        f"partition {cell.partition}: {cell.decided:,} decided, {cell.logged:,} logged, "
        + ("no sealer" if cell.sealed is None else f"{cell.sealed:,} sealed")
        for cell in cells
    )
    return _picture((720, ROW * len(cells) + 8), "Completeness by partition", words, parts, "strip")


def when(time_s: float) -> str:
    """Return a time for people: UTC, to the second."""
    try:
        return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{time_s:.0f} s after 1970"


def _picture(size: tuple[int, int], title: str, words: str, parts: Iterable[str], kind: str) -> Markup:
    attributes = {
        "viewBox": f"0 0 {size[0]} {size[1]}",
        "role": "img",
        "class": f"chart {kind}",
        "aria_label": f"{title}. {words}",
    }
    return element("svg", attributes, *parts)


def _number(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
