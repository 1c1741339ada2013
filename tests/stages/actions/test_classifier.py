from __future__ import annotations

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import LabelSpace
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.stages.actions.classifier import (
    ClipClassifier,
    ClipConfig,
    StateRecognizer,
    best_states,
    clip_frame_indices,
    clip_image,
    share_trunks,
)

LINE = ClipConfig(num_frames=4, frame_stride=1, num_clips=3, frame_rate=10.0, short_side=8)


def gray(value: int, size: tuple[int, int] = (8, 10)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def test_clips_hold_frames_of_their_time() -> None:
    indices = clip_frame_indices(np.arange(60) / 30, LINE)
    assert indices.shape == (3, 4)
    assert (np.diff(indices, axis=1) == 3).all()
    assert indices[0, 0] < indices[1, 0] < indices[2, 0]


def test_clip_image_keeps_the_shape_and_crops_the_centre() -> None:
    assert clip_image(gray(1, (240, 320)), ClipConfig(short_side=96)).shape == (96, 128, 3)
    assert clip_image(gray(1, (320, 240)), ClipConfig(short_side=96, crop=80)).shape == (80, 80, 3)


@pytest.mark.parametrize("size", [(16, 16000), (1, 4096)])
def test_clip_image_of_a_long_strip_stays_small(size: tuple[int, int]) -> None:
    for height, width in (size, size[::-1]):
        image = gray(1, (height, width))
        assert max(clip_image(image, ClipConfig(short_side=96)).shape) == 4 * 96
        assert clip_image(image, ClipConfig(short_side=96, crop=80)).shape == (80, 80, 3)


def test_probabilities_are_averaged_over_clips() -> None:
    torch.manual_seed(0)
    config = CsnConfig(num_classes=3, num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=4)
    classifier = ClipClassifier(Csn(config).eval(), [("a",), ("b",), ("c",)], LINE, max_batch=2)
    clips = np.random.default_rng(0).integers(0, 255, (3, 4, 32, 32, 3), dtype=np.uint8)
    together = classifier.scores(classifier.inputs(clips))
    alone = np.mean([classifier.scores(classifier.inputs(clips[n : n + 1])) for n in range(3)], axis=0)
    assert together.sum() == pytest.approx(1, abs=1e-5)
    assert np.allclose(together, alone, atol=2e-2)  # bfloat16 where the processor has it
    scores = StateRecognizer({"head": classifier}).scores({LINE: clips})
    assert np.allclose(scores["head"], together, atol=1e-6)


SMALL = CsnConfig(num_classes=2, num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=4)


def test_a_clip_passes_once_through_a_trunk_that_networks_share() -> None:
    torch.manual_seed(0)
    head, hip, arm = (Csn(SMALL).eval() for _ in range(3))
    hip.backbone.load_state_dict(head.backbone.state_dict())
    labels = [("lunge", "none"), ("lunge", "bend")]
    nets = {"head": head, "hip": hip, "arm": arm}
    recognizer = StateRecognizer({group: ClipClassifier(net, labels, LINE) for group, net in nets.items()})
    clips = {LINE: np.random.default_rng(0).integers(0, 255, (3, 4, 32, 32, 3), dtype=np.uint8)}
    separate = recognizer.scores(clips)
    share_trunks(recognizer.classifiers.values())
    assert hip.backbone is head.backbone
    assert arm.backbone is not head.backbone
    passes = []
    head.backbone.conv1.register_forward_hook(lambda *_: passes.append(1))
    shared = recognizer.scores(clips)
    assert len(passes) == 1
    for group, scores in separate.items():
        assert np.array_equal(shared[group], scores)
    assert not np.array_equal(shared["head"], shared["hip"])


LABELS = LabelSpace(
    ("lunge", "push_up"),
    ("bend", "hold", "none"),
    {
        "leg": (("lunge", "bend", "none"), ("push_up", "none", "none"), ("lunge", "none", "none")),
        "head": (("lunge", "none"), ("push_up", "hold")),
    },
)
SCORES = {"leg": np.array([0.5, 0.3, 0.1], np.float32) / 0.9, "head": np.array([0.4, 0.6], np.float32)}


def test_states_without_an_action_take_the_likeliest_label() -> None:
    states, scores = best_states(SCORES, LABELS)
    assert states == {"left_leg": "bend", "right_leg": "none", "head": "hold"}
    assert scores == pytest.approx({"left_leg": 0.5 / 0.9, "right_leg": 0.5 / 0.9, "head": 0.6})


def test_states_follow_the_action() -> None:
    states, scores = best_states(SCORES, LABELS, action="lunge")
    assert states == {"left_leg": "bend", "right_leg": "none", "head": "none"}
    assert scores == pytest.approx({"left_leg": 0.5 / 0.6, "right_leg": 0.5 / 0.6, "head": 1.0})
    states, _ = best_states(SCORES, LABELS, action="push_up")
    assert states == {"left_leg": "none", "right_leg": "none", "head": "hold"}
    assert best_states(SCORES, LABELS, action="of another dataset") == best_states(SCORES, LABELS)


@pytest.mark.parametrize(
    ("field", "value"), [("num_frames", 0), ("rule", "other"), ("frame_rate", 0.0), ("crop", 999), ("short_side", 0)]
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"clip\.{field} must be"):
        ClipConfig(**{field: value})
