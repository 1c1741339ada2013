"""COCO keypoints files, by hand-made ones."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import ConfigError, DataError
from actparse.data.annotation.coco_people import load_coco_people

POSE = [5, 6, 2] * 17
COCO: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "a.jpg", "width": 60, "height": 40},
        {"id": 3, "file_name": "sub/b.jpg"},
    ],
    "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
    "annotations": [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 1,
            "bbox": [1, 2, 30, 20],
            "area": 250.5,
            "keypoints": POSE,
            "iscrowd": 0,
        },
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [9, 9, 10, 20]},
        {"id": 3, "image_id": 7, "category_id": 1, "bbox": [30, 0, 30, 40], "keypoints": [0] * 51, "iscrowd": 1},
        {"id": 4, "image_id": 3, "category_id": 18, "bbox": [0, 0, 5, 5]},
    ],
}


def written(folder: Path, raw: Any) -> Path:
    path = folder / "coco.json"
    path.write_text(raw if isinstance(raw, str) else json.dumps(raw), encoding="utf-8")
    return path


def changed(*path: str | int, value: Any) -> dict[str, Any]:
    raw = deepcopy(COCO)
    content: Any = raw
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value
    return raw


def test_persons_and_crowds_of_each_image(tmp_path: Path) -> None:
    first, second = load_coco_people(written(tmp_path, COCO))
    assert (first.file, first.size) == ("a.jpg", (40, 60))
    assert first.boxes.tolist() == [[1, 2, 31, 22], [9, 9, 19, 29]]
    assert first.keypoints[0].tolist() == [[5, 6, 2]] * 17
    assert not first.keypoints[1].any()
    np.testing.assert_allclose(first.areas, [250.5, 0.53 * 200])  # as COCO takes a box without a mask
    assert first.crowds.tolist() == [[30, 0, 60, 40]]
    assert (second.file, second.size) == ("sub/b.jpg", None)
    assert (second.boxes.shape, second.keypoints.shape, second.areas.shape) == ((0, 4), (0, 17, 3), (0,))


def test_the_first_images_only(tmp_path: Path) -> None:
    path = written(tmp_path, COCO)
    assert [image.file for image in load_coco_people(path, limit=1)] == ["a.jpg"]
    with pytest.raises(ConfigError, match="limit must be at least 1, got 0"):
        load_coco_people(path, limit=0)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("{", "coco.json: needs a JSON file, got: Expecting"),
        ([], r"must be an object with images, annotations and categories, got \[\]"),
        ({}, "images must be a list, got nothing"),
        (changed("images", value=[]), "images must have at least one entry, got none"),
        (changed("images", 0, "file_name", value=None), r"images\[0\].file_name must be text, got nothing"),
        (
            changed("images", 0, "height", value="40"),
            r"\.height must be a whole number from 0 to 10000000, got \"40\"",
        ),
        (changed("categories", 0, "name", value="man"), "categories must have 'person', got \"man, dog\""),
        (changed("annotations", value=[]), "needs persons with keypoints, got none"),
        (
            changed("annotations", 0, "keypoints", value=[1, 2]),
            r"\.keypoints must be 51 finite numbers, three for each of 17 keypoints, got \[1, 2\]",
        ),
        (
            changed("annotations", 0, "bbox", value=[1, 2, -3, 4]),
            r"\.bbox must be x, y, width and height, finite",
        ),
        (changed("annotations", 0, "area", value=-1), r"annotations\[0\].area must be a number from 0 on, got -1"),
        (changed("annotations", 0, "image_id", value=5), r"image_id must be the id of one image of the file, got 5"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, raw: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_coco_people(written(tmp_path, raw))
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.json: needs a JSON file, got: No such file"):
        load_coco_people(tmp_path / "none.json")
