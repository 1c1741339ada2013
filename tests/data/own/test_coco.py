"""COCO JSON and rows of states, by hand-made files."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS
from actparse.data.own.coco import read_coco
from actparse.data.own.states import read_state_rows

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
        pytest.param(
            changed("images", 0, "id", value=[1]), r"images\[0\].id must be a whole number of at most 64", id="id"
        ),
        pytest.param(
            changed("annotations", 0, "image_id", value=7), "image_id must be the id of one image", id="image"
        ),
        pytest.param(
            changed("annotations", 0, "category_id", value=7),
            "category_id must be the id of one category",
            id="category",
        ),
        pytest.param(
            changed("annotations", 0, "bbox", value=[1, 2, 3]), "bbox must be x, y, width and height, finite", id="bbox"
        ),
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


@pytest.mark.parametrize("ids", [(7342918273645918, 2**64 - 1), (-5, -(2**63)), ("a1", "b-2"), (1.0, 2.0), (0, 1)])
def test_ids_of_64_bits_and_text(ids: tuple[Any, Any], tmp_path: Path) -> None:
    raw = deepcopy(COCO)
    for image, new in zip(raw["images"], ids, strict=True):
        image["id"] = new
    for category, new in zip(raw["categories"], ids, strict=True):
        category["id"] = new
    for annotation in raw["annotations"]:
        annotation["image_id"], annotation["category_id"] = (
            ids[annotation[key] - 1] for key in ("image_id", "category_id")
        )
        annotation["track_id"] = ids[0]
    (video,) = read_coco(written(tmp_path, raw))
    assert sorted(video.frames) == [3, 10]
    assert video.frames[3].persons[0].parts["left_arm"].state == "bent"
    identity = video.frames[3].persons[0].identity
    assert identity is not None
    assert -(2**63) <= identity < 2**63


def test_a_track_has_one_identity_in_all_files(tmp_path: Path) -> None:
    (first,) = read_coco(written(tmp_path, changed("annotations", 2, "track_id", value="Anna")))
    path = rows_file(tmp_path, "track,part,state,start_s,end_s\nAnna,head,up,0,1\n")
    (row,) = read_state_rows(path)["clip_a"]
    assert first.frames[10].persons[0].identity == row.track


@pytest.mark.parametrize("value", [True, 1.5, None, [1], 2**64, ""])
def test_what_is_no_id(value: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images\[0\].id must be a whole number of at most 64 bits or text"):
        read_coco(written(tmp_path, changed("images", 0, "id", value=value)))


def test_crowds_are_no_persons(tmp_path: Path) -> None:
    raw = deepcopy(COCO)
    raw["annotations"].append({"id": 9, "image_id": 2, "category_id": 1, "bbox": [0, 0, 90, 90], "iscrowd": 1})
    raw["annotations"].append({"id": 10, "image_id": 2, "category_id": 1, "segmentation": {"size": []}, "iscrowd": 1})
    (video,) = read_coco(written(tmp_path, raw))
    (person,) = video.frames[10].persons  # still the only one: it needs no track_id
    assert person.box == (10, 20, 40, 60)
    assert "2 regions of clip_a with many persons (iscrowd): left out" in video.warnings[0]


def test_keypoints_come_by_their_names(tmp_path: Path) -> None:
    names = sorted(KEYPOINTS)
    raw = changed("categories", 0, "keypoints", value=[*names, "neck"])
    raw["annotations"][0]["keypoints"] = [v for name in (*names, "nose") for v in (KEYPOINTS.index(name), 1, 2)]
    (video,) = read_coco(written(tmp_path, raw))
    keypoints = video.frames[3].persons[0].keypoints
    assert keypoints is not None
    assert keypoints[:, 0].tolist() == list(range(17))
    assert len([line for line in video.warnings if "the keypoints neck are not among the 17" in line]) == 1


def test_the_same_label_twice_is_one(tmp_path: Path) -> None:
    raw = deepcopy(COCO)
    raw["annotations"] += [{**annotation, "id": 9} for annotation in raw["annotations"][:2]]
    (video,) = read_coco(written(tmp_path, raw))
    assert len(video.frames[3].persons) == 1


def test_many_contradictions_are_one_line(tmp_path: Path) -> None:
    raw = deepcopy(COCO)
    raw["annotations"] += [{**raw["annotations"][0], "bbox": [50 + n, 0, 9, 9]} for n in range(10_000)]
    with pytest.raises(
        DataError, match=r"a second box of person 4 in frame 3.* \(10000 contradictions in all\)"
    ) as caught:
        read_coco(written(tmp_path, raw))
    assert len(str(caught.value)) < 500


def test_two_images_of_one_frame(tmp_path: Path) -> None:
    raw = changed("images", 1, "file_name", value="clip_a/3.png")
    with pytest.raises(DataError, match=r"images\[1\]: needs a frame that no other image has, got frame 3 of clip_a"):
        read_coco(written(tmp_path, raw))
    with pytest.raises(DataError, match=r"images\[1\].id must be unique in images, got 1 again"):
        read_coco(written(tmp_path, changed("images", 1, "id", value=1)))


def test_flat_names_begin_with_their_video(tmp_path: Path) -> None:
    raw = changed("images", 0, "file_name", value=f"clip_a_000003_jpg.rf.{'0a1b' * 8}.jpg")
    raw["images"][1]["file_name"] = "3f2a1b4c-clip_b_000010.jpg"
    videos = read_coco(written(tmp_path, raw), videos=("clip", "clip_a", "clip_b"))
    assert {video.video: list(video.frames) for video in videos} == {"clip_a": [3], "clip_b": [10]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings_of_windows(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    path.write_bytes(json.dumps(COCO, indent=1).replace("\n", "\r\n").encode(encoding))
    assert len(read_coco(path)[0].frames) == 2


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


def test_a_moment_is_the_frame_that_is_shown_then(tmp_path: Path) -> None:
    times = np.array([0.0, 0.1, 0.4, 0.5])
    path = rows_file(tmp_path, "part,state,start_s,end_s\narm,bent,0,0\narm,bent,0.3,0.3\narm,bent,0.5,0.5\n")
    rows = read_state_rows(path)["clip_a"]  # segments.csv of a parse of one frame has such a row
    assert [row.frame_range(times) for row in rows] == [range(1), range(1, 2), range(3, 4)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0.6,1", r"line 2: needs a time in the video, whose last frame is at 0.5 s, got start_s 0.6"),
        ("4,9", r"needs a time in the video"),
    ],
)
def test_states_past_the_end(row: str, message: str, tmp_path: Path) -> None:
    (seconds,) = read_state_rows(rows_file(tmp_path, f"part,state,start_s,end_s\narm,a,{row}\n"))["clip_a"]
    with pytest.raises(DataError, match=message):
        seconds.frame_range(np.array([0.0, 0.1, 0.4, 0.5]))
    (frames,) = read_state_rows(rows_file(tmp_path, "part,state,first_frame,last_frame\narm,a,2,4\n"))["clip_a"]
    with pytest.raises(DataError, match=r"needs frames of the video, which has 4 \(0 to 3\), got last_frame 4"):
        frames.frame_range(np.array([0.0, 0.1, 0.4, 0.5]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("part,state\n", "needs the columns start_s and end_s, or first_frame", id="no-time"),
        pytest.param("state,start_s,end_s\n", "needs the column part", id="no-part"),
        pytest.param("part,state,start_s,end_s\narmm,a,0,1\n", "line 2: part: .*did you mean 'arm'", id="part"),
        pytest.param("part,state,start_s,end_s\narm,a,1,0.5\n", "needs 0 <= start_s <= end_s", id="times"),
        pytest.param("part,state,start_s,end_s\narm,a,x,1\n", "start_s must be a number, got 'x'", id="no-number"),
        pytest.param("part,state,first_frame,last_frame\narm,a,2,1\n", "0 <= first_frame <= last_frame", id="frames"),
        pytest.param("track,part,state,start_s,end_s\n-1,arm,a,0,1\n", "track must be a whole number", id="track"),
        pytest.param(f"track,part,state,start_s,end_s\n{'9' * 5000},arm,a,0,1\n", "must be a whole", id="long-track"),
    ],
)
def test_wrong_rows_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_state_rows(rows_file(tmp_path, text))
