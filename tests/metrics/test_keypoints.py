from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import ShapeError
from actparse.core.vocabulary import KEYPOINT_FLIP, KEYPOINTS, OKS_SIGMAS
from actparse.metrics.keypoints import (
    MIN_PAIR_SHARE,
    annotated_torsos,
    distinct_pairs,
    oks,
    oks_nms,
    pairwise_oks,
    pck,
    swap_rate,
)

GOLDEN = Path(__file__).parents[1] / "golden"


def poses(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 100, (count, 17, 2))
    return np.concatenate((places, np.full((count, 17, 1), 2.0)), axis=2)


def test_similarity_and_suppression_equal_the_reference() -> None:
    golden = np.load(GOLDEN / "oks.npz")
    assert golden["sigmas"].tolist() == list(OKS_SIGMAS)
    np.testing.assert_allclose(pairwise_oks(golden["poses_xyv"], golden["areas"]), golden["oks"], rtol=1e-5, atol=1e-6)
    for limit in (0.9, 0.7, 0.5):
        kept = oks_nms(golden["poses_xyv"], golden["scores"], golden["areas"], limit)
        assert kept.tolist() == golden[f"nms_keep_{limit}"].tolist()


def test_similarity_by_hand() -> None:
    truth = poses(2)
    truth[0, 1:, 2] = 0
    truth[1, :, 2] = 0
    found = truth[..., :2].copy()
    found[0, 0, 0] += 2 * 0.026 * 10  # one deviation of the nose at area 100
    found[0, 1:] += 1000  # does not count
    first, second = oks(found, truth, np.array([100.0, 100.0]))
    assert first == pytest.approx(np.exp(-0.5))
    assert np.isnan(second)


def test_share_of_near_keypoints_by_hand() -> None:
    truth = poses(1)
    found = truth.copy()
    found[0, :8, 0] += 6
    found[0, 8:10, 0] += 4
    truth[0, 0, 2] = 0
    assert pck(found, truth, np.array([100.0])) == pytest.approx(9 / 16)
    assert pck(found, truth, np.array([100.0]), max_distance=0.06 + 1e-9) == 1
    assert np.isnan(pck(found[:0], truth[:0], np.zeros(0)))


def test_swaps_by_hand() -> None:
    truth = poses(2)
    assert swap_rate(truth, truth) == 0
    assert swap_rate(truth[:, list(KEYPOINT_FLIP)], truth) == 1
    found = truth.copy()
    found[0, [9, 10]] = found[0, [10, 9]]
    assert swap_rate(found, truth) == pytest.approx(1 / 12)
    truth[0, 9, 2] = 0
    assert swap_rate(found, truth) == 0
    assert np.isnan(swap_rate(found[:0], truth[:0]))


def test_no_poses() -> None:
    assert pairwise_oks(np.zeros((0, 17, 3)), np.zeros(0)).shape == (0, 0)
    assert oks_nms(np.zeros((0, 17, 3)), np.zeros(0), np.zeros(0), 0.9).shape == (0,)
    assert oks(np.zeros((0, 17, 3)), np.zeros((0, 17, 3)), np.zeros(0)).shape == (0,)


def test_errors() -> None:
    with pytest.raises(ShapeError, match=r"predictions must have shape \(N, 17, 2 or more\), got \(2, 3\)"):
        oks(np.zeros((2, 3)), np.zeros((2, 17, 3)), np.ones(2))
    with pytest.raises(ShapeError, match="truth must have shape"):
        pck(np.zeros((2, 17, 2)), np.zeros((3, 17, 3)), np.ones(3))


def labelled(**places: tuple[float, float]) -> np.ndarray:
    points = np.zeros((17, 3))
    for name, place in places.items():
        points[KEYPOINTS.index(name)] = (*place, 2)
    return points


@pytest.mark.parametrize(
    ("points", "length"),
    [
        pytest.param(
            labelled(left_shoulder=(0, 0), right_shoulder=(20, 0), left_hip=(5, 50), right_hip=(15, 50)),
            50,
            id="all four",
        ),
        pytest.param(labelled(left_shoulder=(0, 0), left_hip=(30, 30), right_hip=(30, 50)), 50, id="one shoulder"),
        pytest.param(labelled(right_shoulder=(0, 0), left_hip=(30, 40)), 50, id="one of each"),
        pytest.param(
            labelled(left_shoulder=(0, 0), left_elbow=(0, 10), right_knee=(0, 80), right_ankle=(0, 100)), 17, id="shin"
        ),
        pytest.param(labelled(left_shoulder=(0, 0), left_elbow=(0, 100), nose=(0, -50)), 130, id="upper arm"),
        pytest.param(labelled(left_hip=(0, 0), left_knee=(0, 100)), 85, id="thigh"),
        pytest.param(labelled(nose=(0, 0), left_ear=(9, 0)), np.nan, id="a face"),
        pytest.param(labelled(left_shoulder=(7, 7), left_hip=(7, 7)), np.nan, id="one point"),
    ],
)
def test_torso_by_hand(points: np.ndarray, length: float) -> None:
    np.testing.assert_allclose(annotated_torsos(points[None]), [length])


def test_torsos_of_nobody() -> None:
    assert annotated_torsos(np.zeros((0, 17, 3))).shape == (0,)


def test_near_pairs_do_not_count() -> None:
    keypoints = np.full((1, 17, 3), 2, np.float32)
    keypoints[0, 5, 0] = 40  # the left shoulder is apart from the right one
    changed = distinct_pairs(keypoints, np.array([10 / MIN_PAIR_SHARE], np.float32))
    assert changed[0, [5, 6], 2].tolist() == [2, 2]
    assert changed[0, [7, 8], 2].tolist() == [0, 0]
