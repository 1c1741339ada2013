"""COCO JSON, loaded by faster-coco-eval and by the reader of own data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster

from actparse.core.vocabulary import KEYPOINTS, OKS_SIGMAS, PARTS
from actparse.data.own.coco import read_coco
from actparse.export.coco import coco_dataset, write_coco
from example_parse import TIMES, example_parse


def test_it_loads_in_faster_coco_eval(tmp_path: Path) -> None:
    write_coco(example_parse(), tmp_path / "coco.json")
    coco = COCO(str(tmp_path / "coco.json"))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["person", *PARTS]
    assert [image["time_seconds"] for image in coco.loadImgs(coco.getImgIds())] == list(TIMES)
    (image,) = [image for image in coco.loadImgs(coco.getImgIds()) if image["frame_index"] == 5]
    assert image["file_name"] == "two people/frame_000005.jpg"
    found = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
    assert len(found) == 1 + 9
    person, head = found[:2]
    assert (person["bbox"], person["area"], person["track_id"]) == ([15.0, 20.0, 60.0, 160.5], 9630.0, 1)
    assert person["keypoints"][:6] == [15.0, 30.0, 2, 17.5, 37.0, 2]
    wrist = 3 * KEYPOINTS.index("right_wrist")
    assert (person["keypoints"][wrist : wrist + 3], person["num_keypoints"]) == ([0, 0, 0], 16)
    assert (head["state"], head["state_score"], head["bbox"]) == ("none", 0.75, [15.0, 20.0, 12.5, 40.0])


@pytest.mark.parametrize(("parts", "kind"), [(True, "bbox"), (False, "keypoints")], ids=["boxes", "keypoints"])
def test_results_score_full_marks_against_their_own_annotations(parts: bool, kind: str, tmp_path: Path) -> None:
    results = write_coco(example_parse(), tmp_path / "coco.json", parts=parts)
    truth = COCO(str(tmp_path / "coco.json"))
    evaluation = COCOeval_faster(truth, truth.loadRes(str(results)), kind, print_function=lambda *_: None)
    if kind == "keypoints":
        evaluation.params.kpt_oks_sigmas = np.array(OKS_SIGMAS)
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0, -1]
    assert set(np.unique(precision)) <= {-1.0, 1.0}
    assert (precision == 1).any()


def test_keypoint_results_keep_the_confidence(tmp_path: Path) -> None:
    results = json.loads(write_coco(example_parse(), tmp_path / "k.json", parts=False).read_text(encoding="utf-8"))
    assert len(results) == 6
    wrist = 3 * KEYPOINTS.index("right_wrist")
    assert results[0]["keypoints"][wrist : wrist + 3] == [35.0, 100.0, 0.1]


def test_the_reader_of_own_data_gives_the_parse_back(tmp_path: Path) -> None:
    parse = example_parse()
    write_coco(parse, tmp_path / "coco.json")
    (video,) = read_coco(tmp_path / "coco.json")
    assert (video.video, sorted(video.frames)) == ("two people", [0, 5, 10, 15])
    for frame in parse.frames:
        truth = {person.identity: person for person in video.frames[frame.index].persons}
        assert {track: person.box for track, person in truth.items()} == {p.track_id: p.box for p in frame.persons}
        for person in frame.persons:
            read = truth[person.track_id]
            assert {name: (part.box, part.state) for name, part in read.parts.items()} == {
                part.name: (part.box, part.state) for part in person.parts if part.state is not None
            }
            assert set(read.unstated) == {part.name for part in person.parts if part.state is None}
            assert read.keypoints is not None
            sure = read.keypoints[:, 2] == 2
            assert np.array_equal(read.keypoints[sure, :2], person.keypoint_array()[sure, :2])
            assert sure.sum() == 16


def test_the_verdict_is_beside_the_action() -> None:
    info = coco_dataset(replace(example_parse(), verdict="unknown"))["info"]
    assert (info["action"], info["verdict"]) == ("lunge", "unknown")


def test_no_frames() -> None:
    dataset = coco_dataset(replace(example_parse(), frames=()))
    assert (dataset["images"], dataset["annotations"], len(dataset["categories"])) == ([], [], 11)
