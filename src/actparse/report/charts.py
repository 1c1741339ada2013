"""Charts as inline SVG, without a plotting library: colours and fonts come from the page's stylesheet.

For a screen reader a chart is one picture with a label; the page has its numbers in a table beside it. Shapes have
their value as a title, which browsers show on hover. Lengths are in units of the viewBox, which the page scales.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from actparse.report.inline import asset

WIDTH = 400.0
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LINE_HEIGHT, LINE_MARGINS = 280.0, (12.0, 10.0, 44.0, 46.0)  # top, right, bottom, left
BAR, BAR_GAP, ROW_LABEL, ROW_GAP, VALUE_ROOM, LETTER_ROOM = 15.0, 3.0, 17.0, 10.0, 62.0, 18.0
FIGURE_WIDTH, FIGURE_LABEL = 800.0, 260.0  # of a chart in a file, and the room left of its bars
CELL, CELL_LABEL, CHAR = 30.0, 12.0, 6.4  # sizes of a heat map; CHAR is the width of a letter
MIN_SHARE = 0.005  # share of a heat map's row below which a cell has no number


@dataclass(frozen=True)
class Bars:
    """One row of a bar chart: a label, a value for each series, and ranges (low, high); None for a missing one."""

    label: str
    values: Sequence[float | None]
    ranges: Sequence[tuple[float, float] | None] = ()  # as many as values; empty if no value has one


@dataclass(frozen=True)
class Stack:
    """One bar that adds up to 1: its label (a letter of the series), and the share of each kind."""

    label: str
    shares: Sequence[float]


def line_chart(
    x: Sequence[float], series: Sequence[tuple[str, NDArray[np.float64]]], *, x_label: str, y_label: str, label: str
) -> Markup:
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
    data = {
        "area": [left, top, across, down],
        "x": [round(a, 4) for a in x],
        "series": [{"name": name, "y": [round(float(b), 4) for b in values]} for name, values in series],
    }
    chart = _svg("lines", label, {"data-lines": json.dumps(data)})
    for tick in TICKS:
        y = top + (1 - tick) * down
        _line(chart, "grid", left, y, left + across, y)
        _text(chart, left - 6, y + 4, f"{tick:g}", anchor="end")
        _text(chart, left + tick * across, LINE_HEIGHT - bottom + 16, f"{tick:g}", anchor="middle")
    _text(chart, left + across / 2, LINE_HEIGHT - 6, x_label, anchor="middle")
    _text(chart, 12, top + down / 2, y_label, anchor="middle", degrees=-90)
    for index, (_, values) in enumerate(series, start=1):
        points = [f"{left + a * across:.1f},{top + (1 - b) * down:.1f}" for a, b in zip(x, values, strict=True)]
        SubElement(chart, "polyline", {"class": f"line series-{index}", "points": " ".join(points)})
    return _finish(chart, WIDTH, LINE_HEIGHT)


def bar_chart(
    rows: Sequence[Bars], *, maximum: float, label: str, format_value: Callable[[float], str], letters: Sequence[str]
) -> Markup:
    """Draw rows of horizontal bars, one bar for each series, with their values.

    Args:
        rows: the rows, from the top.
        maximum: the value of a bar of full length, greater than 0.
        label: text for screen readers.
        format_value: formats a value.
        letters: letters of the series, written before its bars if there is more than one.
    """
    chart, y = _svg("bars", label), 0.0
    start = LETTER_ROOM if len(letters) > 1 else 0.0
    for row in rows:
        _text(chart, 0, y + 12, row.label, css="row")
        y += ROW_LABEL
        if start:
            for index, letter in enumerate(letters):
                _text(chart, 0, y + index * (BAR + BAR_GAP) + 12, letter, css="letter")
        y = _bars(chart, row, (start, y), WIDTH - VALUE_ROOM - start, maximum, format_value, letters)
    return _finish(chart, WIDTH, y)


def bar_figure(
    rows: Sequence[Bars], *, maximum: float, title: str, format_value: Callable[[float], str], series: Sequence[str]
) -> str:
    """Draw a bar chart as an SVG file: with its own style, a title and a legend, and the labels left of the bars.

    Args:
        rows: the rows, from the top.
        maximum: the value of a bar of full length, greater than 0.
        title: the text above the chart.
        format_value: formats a value.
        series: what the bars of each series are, for the legend.
    """
    figure, y = _svg("figure", title, {"xmlns": "http://www.w3.org/2000/svg"}), 46.0
    SubElement(figure, "style").text = asset("figure.css")
    ground = _rect(figure, "ground", (0, 0, FIGURE_WIDTH, 0))
    _text(figure, 16, 26, title, css="title")
    for index, text in enumerate(series, start=1):
        _text(figure, 16, y, text, css=f"series-{index}")
        y += ROW_LABEL
    bar_room = FIGURE_WIDTH - FIGURE_LABEL - VALUE_ROOM
    for row in rows:
        _text(figure, FIGURE_LABEL - 10, y + 0.5 * len(series) * (BAR + BAR_GAP) + 2, row.label, anchor="end")
        y = _bars(figure, row, (FIGURE_LABEL, y), bar_room, maximum, format_value, series)
    ground.set("height", f"{y:g}")
    return f"{_finish(figure, FIGURE_WIDTH, y)}\n"


def _bars(
    parent: Element,
    row: Bars,
    corner: tuple[float, float],
    length: float,
    maximum: float,
    format_value: Callable[[float], str],
    names: Sequence[str],
) -> float:
    """Draw the bars of a row from a corner (x, y), at most `length` long; return the y of the next row."""
    x, y = corner
    for series, (name, value, ends) in enumerate(
        zip(names, row.values, row.ranges or [None] * len(names), strict=True), start=1
    ):
        share = 0.0 if value is None else min(max(value / maximum, 0.0), 1.0)
        text = "none" if value is None else format_value(value)
        _rect(parent, "track", (x, y, length, BAR), corner=2)
        _rect(parent, f"bar series-{series}", (x, y, length * share, BAR), f"{row.label}, {name}: {text}", corner=2)
        if ends:
            low, high = (x + length * end / maximum for end in ends)
            _line(parent, "range", low, y + BAR / 2, high, y + BAR / 2)
        _text(parent, x + length + 6, y + 12, text, css="value")
        y += BAR + BAR_GAP
    return y + ROW_GAP - BAR_GAP


def stacked_bars(rows: Sequence[tuple[str, Sequence[Stack]]], kinds: Sequence[str], *, label: str) -> Markup:
    """Draw bars as long as the chart is wide, divided into the shares of each kind.

    Args:
        rows: a label and the bars below it, from the top.
        kinds: names of the shares; the stylesheet colours kind-1, kind-2, ...
        label: text for screen readers.
    """
    chart, y = _svg("stacks", label), 0.0
    for title, stacks in rows:
        _text(chart, 0, y + 12, title, css="row")
        y += ROW_LABEL
        for stack in stacks:
            start = LETTER_ROOM if len(stacks) > 1 else 0.0
            if start:
                _text(chart, 0, y + 12, stack.label, css="letter")
            x = start
            for index, (kind, share) in enumerate(zip(kinds, stack.shares, strict=True), start=1):
                width = share * (WIDTH - start)
                if width > 0:
                    tip = f"{title}, {stack.label}: {kind} {share:.1%}"
                    _rect(chart, f"kind-{index}", (x, y, max(width - 1, 0.5), BAR), tip)
                if width > 34:
                    _text(chart, x + 4, y + 12, f"{share:.0%}", css=f"on-kind-{index}")
                x += width
            y += BAR + BAR_GAP
        y += ROW_GAP - BAR_GAP
    return _finish(chart, WIDTH, y)


def heat_map(
    rows: Sequence[str], columns: Sequence[str], counts: NDArray[np.float64], *, series: int, label: str
) -> Markup:
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
    width = left + len(columns) * CELL + 0.72 * CHAR * max(map(len, columns[-2:]), default=0)
    chart = _svg("heat", label, {"width": f"{width:.0f}"})
    for j, name in enumerate(columns):
        _text(chart, left + (j + 0.45) * CELL, top - 6, name, degrees=-45)
    for i, name in enumerate(rows):
        _text(chart, left - 6, top + (i + 0.5) * CELL + 4, name, anchor="end")
        for j, other in enumerate(columns):
            share, x, y = float(shares[i, j]), left + j * CELL, top + i * CELL
            cell = SubElement(chart, "g")
            tip = f"true {name}, predicted {other}: {counts[i, j]:.0f} of {totals[i, 0]:.0f} ({share:.1%})"
            SubElement(cell, "title").text = tip
            square = (x, y, CELL - 1, CELL - 1)
            _rect(cell, "cell", square)
            _rect(cell, f"series-{series}", square).set("fill-opacity", f"{share:.3f}")
            if share >= MIN_SHARE:
                strength = " full" if share > 0.85 else " strong" if share > 0.6 else ""
                text = f"{100 * share:.0f}"
                _text(cell, x + CELL / 2, y + CELL / 2 + 4, text, anchor="middle", css=f"in{strength}")
    return _finish(chart, width, top + len(rows) * CELL)


def difference_bars(rows: Sequence[tuple[str, float]], *, label: str) -> Markup:
    """Draw thin bars upwards and downwards from 0, in the given order; values in -1..1."""
    height, left = 200.0, 40.0
    middle = height / 2
    limit = max((abs(value) for _, value in rows), default=0.0) or 1.0
    step = (WIDTH - left) / max(len(rows), 1)
    chart = _svg("differences", label)
    for y, text in ((12, f"{limit:+.2f}"), (height - 4, f"{-limit:+.2f}"), (middle + 4, "0")):
        _text(chart, left - 6, y, text, anchor="end")
    for index, (name, value) in enumerate(rows):
        length = abs(value) / limit * (middle - 4)
        y, css = (middle - length, "better") if value > 0 else (middle, "worse")
        _rect(chart, css, (left + index * step, y, max(step * 0.85, 0.3), length), f"{name}: {value:+.3f}")
    _line(chart, "axis", left, middle, WIDTH, middle)
    return _finish(chart, WIDTH, height)


def boxes_on_picture(
    url: str, size: tuple[int, int], boxes: Sequence[tuple[str, Sequence[float], str]], *, label: str
) -> Markup:
    """Draw boxes over a picture.

    Args:
        url: URL of the picture.
        size: (height, width) of the frame that the boxes belong to, pixels.
        boxes: CSS class, xyxy in pixels, and title of each box.
        label: text for screen readers.
    """
    height, width = size
    chart = _svg("thumbnail", label)
    SubElement(chart, "image", {"href": url, "width": str(width), "height": str(height)})
    for css, (x1, y1, x2, y2), title in boxes:
        _rect(chart, css, (x1, y1, max(x2 - x1, 0.0), max(y2 - y1, 0.0)), title)
    return _finish(chart, width, height)


def _svg(css: str, label: str, attributes: Mapping[str, str] | None = None) -> Element:
    return Element("svg", {"class": f"chart {css}", "role": "img", "aria-label": label, **(attributes or {})})


def _finish(chart: Element, width: float, height: float) -> Markup:
    chart.set("viewBox", f"0 0 {width:.0f} {height:.0f}")
    return Markup(tostring(chart, encoding="unicode"))


def _text(
    parent: Element, x: float, y: float, text: str, *, anchor: str = "start", css: str = "", degrees: float = 0.0
) -> None:
    mark = SubElement(parent, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    mark.text = text
    if css:
        mark.set("class", css)
    if degrees:
        mark.set("transform", f"rotate({degrees:g} {x:.1f} {y:.1f})")


def _rect(
    parent: Element, css: str, box: tuple[float, float, float, float], title: str = "", *, corner: float = 0.0
) -> Element:
    """Draw a rectangle; `box` is x, y, width, height."""
    x, y, width, height = (f"{round(value, 2):g}" for value in box)
    mark = SubElement(parent, "rect", {"class": css, "x": x, "y": y, "width": width, "height": height})
    if corner:
        mark.set("rx", f"{corner:g}")
    if title:
        SubElement(mark, "title").text = title
    return mark


def _line(parent: Element, css: str, *ends: float) -> None:
    """Draw a line; `ends` are x1, y1, x2, y2."""
    x1, y1, x2, y2 = (f"{round(value, 2):g}" for value in ends)
    SubElement(parent, "line", {"class": css, "x1": x1, "y1": y1, "x2": x2, "y2": y2})
