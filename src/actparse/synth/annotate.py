"""Truth read off the id plane: boxes of visible pixels, and which keypoints can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.synth.drawing.mesh import Floats
from actparse.synth.people.body import IDS_PER_PERSON, PART_IDS, TRUNK_ID

Box = tuple[float, float, float, float]
MIN_PART_PIXELS = 10  # visible pixels from which on a part is annotated
MIN_PERSON_PIXELS = 120
MIN_PERSON_SIDE = 24  # pixels of the longer side
OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2  # COCO's visibility

_NEIGHBOURS: dict[str, tuple[str, ...]] = {  # parts on whose pixels a joint may show
    "shoulder": ("arm", "trunk"),
    "elbow": ("arm",),
    "wrist": ("hand", "arm"),
    "hip": ("hip", "leg", "trunk"),
    "knee": ("leg",),
    "ankle": ("foot", "leg"),
}


@dataclass(frozen=True)
class PersonTruth:
    """One person in one frame: boxes xyxy in pixels, from visible pixels alone."""

    identity: int  # from 1, the same in every frame of the video
    box: Box
    parts: dict[str, Box]
    part_pixels: dict[str, int]
    keypoints: Floats = field(repr=False)  # (17, 3) x, y, visibility 0, 1 or 2
    states: dict[str, str]  # of all ten parts


def _ids_of(keypoint: str) -> tuple[int, ...]:
    side, _, joint = keypoint.partition("_")
    if joint not in _NEIGHBOURS:
        return (PART_IDS["head"],)
    names = _NEIGHBOURS[joint]
    return tuple(TRUNK_ID if n == "trunk" else PART_IDS["hip" if n == "hip" else f"{side}_{n}"] for n in names)


_SHOWN_ON = tuple(_ids_of(keypoint) for keypoint in KEYPOINTS)


def annotate(
    ids: NDArray[np.uint8], person: int, keypoints: Floats, facing: NDArray[np.bool_], states: dict[str, str]
) -> PersonTruth | None:
    """The truth of one person, or None where too little of them is seen.

    Args:
        ids: (H, W) id plane of the frame.
        person: number in the id plane, from 1.
        keypoints: (17, 2) pixels.
        facing: (17,) whether the surface under a keypoint is turned to the camera.
        states: part -> state.
    """
    low = person * IDS_PER_PERSON
    part = ids - np.uint8(low + 1)  # 0 to 10 for this person's; what is below wraps round to far above
    own = np.where(part < TRUNK_ID, part + np.uint8(1), np.uint8(0))  # part numbers, 0 for all that is not theirs
    left, top, width, height = cv2.boundingRect(own)
    window = own[top : top + height, left : left + width]
    counts = np.bincount(window.ravel(), minlength=IDS_PER_PERSON)
    if counts[1:].sum() < MIN_PERSON_PIXELS:
        return None
    slices = find_objects(window, max_label=TRUNK_ID)
    boxes = {number: _box(found, left, top) for number, found in enumerate(slices, start=1) if found is not None}
    stacked = np.array(list(boxes.values()))
    box = (*stacked[:, :2].min(axis=0).tolist(), *stacked[:, 2:].max(axis=0).tolist())
    if max(box[2] - box[0], box[3] - box[1]) < MIN_PERSON_SIDE:
        return None
    seen = [name for name in PARTS if counts[PART_IDS[name]] >= MIN_PART_PIXELS]
    return PersonTruth(
        identity=person,
        box=box,
        parts={name: boxes[PART_IDS[name]] for name in seen},
        part_pixels={name: int(counts[PART_IDS[name]]) for name in seen},
        keypoints=np.concatenate((keypoints, _visibility(own, keypoints, facing)[:, None]), axis=1),
        states=states,
    )


def _box(found: tuple[slice, ...], left: int, top: int) -> Box:
    rows, columns = found
    return float(left + columns.start), float(top + rows.start), float(left + columns.stop), float(top + rows.stop)


def _visibility(own: NDArray[np.uint8], keypoints: Floats, facing: NDArray[np.bool_]) -> NDArray[np.int64]:
    height, width = own.shape
    visibility = np.zeros(len(keypoints), np.int64)
    for index, (x, y) in enumerate(keypoints):
        if not (0 <= x < width and 0 <= y < height):
            continue
        column, row = int(x), int(y)
        around = own[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        shown = bool(facing[index]) and not set(_SHOWN_ON[index]).isdisjoint(around.ravel().tolist())
        visibility[index] = VISIBLE if shown else HIDDEN
    return visibility
