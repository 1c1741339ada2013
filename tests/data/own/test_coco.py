"""COCO JSON and rows of states, by hand-made files."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.data.own.coco import read_coco, read_state_rows

COCO: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "clip_a/frame_000003.jpg"},
        {"id": 2, "file_name": "clip_a/frame_000010.jpg"},
    ],
    "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "left_arm"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40], "track_id": 4},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [10, 20, 5, 5], "track_id": 4, "state": "bent"},
        {"id": 3, "image_id": 2, "category_id": 1, "bbox": [10, 20, 30, 40]},
        {"id": 4, "image_id": 2, "category_id": 2, "bbox": [11, 20, 5, 5]},
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


def test_images_say_video_and_frame(tmp_path: Path) -> None:
    (video,) = read_coco(written(tmp_path, COCO))
    assert video.video == "clip_a"
    person = video.frames[3].persons[0]
    assert person.box == (10, 20, 40, 60)
    assert person.identity == 4
    assert person.parts["left_arm"].state == "bent"
    alone = video.frames[10].persons[0]
    assert alone.identity == 1
    assert alone.unstated == {"left_arm": (11, 20, 16, 25)}


def test_the_first_frame_may_be_number_one(tmp_path: Path) -> None:
    (video,) = read_coco(written(tmp_path, COCO), first_frame=1)
    assert sorted(video.frames) == [2, 9]


def test_videos_by_their_id_and_attributes_as_cvat_writes_them(tmp_path: Path) -> None:
    raw = changed("images", 0, value={"id": 1, "file_name": "x.jpg", "video_id": 8, "frame_index": 6})
    raw["images"].pop()
    raw["videos"] = [{"id": 8, "name": "clip_b.mp4"}]
    raw["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "attributes": {"track_id": 2}},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 0, 9, 9], "attributes": {"track_id": 3}},
        {"id": 3, "image_id": 1, "category_id": 2, "bbox": [1, 0, 2, 2], "attributes": {"track_id": 3, "state": "up"}},
    ]
    (video,) = read_coco(written(tmp_path, raw))
    assert video.video == "clip_b.mp4"
    assert [(p.identity, len(p.parts)) for p in video.frames[6].persons] == [(2, 0), (3, 1)]


def test_keypoints_and_labels_left_aside(tmp_path: Path) -> None:
    raw = changed("annotations", 0, "keypoints", value=[1, 2, 2] + [0] * 48)
    raw["categories"].append({"id": 3, "name": "barbell"})
    raw["annotations"].append({"id": 9, "image_id": 1, "category_id": 3})
    (video,) = read_coco(written(tmp_path, raw), ignore=("barbell",))
    keypoints = video.frames[3].persons[0].keypoints
    assert keypoints is not None
    assert keypoints[0].tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param("{", "needs a JSON file", id="no-json"),
        pytest.param("[" * 100_000, "needs a JSON file", id="deep"),
        pytest.param([], "must be an object with images", id="a-list"),
        pytest.param({"images": []}, "categories must be a list, got nothing", id="no-categories"),
        pytest.param(
            changed("categories", 1, "name", value="left arm"),
            r"categories\[1\].name.*did you mean 'left_arm'",
            id="name",
        ),
        pytest.param(changed("images", 0, "file_name", value="3.jpg"), "needs a video_id, or a file_name", id="video"),
        pytest.param(
            changed("images", 0, "file_name", value="a/b.jpg"), "needs a frame_index, or a number", id="frame"
        ),
        pytest.param(changed("images", 0, "id", value="1"), r"images\[0\].id must be a whole number", id="id"),
        pytest.param(
            changed("annotations", 0, "image_id", value=7), "image_id must be the id of one image", id="image"
        ),
        pytest.param(
            changed("annotations", 0, "category_id", value=7),
            "category_id must be the id of one category",
            id="category",
        ),
        pytest.param(changed("annotations", 0, "bbox", value=[1, 2, 3]), "bbox must be four finite", id="bbox"),
        pytest.param(changed("annotations", 0, "bbox", value=[1, 2, 0, 3]), "width and a height above 0", id="no-area"),
        pytest.param(changed("annotations", 0, "keypoints", value=[1, 2]), "keypoints must be 51", id="keypoints"),
        pytest.param(changed("annotations", 1, "state", value=3), "state must be text, got 3", id="state"),
        pytest.param(changed("annotations", 2, "image_id", value=1), "needs a track_id, the image has 2", id="whose"),
    ],
)
def test_what_is_wrong_is_named(raw: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_coco(written(tmp_path, raw))
    assert "\n" not in str(caught.value)


def rows_file(folder: Path, text: str) -> Path:
    path = folder / "clip_a" / "segments.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_in_seconds_and_in_frames(tmp_path: Path) -> None:
    times = np.array([0.0, 0.1, 0.4, 0.5])
    path = rows_file(tmp_path, "track,part,state,start_s,end_s,score\n4,arm,bent,0.1,0.5,0.9\n")
    (row,) = read_state_rows(path)["clip_a"]  # the folder's name
    assert row.parts == ("left_arm", "right_arm")
    assert row.track == 4
    assert row.frame_range(times) == range(1, 3)
    path = rows_file(tmp_path, "video,part,state,first_frame,last_frame\nb.mp4,head,up,1,3\n")
    (row,) = read_state_rows(path)["b.mp4"]
    assert row.track is None
    assert row.frame_range(times) == range(1, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("part,state\n", "needs the columns start_s and end_s, or first_frame", id="no-time"),
        pytest.param("state,start_s,end_s\n", "needs the column part", id="no-part"),
        pytest.param("part,state,start_s,end_s\narmm,a,0,1\n", "line 2: part: .*did you mean 'arm'", id="part"),
        pytest.param("part,state,start_s,end_s\narm,a,1,1\n", "needs start_s < end_s", id="no-time-between"),
        pytest.param("part,state,start_s,end_s\narm,a,x,1\n", "start_s must be a number, got 'x'", id="no-number"),
        pytest.param("part,state,first_frame,last_frame\narm,a,2,1\n", "0 <= first_frame <= last_frame", id="frames"),
        pytest.param("track,part,state,start_s,end_s\n-1,arm,a,0,1\n", "track must be a whole number", id="track"),
        pytest.param(f"track,part,state,start_s,end_s\n{'9' * 5000},arm,a,0,1\n", "must be a whole", id="long-track"),
    ],
)
def test_wrong_rows_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_state_rows(rows_file(tmp_path, text))
