"""From the YAML file to a tree: which video is meant, what it shows, which split it is in, and when it is made anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.data.audit.check import check_dataset
from actparse.data.audit.decoding import decode_videos
from actparse.data.audit.index import open_annotations
from actparse.data.frames.annotations import NO_STATE
from actparse.data.frames.store import StoreConfig, read_video
from actparse.data.kinetics_tps import KineticsTps, read_frame_truth
from actparse.data.own import importing, tree
from actparse.data.own.config import SplitConfig, read_config
from actparse.data.own.importing import dataset_root, divide, import_dataset, video_name
from actparse.video.encode import VideoWriter

SIZE, NUM_FRAMES = (48, 64), 12


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four videos of a walking block."""
    folder = tmp_path_factory.mktemp("own") / "clips"
    for number, name in enumerate(("a1", "a2", "b1", "b2")):
        write_video(folder / f"{name}.mp4", shade=40 * number)
    return folder


@pytest.fixture
def own(tmp_path: Path, clips: Path) -> Path:
    """The videos, two of each action, with COCO labels at frames 3 and 8, a CSV of states and one of actions."""
    shutil.copytree(clips, tmp_path / "clips")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for name in ("a1", "a2", "b1", "b2"):
        for frame in (3, 8):
            images.append({"id": len(images), "file_name": f"{name}/{frame}.jpg"})
            box = {"image_id": images[-1]["id"], "track_id": 1}
            annotations.append({**box, "category_id": 0, "bbox": [8, 8, 20, 30]})
            annotations.append({**box, "category_id": 1, "bbox": [8, 8, 6, 10]})
            annotations.append({**box, "category_id": 2, "bbox": [20, 8, 6, 10]})
    categories = [{"id": n, "name": name} for n, name in enumerate(("person", "left_arm", "right_arm"))]
    raw = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "coco.json").write_text(json.dumps(raw))
    (tmp_path / "states.csv").write_text(
        "video,part,state,start_s,end_s\na1,left_arm,bent,0,0.5\na1,left_arm,straight,0.5,2\na2,arm,bent,0,2\n"
    )
    (tmp_path / "actions.csv").write_text("video,action\na1.mp4,squat\na2,squat\nb1,press\nb2,press\n")
    (tmp_path / "own.yaml").write_text(
        "kind: coco\nvideos: clips\nlabels: [coco.json]\nstate_rows: [states.csv]\naction_of: actions.csv\n"
        "actions: [squat, press]\nstates: {arm: [bent, straight]}\n"
    )
    return tmp_path / "own.yaml"


def write_video(path: Path, *, shade: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with VideoWriter(path, size=SIZE) as writer:
        for frame in range(NUM_FRAMES):
            image = np.full((*SIZE, 3), shade, np.uint8)
            image[8:38, 8 + frame : 28 + frame] = 255 - shade
            writer.write(image, frame / 10)


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_sparse_labels_and_missing_states_go_the_whole_way(own: Path, tmp_path: Path) -> None:
    root, report = dataset_root(own)
    assert report is not None
    assert report.videos == {"train": 2, "val": 2}
    assert report.num_frames == 8
    judged = [line for line in report.warnings if "cannot be evaluated" in line]
    assert len(judged) == 2  # frames 3 and 8 are not among every fifth
    record = next(r for split in ("train", "val") for r in KineticsTps(root).videos(split) if r.name == "a1")
    assert record.action == "squat"
    person = read_frame_truth(record.frame_path(8)).persons[0]
    assert person.parts["left_arm"].state == "straight"
    assert person.unstated == {"right_arm": (20.0, 8.0, 26.0, 18.0)}
    arrays = read_video(record, StoreConfig()).arrays
    assert arrays["frame_indices"].tolist() == [3, 8]
    assert arrays["part_states"][0, 1:3].tolist() == [arrays["states"].tolist().index("bent"), NO_STATE]
    assert (arrays["part_boxes"][0, 1:3] > 0).all()
    index = open_annotations(root)
    facts = {split: decode_videos(root, split) for split in index.splits}
    assert check_dataset(index, facts).faults == ()


def test_the_tree_is_made_anew_when_a_label_changes_and_not_before(own: Path) -> None:
    root, _ = dataset_root(own)
    assert dataset_root(own) == (root, None)
    replaced(own.parent / "states.csv", "a2,arm,bent", "a2,arm,straight")
    _, report = dataset_root(own)
    assert report is not None
    assert dataset_root(root) == (root, None)


def test_a_tree_of_an_earlier_program_is_made_anew(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (importing, tree):
        monkeypatch.setattr(module, "GENERATOR", "own-data-0")
    dataset_root(own)
    monkeypatch.undo()
    assert dataset_root(own)[1] is not None


def test_no_folder_of_anybody_else_is_replaced(own: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(DataError, match="needs an empty folder or a dataset imported before, got something else"):
        import_dataset(read_config(own), tmp_path / "other")
    assert (tmp_path / "other" / "thesis.txt").exists()
    assert not list(tmp_path.glob(".other*"))


def test_nothing_that_was_put_into_an_import_is_lost(own: Path, tmp_path: Path) -> None:
    config, root = read_config(own), tmp_path / "data"
    import_dataset(config, root)
    (root / ".cache").mkdir()
    import_dataset(config, root)
    assert not (root / ".cache").exists()
    (root / "run").mkdir()
    with pytest.raises(DataError, match="needs a dataset imported before and nothing else, got run in it"):
        import_dataset(config, root)
    assert (root / "run").is_dir()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param("states.csv", "bent,0,0.5", "bend,0,0.5", "line 2: state: .*did you mean 'bent'", id="state"),
        pytest.param(
            "states.csv", "0.5,2", "0.2,2", "line 3: needs one state of left_arm of person 1 in frame 3", id="two"
        ),
        pytest.param("states.csv", "a2,arm", "a9,arm", "needs a video 'a9' among", id="row-of-no-video"),
        pytest.param("actions.csv", "a2,squat", "a2,squats", "did you mean 'squat'", id="action"),
        pytest.param("actions.csv", "a2,squat", "a1,squat", "line 3: needs each video once, got a1", id="action-twice"),
        pytest.param("actions.csv", "a2,squat\n", "", "a2.mp4: needs an action: in action_of", id="no-action"),
        pytest.param(
            "actions.csv", "video,action", "name,action", "needs the column video, got name, action", id="columns"
        ),
        pytest.param("coco.json", "b2/3.jpg", "../../b3/3.jpg", "needs a video 'b3' among those", id="no-video"),
        pytest.param("own.yaml", "clips", "none", "needs a folder of videos, got no such folder", id="no-folder"),
        pytest.param("own.yaml", "{arm:", "{leg:", "needs one of an empty list, got 'bent'", id="other-group"),
    ],
)
def test_what_does_not_fit_is_named(own: Path, file: str, old: str, new: str, message: str) -> None:
    replaced(own.parent / file, old, new)
    with pytest.raises(DataError, match=message):
        dataset_root(own)
    assert not (own.parent / ".cache").exists() or not list((own.parent / ".cache").iterdir())


def test_the_folder_says_the_action_where_nothing_else_does(own: Path) -> None:
    for name, action in (("a1", "squat"), ("a2", "squat"), ("b1", "press"), ("b2", "press")):
        (own.parent / "clips" / action).mkdir(exist_ok=True)
        shutil.move(own.parent / "clips" / f"{name}.mp4", own.parent / "clips" / action)
    replaced(own, "action_of: actions.csv\n", "")
    root, _ = dataset_root(own)
    assert KineticsTps(root).actions == ("press", "squat")


def test_kinetics_tps_folders_are_divided_and_checked(own: Path, tmp_path: Path) -> None:
    root, _ = dataset_root(own)
    again = tmp_path / "again.yaml"
    text = f"kind: kinetics-tps\nvideos: {root}\nactions: [squat, press]\nstates: {{arm: [bent, straight]}}\n"
    again.write_text(text + "split: {val: [a1], test: [b2]}\n")
    other, report = dataset_root(again)
    assert report is not None
    assert report.videos == {"train": 2, "val": 1, "test": 1}
    assert [r.name for r in KineticsTps(other).videos("test")] == ["b2"]
    again.write_text(text.replace("bent, straight", "straight"))
    with pytest.raises(DataError, match="the state of left_arm: needs one of straight, got 'bent'"):
        dataset_root(again)


def overlapping(own: Path, boxes: dict[int, tuple[int, int, int, int]], **person: Any) -> None:
    """Add a second label file of a1, with a person's box in some frames."""
    images = [{"id": frame, "file_name": f"a1/{frame}.jpg"} for frame in boxes]
    annotations = [{"image_id": n, "category_id": 0, "bbox": bbox, "track_id": 1} | person for n, bbox in boxes.items()]
    raw = {"images": images, "annotations": annotations, "categories": [{"id": 0, "name": "person"}]}
    (own.parent / "more.json").write_text(json.dumps(raw))
    replaced(own, "[coco.json]", "[coco.json, more.json]")


def test_overlapping_files_that_agree_are_merged(own: Path) -> None:
    overlapping(own, {8: (8, 8, 20, 30), 9: (9, 8, 20, 30)})
    root, report = dataset_root(own)
    assert report is not None
    assert report.num_frames == 9
    record = next(r for split in ("train", "val") for r in KineticsTps(root).videos(split) if r.name == "a1")
    (person,) = read_frame_truth(record.frame_path(8)).persons
    assert person.parts["left_arm"].state == "straight"


@pytest.mark.parametrize(
    ("boxes", "person", "message"),
    [
        pytest.param(
            {8: (8, 8, 21, 30)}, {}, r"more.json \(and .*coco.json\): each person needs .* in frame 8", id="box"
        ),
        pytest.param({8: (8, 8, 20, 30)}, {"track_id": 2}, "the same number in all files, got 2 after 1", id="number"),
        pytest.param(dict.fromkeys((3, 8), (9, 9, 9, 9)), {}, r"in frame 3.* \(2 contradictions", id="several"),
    ],
)
def test_overlapping_files_that_contradict_each_other(
    own: Path, boxes: dict[int, tuple[int, int, int, int]], person: dict[str, Any], message: str
) -> None:
    overlapping(own, boxes, **person)
    with pytest.raises(DataError, match=message):
        dataset_root(own)


def test_labels_past_the_end_of_the_video(own: Path) -> None:
    overlapping(own, dict.fromkeys((11, *range(5000, 5100)), (8, 8, 20, 30)))
    needs = r"more.json: needs frames of a1, which has 12 \(0 to 11\), got frame 5000 and 99 more past its end"
    with pytest.raises(DataError, match=needs):
        dataset_root(own)


def test_spreadsheets_of_other_countries(own: Path) -> None:
    for name in ("states.csv", "actions.csv"):
        path = own.parent / name
        text = path.read_text().replace(",", ";").replace("0.5", "0,5").replace("\n", "\r\n")
        path.write_bytes(text.encode("utf-16"))
    root, _ = dataset_root(own)
    assert KineticsTps(root).actions == ("press", "squat")


FILES = {"a1": Path("v/a1.mp4"), "b.c": Path("v/b.c.mov")}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("a1", "a1", id="name"),
        pytest.param("a1.mp4", "a1", id="file"),
        pytest.param("/etc/a1.mp4", "a1", id="path"),
        pytest.param("C:\\films\\a1.avi", "a1", id="other-suffix-and-path"),
        pytest.param("b.c", "b.c", id="dot"),
    ],
)
def test_which_video_is_meant(text: str, name: str) -> None:
    assert video_name(text, FILES, "x") == name


@pytest.mark.parametrize("text", ["", "..", "../../etc/passwd", "a1/", "a2\n"])
def test_no_other_file_can_be_meant(text: str) -> None:
    with pytest.raises(DataError, match="needs a video"):
        video_name(text, FILES, "x")


ACTIONS = {f"{action}{number}": action for action in "ab" for number in range(10)} | {"lone": "c"}


def count(splits: dict[str, str], split: str, action: str) -> int:
    return sum(found == split and ACTIONS[name] == action for name, found in splits.items())


def test_a_share_of_each_action_is_held_out() -> None:
    splits = divide(SplitConfig(val_share=0.3), ACTIONS, Path("o"))
    assert [count(splits, "val", action) for action in "abc"] == [3, 3, 0]  # a lone video is trained on
    assert divide(SplitConfig(val_share=0.3, seed=1), ACTIONS, Path("o")) != splits
    assert set(divide(SplitConfig(val_share=0.0), ACTIONS, Path("o")).values()) == {"train"}


def test_names_are_held_out() -> None:
    splits = divide(SplitConfig(val=("a1",), test=("b1",)), ACTIONS, Path("o"))
    assert {name for name, split in splits.items() if split != "train"} == {"a1", "b1"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param({"val": ("a11",)}, "split.val: a labelled video: .*did you mean", id="unknown"),
        pytest.param({"val": tuple(ACTIONS)}, "needs a video to train on", id="all"),
    ],
)
def test_a_split_that_cannot_be(config: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        divide(SplitConfig(**config), ACTIONS, Path("own.yaml"))
