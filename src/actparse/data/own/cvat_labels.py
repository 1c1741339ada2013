"""The labels of a dataset of one's own for CVAT: those that an exported parse has, with the dataset's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actparse.core.vocabulary import KEYPOINTS, PART_GROUP, PARTS
from actparse.export.cvat_labels import PERSON_NUMBER, UNDEFINED, Attribute, Label, skeleton_svg


def own_labels(actions: Sequence[str], states: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Labels as CVAT's "Raw" label constructor takes them.

    Args:
        actions: what a video may show.
        states: what the parts of each group may do; a group without states has boxes alone.

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
