"""Ground truth read from the id plane: boxes of visible pixels, and the visibility of the keypoints."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.synth.drawing.mesh import NO_PERSON, Floats
from actparse.synth.motion.figure import ObjectKey
from actparse.synth.people.body import IDS_PER_PERSON, PART_IDS, TRUNK_ID

Box = tuple[float, float, float, float]
MIN_PART_PIXELS = 10  # least number of visible pixels of an annotated part
MIN_OBJECT_PIXELS = 10  # least number of visible pixels of an annotated object
MIN_PERSON_PIXELS = 120
MIN_PERSON_SIDE = 24  # length of the longer side, pixels
OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2  # COCO's visibility

_NEIGHBOURS: dict[str, tuple[str, ...]] = {  # parts whose pixels may show a joint
    "shoulder": ("arm", "trunk"),
    "elbow": ("arm",),
    "wrist": ("hand", "arm"),
    "hip": ("hip", "leg", "trunk"),
    "knee": ("leg",),
    "ankle": ("foot", "leg"),
}


@dataclass(frozen=True)
class PersonTruth:
    """The ground truth of one person in one frame; boxes are xyxy in pixels and enclose only visible pixels."""

    identity: int  # from 1, equal in every frame of the video
    box: Box
    parts: dict[str, Box]
    part_pixels: dict[str, int]
    keypoints: Floats = field(repr=False)  # (17, 3) x, y, visibility 0, 1 or 2
    states: dict[str, str]  # part -> state, for all ten parts


@dataclass(frozen=True)
class ObjectTruth:
    """An object in one frame; its box xyxy in pixels encloses only visible pixels."""

    name: str
    box: Box


class ObjectIds:
    """The ids of the objects of one frame in its id plane."""

    def __init__(self, num_persons: int) -> None:
        """Reserve the ids between those of the persons and NO_PERSON; objects beyond them are not annotated."""
        self._first = min((num_persons + 1) * IDS_PER_PERSON, NO_PERSON)
        self._objects: list[tuple[int, ObjectKey]] = []  # person, key

    def id_of(self, person: int, key: ObjectKey | None) -> int:
        """Return the id of a person's object; NO_PERSON for what is not annotated, or if no id is free."""
        if key is None:
            return NO_PERSON
        if (person, key) not in self._objects:
            self._objects.append((person, key))
        return min(self._first + self._objects.index((person, key)), NO_PERSON)

    def annotate(self, ids: NDArray[np.uint8]) -> tuple[ObjectTruth, ...]:
        """Return the objects of which enough is visible in the id plane (H, W)."""
        counts = np.bincount(ids.ravel(), minlength=NO_PERSON)
        objects = []
        for value, (_, (name, _)) in enumerate(self._objects[: NO_PERSON - self._first], start=self._first):
            if counts[value] >= MIN_OBJECT_PIXELS:
                x, y, width, height = cv2.boundingRect((ids == value).astype(np.uint8))
                objects.append(ObjectTruth(name, (float(x), float(y), float(x + width), float(y + height))))
        return tuple(objects)


def _ids_of(keypoint: str) -> tuple[int, ...]:
    side, _, joint = keypoint.partition("_")
    if joint not in _NEIGHBOURS:
        return (PART_IDS["head"],)
    names = _NEIGHBOURS[joint]
    return tuple(TRUNK_ID if n == "trunk" else PART_IDS["hip" if n == "hip" else f"{side}_{n}"] for n in names)


_VISIBLE_ON = tuple(_ids_of(keypoint) for keypoint in KEYPOINTS)


def annotate(
    ids: NDArray[np.uint8], person: int, keypoints: Floats, facing: NDArray[np.bool_], states: dict[str, str]
) -> PersonTruth | None:
    """Return the ground truth of one person, or None if too little of the person is visible.

    Args:
        ids: (H, W) id plane of the frame.
        person: index of the person in the id plane, from 1.
        keypoints: (17, 2) pixels.
        facing: (17,) whether the surface under a keypoint faces the camera.
        states: part -> state.
    """
    low = person * IDS_PER_PERSON
    offsets = ids - np.uint8(low + 1)  # 0 to 10 for this person; smaller ids wrap round to large values
    person_parts = np.where(offsets < TRUNK_ID, offsets + np.uint8(1), np.uint8(0))  # part ids, 0 for pixels of others
    left, top, width, height = cv2.boundingRect(person_parts)
    window = person_parts[top : top + height, left : left + width]
    counts = np.bincount(window.ravel(), minlength=IDS_PER_PERSON)
    if counts[1:].sum() < MIN_PERSON_PIXELS:
        return None
    slices = find_objects(window, max_label=TRUNK_ID)
    boxes = {part_id: _box(region, left, top) for part_id, region in enumerate(slices, start=1) if region is not None}
    stacked = np.array(list(boxes.values()))
    box = (*stacked[:, :2].min(axis=0).tolist(), *stacked[:, 2:].max(axis=0).tolist())
    if max(box[2] - box[0], box[3] - box[1]) < MIN_PERSON_SIDE:
        return None
    visible_parts = [name for name in PARTS if counts[PART_IDS[name]] >= MIN_PART_PIXELS]
    return PersonTruth(
        identity=person,
        box=box,
        parts={name: boxes[PART_IDS[name]] for name in visible_parts},
        part_pixels={name: int(counts[PART_IDS[name]]) for name in visible_parts},
        keypoints=np.concatenate((keypoints, _visibility(person_parts, keypoints, facing)[:, None]), axis=1),
        states=states,
    )


def _box(region: tuple[slice, ...], left: int, top: int) -> Box:
    row_slice, column_slice = region
    return (
        float(left + column_slice.start),
        float(top + row_slice.start),
        float(left + column_slice.stop),
        float(top + row_slice.stop),
    )


def _visibility(person_parts: NDArray[np.uint8], keypoints: Floats, facing: NDArray[np.bool_]) -> NDArray[np.int64]:
    height, width = person_parts.shape
    visibility = np.zeros(len(keypoints), np.int64)
    for index, (x, y) in enumerate(keypoints):
        if not (0 <= x < width and 0 <= y < height):
            continue
        column, row = int(x), int(y)
        neighbourhood = person_parts[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        is_visible = bool(facing[index]) and not set(_VISIBLE_ON[index]).isdisjoint(neighbourhood.ravel().tolist())
        visibility[index] = VISIBLE if is_visible else HIDDEN
    return visibility
