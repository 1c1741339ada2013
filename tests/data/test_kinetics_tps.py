from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.data.kinetics_tps import KineticsTps, frame_truth_from_dict, have_objects, read_frame_truth
from actparse.data.pseudo_labels import group_label, person_states

PERSON: dict[str, Any] = {
    "number": 2,
    "box": [1, 2, 30, 40],
    "parts": {
        "left_leg": {"number": 2, "box": [1, 2, 3, 4], "verb": "bend", "name": "left_leg"},
        "right_leg": {"number": 2, "box": [1, 2, 3, 4], "verb": "stand", "name": "right_leg"},
        "head": {"box": [1, 2, 3, 4], "verb": "none", "score": 3},
    },
    "action": "unknown keys are fine",
}


def make_dataset(root: Path, *, nested: bool) -> Path:
    video = root / "train_videos" / "lunge" / "a b.mp4"
    folder = root / "train_annotations" / "lunge" / "a b" / ("a b" if nested else "")
    for path in (video.parent, folder, root / "test_videos" / "push_up", root / "list"):
        path.mkdir(parents=True, exist_ok=True)
    video.write_bytes(b"")
    (root / "test_videos" / "push_up" / "c.mp4").write_bytes(b"")
    (root / "test_videos" / "push_up" / "notes.txt").write_text("not a video")
    (folder / "img_00001.json").write_text(json.dumps({"humans": [PERSON], "objects": []}))
    (root / "list" / "part_stat.txt").write_text("none\nbend\n\nstand\n")
    return root


@pytest.mark.parametrize("nested", [True, False], ids=["name twice", "name once"])
def test_the_tree_is_read(tmp_path: Path, nested: bool) -> None:
    dataset = KineticsTps(make_dataset(tmp_path, nested=nested))
    assert dataset.splits == ("train", "test")
    assert dataset.actions == ("lunge", "push_up")
    assert dataset.states == ("none", "bend", "stand")
    (record,) = dataset.videos("train")
    assert (record.name, record.action) == ("a b", "lunge")
    (person,) = read_frame_truth(record.frame_path(0)).persons
    assert person.box == (1, 2, 30, 40)
    assert {name: part.state for name, part in person.parts.items()} == {
        "left_leg": "bend",
        "right_leg": "stand",
        "head": "none",
    }
    assert [record.name for record in dataset.videos("test")] == ["c"]


def test_objects_are_read_leniently() -> None:
    board, box = {"name": "board", "box": [1, 2, 30.5, 40]}, [5, 6, 7, 8]
    invalid = ["ball", {"name": 3, "box": box}, {"name": "no box"}, {"name": "flat", "box": [1, 1, 1, 4]}]
    frame = frame_truth_from_dict(
        {"humans": [PERSON, {**PERSON, "objects": {"bat": {"box": box}, "rope": None}}], "objects": [board, *invalid]},
        "f",
    )
    assert [(item.name, item.box) for item in frame.objects] == [("board", (1, 2, 30.5, 40)), ("bat", (5, 6, 7, 8))]
    assert frame_truth_from_dict({"humans": [], "objects": "none"}, "f").objects == ()


def test_a_dataset_has_objects_if_any_of_the_frames_has(tmp_path: Path) -> None:
    (record,) = KineticsTps(make_dataset(tmp_path, nested=True)).videos("train")
    assert not have_objects([record], stride=5)
    record.frame_path(5).write_text(json.dumps({"humans": [], "objects": [{"name": "bat", "box": [5, 6, 7, 8]}]}))
    assert have_objects([record], stride=5)
    assert not have_objects([record], stride=4)


def test_keypoints_and_identity_are_optional() -> None:
    extra = {"keypoints": [[k, k, 2] for k in range(17)], "identity": 4}
    plain, full = frame_truth_from_dict({"humans": [PERSON, {**PERSON, **extra}]}, "f").persons
    assert plain.keypoints is None
    assert plain.identity is None
    assert full.identity == 4
    assert full.keypoints is not None
    assert np.array_equal(full.keypoints[3], [3, 3, 2])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param([], "f: humans must be a list", id="no object"),
        pytest.param({"humans": [3]}, r"f: humans\[0\] must be an object, got int", id="no person"),
        pytest.param(
            {"humans": [{"box": [1, 2, 3]}]}, r"humans\[0\]\.box must be four finite numbers", id="three numbers"
        ),
        pytest.param({"humans": [{"box": [1, 2, 3, float("inf")]}]}, "four finite numbers", id="infinite"),
        pytest.param(
            {"humans": [{**PERSON, "parts": {"head": {"box": [1, 2, 3, 4]}}}]},
            r"parts\.head must be an object",
            id="no verb",
        ),
        pytest.param({"humans": [{**PERSON, "keypoints": [[1, 2]]}]}, "keypoints must be 17 rows", id="few keypoints"),
        pytest.param({"humans": [{"box": [1, 2, 3, 10**400]}]}, "four finite numbers below 1e\\+09", id="huge"),
        pytest.param(
            {"humans": [{**PERSON, "keypoints": [[10**400] * 3] * 17}]}, "17 rows .* a list of 17", id="huge keypoints"
        ),
        pytest.param(
            {"humans": [{**PERSON, "number": None}]},
            r"humans\[0\]\.number must be a whole number of at most 64 bits, got nothing",
            id="null number",
        ),
        pytest.param({"humans": [{**PERSON, "number": "one"}]}, 'number must be a whole .* got "one"', id="word"),
        pytest.param({"humans": [{**PERSON, "number": float("inf")}]}, "must be a whole .* Infinity", id="endless"),
        pytest.param({"humans": [{**PERSON, "identity": 2**63}]}, "identity must be a whole number", id="identity"),
    ],
)
def test_a_wrong_field_is_named(raw: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        frame_truth_from_dict(raw, "f")


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "img_00001.json").write_text("{")
    with pytest.raises(DataError, match=r"img_00001\.json: needs a JSON file"):
        read_frame_truth(tmp_path / "img_00001.json")
    (tmp_path / "img_00002.json").write_text("[" * 200_000)
    with pytest.raises(DataError, match=r"img_00002\.json: needs a JSON file, got: maximum recursion"):
        read_frame_truth(tmp_path / "img_00002.json")
    with pytest.raises(DataError, match="needs a folder train_videos"):
        KineticsTps(tmp_path)
    dataset = KineticsTps(make_dataset(tmp_path, nested=True))
    with pytest.raises(DataError, match="split must be one of train, test, got 'val'"):
        dataset.videos("val")


def frames_with(*states: tuple[str, str]) -> list[Any]:
    def person(left: str, right: str) -> dict[str, Any]:
        parts = {"left_leg": left, "right_leg": right}
        return {"box": [0, 0, 9, 9], "parts": {n: {"box": [0, 0, 1, 1], "verb": s} for n, s in parts.items() if s}}

    return [frame_truth_from_dict({"humans": [person(*pair)]}, "f") for pair in states]


def test_the_commonest_pair_becomes_the_label() -> None:
    frames = frames_with(("bend", "stand"), ("bend", "stand"), ("stand", "stand"))
    assert group_label("lunge", "leg", frames) == ("lunge", "bend", "stand")
    assert group_label("lunge", "leg", frames_with(("stand", "bend"), ("bend", "stand"))) == ("lunge", "bend", "stand")
    assert group_label("lunge", "leg", []) == ("lunge", "none", "none")
    assert group_label("lunge", "head", frames) == ("lunge", "none")


def test_merged_sides_have_the_state_that_is_commonest_over_both() -> None:
    frames = frames_with(("bend", "raise"), ("bend", "raise"), ("stand", "bend"), ("stand", "stand"), ("stand", "step"))
    assert group_label("lunge", "leg", frames) == ("lunge", "bend", "raise")  # two of five pairs
    assert group_label("lunge", "leg", frames, "merged") == ("lunge", "stand", "stand")  # four of ten legs
    one_side = frames_with(("bend", ""), ("bend", ""), ("stand", "stand"))
    assert group_label("lunge", "leg", one_side, "merged") == ("lunge", "bend", "bend")  # two of each: the first
    assert group_label("lunge", "leg", [], "merged") == ("lunge", "none", "none")
    assert group_label("lunge", "head", frames, "merged") == group_label("lunge", "head", frames)


def test_a_side_that_is_not_seen_takes_the_other_ones_state() -> None:
    (person,) = frames_with(("bend", ""))[0].persons
    assert person_states(person, "leg") == ("bend", "bend")
    assert person_states(person, "arm") is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_the_list_of_states_is_read_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    root = make_dataset(tmp_path, nested=True)
    (root / "list" / "part_stat.txt").write_text("none\nbend\n", encoding=encoding)
    assert KineticsTps(root).states == ("none", "bend")


def test_a_list_of_states_in_an_unknown_encoding_is_an_error(tmp_path: Path) -> None:
    root = make_dataset(tmp_path, nested=True)
    (root / "list" / "part_stat.txt").write_bytes(b"n\xe9\n")
    with pytest.raises(DataError, match=r"part_stat\.txt: needs text in UTF-8 or UTF-16"):
        _ = KineticsTps(root).states
