from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.errors import ShapeError
from actparse.nets.detectors.yolof import YolofConfig
from actparse.nets.detectors.yolof_boxes import decode_boxes, grid_anchors, split_maps
from actparse.nets.detectors.yolof_losses import (
    BACKGROUND,
    IGNORED,
    giou_loss,
    sigmoid_focal_loss,
    uniform_match,
    yolof_loss,
)

GOLDEN = Path(__file__).parents[2] / "golden"
CONFIG = YolofConfig()
Case = dict[str, NDArray[np.float32]]


def load_case(name: str) -> Case:
    golden = np.load(GOLDEN / "yolof_assign_loss.npz")
    return {key.removeprefix(f"{name}/"): golden[key] for key in golden.files if key.startswith(f"{name}/")}


def case_maps(case: Case) -> tuple[Tensor, Tensor]:
    height, width = (int(side) for side in case["feat_hw"])
    rng = np.random.default_rng(int(case["seed"]))
    num_images = len(case["reg"])
    cls = (rng.standard_normal((num_images, 400, height, width)) - 2).astype(np.float32)
    reg = (rng.standard_normal((num_images, 20, height, width)) * float(case["reg_std"])).astype(np.float32)
    assert np.array_equal(reg, case["reg"])
    return torch.from_numpy(cls).requires_grad_(), torch.from_numpy(reg).requires_grad_()


def case_objects(case: Case) -> tuple[list[Tensor], list[Tensor]]:
    images = range(len(case["reg"]))
    return (
        [torch.from_numpy(case[f"gt_boxes_{i}"]) for i in images],
        [torch.from_numpy(case[f"gt_labels_{i}"]) for i in images],
    )


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_matches_equal_the_reference(name: str) -> None:
    case = load_case(name)
    cls, reg = case_maps(case)
    anchors = grid_anchors(CONFIG, (cls.shape[2], cls.shape[3]))
    predicted = decode_boxes(anchors, split_maps(cls, reg, CONFIG)[1].detach(), CONFIG)
    boxes, _ = case_objects(case)
    most = max(map(len, boxes))
    padded = torch.stack([F.pad(some, (0, 0, 0, most - len(some))) for some in boxes])
    exists = torch.arange(most)[None] < torch.tensor([[len(some)] for some in boxes])
    matches = uniform_match(predicted, anchors, padded, exists, CONFIG)
    for i, some in enumerate(boxes):
        np.testing.assert_allclose(predicted[i].numpy(), case[f"decoded_{i}"], rtol=1e-5, atol=1e-3)
        real = matches.pair_exists[i]
        assert real.sum() == 8 * len(some)
        assigned = matches.objects[i] + 1  # the fixture has 0 for background and -1 for ignored
        assert torch.equal(
            torch.where(matches.objects[i] == IGNORED, -1, assigned), torch.tensor(case[f"assigned_{i}"])
        )
        if len(some):
            assert matches.pair_anchors[i][real].tolist() == case[f"pos_anchor_idx_{i}"].tolist()
            assert matches.pair_objects[i][real].tolist() == case[f"pos_gt_idx_{i}"].tolist()
            assert matches.pair_counts[i][real].tolist() == case[f"pos_keep_{i}"].tolist()


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_losses_and_gradients_equal_the_reference(name: str) -> None:
    case = load_case(name)
    cls, reg = case_maps(case)
    losses = yolof_loss(cls, reg, CONFIG, *case_objects(case))
    assert losses.classification.item() == pytest.approx(float(case["loss_cls"]), rel=1e-6)
    assert losses.boxes.item() == pytest.approx(float(case["loss_bbox"]), rel=1e-6)
    losses.total.backward()
    assert cls.grad is not None
    assert reg.grad is not None
    expected = case["grad_reg"]
    np.testing.assert_allclose(reg.grad.numpy(), expected, rtol=0, atol=1e-4 * expected.std())
    expected = case["grad_cls_sub"]
    np.testing.assert_allclose(cls.grad[:, ::5].numpy(), expected, rtol=0, atol=1e-4 * expected.std())
    gradient = cls.grad.double().numpy()
    stats = [gradient.mean(), gradient.std(), np.abs(gradient).sum()]
    np.testing.assert_allclose(stats, case["grad_cls_stats"], rtol=1e-5)


def test_elementwise_losses_equal_the_reference() -> None:
    golden = {name: torch.from_numpy(values) for name, values in np.load(GOLDEN / "detection_losses.npz").items()}
    is_object = golden["focal_target"][:, None] == torch.arange(6)
    focal = sigmoid_focal_loss(golden["focal_logits"], is_object)
    torch.testing.assert_close(focal, golden["focal_loss"], rtol=1e-5, atol=1e-6)
    boxes = giou_loss(golden["giou_pred"], golden["giou_target"])
    torch.testing.assert_close(boxes, golden["giou_loss"], rtol=1e-5, atol=1e-6)


def test_extreme_logits_have_a_finite_focal_loss() -> None:
    logits = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4]).requires_grad_()
    for is_object in (True, False):
        losses = sigmoid_focal_loss(logits, torch.tensor(is_object))
        [gradient] = torch.autograd.grad(losses.sum(), logits)
        assert torch.isfinite(losses).all()
        assert torch.isfinite(gradient).all()


def test_the_last_pair_of_an_anchor_wins() -> None:
    anchors = torch.tensor([[0.0, 0.0, 32.0, 32.0], [500.0, 500.0, 532.0, 532.0]])
    boxes = torch.tensor([[[0.0, 0.0, 30.0, 30.0], [2.0, 2.0, 34.0, 34.0]]])
    config = YolofConfig(num_matches=1)
    matches = uniform_match(anchors[None], anchors, boxes, torch.ones(1, 2, dtype=torch.bool), config)
    assert matches.pair_anchors.tolist() == [[0, 0, 0, 0]]
    assert matches.pair_objects.tolist() == [[0, 1, 0, 1]]
    assert matches.objects.tolist() == [[1, BACKGROUND]]


def test_a_far_anchor_and_an_unmatched_good_prediction_are_ignored() -> None:
    anchors = torch.tensor([[0.0, 0.0, 32.0, 32.0], [100.0, 0.0, 132.0, 32.0], [300.0, 0.0, 332.0, 32.0]])
    predicted = anchors + torch.tensor([[8.0, 0.0, 8.0, 0.0], [-92.0, 0.0, -92.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    one = torch.ones(1, 1, dtype=torch.bool)
    near = uniform_match(predicted[None], anchors, predicted[None, :1], one, YolofConfig(num_matches=1))
    assert near.objects.tolist() == [[0, IGNORED, BACKGROUND]]  # the second prediction is as good, and not matched
    far = uniform_match(anchors[None], anchors, torch.tensor([[[200.0, 0.0, 232.0, 32.0]]]), one, CONFIG)
    assert not far.pair_counts.any()
    assert far.objects.tolist() == [[IGNORED, IGNORED, IGNORED]]


def test_padding_does_not_change_an_image() -> None:
    case = load_case("b")
    cls, reg = case_maps(case)
    boxes, labels = case_objects(case)
    alone = [yolof_loss(cls[i : i + 1], reg[i : i + 1], CONFIG, [boxes[i]], [labels[i]]) for i in range(2)]
    both = yolof_loss(cls, reg, CONFIG, boxes, labels)
    counts = [(torch.from_numpy(case[f"assigned_{i}"]) > 0).sum() for i in range(2)]
    expected = sum(loss.boxes * count for loss, count in zip(alone, counts, strict=True)) / sum(counts)
    torch.testing.assert_close(both.boxes, expected)


def test_images_without_objects_are_all_background() -> None:
    cls = torch.zeros(2, 400, 2, 2, requires_grad=True)
    reg = torch.zeros(2, 20, 2, 2, requires_grad=True)
    none = [torch.zeros(0, 4)] * 2, [torch.zeros(0, dtype=torch.int64)] * 2
    losses = yolof_loss(cls, reg, CONFIG, *none)
    assert losses.boxes.item() == 0
    assert losses.classification.item() == pytest.approx(400 * 4 * 0.75 * 0.25 * np.log(2), rel=1e-5)
    losses.total.backward()
    assert reg.grad is not None
    assert not reg.grad.any()


def test_fewer_anchors_than_matches() -> None:
    cls, reg = torch.zeros(1, 400, 1, 1), torch.zeros(1, 20, 1, 1)
    config = YolofConfig(num_matches=9)
    losses = yolof_loss(cls, reg, config, [torch.tensor([[0.0, 0.0, 30.0, 30.0]])], [torch.tensor([4])])
    assert torch.isfinite(losses.total)


def test_objects_that_do_not_fit() -> None:
    cls, reg = torch.zeros(1, 400, 1, 1), torch.zeros(1, 20, 1, 1)
    with pytest.raises(ShapeError, match="boxes and labels must have 1 rows each, got 0 and 0"):
        yolof_loss(cls, reg, CONFIG, [], [])
    with pytest.raises(ShapeError, match=r"labels\[0\] must have shape \(2\), got \(1,\)"):
        yolof_loss(cls, reg, CONFIG, [torch.zeros(2, 4)], [torch.zeros(1, dtype=torch.int64)])
