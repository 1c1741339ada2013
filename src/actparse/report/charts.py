"""Charts as inline SVG, without a plotting library: colours and fonts come from the page's stylesheet.

For a screen reader a chart is one picture with a label; the page has its numbers in a table beside it. Shapes have
their value as a title, which browsers show on hover. Lengths are in units of the viewBox, which the page scales.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH = 400.0
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LINE_HEIGHT, LINE_MARGINS = 280.0, (12.0, 10.0, 44.0, 46.0)  # top, right, bottom, left
BAR, BAR_GAP, ROW_LABEL, ROW_GAP, VALUE_ROOM, LETTER_ROOM = 15.0, 3.0, 17.0, 10.0, 62.0, 18.0
CELL, CELL_LABEL, CHAR = 30.0, 12.0, 6.4  # sizes of a heat map; CHAR is the width of a letter
MIN_SHOWN = 0.005  # share below which a heat map's cell has no number


@dataclass(frozen=True)
class Bars:
    """One row of a bar chart: a label and a value for each series; None for a missing value."""

    label: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Stack:
    """One bar that adds up to 1: its label (a letter of the series), and the share of each kind."""

    label: str
    shares: Sequence[float]


def line_chart(
    x: Sequence[float], series: Sequence[tuple[str, NDArray[np.float64]]], *, x_label: str, y_label: str, label: str
) -> str:
    """Draw lines over 0..1 in both directions.

    Args:
        x: (T,) in 0..1, ascending.
        series: name and values (T,) in 0..1 of each line, two at most.
        x_label: text below the chart.
        y_label: text at the left of the chart.
        label: text for screen readers.
    """
    top, right, bottom, left = LINE_MARGINS
    across, down = WIDTH - left - right, LINE_HEIGHT - top - bottom

    def position(a: float, b: float) -> tuple[float, float]:
        return left + a * across, top + (1 - b) * down

    marks = []
    for tick in TICKS:
        (x0, y0), (x1, _) = position(0, tick), position(1, tick)
        marks.append(f'<line class="grid" x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y0:g}"/>')
        marks.append(_text(x0 - 6, y0 + 4, f"{tick:g}", anchor="end"))
        marks.append(_text(position(tick, 0)[0], LINE_HEIGHT - bottom + 16, f"{tick:g}", anchor="middle"))
    marks.append(_text(left + across / 2, LINE_HEIGHT - 6, x_label, anchor="middle"))
    middle = top + down / 2
    marks.append(_text(12, middle, y_label, anchor="middle", extra=f' transform="rotate(-90 12 {middle:g})"'))
    for index, (_, values) in enumerate(series, start=1):
        points = " ".join("{:.1f},{:.1f}".format(*position(a, float(b))) for a, b in zip(x, values, strict=True))
        marks.append(f'<polyline class="line series-{index}" points="{points}"/>')
    data = json.dumps(
        {
            "area": [left, top, across, down],
            "x": [round(a, 4) for a in x],
            "series": [{"name": name, "y": [round(float(b), 4) for b in values]} for name, values in series],
        }
    )
    return _svg(WIDTH, LINE_HEIGHT, marks, label, css="lines", extra=f' data-lines="{escape(data)}"')


def bar_chart(
    rows: Sequence[Bars], *, maximum: float, label: str, number: Callable[[float], str], letters: Sequence[str]
) -> str:
    """Draw rows of horizontal bars, one bar for each series, with their values.

    Args:
        rows: the rows, from the top.
        maximum: the value of a bar of full length, greater than 0.
        label: text for screen readers.
        number: formats a value.
        letters: letters of the series, written before its bars if there is more than one.
    """
    marks, y = [], 0.0
    start = LETTER_ROOM if len(letters) > 1 else 0.0
    bar_room = WIDTH - VALUE_ROOM - start
    for row in rows:
        marks.append(_text(0, y + 12, row.label, css="row"))
        y += ROW_LABEL
        for series, (letter, value) in enumerate(zip(letters, row.values, strict=True), start=1):
            if start:
                marks.append(_text(0, y + 12, letter, css="letter"))
            length = 0.0 if value is None else bar_room * min(max(value / maximum, 0.0), 1.0)
            text = "none" if value is None else number(value)
            marks.append(f'<rect class="track" x="{start:g}" y="{y:g}" width="{bar_room:g}" height="{BAR:g}" rx="2"/>')
            marks.append(
                f'<rect class="bar series-{series}" x="{start:g}" y="{y:g}" width="{length:.1f}" height="{BAR:g}" '
                f'rx="2"><title>{escape(f"{row.label}, {letter}: {text}")}</title></rect>'
            )
            marks.append(_text(start + bar_room + 6, y + 12, text, css="value"))
            y += BAR + BAR_GAP
        y += ROW_GAP - BAR_GAP
    return _svg(WIDTH, y, marks, label, css="bars")


def stacked_bars(rows: Sequence[tuple[str, Sequence[Stack]]], kinds: Sequence[str], *, label: str) -> str:
    """Draw bars as long as the chart is wide, divided into the shares of each kind.

    Args:
        rows: a label and the bars below it, from the top.
        kinds: names of the shares; the stylesheet colours kind-1, kind-2, ...
        label: text for screen readers.
    """
    marks, y = [], 0.0
    for title, stacks in rows:
        marks.append(_text(0, y + 12, title, css="row"))
        y += ROW_LABEL
        for stack in stacks:
            start = LETTER_ROOM if len(stacks) > 1 else 0.0
            if start:
                marks.append(_text(0, y + 12, stack.label, css="letter"))
            marks += _shares(stack, kinds, f"{title}, {stack.label}", start, y)
            y += BAR + BAR_GAP
        y += ROW_GAP - BAR_GAP
    return _svg(WIDTH, y, marks, label, css="stacks")


def _shares(stack: Stack, kinds: Sequence[str], label: str, start: float, y: float) -> list[str]:
    marks, x = [], start
    for index, (kind, share) in enumerate(zip(kinds, stack.shares, strict=True), start=1):
        width = share * (WIDTH - start)
        if width > 0:
            title = escape(f"{label}: {kind} {share:.1%}")
            marks.append(
                f'<rect class="kind-{index}" x="{x:.1f}" y="{y:g}" width="{max(width - 1, 0.5):.1f}" '
                f'height="{BAR:g}"><title>{title}</title></rect>'
            )
            if width > 34:
                marks.append(_text(x + 4, y + 12, f"{share:.0%}", css=f"on-kind-{index}"))
        x += width
    return marks


def heat_map(
    rows: Sequence[str], columns: Sequence[str], counts: NDArray[np.float64], *, series: int, label: str
) -> str:
    """Draw a cell for each pair of labels, coloured by its share of the row.

    Args:
        rows: R labels, true.
        columns: C labels, predicted.
        counts: (R, C), not negative.
        series: the series whose colour is used, 1 or 2.
        label: text for screen readers.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)  # (R, C)
    left = CHAR * max(map(len, rows), default=0) + CELL_LABEL
    top = 0.72 * CHAR * max(map(len, columns), default=0) + 2 * CELL_LABEL
    marks = []
    for j, name in enumerate(columns):
        x, y = left + (j + 0.45) * CELL, top - 6
        marks.append(_text(x, y, name, extra=f' transform="rotate(-45 {x:g} {y:g})"'))
    for i, name in enumerate(rows):
        marks.append(_text(left - 6, top + (i + 0.5) * CELL + 4, name, anchor="end"))
        for j, other in enumerate(columns):
            title = f"true {name}, predicted {other}: {counts[i, j]:.0f} of {totals[i, 0]:.0f} ({shares[i, j]:.1%})"
            marks += _cell(left + j * CELL, top + i * CELL, float(shares[i, j]), title, series)
    width = left + len(columns) * CELL + 0.72 * CHAR * max(map(len, columns[-2:]), default=0)
    return _svg(width, top + len(rows) * CELL, marks, label, css="heat", extra=f' width="{width:.0f}"')


def _cell(x: float, y: float, share: float, title: str, series: int) -> list[str]:
    strength = " full" if share > 0.85 else " strong" if share > 0.6 else ""
    marks = [
        f'<g><title>{escape(title)}</title><rect class="cell" x="{x:.1f}" y="{y:.1f}" width="{CELL - 1:g}" '
        f'height="{CELL - 1:g}"/><rect class="series-{series}" fill-opacity="{share:.3f}" x="{x:.1f}" y="{y:.1f}" '
        f'width="{CELL - 1:g}" height="{CELL - 1:g}"/>'
    ]
    if share >= MIN_SHOWN:
        marks.append(_text(x + CELL / 2, y + CELL / 2 + 4, f"{100 * share:.0f}", anchor="middle", css=f"in{strength}"))
    return [*marks, "</g>"]


def difference_bars(rows: Sequence[tuple[str, float]], *, label: str) -> str:
    """Draw thin bars upwards and downwards from 0, in the given order; values in -1..1."""
    height, left = 200.0, 40.0
    room, middle = WIDTH - left, height / 2
    limit = max((abs(value) for _, value in rows), default=0.0) or 1.0
    step = room / max(len(rows), 1)
    marks = [_text(left - 6, y, f"{v:+.2f}", anchor="end") for y, v in ((12, limit), (height - 4, -limit))]
    marks.append(_text(left - 6, middle + 4, "0", anchor="end"))
    for index, (name, value) in enumerate(rows):
        length = abs(value) / limit * (middle - 4)
        y, kind = (middle - length, "better") if value > 0 else (middle, "worse")
        marks.append(
            f'<rect class="{kind}" x="{left + index * step:.2f}" y="{y:.1f}" width="{max(step * 0.85, 0.3):.2f}" '
            f'height="{length:.1f}"><title>{escape(f"{name}: {value:+.3f}")}</title></rect>'
        )
    marks.append(f'<line class="axis" x1="{left:g}" y1="{middle:g}" x2="{WIDTH:g}" y2="{middle:g}"/>')
    return _svg(WIDTH, height, marks, label, css="differences")


def _text(x: float, y: float, text: str, *, anchor: str = "start", css: str = "", extra: str = "") -> str:
    kind = f' class="{css}"' if css else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}{extra}>{escape(text)}</text>'


def _svg(width: float, height: float, marks: Sequence[str], label: str, *, css: str, extra: str = "") -> str:
    frame = f'class="chart {css}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}"'
    return f"<svg {frame}{extra}>{''.join(marks)}</svg>"
