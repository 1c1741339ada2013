"""The labels of a CVAT project in the form that its label constructor takes ("Raw"), as docs/own-data.md has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actparse.vocabulary import KEYPOINTS, PART_GROUP, PARTS, SKELETON

UNDEFINED = "__undefined__"  # CVAT's value of an attribute that says nothing
MAX_PERSON = 999
COLORS = {"left": "#ff9628", "right": "#3ca0ff"}  # of the sides; the middle has the third
MIDDLE_COLOR, PERSON_COLOR = "#96e16e", "#f5f5f0"
PLACES: tuple[tuple[float, float], ...] = (  # of the keypoints in a drawing 100 wide and high; the person faces us
    (50, 10),
    (53, 7),
    (47, 7),
    (57, 9),
    (43, 9),
    (60, 25),
    (40, 25),
    (68, 40),
    (32, 40),
    (72, 54),
    (28, 54),
    (56, 54),
    (44, 54),
    (58, 74),
    (42, 74),
    (59, 94),
    (41, 94),
)


def cvat_labels(actions: Sequence[str], states: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The labels of a dataset.

    Args:
        actions: what a video may show.
        states: what the parts of each group may do; a group without states has boxes alone.

    Returns:
        A list for JSON: "person", the ten parts, "skeleton".
    """
    person = _number("person", MAX_PERSON)
    parts = [
        _label(part, "rectangle", _color(part), [person, _choice("state", states.get(PART_GROUP[part], ()), True)])
        for part in PARTS
    ]
    return [
        _label("person", "rectangle", PERSON_COLOR, [person, _choice("action", actions, False)]),
        *parts,
        {
            **_label("skeleton", "skeleton", MIDDLE_COLOR, [person]),
            "svg": skeleton_svg(),
            "sublabels": [_label(name, "points", _color(name), []) for name in KEYPOINTS],
        },
    ]


def _label(name: str, kind: str, color: str, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "type": kind, "color": color, "attributes": attributes}


def _color(name: str) -> str:
    return COLORS.get(name.partition("_")[0], MIDDLE_COLOR)


def _choice(name: str, words: Sequence[str], mutable: bool) -> dict[str, Any]:
    values = [UNDEFINED, *words]
    return {"name": name, "input_type": "select", "mutable": mutable, "values": values, "default_value": UNDEFINED}


def _number(name: str, highest: int) -> dict[str, Any]:
    """From 1 in steps of 1."""
    values = ["1", str(highest), "1"]
    return {"name": name, "input_type": "number", "mutable": False, "values": values, "default_value": "1"}


def skeleton_svg() -> str:
    """CVAT's drawing of the skeleton: an edge for each limb, a circle for each keypoint, numbered from 1."""
    edges = (
        f'<line x1="{PLACES[a][0]}" y1="{PLACES[a][1]}" x2="{PLACES[b][0]}" y2="{PLACES[b][1]}" stroke="black" '
        f'stroke-width="0.5" data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in SKELETON
    )
    nodes = (
        f'<circle r="1" cx="{x}" cy="{y}" stroke="black" stroke-width="0.1" fill="{_color(name)}" '
        f'data-type="element node" data-element-id="{number}" data-node-id="{number}" '
        f'data-label-name="{name}"></circle>'
        for number, (name, (x, y)) in enumerate(zip(KEYPOINTS, PLACES, strict=True), start=1)
    )
    return "".join((*edges, *nodes))
