"""CVAT labels of a custom dataset: the labels of an exported parse, with the dataset's actions and states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actparse.core.vocabulary import KEYPOINTS, PART_GROUP, PARTS
from actparse.export.cvat_labels import PERSON_NUMBER, UNDEFINED, Attribute, Label, skeleton_svg


def own_labels(actions: Sequence[str], states: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return labels in the format of CVAT's "Raw" label constructor.

    Args:
        actions: of videos.
        states: of the parts of each group; a group without states only has boxes.

    Returns:
        A list for JSON: "person", the ten parts, "skeleton".
    """
    labels = (
        Label("person", "rectangle", (PERSON_NUMBER, _choice("action", actions, mutable=False))),
        *(
            Label(part, "rectangle", (PERSON_NUMBER, _choice("state", states.get(PART_GROUP[part], ()), mutable=True)))
            for part in PARTS
        ),
        Label("skeleton", "skeleton", (PERSON_NUMBER,), skeleton_svg(), sublabels=KEYPOINTS),
    )
    return [label.to_raw() for label in labels]


def _choice(name: str, words: Sequence[str], *, mutable: bool) -> Attribute:
    return Attribute(name, "select", mutable, UNDEFINED, (UNDEFINED, *words))
