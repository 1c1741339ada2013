"""Poses measured on a COCO file: by hand, and from drawn frames by the command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from actparse.cli import main
from actparse.core.structures import PersonParse
from actparse.data.annotation.coco_people import LabelledImage, load_coco_people
from actparse.data.kinetics_tps import FrameTruth, KineticsTps, read_frame_truth
from actparse.inspection.pose_evaluation import measure_poses
from actparse.synth import dataset
from actparse.synth.dataset import SplitPlan, write_dataset
from actparse.video.decode import read_frames
from plans import plain

NUM_IMAGES = 3


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three drawn frames and their poses.json."""
    folder = tmp_path_factory.mktemp("images")
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "MIN_FRAMES", 16)
        patch.setattr(dataset, "MAX_FRAMES", 16)
        write_dataset(root, plain(SplitPlan("test", 1, 9)))
    record = KineticsTps(root).videos("test")[0]
    coco: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    for frame in list(read_frames(record.path, stride=5))[:NUM_IMAGES]:
        height, width = frame.image.shape[:2]
        name = f"{frame.index}.png"
        cv2.imwrite(str(folder / name), np.ascontiguousarray(frame.image[..., ::-1]))
        coco["images"].append({"id": frame.index, "file_name": name, "width": width, "height": height})
        coco["annotations"] += annotations(read_frame_truth(record.frame_path(frame.index)), frame.index)
    (folder / "poses.json").write_text(json.dumps(coco))
    return folder


def annotations(truth: FrameTruth, image: int) -> list[dict[str, Any]]:
    rows = []
    for person in truth.persons:
        x1, y1, x2, y2 = person.box
        assert person.keypoints is not None
        if not (person.keypoints[:, 2] > 0).any():  # cut off by the border but for a piece without a joint
            continue
        keypoints = person.keypoints.reshape(-1).tolist()
        rows.append({"image_id": image, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "keypoints": keypoints})
    return rows


def found_in(image: LabelledImage) -> list[PersonParse]:
    """The truth as a parser would return it."""
    people = zip(image.boxes, image.keypoints, strict=True)
    return [PersonParse(n, tuple(box), 0.9, tuple(map(tuple, points))) for n, (box, points) in enumerate(people)]


def test_the_truth_reaches_every_maximum(images: Path) -> None:
    labelled = load_coco_people(images / "poses.json")
    measured = measure_poses(labelled, [found_in(image) for image in labelled])
    assert (measured.num_images, measured.num_crowds) == (NUM_IMAGES, 0)
    assert measured.num_persons == sum(len(image.boxes) for image in labelled) > 0
    percents = (measured.person_ap, measured.person_ap50, measured.persons_found, measured.keypoint_ap, measured.pck)
    assert percents == pytest.approx((100,) * 5)
    assert measured.false_boxes_per_image == 0
    assert measured.boxes_per_image == pytest.approx(measured.num_persons / NUM_IMAGES)


def test_nothing_found(images: Path) -> None:
    labelled = load_coco_people(images / "poses.json")
    measured = measure_poses(labelled, [[] for _ in labelled])
    assert (measured.person_ap, measured.persons_found, measured.keypoint_ap, measured.pck) == (0, 0, 0, 0)
    assert measured.boxes_per_image == 0


def test_a_crowd_counts_neither_way() -> None:
    points = np.zeros((2, 17, 3), np.float32)
    points[:, 5:, :2] = np.random.default_rng(0).uniform(20, 80, (2, 12, 2))
    points[:, 5:, 2] = 2
    points[1, :, 0] += 500
    everybody = LabelledImage(
        "a.jpg",
        (600, 700),
        np.array([[0, 0, 100, 100], [500, 0, 600, 100]], np.float32),
        points,
        np.full(2, 5000, np.float32),
        np.zeros((0, 4), np.float32),
    )
    crowd = LabelledImage(
        "a.jpg", None, everybody.boxes[:1], points[:1], everybody.areas[:1], np.array([[450, 0, 700, 300]], np.float32)
    )
    measured = measure_poses([crowd], [found_in(everybody)])
    assert (measured.num_persons, measured.num_crowds) == (1, 1)
    assert (measured.person_ap, measured.keypoint_ap) == pytest.approx((100, 100))
    assert (measured.boxes_per_image, measured.false_boxes_per_image) == (2, 0)


def test_what_could_not_be_measured_is_null() -> None:
    empty = LabelledImage("a.jpg", None, *(np.zeros(shape, np.float32) for shape in ((0, 4), (0, 17, 3), 0, (0, 4))))
    measured = measure_poses([empty], [[]])
    assert math.isnan(measured.pck)
    assert measured.to_dict()["person_ap"] is None
    json.dumps(measured.to_dict(), allow_nan=False)


def test_the_command_measures_drawn_frames(
    images: Path, random_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ["--images", str(images), "--annotations", str(images / "poses.json")]
    target = images / "metrics.json"
    assert main(["evaluate-poses", *paths, "--weights", "tiny", "--json", str(target)]) == 0
    text, metrics = capsys.readouterr().out, json.loads(target.read_text())
    assert text.startswith(f"{NUM_IMAGES} images, {metrics['num_persons']} persons, 0 crowds")
    assert "keypoints PCK@0.2 of the torso, %" in text
    assert metrics["persons_found"] >= 50  # tiny knows drawn people
    assert metrics["pck"] > 25
    assert main(["evaluate-poses", *paths, "--weights", str(random_bundle), "--limit", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_images"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"file_name": "gone.png"}, "gone.png: needs an image, which", id="missing image"),
        pytest.param({"file_name": "poses.json"}, "needs a video", id="no image"),
        pytest.param({"width": 17}, "needs 17 x ", id="another size"),
    ],
)
def test_what_is_wrong_is_one_line(
    images: Path,
    tmp_path: Path,
    random_bundle: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    message: str,
) -> None:
    coco = json.loads((images / "poses.json").read_text())
    coco["images"][0] |= change
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco))
    arguments = ["--images", str(images), "--annotations", str(path), "--weights", str(random_bundle), "--limit", "1"]
    assert main(["evaluate-poses", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert main(["evaluate-poses", *arguments, "--images", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: needs a folder with the images of" in capsys.readouterr().err
