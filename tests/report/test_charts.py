from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from actparse.report import charts

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(svg).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))


def rects(svg: str, kind: str) -> list[dict[str, str]]:
    return [rect.attrib for rect in parsed(svg).iter(f"{SVG}rect") if kind in rect.get("class", "").split()]


def test_a_line_runs_from_corner_to_corner() -> None:
    svg = charts.line_chart([0, 0.5, 1], [("a", np.array([1, 0.5, 0]))], x_label="x", y_label="y", label="falling")
    assert parsed(svg).get("aria-label") == "falling"
    line = next(parsed(svg).iter(f"{SVG}polyline"))
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in line.attrib["points"].split())
    assert (x1, y1) == pytest.approx(((x0 + x2) / 2, (y0 + y2) / 2), abs=0.1)
    assert y2 > y0  # down


def test_bars_are_as_long_as_their_values() -> None:
    rows = [charts.Bars("one", [1.0, 0.25]), charts.Bars("two", [None, 0.5])]
    svg = charts.bar_chart(rows, maximum=1.0, label="l", format_value=lambda v: f"{v:.2f}", letters="AB")
    widths = [float(bar["width"]) for bar in rects(svg, "bar")]
    assert np.array(widths) / widths[0] == pytest.approx([1, 0.25, 0, 0.5], abs=0.01)
    assert ">none</text>" in svg


def test_stacks_fill_the_width() -> None:
    svg = charts.stacked_bars([("head", [charts.Stack("A", [0.25, 0.0, 0.75])])], ["x", "y", "z"], label="l")
    (first,), (last,) = rects(svg, "kind-1"), rects(svg, "kind-3")
    assert not rects(svg, "kind-2")
    assert float(first["width"]) == pytest.approx(0.25 * charts.WIDTH, abs=1.1)
    assert float(last["x"]) + float(last["width"]) == pytest.approx(charts.WIDTH, abs=1.1)


def test_cells_are_as_strong_as_their_share_of_the_row() -> None:
    svg = charts.heat_map(["a", "b"], ["a", "b"], np.array([[3.0, 1.0], [0.0, 0.0]]), series=1, label="l")
    assert [float(cell["fill-opacity"]) for cell in rects(svg, "series-1")] == [0.75, 0.25, 0, 0]
    assert "true a, predicted b: 1 of 4 (25.0%)" in svg


def test_differences_go_up_and_down() -> None:
    svg = charts.difference_bars([("good", 0.2), ("bad", -0.1)], label="l")
    (up,), (down,) = rects(svg, "better"), rects(svg, "worse")
    assert float(up["height"]) == pytest.approx(2 * float(down["height"]))
    assert float(up["y"]) + float(up["height"]) == pytest.approx(float(down["y"]))


@pytest.mark.parametrize(
    "svg",
    [
        charts.bar_chart([], maximum=1.0, label="l", format_value=str, letters="A"),
        charts.stacked_bars([], [], label="l"),
        charts.heat_map([], [], np.zeros((0, 0)), series=1, label="l"),
        charts.difference_bars([], label="l"),
    ],
    ids=["bars", "stacks", "heat", "differences"],
)
def test_nothing_to_show(svg: str) -> None:
    assert not list(parsed(svg).iter(f"{SVG}rect"))


def test_names_are_text() -> None:
    svg = charts.bar_chart([charts.Bars("<b>&", [0.5])], maximum=1.0, label='"<', format_value=str, letters="A")
    assert not re.search("<b>", svg)
    assert parsed(svg).get("aria-label") == '"<'
