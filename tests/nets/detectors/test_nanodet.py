from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from actparse import weights
from actparse.core.errors import ConfigError, ShapeError
from actparse.nets import nanodet
from actparse.nets.detectors.nanodet import Backbone, CspStage, Nanodet, NanodetConfig, decode_boxes, detect
from actparse.weights.bundle import load_network

# NanoDet-g's person class with the public file's values in float16, which are the file's own.
PERSONS = Path(weights.__file__).parent / "bundled" / "people" / "persons.safetensors"
# A drawn scene with two persons through the public graph, run by TensorFlow.js 4.22 (WebAssembly): the picture, and the
# maps' channels of the person at every fourth row and column, the second and the last.
GOLDEN = Path(__file__).parents[2] / "golden" / "nanodet.npz"
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)  # BGR
CONFIG = NanodetConfig()


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(np.load(GOLDEN))


@torch.inference_mode()
def test_the_network_equals_the_public_graph(golden: dict[str, Any]) -> None:
    net = load_network(PERSONS).net
    assert isinstance(net, Nanodet)
    picture = np.zeros((416, 416, 3), np.float32)
    picture[:256, :256] = golden["picture"]
    image = (picture[..., ::-1] - np.float32(MEAN)) / np.float32(STD)
    for stride, level in zip((8, 16, 32), net(torch.from_numpy(image).permute(2, 0, 1)[None]), strict=True):
        rows = sorted({*range(0, 416 // stride, 4), 1, 416 // stride - 1})
        error = np.abs(level[0][:, rows][:, :, rows].numpy() - golden[f"stride_{stride}"]).max()
        assert error <= 1e-4 * golden[f"stride_{stride}_largest"], stride


@pytest.mark.parametrize(
    ("num_classes", "num_parameters"),
    [pytest.param(80, 3_786_068, id="COCO"), pytest.param(1, 3_786_068 - 30_573, id="person")],
)
def test_parameters_and_maps(num_classes: int, num_parameters: int) -> None:
    net = nanodet(num_classes).eval()
    assert sum(parameter.numel() for parameter in net.parameters()) == num_parameters
    with torch.inference_mode():
        maps, empty = net(torch.rand(2, 3, 64, 96)), net(torch.zeros(0, 3, 32, 32))
    outputs = num_classes + 44
    assert [tuple(m.shape) for m in maps] == [(2, outputs, 8, 12), (2, outputs, 4, 6), (2, outputs, 2, 3)]
    assert [tuple(m.shape) for m in empty] == [(0, outputs, 4, 4), (0, outputs, 2, 2), (0, outputs, 1, 1)]


def test_a_stage_joins_the_inner_before_the_outer_convolution_and_the_path_around_last() -> None:
    stage = CspStage(1, 2, num_blocks=1, stride=1)
    for name, parameter in stage.named_parameters():
        torch.nn.init.zeros_(parameter)
        if name.endswith("bias"):  # each convolution gives its bias, whatever comes in
            bias = {"first": 1.0, "outer": 2.0, "inner": 3.0, "last": 0.0}[name.split(".")[0]]
            torch.nn.init.constant_(parameter, bias)
    with torch.no_grad():  # and the last what came in, at each pixel
        stage.last.conv.weight[0, 0, 1, 1] = stage.last.conv.weight[1, 1, 1, 1] = 1
    assert stage(torch.zeros(1, 1, 1, 1)).flatten().tolist() == [3, 2, 1, 1]


def test_features_of_the_backbone() -> None:
    features = Backbone()(torch.zeros(1, 3, 64, 32))
    assert [tuple(f.shape[1:]) for f in features] == [(128, 8, 4), (256, 4, 2), (512, 2, 1)]


def empty_maps(*, num_classes: int = 1, num_images: int = 1) -> list[Tensor]:
    """Maps of 64x64 images without a person."""
    maps = [torch.zeros(num_images, num_classes + 44, side, side) for side in (8, 4, 2)]
    for level in maps:
        level[:, :num_classes] = -20
    return maps


def put_box(level: Tensor, row: int, column: int, distances: list[int], *, score: float, channel: int = 0) -> None:
    """Write a score and a box into the first image's map; `distances` (left, top, right, bottom) are whole cells."""
    level[0, channel, row, column] = torch.tensor(score).logit()
    sides = level[0, -44:, row, column].view(4, 11)
    for side, distance in enumerate(distances):
        sides[side, distance] = 50  # all of the probability


def test_distances_by_hand() -> None:
    maps = empty_maps()
    put_box(maps[1], 1, 2, [2, 1, 0, 3], score=0.7)  # stride 16: the cell's centre is at (40, 24)
    boxes, scores = decode_boxes(maps, CONFIG)
    assert (boxes.shape, scores.shape) == ((1, 64 + 16 + 4, 4), (1, 84, 1))
    index = 64 + 1 * 4 + 2
    assert boxes[0, index].tolist() == pytest.approx([40 - 32, 24 - 16, 40, 24 + 48])
    assert scores[0, index].item() == pytest.approx(0.7)
    # Equal logits have the mean of 0 to 10, five cells, on each side of the first cell's centre.
    assert boxes[0, 0].tolist() == pytest.approx([4 - 40, 4 - 40, 4 + 40, 4 + 40])
    # Two equal distances share the probability.
    maps[2][0, 1 + 4, 0, 0] = maps[2][0, 1 + 5, 0, 0] = 50
    assert decode_boxes(maps, CONFIG)[0][0, 80, 0].item() == pytest.approx(16 - 32 * 4.5)


def found(maps: list[Tensor], *, config: NanodetConfig = CONFIG, **options: Any) -> tuple[Any, Any, Any]:
    defaults: dict[str, Any] = {"image_sizes": [(64, 64)], "min_score": 0.3, "max_iou": 0.5, "max_boxes": 10}
    (boxes, scores, labels), *rest = detect(maps, config, **{**defaults, **options})
    assert not rest
    return boxes.tolist(), scores.tolist(), labels.tolist()


def test_detections_are_suppressed_clipped_and_sorted() -> None:
    maps = empty_maps()
    put_box(maps[0], 2, 2, [1, 1, 1, 1], score=0.6)  # 12..28
    put_box(maps[0], 2, 3, [2, 1, 0, 1], score=0.8)  # the same box, clearer
    put_box(maps[0], 6, 6, [1, 1, 9, 9], score=0.9)  # 44..., beyond the image
    put_box(maps[0], 0, 7, [0, 0, 0, 0], score=0.95)  # without area
    put_box(maps[0], 7, 0, [0, 1, 1, 0], score=0.25)  # below min_score
    boxes, scores, labels = found(maps)
    assert boxes == [pytest.approx([44, 44, 64, 64]), pytest.approx([12, 12, 28, 28])]
    assert scores == pytest.approx([0.9, 0.8])
    assert labels == [0, 0]
    assert len(found(maps, max_boxes=1)[0]) == 1
    assert found(maps, image_sizes=[(50.0, 60.0)])[0][0] == pytest.approx([44, 44, 60, 50])
    assert len(found(maps, max_iou=1.0)[0]) == 3


def test_classes_do_not_suppress_each_other() -> None:
    config = NanodetConfig(num_classes=2)
    maps = empty_maps(num_classes=2)
    put_box(maps[0], 2, 2, [1, 1, 1, 1], score=0.6)
    put_box(maps[0], 2, 2, [1, 1, 1, 1], score=0.8, channel=1)
    boxes, scores, labels = found(maps, config=config)
    assert boxes[0] == boxes[1]
    assert scores == pytest.approx([0.8, 0.6])
    assert labels == [1, 0]


def test_nobody_and_no_image() -> None:
    assert found(empty_maps()) == ([], [], [])
    boxes, scores = decode_boxes(empty_maps(num_images=0), CONFIG)
    assert (boxes.shape, scores.shape) == ((0, 84, 4), (0, 84, 1))
    assert detect(empty_maps(num_images=0), CONFIG, image_sizes=[], min_score=0.3, max_iou=0.5, max_boxes=9) == []
    (boxes, scores, labels), *_ = detect(
        empty_maps(), CONFIG, image_sizes=[(64, 64)], min_score=0.3, max_iou=0.5, max_boxes=9
    )
    assert (boxes.shape, scores.shape, labels.shape, labels.dtype) == ((0, 4), (0,), (0,), torch.int64)


def test_errors() -> None:
    with pytest.raises(ConfigError, match=r"nanodet\.num_classes must be at least 1, got 0"):
        nanodet(0)
    with pytest.raises(ConfigError, match=r"nanodet\.max_distance must be at least 1, got 0"):
        NanodetConfig(max_distance=0)
    with pytest.raises(ShapeError, match=r"images must have sides of multiples of 32, got \(1, 3, 40, 32\)"):
        nanodet()(torch.zeros(1, 3, 40, 32))
