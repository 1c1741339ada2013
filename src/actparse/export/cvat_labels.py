"""Labels of a CVAT task: persons, the skeleton of the 17 keypoints, body parts with their states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actparse.core.structures import VideoParse
from actparse.core.vocabulary import GROUP_PARTS, KEYPOINTS, PART_GROUP, PARTS, SKELETON

UNDEFINED = "__undefined__"  # CVAT's value of an attribute that is not set
MAX_PERSON = 10_000
FIGURE: tuple[tuple[float, float], ...] = (  # positions of the keypoints in CVAT's drawing of the skeleton, 0..100
    (50, 12),
    (53, 9),
    (47, 9),
    (57, 11),
    (43, 11),
    (62, 26),
    (38, 26),
    (70, 40),
    (30, 40),
    (74, 54),
    (26, 54),
    (57, 55),
    (43, 55),
    (58, 74),
    (42, 74),
    (59, 93),
    (41, 93),
)


@dataclass(frozen=True)
class Attribute:
    """An attribute of a label; `values` are the choices of a select, or minimum, maximum and step of a number."""

    name: str
    input_type: str  # select, number or text
    mutable: bool  # may change from frame to frame
    default: str
    values: tuple[str, ...]

    def to_raw(self) -> dict[str, Any]:
        """Return the attribute as JSON for CVAT's "Raw" label constructor."""
        return {
            "name": self.name,
            "input_type": self.input_type,
            "mutable": self.mutable,
            "values": list(self.values),
            "default_value": self.default,
        }

    def to_xml(self) -> list[tuple[str, str]]:
        """Return the attribute as the XML file describes it: elements and their texts."""
        return [
            ("name", self.name),
            ("mutable", str(self.mutable)),
            ("input_type", self.input_type),
            ("default_value", self.default),
            ("values", "\n".join(self.values)),
        ]


@dataclass(frozen=True)
class Label:
    """A label; a skeleton has its drawing in `svg`, a keypoint its skeleton in `parent`."""

    name: str
    type: str  # rectangle, skeleton or points
    attributes: tuple[Attribute, ...] = ()
    svg: str = ""
    parent: str = ""
    sublabels: tuple[str, ...] = ()

    def to_raw(self) -> dict[str, Any]:
        """Return the label as JSON for CVAT's "Raw" label constructor."""
        attributes = [attribute.to_raw() for attribute in self.attributes]
        raw: dict[str, Any] = {"name": self.name, "type": self.type, "attributes": attributes}
        if self.type == "skeleton":
            raw |= {"svg": self.svg, "sublabels": [Label(name, "points").to_raw() for name in self.sublabels]}
        return raw


PERSON_NUMBER = Attribute("person", "number", False, "1", ("0", str(MAX_PERSON), "1"))


def cvat_labels(parse: VideoParse) -> tuple[Label, ...]:
    """Return the labels that the annotations of a parse use; the states are those that occur in the parse."""
    score = Attribute("score", "text", True, "", ())
    action = Attribute("action", "select", False, UNDEFINED, (UNDEFINED, parse.action))
    state_score = Attribute("state_score", "text", True, "", ())
    parts = [part for frame in parse.frames for person in frame.persons for part in person.parts]
    states = {  # by part group
        group: sorted({part.state for part in parts if part.state is not None and part.name in names})
        for group, names in GROUP_PARTS.items()
    }
    state = {
        group: Attribute("state", "select", True, UNDEFINED, (UNDEFINED, *names)) for group, names in states.items()
    }
    return (
        Label("person", "rectangle", (PERSON_NUMBER, action, score)),
        Label("skeleton", "skeleton", (PERSON_NUMBER,), skeleton_svg(), sublabels=KEYPOINTS),
        *(Label(part, "rectangle", (PERSON_NUMBER, state[PART_GROUP[part]], score, state_score)) for part in PARTS),
    )


def with_sublabels(labels: tuple[Label, ...]) -> list[Label]:
    """Return the labels as the XML file lists them: after a skeleton its keypoints, with the skeleton as parent."""
    return [
        entry
        for label in labels
        for entry in (label, *(Label(name, "points", parent=label.name) for name in label.sublabels))
    ]


def skeleton_svg() -> str:
    """Return the keypoints and their edges as SVG in the format of CVAT's skeleton editor."""
    lines = [
        f'<line x1="{FIGURE[a][0]}" y1="{FIGURE[a][1]}" x2="{FIGURE[b][0]}" y2="{FIGURE[b][1]}" stroke="black" '
        f'data-type="edge" data-node-from="{a + 1}" stroke-width="0.5" data-node-to="{b + 1}"></line>'
        for a, b in SKELETON
    ]
    circles = [
        f'<circle r="1.5" stroke="black" fill="#b3b3b3" cx="{x}" cy="{y}" stroke-width="0.1" data-type="element node" '
        f'data-element-id="{index}" data-node-id="{index}" data-label-name="{name}"></circle>'
        for index, (name, (x, y)) in enumerate(zip(KEYPOINTS, FIGURE, strict=True), start=1)
    ]
    return "".join(lines + circles)
