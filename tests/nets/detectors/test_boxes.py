import pytest
import torch
from torch import Tensor

from actparse.nets.detectors.boxes import (
    box_iou,
    class_wise_nms,
    clip_boxes,
    cxcywh_to_xyxy,
    giou,
    nms,
    xyxy_to_cxcywh,
)

UNIT = [0.0, 0.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("other", "iou", "generalised"),
    [
        pytest.param([0.0, 0.0, 2.0, 2.0], 1.0, 1.0, id="same"),
        pytest.param([1.0, 0.0, 3.0, 2.0], 1 / 3, 1 / 3, id="half beside"),
        pytest.param([1.0, 1.0, 3.0, 3.0], 1 / 7, 1 / 7 - 2 / 9, id="corner"),
        pytest.param([2.0, 0.0, 4.0, 2.0], 0.0, 0.0, id="touching"),
        pytest.param([4.0, 0.0, 6.0, 2.0], 0.0, -1 / 3, id="apart"),
        pytest.param([1.0, 1.0, 1.0, 1.0], 0.0, 0.0, id="empty inside"),
    ],
)
def test_overlap_by_hand(other: list[float], iou: float, generalised: float) -> None:
    a, b = torch.tensor([UNIT]), torch.tensor([other])
    assert box_iou(a, b).item() == pytest.approx(iou, abs=1e-6)
    if iou or other[0] != other[2]:
        assert giou(a, b).item() == pytest.approx(generalised, abs=1e-6)


def test_iou_of_two_empty_boxes_is_zero() -> None:
    empty = torch.zeros(1, 4)
    assert box_iou(empty, empty).item() == 0
    assert torch.isfinite(giou(empty, empty)).all()


def test_no_boxes_give_no_rows() -> None:
    none, some = torch.zeros(0, 4), torch.ones(3, 4)
    assert box_iou(none, some).shape == (0, 3)
    assert box_iou(some, none).shape == (3, 0)
    assert giou(none, none).shape == (0,)
    assert nms(none, torch.zeros(0), 0.5).shape == (0,)
    assert class_wise_nms(none, torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5).shape == (0,)


def test_centre_form_there_and_back() -> None:
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0], [-5.0, 0.0, 5.0, 1.0]])
    assert xyxy_to_cxcywh(boxes)[0].tolist() == [20, 40, 20, 40]
    assert torch.equal(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)


def test_clip_to_each_image() -> None:
    boxes = torch.tensor([[-5.0, -5.0, 50.0, 50.0]]).expand(2, 1, 4)
    clipped = clip_boxes(boxes, torch.tensor([[10, 20], [60, 30]]))
    assert clipped[:, 0].tolist() == [[0, 0, 20, 10], [0, 0, 30, 50]]


def random_boxes(seed: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 60
    boxes = torch.cat((corner, corner + 5 + torch.rand(count, 2, generator=generator) * 40), dim=1)
    scores = torch.rand(count, generator=generator)
    return boxes, scores, torch.randint(3, (count,), generator=generator)


def greedy(boxes: Tensor, scores: Tensor, max_iou: float) -> list[int]:
    kept: list[int] = []
    for row in scores.argsort(descending=True).tolist():
        if all(box_iou(boxes[row : row + 1], boxes[k : k + 1]).item() <= max_iou for k in kept):
            kept.append(row)
    return kept


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("max_iou", [0.0, 0.3, 0.6])
def test_suppression_equals_the_greedy_pass(seed: int, max_iou: float) -> None:
    boxes, scores, labels = random_boxes(seed, 60)
    assert nms(boxes, scores, max_iou).tolist() == greedy(boxes, scores, max_iou)
    by_class: list[int] = []
    for label in range(3):
        rows = (labels == label).nonzero()[:, 0]
        by_class += rows[greedy(boxes[rows], scores[rows], max_iou)].tolist()
    expected = sorted(by_class, key=lambda row: -scores[row].item())
    assert class_wise_nms(boxes, scores, labels, max_iou).tolist() == expected


def test_a_long_chain_of_overlaps_keeps_every_second_box() -> None:
    left = torch.arange(200.0)
    boxes = torch.stack((left * 6, torch.zeros(200), left * 6 + 10, torch.full((200,), 10.0)), dim=1)
    assert nms(boxes, torch.linspace(1, 0, 200), 0.2).tolist() == list(range(0, 200, 2))
