"""Order of the keypoints in a file: a category names them, in any order, with or without some, and with others."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS
from actparse.core.words import listed, readable
from actparse.data.annotation.scan import shown

MISSPELT = 0.85  # similarity, as in difflib, from which an unknown name is a misspelt one
SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}


@dataclass(frozen=True)
class KeypointOrder:
    """Places of the 17 keypoints among the K keypoints of a file, and the names of its other keypoints."""

    num_points: int = NUM_KEYPOINTS  # K
    positions: tuple[int | None, ...] = tuple(range(NUM_KEYPOINTS))  # of each of KEYPOINTS; None if the file lacks it
    others: tuple[str, ...] = ()

    def read(self, raw: Any, where: str) -> NDArray[np.float32]:
        """Return keypoints (17, 3) x, y and visibility or confidence, from COCO's flat list; 0 if the file lacks one.

        Raises:
            DataError: it is not three finite numbers for each keypoint of the category.
        """
        try:
            values = np.asarray(raw, np.float32)
        except (TypeError, ValueError, OverflowError):
            values = np.zeros(0, np.float32)
        if values.shape != (3 * self.num_points,) or not np.isfinite(values).all():
            needs = f"{3 * self.num_points} finite numbers, three for each of {self.num_points} keypoints"
            raise DataError(f"{where} must be {needs}, got {shown(raw)}")
        points = values.reshape(-1, 3)
        keypoints = np.zeros((NUM_KEYPOINTS, 3), np.float32)
        for index, position in enumerate(self.positions):
            if position is not None:
                keypoints[index] = points[position]
        return keypoints

    def read_labels(self, raw: Any, where: str) -> NDArray[np.float32]:
        """Return labelled keypoints (17, 3) x, y, visibility 0, 1 or 2.

        Raises:
            DataError: as `read`, or a visibility is another number, such as a confidence.
        """
        keypoints = self.read(raw, where)
        invalid = keypoints[~np.isin(keypoints[:, 2], (0, 1, 2)), 2]
        if len(invalid):
            needs = "the visibility of a keypoint must be 0, 1 or 2"
            raise DataError(f"{where}: {needs}, got {invalid[0]:g}")
        return keypoints

    def warnings(self, where: str) -> tuple[str, ...]:
        """Return a line about the keypoints that are left out, if any."""
        if not self.others:
            return ()
        return (f"{where}: the keypoints {listed(self.others)} are not among the 17 of COCO: left out",)


def keypoint_order(category: Mapping[str, Any], where: str) -> KeypointOrder:
    """Return the order that a category gives; without names it is that of COCO's 17.

    Args:
        category: of the persons; its `keypoints` are names like left_shoulder, "Left Shoulder", LShoulder.
        where: of the category, for messages.

    Raises:
        DataError: names are no list of text, occur twice, are misspelt, or none of them is one of the 17.
    """
    raw = category.get("keypoints")
    if raw is None or raw == []:
        return KeypointOrder()
    if not isinstance(raw, list) or not all(isinstance(name, str) for name in raw):
        raise DataError(f"{where}.keypoints must be a list of names, got {shown(raw)}")
    names = [keypoint_name(name) for name in raw]
    repeated = next((name for name in names if name in KEYPOINTS and names.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"{where}.keypoints must have each keypoint once, got {repeated} twice")
    others = tuple(readable(text)[:80] for text, name in zip(raw, names, strict=True) if name not in KEYPOINTS)
    positions = tuple(names.index(name) if name in names else None for name in KEYPOINTS)
    missing = [name for name in KEYPOINTS if name not in names]
    misspelt = [
        f"{other} (for {close[0]}?)"
        for other in others
        if (close := difflib.get_close_matches(keypoint_name(other), missing, n=1, cutoff=MISSPELT))
    ]
    if misspelt or len(missing) == NUM_KEYPOINTS:
        needs = "must be names like left_shoulder, as COCO has them"
        raise DataError(f"{where}.keypoints {needs}, got {listed(misspelt or others)}")
    return KeypointOrder(len(raw), positions, others)


def keypoint_name(text: str) -> str:
    """Return a keypoint's name as COCO writes it: "Left Shoulder", "LShoulder" and "shoulder_l" are left_shoulder."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text.strip())
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    if len(words) == 2 and words[1] in SIDES:
        words.reverse()
    if len(words) == 2:
        words[0] = SIDES.get(words[0], words[0])
    return "_".join(words)
