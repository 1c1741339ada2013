"""Persons of other detectors and pose estimators, in the formats that they write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS
from actparse.data.persons_file import PersonsFile, read_persons_file
from actparse.export.coco import write_coco
from actparse.export.formats import ExportConfig, export_parse
from example_parse import example_parse

SIZE, NUM_FRAMES = (240, 320), 18  # of the example parse
POSE = [value for n in range(17) for value in (10 + n, 20 + n, 0.5)]
RESULT: dict[str, Any] = {"image_id": 5, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.75}
HEADER = "frame,x1,y1,x2,y2,score"


def read(path: Path, **settings: Any) -> PersonsFile:
    return read_persons_file(path, **{"num_frames": NUM_FRAMES, "size": SIZE, "video": "two people"} | settings)


def written(folder: Path, content: Any) -> Path:
    path = folder / ("persons.csv" if isinstance(content, str) else "persons.json")
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_results_of_a_detector(tmp_path: Path) -> None:
    persons = read(written(tmp_path, [RESULT, RESULT | {"image_id": 7}, RESULT | {"category_id": 17}, RESULT]))
    assert list(persons.frames) == [5, 7]
    first = persons.frame(5)
    assert first.detections.boxes.tolist() == [[10, 20, 40, 60]] * 2
    assert first.detections.scores.tolist() == [0.75] * 2
    assert first.detections.boxes.dtype == first.detections.scores.dtype == np.float32
    assert (first.keypoints, first.track_ids) == (None, None)
    assert len(persons.frame(6).detections) == 0
    assert persons.warnings == (f"{tmp_path / 'persons.json'}: the persons are not in the order of frames: sorted",)


def test_results_of_a_pose_estimator(tmp_path: Path) -> None:
    peaks = [*POSE[:-1], 1.04]
    without_box = {key: value for key, value in RESULT.items() if key != "bbox"}
    raw = [RESULT | {"keypoints": POSE, "track_id": 4}, without_box | {"keypoints": peaks, "track_id": 2**40}]
    found = read(written(tmp_path, raw)).frame(5)
    assert found.keypoints is not None
    assert found.track_ids is not None
    assert found.keypoints.shape == (2, 17, 3)
    assert found.keypoints[1, 16].tolist() == [26, 36, 1]
    assert found.detections.boxes[1].tolist() == [10, 20, 26, 36]
    assert found.track_ids.tolist() == [4, 2**40]


def test_image_ids_may_be_names(tmp_path: Path) -> None:
    names = ("two people/frame_000005.jpg", "two people/frame_000007_1080p.jpg")
    assert list(read(written(tmp_path, [RESULT | {"image_id": name} for name in names])).frames) == [5, 7]


def expect_example(persons: PersonsFile, *, decimals: float = 0.01) -> None:
    parse = example_parse()
    assert list(persons.frames) == [frame.index for frame in parse.frames]
    for frame in parse.frames:
        found = persons.frame(frame.index)
        np.testing.assert_allclose(found.detections.boxes, [p.box for p in frame.persons], atol=decimals)
        assert found.keypoints is not None
        expected = np.stack([person.keypoint_array() for person in frame.persons])
        np.testing.assert_allclose(found.keypoints, expected, atol=decimals)


def test_a_parse_and_its_exports_give_its_persons_back(tmp_path: Path) -> None:
    parse = example_parse()
    (tmp_path / "parse.json").write_text(parse.to_json(), encoding="utf-8")
    persons = read(tmp_path / "parse.json")
    expect_example(persons)
    assert [persons.frames[n].track_ids.tolist() for n in (0, 5)] == [[1, 2], [1]]  # type: ignore[union-attr]
    results = write_coco(parse, tmp_path / "coco.json", parts=False)
    expect_example(read(results, images=tmp_path / "coco.json"))
    for dialect in ("excel", "excel-de"):
        (table,) = export_parse(parse, "frames", tmp_path / "frames.csv", ExportConfig(csv_dialect=dialect))
        expect_example(read(table))


def test_annotations(tmp_path: Path) -> None:
    write_coco(example_parse(), tmp_path / "coco.json")
    raw = json.loads((tmp_path / "coco.json").read_text(encoding="utf-8"))
    raw["categories"][0]["keypoints"] = [*reversed(KEYPOINTS)]
    for annotation in raw["annotations"]:
        del annotation["score"]
        if "keypoints" in annotation:
            annotation["keypoints"] = np.reshape(annotation["keypoints"], (17, 3))[::-1].ravel().tolist()
    raw["annotations"].append(raw["annotations"][0] | {"iscrowd": 1, "id": 999})
    persons = read(written(tmp_path, raw))
    found = persons.frame(0)
    assert found.keypoints is not None
    assert found.detections.scores.tolist() == [1, 1]
    assert found.keypoints[0, 0].tolist() == [10, 30, 1]
    assert found.keypoints[0, 10].tolist() == [0, 0, 0]
    assert persons.warnings[0].endswith("persons.json: 1 regions with many persons (iscrowd): left out")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{HEADER},person\n3,10,20,40,60,0.5,7\n", id="names"),
        pytest.param("score,track_id,frame,x1,y1,x2,y2,note\n0.5,7,3,10,20,40,60,x\n", id="other-order"),
        pytest.param("3,10,20,40,60,0.5,7\n", id="no-names"),
        pytest.param("frame;x1;y1;x2;y2;score;person\r\n3;10,0;20,0;40,0;60,0;0,5;7\r\n", id="decimal-commas"),
    ],
)
def test_csv(text: str, tmp_path: Path) -> None:
    found = read(written(tmp_path, text)).frame(3)
    assert found.detections.boxes.tolist() == [[10, 20, 40, 60]]
    assert found.detections.scores.tolist() == [0.5]
    assert found.track_ids is not None
    assert found.track_ids.tolist() == [7]
    assert found.keypoints is None


def test_csv_with_keypoints(tmp_path: Path) -> None:
    values = ",".join(map(str, POSE))
    for text in (f"3,10,20,40,60,0.5,{values}\n", f"3,10,20,40,60,0.5,7,{values}\n"):
        found = read(written(tmp_path, text)).frame(3)
        assert found.keypoints is not None
        assert found.keypoints.ravel().tolist() == POSE
    names = [f"{name}_{end}" for name in reversed(KEYPOINTS) for end in ("score", "y", "x")]
    text = f"{HEADER},{','.join(names)}\n3,10,20,40,60,0.5,{','.join(map(str, reversed(POSE)))}\n"
    found = read(written(tmp_path, text)).frame(3)
    assert found.keypoints is not None
    assert found.keypoints.ravel().tolist() == POSE


def test_the_first_frame_may_be_number_one(tmp_path: Path) -> None:
    text = f"{HEADER}\n1,10,20,40,60,1\n18,10,20,40,60,1\n"
    assert list(read(written(tmp_path, text), first_frame=1).frames) == [0, 17]
    with pytest.raises(DataError, match=r"line 3: needs frames of the video.*got frame 18; set first_frame to 1"):
        read(written(tmp_path, text))


def test_boxes_at_the_edge_are_cut_with_a_word(tmp_path: Path) -> None:
    persons = read(written(tmp_path, f"{HEADER}\n0,-0.5,20,40,60,1\n0,300,20,330,60,1\n"))
    assert persons.frame(0).detections.boxes.tolist() == [[0, 20, 40, 60], [300, 20, 320, 60]]
    (line,) = persons.warnings
    assert "1 boxes leave the picture of 320x240" in line
    assert "line 3" in line


def test_nobody(tmp_path: Path) -> None:
    assert read(written(tmp_path, [])).frames == {}
    assert len(read(written(tmp_path, f"{HEADER}\n")).frame(0).detections) == 0


ROW = "0,10,20,40,60,1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            [RESULT | {"image_id": n} for n in range(10, 40)],
            r"results\[8\]: needs frames of the video, "
            r"which has 18 \(0 to 17\), got frame 18, and 21 more like it",
            id="past-the-end",
        ),
        pytest.param([RESULT | {"bbox": [700, 20, 30, 40]}], r"picture of 320x240, got \[700, 20,", id="outside"),
        pytest.param([RESULT | {"bbox": [0.1, 0.2, 0.3, 0.4]}], "needs boxes in pixels, got shares", id="shares"),
        pytest.param([RESULT | {"bbox": [1, 2, 0, 4]}], "needs a box with a width and a height above 0", id="no-area"),
        pytest.param([RESULT | {"bbox": [1, 2, 3]}], r"\[0\].bbox must be x, y, width and height", id="bbox"),
        pytest.param([RESULT | {"keypoints": POSE[:-3]}], "must be 51 finite numbers.*got a list of 48", id="points"),
        pytest.param([RESULT | {"score": 75}], r"score must be a number between 0 and 1, got 75", id="score"),
        pytest.param([RESULT | {"image_id": "abc.jpg"}], "needs a frame_index, or a number in its", id="name"),
        pytest.param([RESULT | {"image_id": None}], "image_id must be a frame's number, from 0 on", id="no-image"),
        pytest.param([RESULT | {"category_id": 3}], "needs persons, with category_id 1, got 3", id="category"),
        pytest.param([RESULT | {"track_id": 1}, RESULT], "a track for every person or for none", id="some-tracks"),
        pytest.param([RESULT | {"track_id": 1}] * 2, "each track once in a frame, got 1 again in frame 5", id="twice"),
        pytest.param([3], r"results\[0\] must be an object", id="no-result"),
        pytest.param({"a": 1}, "must be COCO results, COCO annotations or a parse.json", id="other-json"),
        pytest.param("frame,x,y,w,h,score\n" + ROW, "needs the columns frame, x1, y1,.* got", id="columns"),
        pytest.param("0,7,10,20,30,40,1,-1,-1,-1\n", r"\(6, 7, 57 or 58 cells\), got 10 cells", id="mot"),
        pytest.param(f"{HEADER},nose_x\n0,1,2,3,4,1,9\n", "each of 17 keypoints, got none of nose_y", id="point"),
        pytest.param(f"{HEADER}\n0,1,2,3\n", "line 2: needs 6 cells, got 4", id="cells"),
        pytest.param(f"{HEADER}\n0.5,1,2,3,4,1\n", "frame must be a frame's number, from 0 on, got 0.5", id="half"),
        pytest.param(f"{HEADER}\n0,1,2,3,4,90\n", "score must be between 0 and 1, got 90", id="percent"),
        pytest.param(f"{HEADER}\n0,a,2,3,4,1\n", "line 2: x1 must be a number, got 'a'", id="text"),
    ],
)
def test_what_is_wrong_is_one_line(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(written(tmp_path, content))
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_pictures_of_another_size(tmp_path: Path) -> None:
    parse = example_parse()
    other = replace(parse, video=replace(parse.video, width=640, height=480))
    (tmp_path / "parse.json").write_text(other.to_json(), encoding="utf-8")
    with pytest.raises(DataError, match="needs a parse of a video of 320x240, got 640x480"):
        read(tmp_path / "parse.json")
    write_coco(other, tmp_path / "coco.json")
    with pytest.raises(DataError, match=r"images\[0\]: needs the video's size 320x240, got 640x480"):
        read(tmp_path / "coco.json")
