from __future__ import annotations

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.nets.resnet import ResNetConfig
from actparse.stages.people.dots import DotsConfig
from actparse.stages.people.parts import PartDetector, PartsConfig


def small_net() -> Yolof:
    torch.manual_seed(0)
    backbone = ResNetConfig(block="basic", num_blocks=(1, 1, 1, 1), widths=(8, 8, 8, 8), stem_width=8, stem_pool=False)
    return Yolof(YolofConfig(backbone=backbone, num_classes=10, encoder_channels=16, encoder_mid=8)).eval()


def test_detect_keeps_frames_apart_and_stays_in_the_frame() -> None:
    detector = PartDetector(small_net(), PartsConfig(size=96))
    images = [np.full((50, 60, 3), 100, np.uint8)] * 3
    boxes = [
        np.array([[5, 5, 25, 45]], np.float32),
        np.zeros((0, 4), np.float32),
        np.array([[0, 0, 60, 50]] * 2, np.float32),
    ]
    keypoints = [np.zeros((len(b), 17, 3), np.float32) for b in boxes]
    found = detector.detect(images, boxes, keypoints)
    assert [b.shape for b, _ in found] == [(1, 10, 4), (0, 10, 4), (2, 10, 4)]
    assert [s.shape for _, s in found] == [(1, 10), (0, 10), (2, 10)]
    for part_boxes, scores in found:
        assert ((part_boxes >= 0) & (part_boxes <= [60, 50, 60, 50])).all()
        assert ((scores >= 0) & (scores <= 1)).all()
    assert detector.detect([], [], []) == []


def test_dots_reach_the_network() -> None:
    images, boxes = [np.full((64, 64, 3), 100, np.uint8)], [np.array([[0, 0, 64, 64]], np.float32)]
    keypoints = [np.full((1, 17, 3), 32, np.float32)]
    with_dots = PartDetector(small_net(), PartsConfig(size=96, dots=DotsConfig())).detect(images, boxes, keypoints)
    without = PartDetector(small_net(), PartsConfig(size=96, dots=None)).detect(images, boxes, keypoints)
    assert not np.array_equal(with_dots[0][0], without[0][0])


@pytest.mark.parametrize(("field", "value"), [("size", 8), ("padding", 0.5)])
def test_a_wrong_field_is_named(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"parts\.{field} must be at least"):
        PartsConfig(**{field: value})
