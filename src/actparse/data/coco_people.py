"""The persons of images in a COCO keypoints file, as `person_keypoints_val2017.json` has them."""

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
from actparse.data.coco_fields import (
    coco_entries,
    id_field,
    keypoints_field,
    read_coco_json,
    text_field,
    whole_field,
)
from actparse.data.scan import MISSING, read_box, shown
from actparse.metrics.coco import AREA_SHARE

PERSON = "person"


@dataclass(frozen=True)
class LabelledImage:
    """An image with its N persons and M crowd regions, either of which may be 0; boxes xyxy, pixels."""

    file: str  # as the file has it, relative to the folder of images
    size: tuple[int, int] | None  # (height, width) where the file has it
    boxes: NDArray[np.float32]  # (N, 4)
    keypoints: NDArray[np.float32]  # (N, 17, 3) x, y, visibility 0..2; 0 where a person has none
    areas: NDArray[np.float32]  # (N,) of the persons, square pixels
    crowds: NDArray[np.float32]  # (M, 4) regions with many persons


def load_coco_people(path: Path, *, limit: int | None = None) -> list[LabelledImage]:
    """Read the images of a COCO keypoints file, those without persons too.

    Annotations of other categories than "person" are left out.

    Args:
        path: of the file.
        limit: at most so many images, the first of the file.

    Raises:
        DataError: the file is no COCO JSON, a field is not what the format says, or no person has keypoints.
        ConfigError: `limit` is less than 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit must be at least 1, got {limit}")
    raw = read_coco_json(path)
    images = _images(raw, str(path))
    annotations: dict[int, list[_Annotation]] = defaultdict(list)
    for place, content in _person_annotations(raw, str(path)):
        annotations[id_field(content, "image_id", images, place)].append(_annotation(content, place))
    if not any(row.keypoints.any() for rows in annotations.values() for row in rows):
        raise DataError(f"{path}: needs persons with keypoints, got none")
    return [_labelled(*images[number], annotations[number]) for number in list(images)[:limit]]


@dataclass(frozen=True)
class _Annotation:
    box: tuple[float, float, float, float]  # xyxy
    keypoints: NDArray[np.float32]  # (17, 3)
    area: float
    is_crowd: bool


def _images(raw: Mapping[str, Any], where: str) -> dict[int, tuple[str, tuple[int, int] | None]]:
    """File and size by id."""
    found: dict[int, tuple[str, tuple[int, int] | None]] = {}
    for place, content in coco_entries(raw, "images", where):
        number = whole_field(content.get("id"), f"{place}.id")
        size = None
        if content.get("width") is not None and content.get("height") is not None:
            size = (whole_field(content["height"], f"{place}.height"), whole_field(content["width"], f"{place}.width"))
        found[number] = (text_field(content.get("file_name"), f"{place}.file_name"), size)
    if not found:
        raise DataError(f"{where}: images must have at least one entry, got none")
    return found


def _person_annotations(raw: Mapping[str, Any], where: str) -> list[tuple[str, dict[str, Any]]]:
    categories = {
        whole_field(content.get("id"), f"{place}.id"): content.get("name")
        for place, content in coco_entries(raw, "categories", where)
    }
    if PERSON not in categories.values():
        names = ", ".join(map(str, categories.values()))
        raise DataError(f"{where}: categories must have {PERSON!r}, got {shown(names) if names else 'none'}")
    return [
        (place, content)
        for place, content in coco_entries(raw, "annotations", where)
        if categories[id_field(content, "category_id", categories, place)] == PERSON
    ]


def _annotation(content: Mapping[str, Any], place: str) -> _Annotation:
    x, y, width, height = _xywh(content.get("bbox"), f"{place}.bbox")
    area = content.get("area")
    if area is None:
        area = AREA_SHARE * width * height
    elif isinstance(area, bool) or not isinstance(area, int | float) or not 0 <= area < math.inf:
        raise DataError(f"{place}.area must be a number from 0 on, got {shown(area)}")
    keypoints = np.zeros((NUM_KEYPOINTS, 3), np.float32)
    if content.get("keypoints"):
        keypoints = keypoints_field(content["keypoints"], f"{place}.keypoints")
    return _Annotation((x, y, x + width, y + height), keypoints, float(area), bool(content.get("iscrowd", 0)))


def _xywh(raw: Any, where: str) -> tuple[float, float, float, float]:
    if read_box(raw)[1] == MISSING or min(raw[2:]) < 0:
        raise DataError(f"{where} must be x, y, width and height, finite numbers, got {shown(raw)}")
    x, y, width, height = (float(value) for value in raw)
    return x, y, width, height


def _labelled(file: str, size: tuple[int, int] | None, rows: Sequence[_Annotation]) -> LabelledImage:
    persons = [row for row in rows if not row.is_crowd]
    return LabelledImage(
        file=file,
        size=size,
        boxes=np.array([row.box for row in persons], np.float32).reshape(-1, 4),
        keypoints=np.array([row.keypoints for row in persons], np.float32).reshape(-1, NUM_KEYPOINTS, 3),
        areas=np.array([row.area for row in persons], np.float32),
        crowds=np.array([row.box for row in rows if row.is_crowd], np.float32).reshape(-1, 4),
    )
