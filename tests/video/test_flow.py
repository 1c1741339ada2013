from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from actparse.core.errors import ConfigError, ShapeError
from actparse.video import flow
from actparse.video.flow import FAST_TVL1, TvL1, TvL1Config
from golden_rule_video import load

VALUES = load("flow_quant")


@pytest.mark.parametrize("coding", ["rounded", "truncated"])
def test_8_bit_coding(coding: flow.Coding) -> None:
    coded = flow.flow_to_bytes(VALUES["flow"], coding=coding)
    pairs = np.stack((coded, coded), axis=-1)
    np.testing.assert_array_equal(coded, VALUES[f"byte_{coding}"])
    np.testing.assert_allclose((pairs[..., 0] - 128.0) / 128.0, VALUES[f"normalised_{coding}"], rtol=1e-6)


def test_no_motion_is_128_or_127() -> None:
    zero = np.zeros(1, np.float32)
    assert flow.flow_to_bytes(zero).tolist() == [128]
    assert flow.flow_to_bytes(zero, coding="truncated").tolist() == [127]


def test_mirrored_bytes() -> None:
    coded = np.stack((VALUES["byte_all"], VALUES["byte_all"]), axis=-1)[None]  # (1, 256, 2)
    mirrored = flow.mirror_flow_bytes(coded)
    np.testing.assert_array_equal(mirrored[0, ::-1, 0], VALUES["byte_mirrored_x"])
    np.testing.assert_array_equal(mirrored[0, ::-1, 1], VALUES["byte_all"])
    np.testing.assert_array_equal(flow.mirror_flow_bytes(mirrored), coded)


@pytest.mark.parametrize("k", [0, 1])
def test_tvl1_agrees_with_the_reference_in_the_median(k: int) -> None:
    found = TvL1().between(VALUES[f"tv{k}_a"], VALUES[f"tv{k}_b"])
    assert found.dtype == np.float32
    assert found.shape == VALUES[f"tv{k}_flow"].shape
    assert np.median(np.abs(found - VALUES[f"tv{k}_flow"])) < 0.02
    np.testing.assert_allclose(np.median(found, axis=(0, 1)), VALUES[f"tv{k}_shift"], atol=0.15)


@pytest.mark.parametrize("k", [0, 1])
def test_fast_tvl1_finds_the_shift(k: int) -> None:
    found = TvL1(FAST_TVL1).between(VALUES[f"tv{k}_a"], VALUES[f"tv{k}_b"])
    np.testing.assert_allclose(np.median(found, axis=(0, 1)), VALUES[f"tv{k}_shift"], atol=0.4)


def test_flow_along_a_video_is_of_the_small_frames() -> None:
    grey = np.kron(np.random.default_rng(0).integers(60, 200, (12, 16)), np.ones((8, 8))).astype(np.uint8)
    frames = [np.roll(cv2.GaussianBlur(grey, (0, 0), 3), 4 * k, axis=1)[..., None].repeat(3, axis=2) for k in range(3)]
    fields = list(TvL1(TvL1Config(short_side=48)).along(frames))
    assert [f.shape for f in fields] == [(48, 64, 2)] * 2
    np.testing.assert_allclose(np.median(fields[1], axis=(0, 1)), [2, 0], atol=0.2)


def test_mirrored_frames_have_mirrored_flow() -> None:
    a, b = VALUES["tv1_a"], VALUES["tv1_b"]
    solver = TvL1()
    of_mirrored = solver.between(a[:, ::-1], b[:, ::-1])
    mirrored = solver.between(a, b)[:, ::-1] * [-1, 1]  # x is negated
    assert np.median(np.abs(of_mirrored - mirrored)) < 0.02


@pytest.mark.parametrize(
    ("size", "short_side", "want"),
    [((256, 340), 64, (64, 85)), ((340, 256), 64, (85, 64)), ((40, 50), 64, (40, 50)), ((90, 70), None, (90, 70))],
)
def test_small_grey(size: tuple[int, int], short_side: int | None, want: tuple[int, int]) -> None:
    assert flow.to_small_grey(np.zeros((*size, 3), np.uint8), short_side).shape == want


def test_no_frames_and_one_frame_give_no_flow() -> None:
    assert list(TvL1().along([])) == []
    assert list(TvL1().along([np.zeros((8, 8, 3), np.uint8)])) == []


def test_errors() -> None:
    with pytest.raises(ConfigError, match=re.escape("flow.coding must be 'rounded' or 'truncated', got 'a'")):
        flow.flow_to_bytes(np.zeros(1), coding="a")
    with pytest.raises(ConfigError, match=re.escape("flow.bound must be greater than 0, got 0")):
        flow.flow_to_bytes(np.zeros(1), bound=0)
    with pytest.raises(ConfigError, match=re.escape("flow.scale_step must be between 0 and 1, got 1.0")):
        TvL1Config(scale_step=1.0)
    with pytest.raises(ShapeError, match=re.escape("second must have shape (8, 8), got (8, 9)")):
        TvL1().between(np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8))
    with pytest.raises(ShapeError, match=re.escape("flow must have shape (..., H, W, 2), got (4, 4, 3)")):
        flow.mirror_flow_bytes(np.zeros((4, 4, 3), np.uint8))
