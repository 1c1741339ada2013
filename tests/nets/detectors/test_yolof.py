import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.errors import ConfigError
from actparse.nets import yolof
from actparse.nets.detectors.boxes import box_iou
from actparse.nets.detectors.yolof import Yolof, YolofConfig, fuse_objectness
from actparse.nets.detectors.yolof_boxes import best_of_each_class, candidates, detect, grid_anchors
from actparse.nets.detectors.yolof_losses import yolof_loss
from actparse.nets.resnet import ResNetConfig
from golden_rule import detection_weights

GOLDEN = Path(__file__).parents[2] / "golden"


def tiny_config() -> YolofConfig:
    backbone = ResNetConfig(
        block="basic",
        num_blocks=(1, 1, 1, 1),
        widths=(16, 32, 64, 96),
        stem_width=16,
        stem_kernel=3,
        stem_pool=False,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
    )
    return YolofConfig(
        backbone=backbone,
        num_classes=10,
        anchor_sizes=(10, 20, 40, 80),
        encoder_channels=96,
        encoder_mid=48,
        dilations=(1, 2, 3, 4),
        num_cls_convs=1,
        num_reg_convs=2,
        max_center_shift=12.0,
    )


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float32]]:
    return dict(np.load(GOLDEN / "yolof_r50_256x320.npz"))


@pytest.fixture(scope="module")
def public(golden: dict[str, NDArray[np.float32]]) -> Yolof:
    net = yolof(depth=50, num_classes=80).eval()
    shapes = [tuple(json.loads(str(shape))) for shape in golden["param_shapes"]]
    weights = detection_weights([str(name) for name in golden["param_names"]], shapes)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return net


@pytest.fixture(scope="module")
def images(golden: dict[str, NDArray[np.float32]]) -> Tensor:
    rng = np.random.default_rng(int(golden["input_seed"]))
    pixels = rng.standard_normal(tuple(golden["input_shape"])).astype(np.float32)
    assert np.array_equal(pixels.ravel()[:8], golden["input_head"])
    return torch.from_numpy(pixels)


def expect_close(got: Tensor, expected: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=0, atol=1e-4 * expected.std())


@torch.no_grad()
def test_every_stage_equals_the_reference(
    public: Yolof, images: Tensor, golden: dict[str, NDArray[np.float32]]
) -> None:
    stem, layer1, layer2, layer3, c5 = public.backbone.stages(images)
    for name, features in (("stem", stem), ("layer1", layer1), ("layer2", layer2), ("layer3", layer3)):
        expect_close(features[:, ::16, ::4, ::4], golden[f"sub_{name}"])
    expect_close(c5, golden["c5"])
    features = public.neck.fpn_norm(public.neck.fpn_conv(public.neck.lateral_norm(public.neck.lateral_conv(c5))))
    expect_close(features[:, ::16, ::4, ::4], golden["sub_fpn"])
    for index, block in enumerate(public.neck.dilated_encoder_blocks):
        features = block(features)
        if index < 3:
            expect_close(features[:, ::16, ::4, ::4], golden[f"sub_enc_block{index}"])
    expect_close(features, golden["enc"])
    expect_close(public.bbox_head.branches(features)[1], golden["obj_raw"])


def expect_same_detections(
    found: tuple[Tensor, Tensor, Tensor], golden: dict[str, NDArray[np.float32]], name: str
) -> None:
    """The same boxes, scores and labels, best first; processors may order scores that differ by rounding alone."""
    boxes, scores, labels = found
    expect_close(scores, golden[f"{name}_scores"])
    distances = np.abs(boxes.numpy()[:, None] - golden[f"{name}_boxes"]).max(axis=2)  # (N, N)
    distances += np.abs(scores.numpy()[:, None] - golden[f"{name}_scores"])
    distances[labels.numpy()[:, None] != golden[f"{name}_labels"]] = np.inf
    partners = distances.argmin(axis=1)
    assert sorted(partners.tolist()) == list(range(len(golden[f"{name}_labels"])))
    expect_close(boxes, golden[f"{name}_boxes"][partners])
    expect_close(scores, golden[f"{name}_scores"][partners])


@torch.no_grad()
def test_maps_and_detections_equal_the_reference(
    public: Yolof, images: Tensor, golden: dict[str, NDArray[np.float32]]
) -> None:
    cls, reg = public(images)
    expect_close(cls, golden["cls"])
    expect_close(reg, golden["reg"])
    expect_close(grid_anchors(public.config, (8, 10)), golden["anchors"])
    boxes, scores, labels = (values[0] for values in candidates(cls, reg, public.config, image_sizes=[(256, 320)]))
    usable = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    expect_same_detections((boxes[usable], scores[usable], labels[usable]), golden, "pre")
    [found] = detect(cls, reg, public.config, image_sizes=[(256, 320)])
    expect_same_detections(found, golden, "det")


def test_names_are_the_public_ones(public: Yolof, golden: dict[str, NDArray[np.float32]]) -> None:
    assert list(public.state_dict()) == golden["param_names"].tolist()


@pytest.mark.parametrize(("depth", "total", "trainable"), [(50, 44_159_977, 43_884_457), (101, 63_152_105, 62_824_361)])
def test_parameters(depth: int, total: int, trainable: int) -> None:
    with torch.device("meta"):
        net = yolof(depth, frozen=True)
    assert sum(parameter.numel() for parameter in net.parameters()) == total
    assert sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad) == trainable


def test_implicit_objectness_equals_the_reference() -> None:
    golden = np.load(GOLDEN / "implicit_objectness.npz")
    values = torch.from_numpy(golden["values"])
    cls, objectness = torch.meshgrid(values, values, indexing="ij")
    fused = fuse_objectness(cls.reshape(-1, 1, 1, 1), objectness.reshape(-1, 1, 1, 1)).reshape(cls.shape)
    np.testing.assert_allclose(fused.numpy(), golden["fused"], rtol=1e-6, atol=1e-6)


def test_implicit_objectness_never_yields_a_gradient_that_is_no_number() -> None:
    extreme = torch.tensor([-1e4, -120.0, -1.0, 0.0, 1.0, 17.0, 19.0, 90.0, 120.0, 1e4])
    cls, objectness = torch.meshgrid(extreme, extreme, indexing="ij")
    cls = cls.reshape(-1, 1, 1, 1).requires_grad_()
    objectness = objectness.reshape(-1, 1, 1, 1).requires_grad_()
    fused = fuse_objectness(cls, objectness)
    fused.sum().backward()
    for values in (fused, cls.grad, objectness.grad):
        assert values is not None
        assert torch.isfinite(values).all()


def test_a_fresh_net_sees_background_everywhere() -> None:
    torch.manual_seed(0)
    cls, reg = Yolof(tiny_config()).eval()(torch.randn(2, 3, 64, 80))
    assert cls.shape == (2, 40, 8, 10)
    assert reg.shape == (2, 16, 8, 10)
    assert cls.sigmoid().max() < 0.02


def test_training_step_in_bfloat16_channels_last() -> None:
    torch.manual_seed(0)
    net = Yolof(tiny_config()).to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    boxes = [torch.tensor([[5.0, 5.0, 30.0, 40.0], [20.0, 20.0, 60.0, 60.0]]), torch.zeros(0, 4)]
    labels = [torch.tensor([3, 9]), torch.zeros(0, dtype=torch.int64)]
    with torch.autocast("cpu", torch.bfloat16):
        cls, reg = net(images)
        losses = yolof_loss(cls, reg, net.config, boxes, labels)
    assert cls.dtype == reg.dtype == losses.total.dtype == torch.float32
    losses.total.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_a_tiny_net_learns_one_image() -> None:
    torch.manual_seed(0)
    net = Yolof(tiny_config()).to(memory_format=torch.channels_last)
    images = torch.randn(1, 3, 64, 64)
    boxes, labels = [torch.tensor([[4.0, 8.0, 36.0, 52.0], [30.0, 6.0, 60.0, 30.0]])], [torch.tensor([2, 7])]
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(80):
        optimizer.zero_grad()
        yolof_loss(*net(images), net.config, boxes, labels).total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
    found, scores = best_of_each_class(*net(images), net.config, [(64, 64)])
    assert sorted(scores[0].topk(2).indices.tolist()) == [2, 7]
    assert (box_iou(found[0, labels[0]], boxes[0]).diagonal() > 0.6).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_classes": 0}, "yolof.num_classes must be at least 1, got 0"),
        ({"anchor_sizes": ()}, "yolof.anchor_sizes must be one or more numbers above 0"),
        ({"dilations": (0,)}, "yolof.dilations must be at least 1"),
        ({"prior_score": 1.0}, "yolof.prior_score must lie between 0 and 1, got 1.0"),
        ({"max_center_shift": 0.0}, "yolof.max_center_shift must be above 0"),
        ({"ignore_iou": 1.5}, "yolof.ignore_iou must lie in 0..1, got 1.5"),
        ({"num_cls_convs": -1}, "yolof.num_cls_convs must be at least 0, got -1"),
    ],
)
def test_sizes_out_of_range(sizes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        YolofConfig(**sizes)  # type: ignore[arg-type]
