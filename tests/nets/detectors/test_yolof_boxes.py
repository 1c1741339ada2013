from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.core.errors import ShapeError
from actparse.nets.detectors.boxes import box_iou, clip_boxes
from actparse.nets.detectors.yolof import YolofConfig
from actparse.nets.detectors.yolof_boxes import (
    best_of_each_class,
    decode_boxes,
    detect,
    encode_boxes,
    grid_anchors,
    split_maps,
)
from actparse.nets.resnet import ResNetConfig

GOLDEN = Path(__file__).parents[2] / "golden"
PUBLIC = YolofConfig()
SMALL = YolofConfig(
    backbone=ResNetConfig(stem_pool=False, strides=(1, 2, 2, 1)),
    num_classes=3,
    anchor_sizes=(10, 20),
    anchor_offset=0.5,
    max_center_shift=8.0,
)


def test_anchors_by_hand() -> None:
    anchors = grid_anchors(SMALL, (2, 3))
    assert anchors.shape == (12, 4)
    assert anchors[0].tolist() == [-1, -1, 9, 9]
    assert anchors[3].tolist() == [2, -6, 22, 14]  # second column, size 20
    assert anchors[6].tolist() == [-1, 7, 9, 17]  # second row
    assert grid_anchors(PUBLIC, (1, 1))[0].tolist() == [-16, -16, 16, 16]


def test_coder_equals_the_reference() -> None:
    golden = {name: torch.from_numpy(values) for name, values in np.load(GOLDEN / "yolof_box_coder.npz").items()}
    decoded = decode_boxes(golden["anchors"], golden["deltas"], PUBLIC)
    clipped = clip_boxes(decoded, torch.tensor([256, 320]))
    torch.testing.assert_close(decoded, golden["decoded"], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(clipped, golden["decoded_clipped_256x320"], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(encode_boxes(golden["anchors"], golden["gt"]), golden["encoded"], rtol=1e-5, atol=1e-6)


def test_coder_there_and_back() -> None:
    anchors = grid_anchors(SMALL, (4, 4))
    boxes = anchors + torch.tensor([-2.0, -1.0, 3.0, 4.0])
    torch.testing.assert_close(decode_boxes(anchors, encode_boxes(anchors, boxes), SMALL), boxes)


def random_maps(seed: int, height: int = 4, width: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    cls = torch.randn(2, 6, height, width, generator=generator)
    return cls, torch.randn(2, 8, height, width, generator=generator) * 0.3


def test_rows_follow_the_anchors_in_any_memory_format() -> None:
    cls, reg = random_maps(0)
    logits, deltas = split_maps(cls, reg, SMALL)
    row = (2 * 5 + 3) * 2 + 1  # cell (2, 3), second size
    assert torch.equal(logits[1, row], cls[1, 3:, 2, 3])
    assert torch.equal(deltas[1, row], reg[1, 4:, 2, 3])
    last = split_maps(cls.contiguous(memory_format=torch.channels_last), reg, SMALL)[0]
    assert torch.equal(last, logits)


def test_detections_keep_every_promise() -> None:
    found = detect(*random_maps(1), SMALL, image_sizes=[(32, 40), (20, 25)], min_score=0.4, max_iou=0.5, max_boxes=7)
    assert len(found) == 2
    for (boxes, scores, labels), (height, width) in zip(found, [(32, 40), (20, 25)], strict=True):
        assert 0 < len(boxes) <= 7
        assert (boxes >= 0).all()
        assert (boxes[:, 2] <= width).all()
        assert (boxes[:, 3] <= height).all()
        assert (scores > 0.4).all()
        assert torch.equal(scores, scores.sort(descending=True).values)
        same = (labels[:, None] == labels[None]) & ~torch.eye(len(labels), dtype=torch.bool)
        assert (box_iou(boxes, boxes)[same] <= 0.5).all()


def test_nothing_above_the_threshold() -> None:
    cls, reg = random_maps(2)
    for boxes, scores, labels in detect(cls - 20, reg, SMALL, image_sizes=[(32, 40)] * 2):
        assert boxes.shape == (0, 4)
        assert scores.shape == labels.shape == (0,)


def test_no_images() -> None:
    cls, reg = torch.zeros(0, 6, 4, 5), torch.zeros(0, 8, 4, 5)
    assert detect(cls, reg, SMALL, image_sizes=[]) == []
    boxes, scores = best_of_each_class(cls, reg, SMALL, [])
    assert boxes.shape == (0, 3, 4)
    assert scores.shape == (0, 3)


def test_best_of_each_class_is_the_first_of_each_class() -> None:
    cls, reg = random_maps(3)
    sizes = [(32.0, 40.0), (32.0, 40.0)]
    boxes, scores = best_of_each_class(cls, reg, SMALL, sizes)
    assert boxes.shape == (2, 3, 4)
    for image, (found, values, labels) in enumerate(detect(cls, reg, SMALL, image_sizes=sizes, min_score=0.0)):
        for label in range(3):
            first = (labels == label).nonzero()[0, 0]
            assert torch.equal(boxes[image, label], found[first])
            assert scores[image, label] == values[first]


def test_maps_that_do_not_fit() -> None:
    cls, reg = random_maps(4)
    with pytest.raises(ShapeError, match=r"cls must have shape \(N, 6, h, w\) .* got \(2, 5, 4, 5\)"):
        split_maps(cls[:, :5], reg, SMALL)
    with pytest.raises(ShapeError, match="reg must have shape"):
        split_maps(cls, reg[..., :-1], SMALL)
    with pytest.raises(ShapeError, match="image_sizes must have one row per image, 2, got 1"):
        detect(cls, reg, SMALL, image_sizes=[(32, 40)])
