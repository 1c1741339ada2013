from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from actparse.core.errors import WeightsError
from actparse.nets import csn, resnet, tsn, yolof
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.nets.resnet import ResNet, ResNetConfig
from actparse.weights import load_public

Entries = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def net() -> Yolof:
    return yolof(50, 80)


def expect_values(net: nn.Module, entries: Entries, prefix: str = "", tolerance: float = 0.0) -> None:
    for name, value in net.state_dict().items():
        expected = torch.as_tensor(entries[prefix + name]).to(value)
        assert (value - expected).abs().max() <= tolerance, name


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda entries: entries, id="bare"),
        pytest.param(lambda entries: {"meta": {"epoch": 12}, "state_dict": entries}, id="state_dict"),
        pytest.param(lambda entries: {"state_dict": {f"module.{k}": v for k, v in entries.items()}}, id="module"),
        pytest.param(
            lambda entries: {k: v for k, v in entries.items() if not k.endswith("num_batches_tracked")},
            id="no counters",
        ),
        pytest.param(lambda entries: {k: torch.from_numpy(v) for k, v in entries.items()}, id="tensors"),
    ],
)
def test_openmmlab_detector(net: Yolof, mmdet: Entries, wrap: Any) -> None:
    with torch.no_grad():
        net.bbox_head.cls_score.weight.zero_()
    assert load_public(net, wrap(mmdet)) is net
    expect_values(net, mmdet)


def test_detectron2_detector_with_folded_biases(net: Yolof, mmdet: Entries, detectron2: Entries) -> None:
    load_public(net, {"model": detectron2, "__author__": "cvpods"}, "detectron2")
    expect_values(net, mmdet, tolerance=1e-6)


def test_folding_keeps_the_function() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4).eval()
    nn.init.normal_(norm.running_mean)  # type: ignore[arg-type]
    x = torch.randn(1, 4, 5, 5)
    expected = norm(conv(x))
    assert conv.bias is not None
    assert norm.running_mean is not None
    norm.running_mean -= conv.bias.detach()
    torch.testing.assert_close(norm(nn.functional.conv2d(x, conv.weight)), expected)


def without(entries: Entries, *names: str) -> Entries:
    return {name: value for name, value in entries.items() if name not in names}


def test_errors_name_the_entries(net: Yolof, mmdet: Entries, detectron2: Entries) -> None:
    before = net.neck.lateral_conv.weight.clone()
    with pytest.raises(WeightsError, match=r"misses neck\.lateral_conv\.bias; does not use neck\.extra"):
        load_public(net, without(mmdet, "neck.lateral_conv.bias") | {"neck.extra": np.zeros(1, np.float32)})
    with pytest.raises(
        WeightsError, match=r"detectron2 checkpoint does not fit Yolof: misses decoder\.cls_subnet\.3\.w"
    ):
        load_public(net, without(detectron2, "decoder.cls_subnet.3.weight"), "detectron2")
    with pytest.raises(WeightsError, match=r"needs backbone\.bn1\.weight \(64,\), got \(3,\)"):
        load_public(net, mmdet | {"backbone.bn1.weight": np.zeros(3, np.float32)})
    with pytest.raises(WeightsError, match=r"backbone\.bn1\.weight must be a tensor, got str"):
        load_public(net, {**mmdet, "backbone.bn1.weight": "none"})
    with pytest.raises(WeightsError, match=r"misses backbone\.conv1\.weight, .* and 333 more"):
        load_public(net, {})
    with pytest.raises(WeightsError, match=r"does not use neck\.dilated_encoder_blocks\.0\.conv1\.conv\.bias"):
        load_public(net, mmdet | {"neck.dilated_encoder_blocks.0.conv1.conv.bias": np.zeros(128, np.float32)})
    assert torch.equal(net.neck.lateral_conv.weight, before)


@pytest.mark.parametrize(
    ("checkpoint", "got"),
    [
        pytest.param(None, "NoneType", id="None"),
        pytest.param([("conv1.weight", torch.zeros(1))], "list", id="list"),
        pytest.param("net.pth", "str", id="path"),
    ],
)
def test_a_checkpoint_is_a_dictionary(net: Yolof, checkpoint: Any, got: str) -> None:
    with pytest.raises(WeightsError, match=f"checkpoint must be a dictionary of names and tensors, got {got}"):
        load_public(net, checkpoint)


def test_layouts_that_a_network_does_not_have(net: Yolof) -> None:
    with pytest.raises(WeightsError, match="layout of Yolof must be openmmlab or detectron2, got 'torchvision'"):
        load_public(net, {}, "torchvision")
    with pytest.raises(WeightsError, match=r"public weights need one of the networks ResNet, .*, got Linear"):
        load_public(nn.Linear(1, 1), {})


def test_resnet_in_every_layout(mmdet: Entries, detectron2: Entries) -> None:
    prefixed = {name: value for name, value in mmdet.items() if name.startswith("backbone.")}
    bare = {name.removeprefix("backbone."): value for name, value in prefixed.items()}
    classifier = bare | {"fc.weight": np.zeros((1000, 2048), np.float32), "fc.bias": np.zeros(1000, np.float32)}
    other = {name: value for name, value in detectron2.items() if name.startswith("backbone.")}
    other_bare = {name.removeprefix("backbone."): value for name, value in other.items()}
    files: list[tuple[Entries, Any]] = [(prefixed, "openmmlab"), (bare, "openmmlab"), (classifier, "torchvision")]
    for entries, layout in [*files, (other, "detectron2"), (other_bare, "detectron2")]:
        expect_values(load_public(resnet(50), entries, layout), mmdet, "backbone.")
    with pytest.raises(WeightsError, match=r"does not use neck\.lateral_conv\.weight"):
        load_public(resnet(50), mmdet)
    expect_values(load_public(resnet(50), mmdet, partial=True), mmdet, "backbone.")


def test_torchvision_weights_stay_out_of_a_net_that_strides_elsewhere() -> None:
    with pytest.raises(WeightsError, match=r"needs stride_in='3x3'"):
        load_public(resnet(50, stride_in="1x1"), {}, "torchvision")


def test_a_backbone_alone_goes_into_a_detector(mmdet: Entries) -> None:
    bare = {name.removeprefix("backbone."): value for name, value in mmdet.items() if name.startswith("backbone.")}
    net = yolof(50, 1)
    head = net.bbox_head.cls_score.weight.clone()
    with pytest.raises(WeightsError, match=r"misses neck\.lateral_conv\.weight"):
        load_public(net, bare)
    load_public(net, bare, partial=True)
    expect_values(net.backbone, mmdet, "backbone.")
    assert torch.equal(net.bbox_head.cls_score.weight, head)
    load_public(yolof(50, 1), mmdet, partial=True)
    with pytest.raises(WeightsError, match=r"misses layer1\.0\.conv1\.weight"):
        load_public(net, without(bare, "layer1.0.conv1.weight"), partial=True)


def test_small_nets_have_the_same_layouts() -> None:
    backbone = ResNetConfig(block="basic", num_blocks=(1, 1, 1, 2), widths=(8, 8, 8, 8), stem_width=8)
    config = YolofConfig(backbone=backbone, num_classes=2, encoder_channels=8, encoder_mid=8)
    source, target = Yolof(config), Yolof(config)
    load_public(target, source.state_dict())
    for name, value in target.state_dict().items():
        assert torch.equal(value, source.state_dict()[name])


@pytest.mark.parametrize("in_channels", [3, 10])
def test_an_image_classifier_goes_into_tsn(in_channels: int) -> None:
    torch.manual_seed(0)
    source: ResNet = resnet(50)
    for module in source.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)  # type: ignore[arg-type]
            nn.init.normal_(module.weight)
    classifier = source.state_dict() | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    net = tsn(50, in_channels=in_channels, num_classes=5).eval()
    stem = net.state_dict()["backbone.conv1.conv.weight"].clone()
    load_public(net, classifier, "torchvision")
    frames = torch.randn(1, 3, 64, 64)
    if in_channels == 3:
        torch.testing.assert_close(net.backbone(frames), source.eval()(frames))
    else:
        assert torch.equal(net.state_dict()["backbone.conv1.conv.weight"], stem)
        assert torch.equal(net.state_dict()["backbone.conv1.bn.weight"], source.bn1.weight)
    with pytest.raises(WeightsError, match=r"misses layer1\.0\.bn2\.bias"):
        load_public(
            net, {name: value for name, value in classifier.items() if name != "layer1.0.bn2.bias"}, "torchvision"
        )


def test_mmaction_files_with_and_without_their_head() -> None:
    source, target = csn(50, num_classes=4), csn(50, num_classes=4)
    entries = source.state_dict()
    load_public(target, {"state_dict": entries})
    assert torch.equal(target.cls_head.fc_cls.weight, source.cls_head.fc_cls.weight)
    bare = {name.removeprefix("backbone."): value for name, value in entries.items() if name.startswith("backbone.")}
    with pytest.raises(WeightsError, match=r"misses cls_head\.fc_cls\.weight, cls_head\.fc_cls\.bias"):
        load_public(target, bare)
    load_public(target, bare, partial=True)
    other = csn(50, num_classes=7)
    with pytest.raises(WeightsError, match=r"needs cls_head\.fc_cls\.weight \(7, 2048\), got \(4, 2048\)"):
        load_public(other, entries)
    load_public(other, entries, partial=True)


class Hrnet(nn.Module):
    """As little of an HRNet as has its names."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential()
        self.backbone.add_module("conv1", nn.Conv2d(3, 4, 3))
        self.head = nn.Sequential()
        self.head.add_module("final_layer", nn.Conv2d(4, 17, 1))


@pytest.mark.parametrize(
    ("backbone", "head"),
    [
        pytest.param("backbone.", "head.", id="mmpose 1.x"),
        pytest.param("backbone.", "keypoint_head.", id="mmpose 0.x"),
        pytest.param("", "", id="original"),
    ],
)
def test_hrnet_in_its_three_spellings(backbone: str, head: str) -> None:
    source, target = Hrnet().state_dict(), Hrnet()
    spelled = {k.replace("backbone.", backbone).replace("head.", head): value for k, value in source.items()}
    load_public(target, spelled)
    for name, value in target.state_dict().items():
        assert torch.equal(value, source[name])
    last = f"{head}final_layer.bias"
    with pytest.raises(WeightsError, match=f"misses {last}"):
        load_public(target, {name: value for name, value in spelled.items() if name != last})


def test_hrnet_from_an_image_classifier() -> None:
    source, target = Hrnet().state_dict(), Hrnet()
    head = target.state_dict()["head.final_layer.bias"].clone()
    entries = {"conv1.weight": source["backbone.conv1.weight"], "conv1.bias": source["backbone.conv1.bias"]}
    load_public(target, entries | {"incre_modules.0.0.conv1.weight": torch.zeros(1)}, partial=True)
    assert torch.equal(target.state_dict()["backbone.conv1.weight"], source["backbone.conv1.weight"])
    assert torch.equal(target.state_dict()["head.final_layer.bias"], head)
