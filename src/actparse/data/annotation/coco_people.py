"""Persons in the images of a COCO keypoints file like `person_keypoints_val2017.json`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.data.annotation.coco_fields import (
    box_field,
    coco_entries,
    entries_by_id,
    id_field,
    image_size,
    is_crowd,
    read_coco_json,
    text_field,
)
from actparse.data.annotation.ids import Id
from actparse.data.annotation.keypoint_names import KeypointOrder, keypoint_order
from actparse.data.annotation.scan import shown
from actparse.metrics.coco import AREA_SHARE

PERSON = "person"


@dataclass(frozen=True)
class LabelledImage:
    """An image with its N persons and M crowd regions, either of which may be 0; boxes xyxy, pixels."""

    file: str  # as in the COCO file, relative to the folder of images
    size: tuple[int, int] | None  # (height, width); None if the file has none
    boxes: NDArray[np.float32]  # (N, 4)
    keypoints: NDArray[np.float32]  # (N, 17, 3) x, y, visibility 0..2; 0 if a person has none
    areas: NDArray[np.float32]  # (N,) area of each person, square pixels
    crowds: NDArray[np.float32]  # (M, 4) regions with many persons


def load_coco_people(path: Path, *, limit: int | None = None) -> list[LabelledImage]:
    """Read the images of a COCO keypoints file, including those without persons.

    Annotations of other categories than "person" are left out.

    Args:
        path: of the file.
        limit: maximum number of images, from the start of the file.

    Raises:
        DataError: the file is not COCO JSON, a field does not follow the format, or no person has keypoints.
        ConfigError: `limit` is less than 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit must be at least 1, got {limit}")
    raw = read_coco_json(path)
    images = {  # file and size by id
        image_id: (text_field(content.get("file_name"), f"{location}.file_name"), image_size(content, location))
        for image_id, (location, content) in entries_by_id(raw, "images", str(path)).items()
    }
    if not images:
        raise DataError(f"{path}: images must have at least one entry, got none")
    annotations: dict[Id, list[_Annotation]] = defaultdict(list)
    for where, content, order in _person_annotations(raw, str(path)):
        annotations[id_field(content, "image_id", images, where)].append(_Annotation.from_coco(content, order, where))
    if not any(person.keypoints.any() for persons in annotations.values() for person in persons):
        raise DataError(f"{path}: needs persons with keypoints, got none")
    return [_labelled(*images[image_id], annotations[image_id]) for image_id in list(images)[:limit]]


@dataclass(frozen=True)
class _Annotation:
    box: tuple[float, float, float, float]  # xyxy
    keypoints: NDArray[np.float32]  # (17, 3)
    area: float
    is_crowd: bool

    @classmethod
    def from_coco(cls, content: Mapping[str, Any], order: KeypointOrder, where: str) -> _Annotation:
        x1, y1, x2, y2 = box = box_field(content.get("bbox"), f"{where}.bbox")
        area = content.get("area")
        if area is None:
            area = AREA_SHARE * (x2 - x1) * (y2 - y1)
        elif isinstance(area, bool) or not isinstance(area, int | float) or not 0 <= area < math.inf:
            raise DataError(f"{where}.area must be a number from 0 on, got {shown(area)}")
        keypoints = np.zeros((NUM_KEYPOINTS, 3), np.float32)
        if content.get("keypoints"):
            keypoints = order.read_labels(content["keypoints"], f"{where}.keypoints")
        return cls(box, keypoints, float(area), is_crowd(content, where))


def _person_annotations(raw: Mapping[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any], KeypointOrder]]:
    """Yield the annotations of persons, each with its location and the order of its keypoints."""
    categories = entries_by_id(raw, "categories", where)
    orders = {key: keypoint_order(c, location) for key, (location, c) in categories.items() if c.get("name") == PERSON}
    if not orders:
        names = ", ".join(str(content.get("name")) for _, content in categories.values())
        raise DataError(f"{where}: categories must have {PERSON!r}, got {shown(names) if names else 'none'}")
    for location, content in coco_entries(raw, "annotations", where):
        category = id_field(content, "category_id", categories, location)
        if category in orders:
            yield location, content, orders[category]


def _labelled(file: str, size: tuple[int, int] | None, annotations: Sequence[_Annotation]) -> LabelledImage:
    persons = [annotation for annotation in annotations if not annotation.is_crowd]
    crowds = [annotation for annotation in annotations if annotation.is_crowd]
    return LabelledImage(
        file=file,
        size=size,
        boxes=np.array([person.box for person in persons], np.float32).reshape(-1, 4),
        keypoints=np.array([person.keypoints for person in persons], np.float32).reshape(-1, NUM_KEYPOINTS, 3),
        areas=np.array([person.area for person in persons], np.float32),
        crowds=np.array([crowd.box for crowd in crowds], np.float32).reshape(-1, 4),
    )
