"""Keypoints by the names that a category gives: any order, fewer, more; doubtful names are one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS
from actparse.data.annotation.keypoint_names import keypoint_name, keypoint_order

HALPE_EXTRA = ("head", "neck", "hip", "left_big_toe", "right_big_toe", "left_heel", "right_heel")


def flat(names: Sequence[str]) -> list[float]:
    """A pose whose x is the place of the keypoint among COCO's 17, -1 for others."""
    places = [KEYPOINTS.index(name) if name in KEYPOINTS else -1 for name in map(keypoint_name, names)]
    return [value for place in places for value in (place, 5, 2)]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(KEYPOINTS, id="coco"),
        pytest.param(sorted(KEYPOINTS), id="alphabet"),
        pytest.param((*KEYPOINTS[::-1], *HALPE_EXTRA), id="more"),
        pytest.param([name.replace("_", " ").title() for name in KEYPOINTS], id="titles"),
        pytest.param(["".join(word.title() for word in name.split("_")) for name in KEYPOINTS], id="camel"),
        pytest.param([name.replace("left_", "L").replace("right_", "R") for name in KEYPOINTS][:1], id="one"),
    ],
)
def test_each_keypoint_comes_to_its_place(names: Sequence[str]) -> None:
    keypoints = keypoint_order({"keypoints": list(names)}, "c").read_labels(flat(names), "a")
    is_labelled = keypoints[:, 2] > 0
    assert np.flatnonzero(is_labelled).tolist() == sorted(
        KEYPOINTS.index(keypoint_name(n)) for n in names if keypoint_name(n) in KEYPOINTS
    )
    assert keypoints[is_labelled, 0].tolist() == np.flatnonzero(is_labelled).tolist()


@pytest.mark.parametrize(
    ("text", "name"),
    [("LShoulder", "left_shoulder"), ("shoulder_l", "left_shoulder"), ("R-Ankle", "right_ankle"), ("Nose ", "nose")],
)
def test_spellings(text: str, name: str) -> None:
    assert keypoint_name(text) == name


def test_without_names_the_order_is_that_of_coco() -> None:
    assert keypoint_order({}, "c").read(flat(KEYPOINTS), "a")[:, 0].tolist() == list(range(17))


def test_other_keypoints_are_left_out_in_one_warning() -> None:
    (line,) = keypoint_order({"keypoints": [*KEYPOINTS, *HALPE_EXTRA]}, "c").warnings("coco.json")
    assert line == f"coco.json: the keypoints {', '.join(HALPE_EXTRA)} are not among the 17 of COCO: left out"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(
            [f"kp{n}" for n in range(17)], "must be names like left_shoulder.*got kp0, kp1.*and 5 more", id="none"
        ),
        pytest.param([*KEYPOINTS[:16], "right_ankel"], r"got right_ankel \(for right_ankle\?\)", id="misspelt"),
        pytest.param([*KEYPOINTS, "Nose"], "each keypoint once, got nose twice", id="twice"),
        pytest.param([1, 2], r"must be a list of names, got \[1, 2\]", id="numbers"),
        pytest.param("nose", "must be a list of names", id="text"),
    ],
)
def test_doubtful_names_are_one_message(names: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        keypoint_order({"keypoints": names}, "c")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (flat(KEYPOINTS)[:-3], r"must be 51 finite numbers, three for each of 17 keypoints, got a list of 48"),
        ([*flat(KEYPOINTS)[:-1], 0.87], "visibility of a keypoint must be 0, 1 or 2, got 0.87"),
        ([float("nan")] * 51, "must be 51 finite numbers"),
        ("nose", "must be 51 finite numbers"),
    ],
)
def test_a_pose_that_does_not_fit(raw: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        keypoint_order({}, "c").read_labels(raw, "a")
