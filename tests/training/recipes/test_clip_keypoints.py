"""Keypoints of the main performer in the samples of the clip networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS
from actparse.data.frames.intervals import ClipSource, Interval
from actparse.training.recipes import tiny
from actparse.training.recipes.clips import IN_MIRROR, ActionTask, AuxiliaryHeads
from actparse.training.recipes.tiny_clips import TinyClips
from actparse.video.augmentation import about, move_keypoints, moved_shares

LEFT_WRIST, RIGHT_WRIST = KEYPOINTS.index("left_wrist"), KEYPOINTS.index("right_wrist")


def dots_moving_right(num_frames: int = 20) -> Interval:
    """Return a clip with a bright square at the left wrist, 4 pixels further right in each frame than in the last."""
    frames = np.zeros((num_frames, 72, 96, 3), np.uint8)
    keypoints = np.zeros((num_frames, NUM_KEYPOINTS, 3), np.float32)
    for index in range(num_frames):
        frames[index, 34:38, 4 * index : 4 * index + 4] = 255
        keypoints[index, LEFT_WRIST] = (4 * index + 2, 36, 2)
    source = ClipSource(frames, (0, num_frames), None, ("dots",))  # type: ignore[arg-type]
    return Interval(
        source=source, first=0, end=num_frames, label=("lunge",), group_labels=(None,) * 6, keypoints=keypoints
    )


def test_keypoints_move_with_the_picture_and_are_absent_outside() -> None:
    keypoints = np.zeros((1, NUM_KEYPOINTS, 3), np.float32)
    keypoints[0, LEFT_WRIST] = (60, 36, 2)
    keypoints[0, RIGHT_WRIST] = (95, 70, 2)
    matrix = about((48, 36), zoom=2.0, degrees=0.0, to=(48, 36))
    moved = moved_shares(matrix, keypoints, (72, 96))
    assert moved[0, LEFT_WRIST].tolist() == pytest.approx([72 / 96, 0.5, 2])
    assert moved[0, RIGHT_WRIST, 2] == 0
    mirrored = move_keypoints(IN_MIRROR, moved, mirror=True)
    assert mirrored[0, RIGHT_WRIST].tolist() == pytest.approx([24 / 96, 0.5, 2])


@pytest.mark.parametrize("side", [pytest.param(None, id="of the stage"), pytest.param(36, id="smaller")])
def test_keypoints_of_a_sample_lie_on_its_pixels(side: int | None) -> None:
    task = ActionTask([dots_moving_right()], [], replace(TinyClips(), training_side=side))
    batch = task.batch(np.random.default_rng(4))
    clips, keypoints = batch["clips"].float().mean(dim=-1), batch["keypoints"]
    assert clips.shape == (16, 12, side or 72, 96 * (side or 72) // 72)
    num_compared = 0
    for clip, points in zip(clips, keypoints, strict=True):
        visible = points[..., 2] == 2
        assert visible[:, [LEFT_WRIST, RIGHT_WRIST]].sum() == visible.sum()
        for frame, wrists in zip(clip, points, strict=True):
            for x, y, visibility in wrists.tolist():
                if visibility == 2:
                    row, column = int(y * frame.shape[0]), int(x * frame.shape[1])
                    assert frame[row, column] > frame.median() + 20
                    num_compared += 1
    assert num_compared > 100


def test_a_step_teaches_the_trunk_where_the_keypoints_are() -> None:
    task = ActionTask([dots_moving_right()], [], replace(TinyClips(), batch_size=4, training_side=36))
    batch = task.batch(np.random.default_rng(4))
    losses = task.losses(task.net, batch)
    assert set(losses) == {"label", "groups", "keypoints"}
    losses["keypoints"].backward()  # type: ignore[no-untyped-call]
    trunk = task.net.backbone
    assert trunk.get_submodule("layer3.0.conv1.conv").weight.grad is not None
    assert trunk.get_submodule("layer4.0.conv1.conv").weight.grad is None


def test_no_head_without_its_weight() -> None:
    task = ActionTask([dots_moving_right()], [], replace(TinyClips(), keypoints_weight=0.0))
    assert isinstance(task.helper, AuxiliaryHeads)
    assert task.helper.keypoints is None


def test_flow_cannot_be_made_smaller_in_training() -> None:
    with pytest.raises(ConfigError, match="training_side must be none for flow, got 36"):
        replace(TinyClips(), stage_config=tiny.TSN_FLOW_STAGE, training_side=36)
