"""Persons in the images of a COCO keypoints file like `person_keypoints_val2017.json`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.data.annotation.coco_fields import (
    coco_entries,
    id_field,
    keypoints_field,
    read_coco_json,
    text_field,
    whole_field,
)
from actparse.data.annotation.scan import MISSING, read_box, shown
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
    images = _images(raw, str(path))
    annotations: dict[int, list[_Annotation]] = defaultdict(list)
    for where, content in _person_annotations(raw, str(path)):
        annotations[id_field(content, "image_id", images, where)].append(_annotation(content, where))
    if not any(person.keypoints.any() for persons in annotations.values() for person in persons):
        raise DataError(f"{path}: needs persons with keypoints, got none")
    return [_labelled(*images[image_id], annotations[image_id]) for image_id in list(images)[:limit]]


@dataclass(frozen=True)
class _Annotation:
    box: tuple[float, float, float, float]  # xyxy
    keypoints: NDArray[np.float32]  # (17, 3)
    area: float
    is_crowd: bool


def _images(raw: Mapping[str, Any], where: str) -> dict[int, tuple[str, tuple[int, int] | None]]:
    """Return the file and size of each image by id."""
    images: dict[int, tuple[str, tuple[int, int] | None]] = {}
    for location, content in coco_entries(raw, "images", where):
        image_id = whole_field(content.get("id"), f"{location}.id")
        size = None
        if content.get("width") is not None and content.get("height") is not None:
            height = whole_field(content["height"], f"{location}.height")
            size = (height, whole_field(content["width"], f"{location}.width"))
        images[image_id] = (text_field(content.get("file_name"), f"{location}.file_name"), size)
    if not images:
        raise DataError(f"{where}: images must have at least one entry, got none")
    return images


def _person_annotations(raw: Mapping[str, Any], where: str) -> list[tuple[str, dict[str, Any]]]:
    categories = {
        whole_field(content.get("id"), f"{location}.id"): content.get("name")
        for location, content in coco_entries(raw, "categories", where)
    }
    if PERSON not in categories.values():
        names = ", ".join(map(str, categories.values()))
        raise DataError(f"{where}: categories must have {PERSON!r}, got {shown(names) if names else 'none'}")
    return [
        (location, content)
        for location, content in coco_entries(raw, "annotations", where)
        if categories[id_field(content, "category_id", categories, location)] == PERSON
    ]


def _annotation(content: Mapping[str, Any], where: str) -> _Annotation:
    x, y, width, height = _xywh(content.get("bbox"), f"{where}.bbox")
    area = content.get("area")
    if area is None:
        area = AREA_SHARE * width * height
    elif isinstance(area, bool) or not isinstance(area, int | float) or not 0 <= area < math.inf:
        raise DataError(f"{where}.area must be a number from 0 on, got {shown(area)}")
    keypoints = np.zeros((NUM_KEYPOINTS, 3), np.float32)
    if content.get("keypoints"):
        keypoints = keypoints_field(content["keypoints"], f"{where}.keypoints")
    return _Annotation((x, y, x + width, y + height), keypoints, float(area), bool(content.get("iscrowd", 0)))


def _xywh(raw: Any, where: str) -> tuple[float, float, float, float]:
    if read_box(raw)[1] == MISSING or min(raw[2:]) < 0:
        raise DataError(f"{where} must be x, y, width and height, finite numbers, got {shown(raw)}")
    x, y, width, height = (float(value) for value in raw)
    return x, y, width, height


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
