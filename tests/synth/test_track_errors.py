"""A pose network's errors in true tracks: each of the asked size, and nothing where none is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from actparse.core.vocabulary import KEYPOINT_FLIP
from actparse.synth.track_errors import (
    TrackErrors,
    cut_at_borders,
    shortened,
    spreads,
    with_track_errors,
)

NONE = TrackErrors(
    lasting=0, jitter=0, unsure=0, confidence_noise=0, lost=0, lost_instants=0, swapped=0, cut=(0, 0, 0, 0),
    stretch=0, shear=0,
)  # fmt: skip
SURE = np.full((3, 5, 17), 0.8, np.float32)


def windows(count: int = 200) -> np.ndarray:
    points = np.random.default_rng(0).uniform(0, 100, (count, 5, 17, 2))
    return np.concatenate((points, np.ones((count, 5, 17, 1))), axis=3).astype(np.float32)


def test_without_errors_only_the_confidences_are_the_networks() -> None:
    clean = windows()
    found = with_track_errors(clean, SURE, NONE, np.random.default_rng(0))
    np.testing.assert_allclose(found[..., :2], clean[..., :2])
    np.testing.assert_allclose(found[..., 2], 0.8, rtol=1e-5)


def test_sides_are_swapped_but_not_those_of_the_face() -> None:
    clean = windows()
    found = with_track_errors(clean, SURE, replace(NONE, swapped=1.0), np.random.default_rng(0))
    is_swapped = np.isclose(found[:, :, 9, 0], clean[:, :, KEYPOINT_FLIP[9], 0])
    assert 0.4 < is_swapped.mean() < 0.6  # rates from 0 to 1
    assert np.array_equal(found[:, :, :5, :2], clean[:, :, :5, :2])


def test_an_unsure_joint_is_farther_off_than_a_sure_one() -> None:
    clean, errors = windows(), replace(NONE, unsure=0.25)
    of_unsure = with_track_errors(clean, SURE / 8, errors, np.random.default_rng(0))
    of_sure = with_track_errors(clean, SURE, errors, np.random.default_rng(0))
    assert np.array_equal(of_sure[..., :2], clean[..., :2])
    off = np.abs(of_unsure - clean)[..., :2].mean() / spreads(clean).mean()
    assert 0.1 < off < 0.25  # 0.25 * 0.8, of joints whose errors are 0.5 to 1.4 times as large; mean of |normal| is 0.8


def test_keypoints_are_lost() -> None:
    found = with_track_errors(windows(), SURE, replace(NONE, lost=1.0), np.random.default_rng(0))
    assert 0.4 < (found[..., 2] == 0).mean() < 0.6


def test_beyond_a_border_keypoints_are_on_it_and_unsure() -> None:
    clean = windows()
    cut = cut_at_borders(clean, spreads(clean), replace(NONE, cut=(1.0, 0, 0, 0)), np.random.default_rng(0))
    moved = cut[..., 1] != clean[..., 1]
    assert 0.05 < moved.mean() < 0.6
    assert (cut[..., 1] <= clean[..., 1]).all()
    assert (cut[moved][:, 2] <= NONE.cut_confidence).all()
    lowest = cut[..., 1].max(axis=(1, 2))  # of each window: its border
    np.testing.assert_allclose(cut[moved][:, 1], np.broadcast_to(lowest[:, None, None], moved.shape)[moved])
    assert np.array_equal(cut[..., 0], clean[..., 0])


@pytest.mark.parametrize(("share", "most"), [(0.0, 0.0), (1.0, 0.7)], ids=["none is short", "all are short"])
def test_short_windows_keep_their_middle(share: float, most: float) -> None:
    short = shortened(windows(), share, np.random.default_rng(0))
    empty = (short == 0).all(axis=(2, 3))  # (N, K)
    assert not empty[:, 2].any()
    assert empty.mean() <= most
    assert empty.any() == (share > 0)


def test_the_same_seed_gives_the_same_errors() -> None:
    first, second = (with_track_errors(windows(), SURE, TrackErrors(), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, second)
